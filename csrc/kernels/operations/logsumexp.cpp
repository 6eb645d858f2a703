// log of the sum of e^z, per row.
#include "../layout.h"

#include "../traversal/drive.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
struct LogSumExp {
    const Job<E>& job;
    static constexpr bool sums = true, keeps = false, stores = false;
    static constexpr StorePath slowest = StorePath::fast;
    NNDL_INLINE E sharpness() const { return 1; }

    template <class L>
    struct Pending {  // nothing: there is nothing to store
        static constexpr StorePath path = StorePath::fast;
    };
    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t first, Strided<const E> z, Strided<const E>, Strided<E> exps,
                                  ExpectedMaximum<E>& hint, Previous& previous) const {
        exps.data = nullptr;
        const RowSum<L> row(rows, z, 1, exps, hint, previous);
        (to_double(row.maximum) + to_double(row.log_sum(rows, z, exps))).store(job.row_result + first, rows.count);
        if (any(is_nan(row.nan))) infinite_rows(rows, first, row);
        return {};
    }
    template <StorePath path, class L, class C>
    NNDL_INLINE V value(const Pending<L>&, const L&, C, Strided<const E>, Strided<const E>, Strided<E>) const {
        return V::all(0);
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>&, const L&, ptrdiff_t) const {}

private:
    // A NaN in the row, or the maximum itself if that is infinite.
    template <class L>
    void infinite_rows(const L& rows, ptrdiff_t first, const RowSum<L>& row) const {
        E nan[L::max_count], maximum[L::max_count];
        row.nan.store(nan, rows.count);
        row.maximum.store(maximum, rows.count);
        for (int lane = 0; lane < rows.count; ++lane) {
            if (nan[lane] == nan[lane]) continue;
            double result = maximum[lane];
            for (ptrdiff_t j = 0; j < rows.classes; ++j) {
                const E x = element(job.z, first + lane, j);
                if (x != x) result = __builtin_nan("");
            }
            job.row_result[first + lane] = result;
        }
    }
};

}  // namespace

NNDL_EXPORT_ROWS(logsumexp, LogSumExp)

}  // namespace nndl_fast
