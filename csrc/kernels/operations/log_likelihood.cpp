// The log-likelihood cost (80) and its gradient, the output error (84), in one pass or apart.
//
// With targets t, class weights w and label smoothing s, t' = (1 - s) t + s / C, and for a row
//   cost  = sum_k w_k t'_k (max - z_k)  +  W log_sum,     W = sum_k w_k t'_k
//   delta = W a - w t'
// times the row's own weight; delta times `scale` as well (1 / n if the cost is a mean).
// A label stands for a one-hot target. A weight of 0 times anything is 0, also times infinity.
#include "../layout.h"

#include "../traversal/drive.h"

namespace nndl_fast {
namespace {

// a b, and 0 if a is 0, whatever b is
template <class V>
NNDL_INLINE V weighted(V a, V b) {
    return select(equal(a, V::all(0)), V::all(0), a * b);
}

template <class V, class E = typename V::Element>
struct LogLikelihood {
    const Job<E>& job;
    static constexpr bool sums = true, keeps = true, stores = true;
    static constexpr StorePath slowest = StorePath::general;
    NNDL_INLINE E sharpness() const { return 1; }

    // What storing a row's error needs.
    template <class L>
    struct Pending {
        using PerRow = typename L::PerRow;
        Scale<L> scale;
        PerRow per_target;  // the factor of a target
        PerRow per_class;   // what smoothing takes from each class, before its weight
        PerRow at_label;    // the error at the label
        PerRow nan;         // NaN if the row's error is
        PerRow label;       // as a number, if by_number()
        StorePath path = StorePath::fast;
        bool some_ignored = false;
    };

    template <class L, class Previous>
    NNDL_INLINE Pending<L> reduce(const L& rows, ptrdiff_t first, Strided<const E> z, Strided<const E> y,
                                  Strided<E> exps, ExpectedMaximum<E>& hint, Previous& previous) const {
        using PerRow = typename L::PerRow;
        // exps may be out, and that may be z: what is wanted of z is read first
        AtLabels<L> at_labels;
        at_labels.z[0] = at_labels.weight[0] = 0;  // silences a warning about uninitialised values
        const bool some_ignored = job.labels && pick(rows, first, z, at_labels);
        Wanted<PerRow> wanted = {PerRow::all(1), PerRow::all(0)};
        if (targets_everywhere()) wanted = want(rows, z, y, at_labels);
        const RowSum<L> row(rows, z, 1, exps, hint, previous);
        // Loaded this late on purpose: a vector load of lanes that were stored one by one waits for all of them.
        const PerRow logit = job.labels ? PerRow::load(at_labels.z, rows.count, 0) : PerRow::all(0);
        const PerRow label_weight = weight_of(rows, at_labels);
        if (!targets_everywhere()) wanted = {label_weight, weighted(label_weight, row.maximum - logit)};

        if (job.row_result) {
            const PerRow cost = wanted.gap + weighted(wanted.weight, row.log_sum(rows, z, exps));
            auto result = to_double(cost);
            if (job.sample_weight) result = weighted(sample_weight(rows, first), result);
            (result + to_double(row.nan)).store(job.row_result + first, rows.count);
            if (some_ignored)
                for (int lane = 0; lane < rows.count; ++lane)
                    if (is_ignored(first + lane)) job.row_result[first + lane] = 0;
        }
        if (!job.out.data) return Pending<L>{};
        Pending<L> pending;
        // rounded first, so that a and the target are multiplied by the same number
        PerRow alpha = PerRow::all(E(job.scale));
        if (job.sample_weight) alpha = from_double<PerRow>(sample_weight(rows, first) * Double<PerRow>::all(job.scale));
        pending.scale = scale_of(row, alpha * wanted.weight, rows.classes);
        pending.per_target = alpha;
        pending.per_class = alpha * PerRow::all(E(job.smoothing / double(rows.classes)));
        pending.nan = row.nan;
        pending.path = targets_everywhere() || pending.scale.beyond ? StorePath::general
                       : pending.scale.corrected                    ? StorePath::corrected
                                                                    : StorePath::fast;
        pending.some_ignored = some_ignored;
        if (job.labels) {
            if (by_number(rows)) pending.label = PerRow::load(at_labels.label, rows.count, 0);
            const PerRow own = PerRow::all(E(1 - job.smoothing + job.smoothing / double(rows.classes)));
            pending.at_label = pending.scale.apply_once(row.exponential_of(logit)) - alpha * (label_weight * own);
        }
        return pending;
    }

