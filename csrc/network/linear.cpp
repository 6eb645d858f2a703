#include <algorithm>

#include "../batch/batch.h"
#include "../common/buffer.h"
#include "layers.h"
#include "matrix.h"

namespace nndl_fast {
namespace {

// Examples that are enough for a block: w is then read so seldom that its reading does not count.
constexpr ptrdiff_t many_examples = 192;
// A block is never smaller, as these logits are less than w itself if there are more features, except for
// `copies_at_most`, the bytes of the copies of its inputs.
constexpr ptrdiff_t few_examples = 32, copies_at_most = 4 << 20;
// Classes whose weights are transposed at a time.
constexpr ptrdiff_t classes_at_once = 256;
thread_local Buffer thread_transposed;

template <class E>
class Linear {
    static constexpr ptrdiff_t size = lanes<E>;

public:
    explicit Linear(const LinearJob<E>& job)
        : job_(job),
          gradients_(job.nabla_w),
          has_targets_(job.cost.y.data),
          n_(job.a.rows),
          features_(job.a.columns),
          classes_(job.w.rows),
          panel_(classes_ * size) {
        const ptrdiff_t arrays = has_targets_ ? 2 : 1, width = std::max<ptrdiff_t>(1, 3 * features_);
        const ptrdiff_t z_elements = std::max(job.logit_bytes / ptrdiff_t(sizeof(E)), classes_ * features_ / 4);
        const ptrdiff_t fit = z_elements / arrays / classes_;
        at_once_ = split(n_, std::min(std::clamp(fit / size * size, few_examples, many_examples),
                                      std::max(size, copies_at_most / ptrdiff_t(sizeof(E)) / width / size * size)));
        z_ = allocate<E>(logits_, at_once_ * classes_);
        if (has_targets_) y_ = allocate<E>(targets_, at_once_ * classes_);
        transposed_ = allocate<E>(transposed_a_, at_once_ * features_);
        if (!gradients_) return;
        a_ = allocate<E>(a_block_, at_once_ * whole_vectors<E>(features_));
        handed_down_ = allocate<E>(handed_down_block_, at_once_ * features_);
        ones_ = allocate<E>(ones_block_, at_once_ * size);
        std::fill_n(ones_, at_once_ * size, E(1));
    }

    void run() {
        for (first_ = 0; first_ < n_; first_ += m_) {
            m_ = std::min(at_once_, n_ - first_);
            take_inputs();
            run_product(weighted_inputs());
            errors();
            if (!gradients_) continue;
            run_product(of_weights());
            run_product(of_biases());
            if (job_.delta_a) hand_down();
        }
        if (gradients_ && !n_) {
            std::fill_n(job_.nabla_w, classes_ * features_, E(0));
            std::fill_n(job_.nabla_b, classes_, E(0));
        }
    }

private:
    // Returns the smallest part of n, in whole vectors, that gives no more parts than parts of at_most do.
    static ptrdiff_t split(ptrdiff_t n, ptrdiff_t at_most) {
        const ptrdiff_t parts = std::max<ptrdiff_t>(1, (n + at_most - 1) / at_most);
        return std::min(at_most, whole_vectors<E>((n + parts - 1) / parts));
    }
    ptrdiff_t panels() const { return (m_ + size - 1) / size; }

    // The block's inputs: their examples in lanes, and for the gradient their features.
    void take_inputs() {
        const E* const a = job_.a.at(first_, 0);
        rows_to_panels(a, job_.a.row, job_.a.column, m_, features_, transposed_);
        if (has_targets_)
            rows_to_panels(job_.cost.y.data + first_ * job_.cost.y.row, job_.cost.y.row, job_.cost.y.cls, m_, classes_,
                           y_);
        if (gradients_) columns_to_panels(a, job_.a.row, job_.a.column, m_, features_, a_);
        // What is ignored is read as zeros: a NaN in it would be one in the products, whatever multiplies it.
        for (ptrdiff_t r = 0; r < m_; ++r)
            for (ptrdiff_t k = 0; k < features_ && is_ignored(r); ++k) {
                transposed_[(r / size * features_ + k) * size + r % size] = 0;
                if (gradients_) a_[(k / size * m_ + r) * size + k % size] = 0;
            }
    }

