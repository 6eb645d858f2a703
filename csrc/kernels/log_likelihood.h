// The log-likelihood cost (80) and its gradient, the output error (84), in one pass or apart.
//
// With targets t, class weights w and label smoothing s, t' = (1 - s) t + s / C, and for a row
//   cost  = sum_k w_k t'_k (max - z_k)  +  W log_sum,     W = sum_k w_k t'_k
//   delta = W a - w t'
// times the row's own weight; delta times `scale` as well (1 / n where the cost is a mean).
// A label is the target that is 1 there and 0 elsewhere. A weight of zero counts zero, also
// times infinity.
#pragma once
#include "drive.h"
#include "row.h"

namespace nndl_fast {
namespace {

// a b, and 0 where a is 0 whatever b is
template <class V>
NNDL_INLINE V weighted(V a, V b) {
    return select(equal(a, V::all(0)), V::all(0), a * b);
}

template <class V, class E = typename V::Element>
struct LogLikelihood {
    const Job<E>& job;

    template <class L>
    NNDL_KERNEL void operator()(L rows, ptrdiff_t first, Column<const E> z, Column<const E> y, Column<E> out,
                                Column<E> keep) const {
        using Each = typename L::Each;
        using D = Double<Each>;
        RowSum<L> row(rows, z, 1);
        const Labels<L> labels(job, rows, first, z, row.anchor.maximum);
        const Wanted<D> wanted = job.labels ? from_labels(rows, z, row.anchor.maximum, labels)
                                            : from_targets(rows, z, y, row.anchor.maximum);
        if (!keep.data) keep = out;  // z may be out: it is not read again
        row.add_up(rows, z, keep);
        const D weight = job.sample_weight ? D::load(job.sample_weight + first, rows.rows, 0) : D::all(1);

        if (job.row_result) {
            const D cost = wanted.gap + weighted(wanted.weight, row.log_sum(rows, z, keep));
            (weighted(weight, cost) + row.nan).store(job.row_result + first, rows.rows);
        }
        if (job.out.data) {
            // rounded first, so that a and the target are multiplied by the same number
            const D alpha = to_double(from_double<Each>(weight * D::all(job.scale)));
            const auto scale = row.scale(alpha * wanted.weight);
            const Each at_label = labels.exponential(rows, keep);
            const V of_targets = L::spread(from_double<Each>(alpha));
            const V of_all = L::spread(from_double<Each>(alpha * D::all(job.smoothing / double(rows.classes))));
            const bool targets_everywhere = !job.labels || job.smoothing > 0;
            rows.for_each([&](auto step) NNDL_LAMBDA {
                V delta = scale.apply(rows.load(keep, step, E(0)));
                if (targets_everywhere)
                    delta = delta - (job.labels ? class_weight(rows, step) * of_all : target_of(rows, y, step) * of_targets);
                rows.store(out, step, delta);
            });
            if (job.labels) {
                const D target = alpha * label_target(labels.weight, double(rows.classes));
                labels.write(rows, out, scale.apply_once(at_label) - from_double<Each>(target));
            }
            overwrite_nan_rows(rows, row.nan, out);
        }
        if (labels.some_ignored) labels.clear_ignored(rows, first, out);
    }

private:
    // W and sum_k w_k t'_k (max - z_k)
    template <class D>
    struct Wanted {
        D weight, gap;
    };

    // What the labels of the rows in hand pick.
    template <class L>
    struct Labels {
        using Each = typename L::Each;
        using D = Double<Each>;
        const Job<E>& job;
        int64_t label[L::rows_at_most];
        bool ignored[L::rows_at_most];
        bool some_ignored = false;
        D weight, gap;  // w_y, max - z_y

        NNDL_INLINE Labels(const Job<E>& j, const L& rows, ptrdiff_t first, Column<const E> z, Each maximum) : job(j) {
            if (!job.labels) return;
            double w[L::rows_at_most], logit[L::rows_at_most];
            for (int lane = 0; lane < rows.rows; ++lane) {
                const int64_t y = job.labels[first + lane];
                ignored[lane] = job.ignore && y == job.ignore_index;
                some_ignored = some_ignored || ignored[lane];
                label[lane] = ignored[lane] ? 0 : y;
                w[lane] = job.class_weight ? job.class_weight[label[lane]] : 1;
                logit[lane] = L::at(z, label[lane], lane);
            }
            weight = D::load(w, rows.rows, 0);
            gap = to_double(maximum) - D::load(logit, rows.rows, 0);
        }
        NNDL_INLINE Each exponential(const L& rows, Column<E> keep) const {
            if (!job.labels) return Each::all(0);
            E e[L::rows_at_most];
            for (int lane = 0; lane < rows.rows; ++lane) e[lane] = L::at(keep, label[lane], lane);
            return Each::load(e, rows.rows, 0);
        }
        NNDL_INLINE void write(const L& rows, Column<E> out, Each value) const {
            E v[L::rows_at_most];
            value.store(v, rows.rows);
            for (int lane = 0; lane < rows.rows; ++lane) L::at(out, label[lane], lane) = v[lane];
        }
        void clear_ignored(const L& rows, ptrdiff_t first, Column<E> out) const {
            for (int lane = 0; lane < rows.rows; ++lane) {
                if (!ignored[lane]) continue;
                if (job.row_result) job.row_result[first + lane] = 0;
                if (out.data)
                    for (ptrdiff_t j = 0; j < rows.classes; ++j) L::at(out, j, lane) = 0;
            }
        }
    };

    template <class L, class S>
    NNDL_INLINE V class_weight(const L&, S step) const {
        return job.class_weight ? L::per_class(job.class_weight, step) : V::all(1);
    }
    // w_k t'_k
    template <class L, class S>
    NNDL_INLINE V target_of(const L& rows, Column<const E> y, S step) const {
        V t = rows.load(y, step, E(0));
        if (job.smoothing > 0)
            t = fma(t, V::all(E(1 - job.smoothing)), V::all(E(job.smoothing / double(rows.classes))));
        return job.class_weight ? class_weight(rows, step) * t : t;
    }
    template <class D>
    NNDL_INLINE D label_target(D weight, double classes) const {
        return weight * D::all(1 - job.smoothing + job.smoothing / classes);
    }

    template <class L, class D = Double<typename L::Each>>
    NNDL_INLINE Wanted<D> from_labels(const L& rows, Column<const E> z, typename L::Each maximum,
                                      const Labels<L>& labels) const {
        if (job.smoothing == 0) return {labels.weight, weighted(labels.weight, labels.gap)};
        const V top = L::spread(maximum);
        const D all = rows.template sum<1>([&](auto step) NNDL_LAMBDA {
            return Terms<V, 1>{{rows.trim(step, weighted(class_weight(rows, step), top - rows.load(z, step, E(0))))}};
        }).of[0].value();
        const D own = D::all(1 - job.smoothing) * labels.weight, each = D::all(job.smoothing / double(rows.classes));
        return {own + each * D::all(job.class_weight_sum), weighted(own, labels.gap) + each * all};
    }

    template <class L, class D = Double<typename L::Each>>
    NNDL_INLINE Wanted<D> from_targets(const L& rows, Column<const E> z, Column<const E> y,
                                       typename L::Each maximum) const {
        const V top = L::spread(maximum);
        const auto sums = rows.template sum<2>([&](auto step) NNDL_LAMBDA {
            const V t = rows.trim(step, target_of(rows, y, step));
            return Terms<V, 2>{{t, weighted(t, top - rows.load(z, step, E(0)))}};
        });
        return {sums.of[0].value(), sums.of[1].value()};
    }
};

}  // namespace
}  // namespace nndl_fast
