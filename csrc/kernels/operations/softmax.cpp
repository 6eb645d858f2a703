// softmax: a_j = e^(c z_j) / sum_k e^(c z_k), the book's (78) and (83).
#include "../layout.h"

#include "../traversal/drive.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
struct Softmax {
    const Job<E>& job;
    static constexpr bool sums = true, keeps = true, stores = true;
    static constexpr StorePath slowest = StorePath::corrected;
    NNDL_INLINE E sharpness() const { return job.c; }

    template <class L>
    struct Pending {
        Scale<L> scale;
        typename L::PerRow nan;
        StorePath path;
    };
    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Strided<const E> z, Strided<const E>, Strided<E> exps,
                                  ExpectedMaximum<E>& hint, Previous& previous) const {
        const RowSum<L> row(rows, z, job.c, exps, hint, previous);
        // 1 class: the numerator is then within its bounds, and value() need not handle Scale::beyond.
        const auto scale = scale_of(row, L::PerRow::all(1), 1);
        return {scale, row.nan, scale.corrected ? StorePath::corrected : StorePath::fast};
    }
    template <StorePath path, class L, class C>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, C chunk, Strided<const E>, Strided<const E>,
                        Strided<E> exps) const {
        return row.scale.template apply<path != StorePath::fast>(rows.load(exps, chunk, 0));
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>& row, const L& rows, ptrdiff_t first) const {
        overwrite_nan_rows(rows, row.nan, job.out, first);
    }
};

}  // namespace

NNDL_EXPORT_ROWS(softmax, Softmax)

}  // namespace nndl_fast