    template <StorePath path, class L, class C>
    NNDL_INLINE V value(const Pending<L>& row, const L& rows, C chunk, Strided<const E>, Strided<const E> y,
                        Strided<E> exps) const {
        const V e = rows.load(exps, chunk, 0);
        const V scaled = path == StorePath::general && row.scale.beyond
                             ? row.scale.apply_beyond(e)
                             : row.scale.template apply<path != StorePath::fast>(e);
        if (path != StorePath::general && by_number(rows))
            return select(equal(L::spread(row.label), V::all(E(chunk.j))), L::spread(row.at_label), scaled);
        if (path != StorePath::general || !targets_everywhere()) return scaled;
        if (job.labels) return scaled - class_weight(rows, chunk) * L::spread(row.per_class);
        return scaled - target_of(rows, y, chunk) * L::spread(row.per_target);
    }

    template <class L>
    NNDL_INLINE void finish(const Pending<L>& row, const L& rows, ptrdiff_t first) const {
        if (job.labels && (row.path == StorePath::general || !by_number(rows))) {
            E at_label[L::max_count];
            row.at_label.store(at_label, rows.count);
            for (int lane = 0; lane < rows.count; ++lane)
                element(job.out, first + lane, label(first + lane)) = at_label[lane];
        }
        overwrite_nan_rows(rows, row.nan, job.out, first);
        if (!row.some_ignored) return;
        for (int lane = 0; lane < rows.count; ++lane)
            if (is_ignored(first + lane))
                for (ptrdiff_t j = 0; j < rows.classes; ++j) element(job.out, first + lane, j) = 0;
    }

private:
    // W and sum_k w_k t'_k (max - z_k)
    template <class PerRow>
    struct Wanted {
        PerRow weight, gap;
    };

    NNDL_INLINE bool targets_everywhere() const { return !job.labels || job.smoothing > 0; }
    NNDL_INLINE int64_t given_label(ptrdiff_t row) const { return __atomic_load_n(job.labels + row, __ATOMIC_RELAXED); }
    NNDL_INLINE bool is_ignored(ptrdiff_t row) const { return job.ignore && given_label(row) == job.ignore_index; }
    // A row's label, or 0 if that is no class, as for an ignored row. Labels have been checked, but another thread may
    // have changed them since, and what is written at a label must stay in the row.
    NNDL_INLINE ptrdiff_t label(ptrdiff_t row) const {
        const int64_t y = given_label(row);
        return is_class(y, job.classes) ? ptrdiff_t(y) : 0;
    }
    template <class L>
    NNDL_INLINE auto sample_weight(const L& rows, ptrdiff_t first) const {
        return Double<typename L::PerRow>::load(job.sample_weight + first, rows.count, 0);
    }

