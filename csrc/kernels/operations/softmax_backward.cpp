// c a (g - sum of g a): the product of the gradient g with softmax's Jacobian. z holds a, y holds g.
#include "../layout.h"

#include "../traversal/drive.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
struct SoftmaxBackward {
    const Job<E>& job;
    static constexpr bool sums = false, stores = true;
    static constexpr StorePath slowest = StorePath::fast;

    template <class L>
    struct Pending {
        typename L::PerRow mean;
        static constexpr StorePath path = StorePath::fast;
    };
    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Strided<const E> a, Strided<const E> g, Strided<E>,
                                  ExpectedMaximum<E>&, Previous& previous) const {
        const auto product = [&](auto chunk) NNDL_LAMBDA {
            return rows.trim(chunk, rows.load(a, chunk, 0) * rows.load(g, chunk, 0));
        };
        const auto products = rows.sum_one(product).value();
        previous.store_until(rows.classes);
        return {from_double<typename L::PerRow>(products)};
    }
    template <StorePath path, class L, class C>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, C chunk, Strided<const E> a, Strided<const E> g,
                        Strided<E>) const {
        return V::all(job.c) * rows.load(a, chunk, 0) * (rows.load(g, chunk, 0) - L::spread(row.mean));
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>&, const L&, ptrdiff_t) const {}
};

}  // namespace

NNDL_EXPORT_ROWS(softmax_backward, SoftmaxBackward)

}  // namespace nndl_fast
