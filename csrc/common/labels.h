// Which labels are classes.
#pragma once
#include <optional>
#include <stddef.h>
#include <stdint.h>

namespace nndl_fast {

// Negative labels are none either.
inline bool is_class(int64_t label, ptrdiff_t classes) { return uint64_t(label) < uint64_t(classes); }

// The first of n labels that is neither a class nor ignored; n if there is none.
inline ptrdiff_t first_wrong_label(const int64_t* labels, ptrdiff_t n, ptrdiff_t classes,
                                   std::optional<int64_t> ignored = std::nullopt) {
    // A loop without branches says whether all labels are classes, as they nearly always are: if one is not, the top
    // bit of one of the two numbers is set.
    uint64_t bits = 0;
    for (ptrdiff_t i = 0; i < n; ++i) bits |= uint64_t(labels[i]) | (uint64_t(classes - 1) - uint64_t(labels[i]));
    if (!(bits >> 63)) return n;
    for (ptrdiff_t i = 0; i < n; ++i)
        if (!is_class(labels[i], classes) && labels[i] != ignored) return i;
    return n;
}

}  // namespace nndl_fast
