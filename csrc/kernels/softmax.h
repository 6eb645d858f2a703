// softmax (78), its logarithm, logsumexp, the limit c -> infinity, and softmax's backward pass.
#pragma once
#include "drive.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
struct Softmax {
    const Job<E>& job;
    static constexpr bool sums = true, keeps = true;
    NNDL_INLINE E sharpness() const { return job.c; }

    template <class L>
    struct Pending {
        typename RowSum<L>::Scale scale;
        typename L::Each nan;
        Way way;
    };
    template <class L, class Before>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Column<const E> z, Column<const E>, Column<E> keep,
                                  Guess<E>& guess, Before& before) const {
        const RowSum<L> row(rows, z, job.c, keep, guess, before);
        const auto scale = row.scale(L::Each::all(1), 1);
        return {scale, row.nan, scale.corrected ? Way::corrected : Way::quick};
    }
    template <Way W, class L, class S>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, S step, Column<const E>, Column<const E>,
                        Column<E> keep) const {
        return row.scale.template apply<W != Way::quick>(rows.load(keep, step, 0));
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>& row, const L& rows, ptrdiff_t first) const {
        overwrite_nan_rows(rows, row.nan, job.out, first);
    }
};

// c (z - max) - log_sum: both are at most 0, nothing cancels.
template <class V, class E = typename V::Element>
struct LogSoftmax {
    const Job<E>& job;
    static constexpr bool sums = true, keeps = false;
    NNDL_INLINE E sharpness() const { return job.c; }

    template <class L>
    struct Pending {
        typename L::Each maximum, minus_log_sum, nan;
        static constexpr Way way = Way::quick;
    };
    template <class L, class Before>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Column<const E> z, Column<const E>, Column<E> keep,
                                  Guess<E>& guess, Before& before) const {
        keep.data = nullptr;  // it may be out, and that may be z, which is still to be read
        const RowSum<L> row(rows, z, job.c, keep, guess, before);
        return {row.maximum, L::Each::all(0) - row.log_sum(rows, z, keep), row.nan};
    }
    template <Way W, class L, class S>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, S step, Column<const E> z, Column<const E>,
                        Column<E>) const {
        return fma(rows.load(z, step, 0) - L::spread(row.maximum), V::all(job.c), L::spread(row.minus_log_sum));
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>& row, const L& rows, ptrdiff_t first) const {
        overwrite_nan_rows(rows, row.nan, job.out, first);
    }
};

// What operations that store nothing, or need nothing for it, have pending.
template <class L>
struct NothingPending {
    static constexpr Way way = Way::quick;
};

template <class V, class E = typename V::Element>
struct LogSumExp {
    const Job<E>& job;
    static constexpr bool sums = true, keeps = false;
    NNDL_INLINE E sharpness() const { return 1; }

    template <class L, class Before>
    NNDL_INLINE NothingPending<L> reduce(const L& rows, ptrdiff_t first, Column<const E> z, Column<const E>,
                                         Column<E> keep, Guess<E>& guess, Before& before) const {
        keep.data = nullptr;
        const RowSum<L> row(rows, z, 1, keep, guess, before);
        (to_double(row.maximum) + to_double(row.log_sum(rows, z, keep))).store(job.row_result + first, rows.rows);
        if (any(is_nan(row.nan))) infinite_rows(rows, first, row);
        return {};
    }
    template <Way W, class L, class S>
    NNDL_INLINE V value(const NothingPending<L>&, const L&, S, Column<const E>, Column<const E>, Column<E>) const {
        return V::all(0);
    }
    template <class L>
    NNDL_INLINE void finish(const NothingPending<L>&, const L&, ptrdiff_t) const {}

private:
    // A NaN in the row, or the maximum itself where that is infinite.
    template <class L>
    void infinite_rows(const L& rows, ptrdiff_t first, const RowSum<L>& row) const {
        E nan[L::rows_at_most], maximum[L::rows_at_most];
        row.nan.store(nan, rows.rows);
        row.maximum.store(maximum, rows.rows);
        for (int lane = 0; lane < rows.rows; ++lane) {
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

// The limit of softmax for c -> infinity. Equal maxima share the probability, or the first of them
// has all of it.
template <class V, class E = typename V::Element>
struct Hard {
    const Job<E>& job;
    static constexpr bool sums = false;

    template <class L>
    struct Pending {
        typename L::Each maximum, win, nan;
        static constexpr Way way = Way::quick;
    };
    template <class L, class Before>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Column<const E> z, Column<const E>, Column<E>, Guess<E>&,
                                  Before& before) const {
        using Each = typename L::Each;
        const Each best = rows.maximum(z);
        const V maximum = L::spread(best), zero = V::all(0), one = V::all(1);
        const auto winners = rows.template sum<1>([&](auto step) NNDL_LAMBDA {
            const V x = rows.load(z, step, 0);
            return Terms<V, 1>{{rows.trim(step, select(is_nan(x), x, select(equal(x, maximum), one, zero)))}};
        }).of[0].value();
        const auto share = job.share ? winners : Double<Each>::all(1);
        const auto win = job.log ? Double<Each>::all(0) - log_of(log_parts(share)) : Double<Each>::all(1) / share;
        before.until(rows.classes);
        return {best, from_double<Each>(win), (best - best) + from_double<Each>(winners - winners)};
    }
    template <Way W, class L, class S>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, S step, Column<const E> z, Column<const E>,
                        Column<E>) const {
        const V lose = V::all(job.log ? -E(__builtin_inf()) : 0);
        return select(equal(rows.load(z, step, 0), L::spread(row.maximum)), L::spread(row.win), lose);
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>& row, const L& rows, ptrdiff_t first) const {
        for (int lane = 0; !job.share && lane < rows.rows; ++lane) {
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

// c a (g - sum of g a): the product of the gradient g with softmax's Jacobian. z holds a, y holds g.
template <class V, class E = typename V::Element>
struct SoftmaxBackward {
    const Job<E>& job;
    static constexpr bool sums = false;

    template <class L>
    struct Pending {
        typename L::Each mean;
        static constexpr Way way = Way::quick;
    };
    template <class L, class Before>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Column<const E> a, Column<const E> g, Column<E>, Guess<E>&,
                                  Before& before) const {
        const auto products = rows.template sum<1>([&](auto step) NNDL_LAMBDA {
            return Terms<V, 1>{{rows.trim(step, rows.load(a, step, 0) * rows.load(g, step, 0))}};
        }).of[0].value();
        before.until(rows.classes);
        return {from_double<typename L::Each>(products)};
    }
    template <Way W, class L, class S>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, S step, Column<const E> a, Column<const E> g,
                        Column<E>) const {
        return V::all(job.c) * rows.load(a, step, 0) * (rows.load(g, step, 0) - L::spread(row.mean));
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>&, const L&, ptrdiff_t) const {}
};

}  // namespace
}  // namespace nndl_fast
