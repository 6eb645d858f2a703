#include "linear.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../batch/run_kernel.h"
#include "../common/buffer.h"
#include "matrix.h"

namespace nndl_fast {
namespace {

// Examples that are enough for a block: w is then read so seldom that its reading does not count; and those that are
// too few. Bytes of the copies of a block's inputs.
constexpr ptrdiff_t many_examples = 192, few_examples = 32, copies_at_most = 4 << 20;
// Classes whose weights are turned at a time.
constexpr ptrdiff_t turned_at_once = 256;
thread_local Buffer thread_turned;

template <class E>
class Linear {
    static constexpr ptrdiff_t size = lanes<E>;

public:
    explicit Linear(const LinearJob<E>& job)
        : job_(job),
          gradients_(job.nabla_w),
          has_targets_(job.cost.y.data),
          targets_everywhere_(has_targets_ || job.cost.smoothing > 0) {
        const ptrdiff_t elements = job.room / ptrdiff_t(sizeof(E));
        ptrdiff_t most = elements / (has_targets_ ? 2 : 1) / job.classes;
        in_parts_ = most < std::min(few_examples, whole_vectors<E>(job.n));
        if (in_parts_) most = many_examples;
        most = std::min(
            {most, many_examples, copies_at_most / ptrdiff_t(sizeof(E)) / (3 * std::max<ptrdiff_t>(1, job.features))});
        const ptrdiff_t examples = split(job.n, std::max(size, most / size * size));
        width_ = job.classes;
        if (in_parts_)
            width_ =
                split(job.classes, std::max<ptrdiff_t>(1, elements / (targets_everywhere_ ? 2 : 1) / examples - 1));
        panel_ = (width_ + in_parts_) * size;
        z_ = room<E>(logits_, examples / size * panel_);
        if (has_targets_ || (in_parts_ && targets_everywhere_)) y_ = room<E>(targets_, examples / size * panel_);
        turned_ = room<E>(turned_a_, examples * job.features);
        if (in_parts_) {
            sums_.resize(size_t((job.classes + width_ - 1) / width_ * examples));
            pairs_.resize(size_t(2 * examples));
            outside_.resize(size_t(examples));
            for (std::vector<double>* x : {&weights_, &all_weights_, &products_, &results_})
                x->resize(size_t(examples));
            labels_.resize(size_t(examples));
        }
        at_once_ = examples;
        if (!gradients_) return;
        a_ = room<E>(a_block_, examples * whole_vectors<E>(job.features));
        handed_down_ = room<E>(handed_down_block_, examples * job.features);
        ones_ = room<E>(ones_block_, examples * size);
        std::fill_n(ones_, examples * size, E(1));
    }

    void run() {
        for (first_ = 0; first_ < job_.n; first_ += m_) {
            m_ = std::min(at_once_, job_.n - first_);
            take_inputs();
            if (in_parts_) add_up_classes();
            for (class_ = 0; class_ < job_.classes && (gradients_ || !in_parts_); class_ += width()) {
                run_product(weighted_inputs());
                in_parts_ ? errors_of_some_classes() : errors();
                if (!gradients_) continue;
                run_product(of_weights());
                run_product(of_biases());
                if (job_.delta_a) add_of_inputs();
            }
            if (job_.delta_a) give_inputs();
        }
        if (gradients_ && !job_.n) {
            std::fill_n(job_.nabla_w, job_.classes * job_.features, E(0));
            std::fill_n(job_.nabla_b, job_.classes, E(0));
        }
    }

private:
    // Returns the smallest part of n, in whole vectors, that gives no more parts than parts of at_most do.
    static ptrdiff_t split(ptrdiff_t n, ptrdiff_t at_most) {
        const ptrdiff_t parts = std::max<ptrdiff_t>(1, (n + at_most - 1) / at_most);
        return std::min(std::max<ptrdiff_t>(at_most, 1), whole_vectors<E>((n + parts - 1) / parts));
    }
    ptrdiff_t panels() const { return (m_ + size - 1) / size; }
    ptrdiff_t width() const { return std::min(width_, job_.classes - class_); }
    // Where class j of the block stands, of example r of the block.
    ptrdiff_t place(ptrdiff_t r, ptrdiff_t j) const { return r / size * panel_ + j * size + r % size; }