    // The logits at the labels, and the weights of those classes.
    template <class L>
    struct AtLabels {
        alignas(64) E z[L::max_count];
        E weight[L::max_count], label[L::max_count];
    };
    // Whether each class is compared with the labels, instead of taking what is at each row's label: with
    // more classes than this that costs more.
    static constexpr ptrdiff_t most_by_number = 16;
    // finish() asks for the path of its own tile, but tiles that are stored together take the slowest path of them.
    static_assert(most_by_number <= few_classes, "tiles that are stored together have more classes than this");
    template <class L>
    static NNDL_INLINE bool by_number(const L& rows) {
        return L::max_count > 1 && rows.classes <= most_by_number;
    }
    // True if a row is ignored.
    template <class L>
    NNDL_INLINE bool pick(const L& rows, ptrdiff_t first, Strided<const E> z, AtLabels<L>& at) const {
        bool ignored = false;
        if constexpr (L::max_count > 1) {
            if (by_number(rows) && !job.ignore && !job.class_weight) {
                // Plain reads without a branch, which can be vectorised. If another thread changes the label meanwhile,
                // any number may be read: it is only compared here.
                for (int lane = 0; lane < rows.count; ++lane) at.label[lane] = E(int32_t(job.labels[first + lane]));
                const V labels = V::load(at.label, rows.count, 0);
                V logit = V::all(0);
                rows.for_each([&](auto chunk) NNDL_LAMBDA {
                    logit = select(equal(labels, V::all(E(chunk.j))), rows.load(z, chunk, 0), logit);
                });
                logit.store(at.z, rows.count);
                return false;
            }
        }
        for (int lane = 0; lane < rows.count; ++lane) {
            const ptrdiff_t row = first + lane, y = label(row);
            ignored = ignored || is_ignored(row);
            at.z[lane] = element(job.z, row, y);
            at.label[lane] = E(y);
            if (job.class_weight) at.weight[lane] = job.class_weight[y];
        }
        return ignored;
    }
    template <class L, class PerRow = typename L::PerRow>
    NNDL_INLINE PerRow weight_of(const L& rows, const AtLabels<L>& at) const {
        return job.labels && job.class_weight ? PerRow::load(at.weight, rows.count, 0) : PerRow::all(1);
    }
    template <class L, class C>
    NNDL_INLINE V class_weight(const L&, C chunk) const {
        return job.class_weight ? L::per_class(job.class_weight, chunk) : V::all(1);
    }
    // w_k t'_k
    template <class L, class C>
    NNDL_INLINE V target_of(const L& rows, Strided<const E> y, C chunk) const {
        V t = rows.load(y, chunk, 0);
        if (job.smoothing > 0)
            t = fma(t, V::all(E(1 - job.smoothing)), V::all(E(job.smoothing / double(rows.classes))));
        return job.class_weight ? class_weight(rows, chunk) * t : t;
    }

    // If every class has a target.
    template <class L, class PerRow = typename L::PerRow>
    NNDL_NOINLINE Wanted<PerRow> want(const L& rows, Strided<const E> z, Strided<const E> y,
                                      const AtLabels<L>& at) const {
        using D = Double<PerRow>;
        const PerRow maximum = rows.maximum(z);
        const V top = L::spread(maximum);
        if (!job.labels) {
            const auto sums = rows.template sum<2>([&](auto chunk) NNDL_LAMBDA {
                const V t = rows.trim(chunk, target_of(rows, y, chunk));
                return Terms<V, 2>{{t, weighted(t, top - rows.load(z, chunk, 0))}};
            });
            return {from_double<PerRow>(sums.of[0].value()), from_double<PerRow>(sums.of[1].value())};
        }
        const auto gap_of = [&](auto chunk) NNDL_LAMBDA {
            return rows.trim(chunk, weighted(class_weight(rows, chunk), top - rows.load(z, chunk, 0)));
        };
        const D gaps = rows.sum_one(gap_of).value();
        const PerRow logit = PerRow::load(at.z, rows.count, 0);
        const D own = D::all(1 - job.smoothing) * to_double(weight_of(rows, at)),
                each = D::all(job.smoothing / double(rows.classes));
        const D gap = weighted(own, to_double(maximum) - to_double(logit)) + each * gaps;
        return {from_double<PerRow>(own + each * D::all(job.class_weight_sum)), from_double<PerRow>(gap)};
    }
};

}  // namespace

NNDL_EXPORT_ROWS(log_likelihood, LogLikelihood)

}  // namespace nndl_fast
