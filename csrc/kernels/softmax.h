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
        typename L::PerRow nan;
        StorePath path;
    };
    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Strided<const E> z, Strided<const E>, Strided<E> exps,
                                  MaxHint<E>& hint, Previous& previous) const {
        const RowSum<L> row(rows, z, job.c, exps, hint, previous);
        const auto scale = row.scale(L::PerRow::all(1), 1);
        return {scale, row.nan, scale.corrected ? StorePath::corrected : StorePath::fast};
    }
    template <StorePath W, class L, class S>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, S step, Strided<const E>, Strided<const E>,
                        Strided<E> exps) const {
        return row.scale.template apply<W != StorePath::fast>(rows.load(exps, step, 0));
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
        typename L::PerRow maximum, minus_log_sum, nan;
        static constexpr StorePath path = StorePath::fast;
    };
    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Strided<const E> z, Strided<const E>, Strided<E> exps,
                                  MaxHint<E>& hint, Previous& previous) const {
        exps.data = nullptr;  // it may be out, and that may be z, which is still to be read
        const RowSum<L> row(rows, z, job.c, exps, hint, previous);
        return {row.maximum, L::PerRow::all(0) - row.log_sum(rows, z, exps), row.nan};
    }
    template <StorePath W, class L, class S>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, S step, Strided<const E> z, Strided<const E>,
                        Strided<E>) const {
        return fma(rows.load(z, step, 0) - L::spread(row.maximum), V::all(job.c), L::spread(row.minus_log_sum));
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>& row, const L& rows, ptrdiff_t first) const {
        overwrite_nan_rows(rows, row.nan, job.out, first);
    }
};

// What is pending in operations that store nothing, or that need nothing for it.
template <class L>
struct EmptyPending {
    static constexpr StorePath path = StorePath::fast;
};

template <class V, class E = typename V::Element>
struct LogSumExp {
    const Job<E>& job;
    static constexpr bool sums = true, keeps = false;
    NNDL_INLINE E sharpness() const { return 1; }

    template <class L, class Previous>
    NNDL_INLINE EmptyPending<L> reduce(const L& rows, ptrdiff_t first, Strided<const E> z, Strided<const E>,
                                       Strided<E> exps, MaxHint<E>& hint, Previous& previous) const {
        exps.data = nullptr;
        const RowSum<L> row(rows, z, 1, exps, hint, previous);
        (to_double(row.maximum) + to_double(row.log_sum(rows, z, exps))).store(job.row_result + first, rows.count);
        if (any(is_nan(row.nan))) infinite_rows(rows, first, row);
        return {};
    }
    template <StorePath W, class L, class S>
    NNDL_INLINE V value(const EmptyPending<L>&, const L&, S, Strided<const E>, Strided<const E>, Strided<E>) const {
        return V::all(0);
    }
    template <class L>
    NNDL_INLINE void finish(const EmptyPending<L>&, const L&, ptrdiff_t) const {}

private:
    // A NaN in the row, or the maximum itself where that is infinite.
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

// The limit of softmax for c -> infinity. Equal maxima share the probability, or the first of them
// has all of it.
template <class V, class E = typename V::Element>
struct Hard {
    const Job<E>& job;
    static constexpr bool sums = false;

    template <class L>
    struct Pending {
        typename L::PerRow maximum, win, nan;
        static constexpr StorePath path = StorePath::fast;
    };
    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Strided<const E> z, Strided<const E>, Strided<E>,
                                  MaxHint<E>&, Previous& previous) const {
        using PerRow = typename L::PerRow;
        const PerRow best = rows.maximum(z);
        const V maximum = L::spread(best), zero = V::all(0), one = V::all(1);
        const auto winners =
            rows.template sum<1>([&](auto step) NNDL_LAMBDA {
                    const V x = rows.load(z, step, 0);
                    return Terms<V, 1>{{rows.trim(step, select(is_nan(x), x, select(equal(x, maximum), one, zero)))}};
                })
                .of[0]
                .value();
        const auto share = job.split_ties ? winners : Double<PerRow>::all(1);
        const auto win = job.log ? Double<PerRow>::all(0) - log_of(log_parts(share)) : Double<PerRow>::all(1) / share;
        previous.store_until(rows.classes);
        return {best, from_double<PerRow>(win), (best - best) + from_double<PerRow>(winners - winners)};
    }
    template <StorePath W, class L, class S>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, S step, Strided<const E> z, Strided<const E>,
                        Strided<E>) const {
        const V lose = V::all(job.log ? -E(__builtin_inf()) : 0);
        return select(equal(rows.load(z, step, 0), L::spread(row.maximum)), L::spread(row.win), lose);
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>& row, const L& rows, ptrdiff_t first) const {
        for (int lane = 0; !job.split_ties && lane < rows.count; ++lane) {
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
        typename L::PerRow mean;
        static constexpr StorePath path = StorePath::fast;
    };
    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t, Strided<const E> a, Strided<const E> g, Strided<E>,
                                  MaxHint<E>&, Previous& previous) const {
        const auto products =
            rows.template sum<1>([&](auto step) NNDL_LAMBDA {
                    return Terms<V, 1>{{rows.trim(step, rows.load(a, step, 0) * rows.load(g, step, 0))}};
                })
                .of[0]
                .value();
        previous.store_until(rows.classes);
        return {from_double<typename L::PerRow>(products)};
    }
    template <StorePath W, class L, class S>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, S step, Strided<const E> a, Strided<const E> g,
                        Strided<E>) const {
        return V::all(job.c) * rows.load(a, step, 0) * (rows.load(g, step, 0) - L::spread(row.mean));
    }
    template <class L>
    NNDL_INLINE void finish(const Pending<L>&, const L&, ptrdiff_t) const {}
};

}  // namespace
}  // namespace nndl_fast