    ProductJob<E> weighted_inputs() const {
        ProductJob<E> product{classes_, panels() * size, features_};
        product.left = {job_.w.data, job_.w.row, job_.w.column};
        product.right = {transposed_, size, features_ * size};
        product.out = {z_, size, panel_};
        product.start_of_row = job_.b;
        return product;
    }

    // The costs, and in place of the logits the errors.
    void errors() {
        Job<E> all = rows_of(job_.cost, first_, m_);
        all.classes = classes_;
        all.whole_tiles = true;
        const double time = nanoseconds(all, m_);
        share_out(panels(), threads_for(panels(), time), time, [&](ptrdiff_t begin, ptrdiff_t end) {
            for (ptrdiff_t p = begin; p < end; ++p) {
                Job<E> job = rows_of(all, p * size, std::min(size, m_ - p * size));
                job.z = {z_ + p * panel_, 1, size};
                job.y = {has_targets_ ? y_ + p * panel_ : nullptr, 1, size};
                job.out = {gradients_ ? z_ + p * panel_ : nullptr, 1, size};
                // Lanes without an example have the biases: if these are equal, they would take a longer way.
                for (ptrdiff_t lane = job.rows; lane < size; ++lane) z_[p * panel_ + lane] += 1;
                run_kernel(active_kernels<E>().log_likelihood, job);
            }
        });
    }

    // (82): the errors are broadcast, the features in lanes
    ProductJob<E> of_weights() const {
        ProductJob<E> product{classes_, features_, m_};
        product.left = {z_, size, 1, panel_};
        product.right = {a_, size, m_ * size};
        product.out = {job_.nabla_w, features_, size};
        product.keep = first_ ? E(1) : E(0);
        return product;
    }
    // (81): the same with one feature that is always 1
    ProductJob<E> of_biases() const {
        ProductJob<E> product = of_weights();
        product.columns = 1;
        product.right.data = ones_;
        product.out = {job_.nabla_b, 1, size};
        return product;
    }
    // The error handed down: the weights are broadcast, the examples in lanes.
    ProductJob<E> of_inputs() const {
        ProductJob<E> product{features_, panels() * size, classes_};
        product.left = {job_.w.data, job_.w.column, job_.w.row};
        product.right = {z_, size, panel_};
        product.out = {handed_down_, size, features_ * size};
        return product;
    }
    // Some classes at a time, if each thread transposes their weights first.
    void hand_down() {
        share_product(of_inputs(), [this](const ProductJob<E>& part, ptrdiff_t, ptrdiff_t) {
            if (part.left.row != 1 || !is_worth_transposing<E>(m_)) return active_kernels<E>().product(part);
            for (ptrdiff_t j = 0; j < part.depth; j += classes_at_once) {
                ProductJob<E> some = part;
                some.depth = std::min(part.depth - j, classes_at_once);
                some.right.data += j * size;
                if (j) some.keep = 1;
                transpose_left(some, part.left.data + j * part.left.term, part.left.term, thread_transposed);
                active_kernels<E>().product(some);
            }
        });
        from_panels(handed_down_, features_ * size, m_, features_, job_.delta_a + first_ * job_.delta_a_row,
                    job_.delta_a_row);
        for (ptrdiff_t r = 0; r < m_; ++r)  // zeros, too, if w is infinite
            if (is_ignored(r)) std::fill_n(job_.delta_a + (first_ + r) * job_.delta_a_row, features_, E(0));
    }
    bool is_ignored(ptrdiff_t r) const {
        return job_.cost.ignore && job_.cost.labels[first_ + r] == job_.cost.ignore_index;
    }

    const LinearJob<E>& job_;
    const bool gradients_, has_targets_;
    const ptrdiff_t n_, features_, classes_, panel_;  // elements of a panel of a block's logits
    ptrdiff_t at_once_;                               // examples of a block
    ptrdiff_t first_ = 0, m_ = 0;                     // the block in hand: its first example, and how many there are
    Buffer logits_, targets_, transposed_a_, a_block_, handed_down_block_, ones_block_;
    E *z_ = nullptr, *y_ = nullptr, *transposed_ = nullptr, *a_ = nullptr, *handed_down_ = nullptr, *ones_ = nullptr;
};

}  // namespace

template <class E>
void run_linear(const LinearJob<E>& job) {
    Linear<E>(job).run();
}

template void run_linear(const LinearJob<float>&);
template void run_linear(const LinearJob<double>&);

}  // namespace nndl_fast