    // The block's inputs: their examples in lanes, and for the gradient their features.
    void take_inputs() {
        const E* const a = job_.a + first_ * job_.a_row;
        to_panels(a, job_.a_row, job_.a_step, m_, job_.features, turned_);
        if (has_targets_ && !in_parts_)
            to_panels(job_.cost.y.data + first_ * job_.cost.y.row, job_.cost.y.row, job_.cost.y.cls, m_, job_.classes,
                      y_);
        // What is ignored is read as zeros: a NaN in it would be one in the products, whatever multiplies it.
        if (job_.cost.ignore)
            for (ptrdiff_t r = 0; r < m_; ++r)
                for (ptrdiff_t k = 0; k < job_.features && is_ignored(r); ++k)
                    turned_[(r / size * job_.features + k) * size + r % size] = 0;
        if (!gradients_) return;
        for (ptrdiff_t k = 0; k < job_.features; k += size)
            for (ptrdiff_t r = 0; r < m_; ++r) {
                E* const to = a_ + k * m_ + r * size;
                for (ptrdiff_t lane = 0; lane < size; ++lane)
                    to[lane] = k + lane < job_.features && !is_ignored(r) ? a[r * job_.a_row + (k + lane) * job_.a_step]
                                                                          : E(0);
            }
    }

    ProductJob<E> weighted_inputs() const {
        ProductJob<E> product;
        product.rows = width();
        product.columns = panels() * size;
        product.depth = job_.features;
        product.left = job_.w + class_ * job_.w_row;
        product.left_row = job_.w_row;
        product.left_step = job_.w_step;
        product.right = turned_;
        product.right_step = product.out_row = size;
        product.right_panel = job_.features * size;
        product.out = z_;
        product.out_panel = panel_;
        product.start_of_row = job_.b + class_;
        return product;
    }

    // Runs a kernel for each panel of the block, whose examples stand in lanes, after f(job, first example).
    template <class F>
    void for_each_panel(RowKernel<E> kernel, Job<E> all, F f) {
        all.z = {z_, 1, size};
        const double time = nanoseconds(all, m_);
        share_out(panels(), threads_for(panels(), time), time, [&](ptrdiff_t begin, ptrdiff_t end) {
            for (ptrdiff_t p = begin; p < end; ++p) {
                Job<E> job = all;
                job.rows = std::min(size, m_ - p * size);
                job.z.data += p * panel_;
                job.y.data = moved(job.y.data, p * panel_);
                job.out.data = moved(job.out.data, p * panel_);
                f(job, p * size);
                run_kernel(kernel, job);
            }
        });
    }

    // The logits of all classes: the costs, and in place of the logits the errors.
    void errors() {
        Job<E> all = job_.cost;
        all.classes = job_.classes;
        all.y = {has_targets_ ? y_ : nullptr, 1, size};
        if (gradients_) all.out = {z_, 1, size};
        for_each_panel(active_kernels<E>().log_likelihood, all, [&](Job<E>& job, ptrdiff_t r) {
            job.labels = moved(job.labels, first_ + r);
            job.sample_weight = moved(job.sample_weight, first_ + r);
            job.row_result += first_ + r;
        });
    }

    // (82): the errors are broadcast, the features in lanes
    ProductJob<E> of_weights() const {
        ProductJob<E> product;
        product.rows = width();
        product.columns = job_.features;
        product.depth = m_;
        product.left = z_;
        product.left_row = size;
        product.left_step = 1;
        product.left_panel = panel_;
        product.right = a_;
        product.right_step = size;
        product.right_panel = m_ * size;
        product.out = job_.nabla_w + class_ * job_.features;
        product.out_row = job_.features;
        product.out_panel = size;
        product.keep = first_ ? E(1) : E(0);
        return product;
    }
    // (81): the same with one feature that is always 1
    ProductJob<E> of_biases() const {
        ProductJob<E> product = of_weights();
        product.columns = product.out_row = 1;
        product.right = ones_;
        product.out = job_.nabla_b + class_;
        return product;
    }
    // The error handed down: the weights are broadcast, the examples in lanes.
    ProductJob<E> of_inputs() const {
        ProductJob<E> product;
        product.rows = job_.features;
        product.columns = panels() * size;
        product.depth = width();
        product.left = job_.w + class_ * job_.w_row;
        product.left_row = job_.w_step;
        product.left_step = job_.w_row;
        product.right = z_;
        product.right_step = product.out_row = size;
        product.right_panel = panel_;
        product.out = handed_down_;
        product.out_panel = job_.features * size;
        product.keep = class_ ? E(1) : E(0);
        return product;
    }
    // Some classes at a time, if each thread turns their weights first.
    void add_of_inputs() {
        share_product(of_inputs(), [this](const ProductJob<E>& part, ptrdiff_t, ptrdiff_t) {
            if (part.left_row != 1 || !is_worth_turning<E>(m_)) return active_kernels<E>().product(part);
            for (ptrdiff_t j = 0; j < part.depth; j += turned_at_once) {
                ProductJob<E> some = part;
                some.depth = std::min(part.depth - j, turned_at_once);
                some.right += j * size;
                if (j) some.keep = 1;
                turn_left(some, part.left + j * part.left_step, part.left_step, thread_turned);
                active_kernels<E>().product(some);
            }
        });
    }
    void give_inputs() {
        from_panels(handed_down_, job_.features * size, m_, job_.features, job_.delta_a + first_ * job_.delta_a_row,
                    job_.delta_a_row);
        for (ptrdiff_t r = 0; r < m_; ++r)  // zeros, too, if w is infinite
            if (is_ignored(r)) std::fill_n(job_.delta_a + (first_ + r) * job_.delta_a_row, job_.features, E(0));
    }
    bool is_ignored(ptrdiff_t r) const {
        return job_.cost.ignore && job_.cost.labels[first_ + r] == job_.cost.ignore_index;
    }

