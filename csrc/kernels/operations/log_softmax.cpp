// The logarithm of softmax: c (z - max) - log_sum. Both terms are at most 0, so nothing cancels.
#include "../layout.h"

#include "../traversal/drive.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
struct LogSoftmax {
    const Job<E>& job;
    static constexpr bool sums = true, keeps = false, stores = true;
    static constexpr StorePath slowest = StorePath::fast;
    NNDL_INLINE E sharpness() const { return job.c; }
    // Half of z - max where c makes it small: the whole may be larger than any number, though c times it is not.
    NNDL_INLINE E part() const { return job.c < 1 ? E(0.5) : E(1); }

    template <class L>
    struct Pending {
        typename L::PerRow shift, minus_log_sum, nan;
        static constexpr StorePath path = StorePath::fast;
    };
    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Strided<const E> z, Strided<const E>, Strided<E> exps,
                                  ExpectedMaximum<E>& hint, Previous& previous) const {
        exps.data = nullptr;  // it may be out, and that may be z, which is still to be read
        const RowSum<L> row(rows, z, job.c, exps, hint, previous);
        return {row.maximum * L::PerRow::all(-part()), L::PerRow::all(0) - row.log_sum(rows, z, exps), row.nan};
    }
    template <StorePath path, class L, class C>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, C chunk, Strided<const E> z, Strided<const E>,
                        Strided<E>) const {
        const V range = fma(rows.load(z, chunk, 0), V::all(part()), L::spread(row.shift));
        return fma(range, V::all(job.c / part()), L::spread(row.minus_log_sum));
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>& row, const L& rows, ptrdiff_t first) const {
        overwrite_nan_rows(rows, row.nan, job.out, first);
    }
};

}  // namespace

NNDL_EXPORT_ROWS(log_softmax, LogSoftmax)

}  // namespace nndl_fast
