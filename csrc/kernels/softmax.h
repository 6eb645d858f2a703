// softmax (78), its logarithm, logsumexp, the limit c -> infinity, and softmax's backward pass.
#pragma once
#include "drive.h"
#include "row.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
struct Softmax {
    const Job<E>& job;

    template <class L>
    NNDL_KERNEL void operator()(L rows, ptrdiff_t, Column<const E> z, Column<const E>, Column<E> out, Column<E> keep) const {
        if (!keep.data) keep = out;
        RowSum<L> row(rows, z, job.c);
        row.add_up(rows, z, keep);
        const auto scale = row.scale(Double<typename L::Each>::all(1));
        rows.for_each([&](auto step) NNDL_LAMBDA {
            rows.store(out, step, scale.apply(rows.load(keep, step, E(0))));
        });
        overwrite_nan_rows(rows, row.nan, out);
    }
};

// c (z - max) - log_sum: both are at most 0, nothing cancels.
template <class V, class E = typename V::Element>
struct LogSoftmax {
    const Job<E>& job;

    template <class L>
    NNDL_KERNEL void operator()(L rows, ptrdiff_t, Column<const E> z, Column<const E>, Column<E> out, Column<E> keep) const {
        RowSum<L> row(rows, z, job.c);
        row.add_up(rows, z, keep);
        const V maximum = L::spread(row.anchor.maximum), c = L::spread(row.anchor.c);
        const V log_sum = L::spread(from_double<typename L::Each>(row.log_sum(rows, z, keep)));
        rows.for_each([&](auto step) NNDL_LAMBDA {
            rows.store(out, step, fma(rows.load(z, step, E(0)) - maximum, c, V::all(0) - log_sum));
        });
        overwrite_nan_rows(rows, row.nan, out);
    }
};

template <class V, class E = typename V::Element>
struct LogSumExp {
    const Job<E>& job;

    template <class L>
    NNDL_KERNEL void operator()(L rows, ptrdiff_t first, Column<const E> z, Column<const E>, Column<E>, Column<E> keep) const {
        RowSum<L> row(rows, z, 1);
        row.add_up(rows, z, keep);
        const auto maximum = to_double(row.anchor.maximum);
        (maximum + row.log_sum(rows, z, keep)).store(job.row_result + first, rows.rows);
        if (any(is_nan(row.nan))) infinite_rows(rows, first, z, row);
    }

private:
    // A NaN in the row, or the maximum itself where that is infinite.
    template <class L>
    void infinite_rows(L rows, ptrdiff_t first, Column<const E> z, const RowSum<L>& row) const {
        double nan[L::rows_at_most];
        E maximum[L::rows_at_most];
        row.nan.store(nan, rows.rows);
        row.anchor.maximum.store(maximum, rows.rows);
        for (int lane = 0; lane < rows.rows; ++lane) {
            if (nan[lane] == nan[lane]) continue;
            double result = maximum[lane];
            for (ptrdiff_t j = 0; j < rows.classes; ++j) {
                const E x = L::at(z, j, lane);
                if (x != x) result = __builtin_nan("");
            }
            job.row_result[first + lane] = result;
        }
    }
};

// The limit of softmax for c -> infinity; rare, so its second pass is a plain loop. Equal maxima share the probability, or the first of them
// has all of it.
template <class V, class E = typename V::Element>
struct Hard {
    const Job<E>& job;

    template <class L>
    NNDL_KERNEL void operator()(L rows, ptrdiff_t, Column<const E> z, Column<const E>, Column<E> out, Column<E>) const {
        using Each = typename L::Each;
        const Each best = rows.maximum(z);
        const V maximum = L::spread(best), zero = V::all(0), one = V::all(1);
        const auto winners = rows.template sum<1>([&](auto step) NNDL_LAMBDA {
            const V x = rows.load(z, step, E(0));
            return Terms<V, 1>{{rows.trim(step, select(is_nan(x), x, select(equal(x, maximum), one, zero)))}};
        }).of[0].value();
        const auto top = to_double(best);
        const auto nan = (top - top) + (winners - winners);
        const bool share = job.share, log = job.log;
        double count[L::rows_at_most];
        E first_maximum[L::rows_at_most];
        winners.store(count, rows.rows);
        best.store(first_maximum, rows.rows);
        for (int lane = 0; lane < rows.rows; ++lane) {
            const E lose = log ? -E(__builtin_inf()) : 0;
            const double share_of_one = share ? count[lane] : 1;
            const E win = E(log ? 0 - log_of(log_parts(F64x1{share_of_one})).r : 1 / share_of_one);
            bool won = false;
            for (ptrdiff_t j = 0; j < rows.classes; ++j) {
                const bool wins = L::at(z, j, lane) == first_maximum[lane] && (share || !won);
                won = won || wins;
                L::at(out, j, lane) = wins ? win : lose;
            }
        }
        overwrite_nan_rows(rows, nan, out);
    }
};

// c a (g - sum of g a): the product of the gradient g with softmax's Jacobian. z holds a, y holds g.
template <class V, class E = typename V::Element>
struct SoftmaxBackward {
    const Job<E>& job;

    template <class L>
    NNDL_KERNEL void operator()(L rows, ptrdiff_t, Column<const E> a, Column<const E> g, Column<E> out, Column<E>) const {
        const auto products = rows.template sum<1>([&](auto step) NNDL_LAMBDA {
            return Terms<V, 1>{{rows.trim(step, rows.load(a, step, E(0)) * rows.load(g, step, E(0)))}};
        }).of[0].value();
        const V mean = L::spread(from_double<typename L::Each>(products)), c = V::all(job.c);
        rows.for_each([&](auto step) NNDL_LAMBDA {
            rows.store(out, step, c * rows.load(a, step, E(0)) * (rows.load(g, step, E(0)) - mean));
        });
    }
};

}  // namespace
}  // namespace nndl_fast