    // ---- Blocks of some classes ----

    // The label of example r as a class of the block, or -1 if it is none.
    ptrdiff_t label_in_block(ptrdiff_t r) const {
        if (is_ignored(r)) return -1;  // such a label may be any number, and too small to subtract from
        const ptrdiff_t j = job_.cost.labels[first_ + r] - class_;
        return j >= 0 && j < width() ? j : -1;
    }
    double weight_of_class(ptrdiff_t j) const {
        return job_.cost.class_weight ? double(job_.cost.class_weight[class_ + j]) : 1;
    }
    // What class j of the block counts for example r, if every class counts something.
    double target(ptrdiff_t r, ptrdiff_t j) const {
        const Job<E>& cost = job_.cost;
        if (!has_targets_ && is_ignored(r)) return 0;
        const double t = has_targets_ ? double(cost.y.data[(first_ + r) * cost.y.row + (class_ + j) * cost.y.cls])
                                      : label_in_block(r) == j;
        return weight_of_class(j) * ((1 - cost.smoothing) * t + cost.smoothing / double(job_.classes));
    }

    // The log-sum-exp of each example, over `classes` that are `stride` apart.
    void log_sum_exp(const E* z, ptrdiff_t classes, ptrdiff_t stride, E* to) {
        Job<E> job;
        job.rows = m_;
        job.classes = classes;
        job.z = {z, 1, stride};
        job.row_result = results_.data();
        run_kernel(active_kernels<E>().logsumexp, job);
        std::copy_n(results_.data(), m_, to);
    }

    // The costs, and for each block the log-sum-exp of its classes.
    void add_up_classes() {
        constexpr E none = -std::numeric_limits<E>::infinity();
        const Job<E>& cost = job_.cost;
        for (ptrdiff_t r = 0; r < m_; ++r) {
            const ptrdiff_t i = first_ + r;
            all_weights_[r] = products_[r] = 0;
            weights_[r] = cost.sample_weight ? cost.sample_weight[i] : 1;
            if (!targets_everywhere_ && cost.class_weight && !is_ignored(r))
                weights_[r] *= double(cost.class_weight[cost.labels[i]]);
            pairs_[r] = none;  // the label's logit
        }
        for (class_ = 0; class_ < job_.classes; class_ += width()) {
            run_product(weighted_inputs());
            E* const sums = sums_.data() + class_ / width_ * m_;
            if (targets_everywhere_) note_targets();
            else
                for (ptrdiff_t r = 0; r < m_; ++r)  // apart from the rest, which may be all but nothing beside it
                    if (const ptrdiff_t j = label_in_block(r); j >= 0) pairs_[r] = std::exchange(z_[place(r, j)], none);
            Job<E> all;
            all.classes = width();
            for_each_panel(active_kernels<E>().logsumexp, all,
                           [&](Job<E>& job, ptrdiff_t r) { job.row_result = results_.data() + r; });
            std::copy_n(results_.data(), m_, sums);
        }
        const ptrdiff_t blocks = (job_.classes + width_ - 1) / width_;
        log_sum_exp(sums_.data(), blocks, m_, pairs_.data() + m_);
        if (targets_everywhere_) {
            for (ptrdiff_t r = 0; r < m_; ++r) {
                const double sum = double(pairs_[m_ + r]);  // infinite if a logit is, and such a row is NaN
                const double of_weight_1 = sum == INFINITY ? NAN : all_weights_[r] * sum - products_[r];
                const bool nothing = is_ignored(r) || (weights_[r] == 0 && !std::isnan(of_weight_1));
                cost.row_result[first_ + r] = nothing ? 0 : weights_[r] * of_weight_1;
            }
            return;
        }
        for (ptrdiff_t r = 0; r < m_; ++r) labels_[r] = is_ignored(r) ? -1 : 0;
        Job<E> job;  // two classes: the label, and all others
        job.rows = m_;
        job.classes = 2;
        job.z = {pairs_.data(), 1, m_};
        job.labels = labels_.data();
        job.ignore = true;
        job.ignore_index = -1;
        job.sample_weight = weights_.data();
        job.class_weight_sum = 2;
        job.row_result = cost.row_result + first_;
        run_kernel(active_kernels<E>().log_likelihood, job);
        const std::vector<E> at_labels(pairs_.begin(), pairs_.begin() + m_);
        for (class_ = 0; class_ < job_.classes; class_ += width()) {  // with the labels from here on
            E* const sums = sums_.data() + class_ / width_ * m_;
            for (ptrdiff_t r = 0; r < m_; ++r) pairs_[r] = label_in_block(r) < 0 ? none : at_labels[r];
            std::copy_n(sums, m_, pairs_.data() + m_);
            log_sum_exp(pairs_.data(), 2, m_, sums);
        }
    }
    void note_targets() {
        for (ptrdiff_t r = 0; r < m_; ++r)
            for (ptrdiff_t j = 0; j < width(); ++j) {
                const double t = target(r, j);
                all_weights_[r] += t;
                if (t != 0) products_[r] += t * double(z_[place(r, j)]);
            }
    }

