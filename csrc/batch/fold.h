// Sums over a batch, in an order that depends on the batch alone.
#pragma once
#include <algorithm>
#include <cstddef>

namespace nndl_fast {

// The number of values that are added up at a time; the sums of these groups are added up in the same way.
constexpr ptrdiff_t fold_group = 16;

// Sums n values in place: groups, groups of groups, and so on. Destroys them.
inline double fold(double* x, ptrdiff_t n) {
    while (n > 1) {
        const ptrdiff_t groups = (n + fold_group - 1) / fold_group;
        for (ptrdiff_t g = 0; g < groups; ++g) {
            double sum = x[g * fold_group];
            for (ptrdiff_t i = g * fold_group + 1; i < std::min(n, (g + 1) * fold_group); ++i) sum += x[i];
            x[g] = sum;
        }
        n = groups;
    }
    return n ? x[0] : 0;
}

}  // namespace nndl_fast
