// The limit of softmax for c -> infinity. Equal maxima share the probability, or the first of them has all of it.
#include "../layout.h"

#include "../traversal/drive.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
struct Hard {
    const Job<E>& job;
    static constexpr bool sums = false, stores = true;
    static constexpr StorePath slowest = StorePath::fast;

    template <class L>
    struct Pending {
        typename L::PerRow maximum, win, nan, winners;
        static constexpr StorePath path = StorePath::fast;
    };
    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Strided<const E> z, Strided<const E>, Strided<E>,
                                  ExpectedMaximum<E>&, Previous& previous) const {
        using PerRow = typename L::PerRow;
        const PerRow best = rows.maximum(z);
        const V maximum = L::spread(best), zero = V::all(0), one = V::all(1);
        const auto wins = [&](auto chunk) NNDL_LAMBDA {
            const V x = rows.load(z, chunk, 0);
            return rows.trim(chunk, select(is_nan(x), x, select(equal(x, maximum), one, zero)));
        };
        const auto winners = rows.sum_one(wins).value();
        const auto share = job.split_ties ? winners : Double<PerRow>::all(1);
        const auto win = job.log ? Double<PerRow>::all(0) - log_of(log_parts(share)) : Double<PerRow>::all(1) / share;
        previous.store_until(rows.classes);
        return {best, from_double<PerRow>(win), (best - best) + from_double<PerRow>(winners - winners),
                from_double<PerRow>(winners)};
    }
    template <StorePath path, class L, class C>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, C chunk, Strided<const E> z, Strided<const E>,
                        Strided<E>) const {
        const V lose = V::all(job.log ? -E(__builtin_inf()) : 0);
        return select(equal(rows.load(z, chunk, 0), L::spread(row.maximum)), L::spread(row.win), lose);
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>& row, const L& rows, ptrdiff_t first) const {
        E winners[L::max_count];
        row.winners.store(winners, rows.count);
        for (int lane = 0; !job.split_ties && lane < rows.count; ++lane) {
            if (!(winners[lane] > 1)) continue;
            bool won = false;
            for (ptrdiff_t j = 0; j < rows.classes; ++j) {
                E& x = element(job.out, first + lane, j);
                if (won) x = 0;
                won = won || x == 1;
            }
        }
        overwrite_nan_rows(rows, row.nan, job.out, first);
    }
};

}  // namespace

NNDL_EXPORT_ROWS(hard, Hard)

}  // namespace nndl_fast