    // The errors in place of the logits of the block's classes.
    void errors_of_some_classes() {
        const ptrdiff_t blocks = (job_.classes + width_ - 1) / width_;
        E* const sums = sums_.data() + class_ / width_ * m_;
        const std::vector<E> own(sums, sums + m_);
        std::fill_n(sums, m_, -std::numeric_limits<E>::infinity());
        log_sum_exp(sums_.data(), blocks, m_, outside_.data());
        std::copy(own.begin(), own.end(), sums);

        Job<E> all;
        all.classes = width() + 1;
        all.out = {z_, 1, size};
        all.class_weight_sum = double(all.classes);
        all.scale = job_.cost.scale;
        all.ignore = true;
        all.ignore_index = -1;
        if (targets_everywhere_) all.y = {y_, 1, size};
        for (ptrdiff_t r = 0; r < m_; ++r) {
            z_[place(r, width())] = outside_[r];
            if (!targets_everywhere_) {
                labels_[r] = is_ignored(r) ? -1 : label_in_block(r) < 0 ? width() : label_in_block(r);
                continue;
            }
            double elsewhere = all_weights_[r];
            for (ptrdiff_t j = 0; j < width(); ++j) {
                const double t = target(r, j);
                y_[place(r, j)] = E(t);
                elsewhere -= t;
            }
            y_[place(r, width())] = E(std::max(0.0, elsewhere));
        }
        for_each_panel(active_kernels<E>().log_likelihood, all, [&](Job<E>& job, ptrdiff_t r) {
            job.labels = targets_everywhere_ ? nullptr : labels_.data() + r;
            job.sample_weight = weights_.data() + r;
        });
        if (!targets_everywhere_) return;
        for (ptrdiff_t r = 0; r < m_; ++r)  // has no targets that would say so, and w or b may be infinite
            for (ptrdiff_t j = 0; j < width() && is_ignored(r); ++j) z_[place(r, j)] = 0;
    }

    const LinearJob<E>& job_;
    const bool gradients_, has_targets_, targets_everywhere_;
    bool in_parts_;                      // blocks of some classes
    ptrdiff_t at_once_, width_, panel_;  // examples and classes of a block; elements of a panel of its logits
    ptrdiff_t first_ = 0, m_ = 0,
              class_ = 0;  // the block in hand: its first example, how many there are, its first class
    Buffer logits_, targets_, turned_a_, a_block_, handed_down_block_, ones_block_;
    E *z_ = nullptr, *y_ = nullptr, *turned_ = nullptr, *a_ = nullptr, *handed_down_ = nullptr, *ones_ = nullptr;

    // These are kept for each example if there are blocks of classes: the log-sum-exp of each block's classes; the
    // label's logit with the log-sum-exp of all other classes; and the log-sum-exp of the classes outside a block.
    std::vector<E> sums_, pairs_, outside_;
    std::vector<double> weights_, all_weights_, products_,
        results_;  // and sums of targets, and of targets times logits
    std::vector<int64_t> labels_;
};

}  // namespace

template <class E>
void run_linear(const LinearJob<E>& job) {
    Linear<E>(job).run();
}

template void run_linear(const LinearJob<float>&);
template void run_linear(const LinearJob<double>&);

}  // namespace nndl_fast
