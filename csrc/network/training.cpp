// Gradient descent: the members of Network that change its parameters.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "../batch/batch.h"
#include "network.h"

namespace nndl_fast {
namespace {

// Rows of weights whose gradient is made at a time, before the step uses it up.
constexpr ptrdiff_t strip = 48;
thread_local Buffer thread_gradient;

}  // namespace

template <class E>
void Network<E>::reserve(ptrdiff_t mini_batch, const Rule& rule, const Examples<E>& examples) {
    allocate<E>(x_, mini_batch * row_stride<E>(layers_.front().inputs));
    allocate<int64_t>(labels_, mini_batch);
    if (examples.weights) allocate<double>(weights_, mini_batch);
    if (examples.targets) allocate<E>(targets_, mini_batch * row_stride<E>(layers_.back().neurons));
    for (Layer& layer : layers_) {
        const bool wide_one = is_wide() && &layer == &layers_.back();
        if (&layer != &layers_.front() && !wide_one)
            allocate<E>(layer.transposed, whole_vectors<E>(layer.inputs) * layer.neurons);
        if (wide_one)
            allocate_zeros<E>(layer.gradient,
                              whole_vectors<E>(layer.inputs * layer.neurons) + whole_vectors<E>(layer.neurons));
        else
            for (Buffer* buffer : {&layer.a, &layer.delta})
                allocate_zeros<E>(*buffer, mini_batch * row_stride<E>(layer.neurons));
        const ptrdiff_t parameters = weight_elements(layer) + whole_vectors<E>(layer.neurons);
        if (keeps_first(rule.optimizer)) allocate_zeros<E>(layer.first, parameters);
        if (keeps_second(rule.optimizer)) allocate_zeros<E>(layer.second, parameters);
    }
}

template <class E>
void Network<E>::gather(const Examples<E>& examples, const int64_t* order, ptrdiff_t m) {
    const ptrdiff_t features = layers_.front().inputs, outputs = layers_.back().neurons;
    E *const x = static_cast<E*>(x_.data()), *const targets = static_cast<E*>(targets_.data());
    for (ptrdiff_t r = 0; r < m; ++r) {
        std::copy_n(examples.x + order[r] * examples.row, features, x + r * row_stride<E>(features));
        if (examples.labels) {  // which have been checked; but another thread may have changed them since
            const int64_t label = examples.labels[order[r]];
            static_cast<int64_t*>(labels_.data())[r] = is_class(label, outputs) ? label : 0;
        }
        if (examples.targets)
            std::copy_n(examples.targets + order[r] * outputs, outputs, targets + r * row_stride<E>(outputs));
        if (examples.weights) static_cast<double*>(weights_.data())[r] = examples.weights[order[r]];
    }
}

// The mini-batch in hand, whose activations stay there.
template <class E>
void Network<E>::forward(ptrdiff_t m) {
    const Examples<E> all{static_cast<const E*>(x_.data()), row_stride<E>(layers_.front().inputs)};
    const ptrdiff_t units = (m + rows_of_unit - 1) / rows_of_unit;
    const double time = time_of_products(m, layers_.size() - is_wide());
    share_out(units, time < worth_threads ? 1 : threads_for(units, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        const ptrdiff_t start = first * rows_of_unit;
        forward({all.x + start * all.row, all.row}, std::min(m, last * rows_of_unit) - start,
                [&](size_t i) { return layers_[i].data(layers_[i].a) + start * row_stride<E>(layers_[i].neurons); });
    });
}

// a - y (84), (68), or times the derivative (BP1); all times a number, and each times the weight of its example
template <class E>
void Network<E>::output_error(ptrdiff_t m, const Examples<E>& examples, double scale) {
    Layer& last = layers_.back();
    const ptrdiff_t stride = row_stride<E>(last.neurons);
    E *const z = last.data(last.a), *const delta = last.data(last.delta),
             *const targets = static_cast<E*>(targets_.data());
    const double* const weights = weights_in_hand(examples);
    if (cost_ == Cost::log_likelihood) {
        Job<E> job;
        job.classes = last.neurons;
        job.z = {z, 0, 1};
        job.out = {delta, 0, 1};
        job.scale = scale;
        job.sample_weight = weights;
        if (examples.labels) job.labels = static_cast<const int64_t*>(labels_.data());
        else job.y = {targets, 0, 1};
        Batch batch;
        batch.append(m, stride, stride, stride);
        return run_rows(active_kernels<E>().log_likelihood, job, batch);
    }
    const Kernels<E>& kernels = active_kernels<E>();
    for (ptrdiff_t r = 0; r < m; ++r) {
        E *const row_z = z + r * stride, *const row_delta = delta + r * stride;
        const E* const y = targets + r * stride;
        const double of_row = weights ? scale * weights[r] : scale;
        if (cost_ == Cost::cross_entropy) {
            apply(kernels.binary_cross_entropy, last.neurons, row_z, row_delta, y, of_row);
            continue;
        }
        apply(kernels.sigmoid, last.neurons, row_z, row_delta);
        apply(kernels.sigmoid_prime, last.neurons, row_z, row_z);
        for (ptrdiff_t j = 0; j < last.neurons; ++j) row_delta[j] = (row_delta[j] - y[j]) * row_z[j] * E(of_row);
    }
}

template <class E>
void Network<E>::backward(ptrdiff_t m, const Rule& rule) {
    size_t i = layers_.size() - is_wide();
    while (i-- > 0) {
        Layer& layer = layers_[i];
        if (!i) return update(layer, static_cast<const E*>(x_.data()), m, rule);
        hand_down(layer, layers_[i - 1], m);
        update(layer, layer.data(layers_[i - 1].a), m, rule);
    }
}

// A wide last layer: its step, and the error of the layer before.
template <class E>
void Network<E>::train_wide(ptrdiff_t m, const Examples<E>& examples, double scale, const Rule& rule) {
    Layer& layer = layers_.back();
    Layer* const before = layers_.size() > 1 ? &layers_[layers_.size() - 2] : nullptr;
    const ptrdiff_t weights = whole_vectors<E>(layer.inputs * layer.neurons), stride = row_stride<E>(layer.inputs);
    E* const gradient = layer.data(layer.gradient);
    std::vector<double> costs(static_cast<size_t>(m));
    LinearJob<E> job;
    job.a = {before ? before->data(before->a) : static_cast<const E*>(x_.data()), m, layer.inputs, stride, 1};
    job.w = {layer.data(layer.weights), layer.neurons, layer.inputs, layer.inputs, 1};
    job.b = layer.data(layer.biases);
    job.nabla_w = gradient;
    job.nabla_b = gradient + weights;
    if (before) job.delta_a = before->data(before->delta);
    job.delta_a_row = stride;
    if (examples.labels) job.cost.labels = static_cast<const int64_t*>(labels_.data());
    else job.cost.y = {static_cast<const E*>(targets_.data()), row_stride<E>(layer.neurons), 1};
    job.cost.class_weight_sum = double(layer.neurons);
    job.cost.row_result = costs.data();
    job.cost.sample_weight = weights_in_hand(examples);
    job.cost.scale = scale;
    run_linear(job);
    if (before) {
        E *const a = before->data(before->a), *const delta = before->data(before->delta);
        apply(times_derivative_of<E>(hidden_), m * stride, a, delta, delta);
    }
    const ptrdiff_t units = weights / lanes<E>;
    const double time = nanoseconds(active_kernels<E>().rectifier, weights);
    share_out(units, threads_for(units, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        const ptrdiff_t place = first * lanes<E>;
        step(layer, rule, rule.weight_decay, (last - first) * lanes<E>, place, layer.data(layer.weights) + place,
             gradient + place);
    });
    step(layer, rule, 0, whole_vectors<E>(layer.neurons), weights, layer.data(layer.biases), gradient + weights);
}

// (BP2)
template <class E>
void Network<E>::hand_down(Layer& layer, Layer& before, ptrdiff_t m) {
    E* const transposed = layer.data(layer.transposed);
    for (ptrdiff_t j = 0; j < layer.neurons; j += lanes<E>)
        active_kernels<E>().transpose({layer.inputs, std::min(lanes<E>, layer.neurons - j),
                                       layer.data(layer.weights) + j * layer.inputs, lanes<E>,
                                       transposed + j * lanes<E>, lanes<E>, layer.neurons * lanes<E>, true});
    E *const a = before.data(before.a), *const delta = before.data(before.delta);
    const ptrdiff_t stride = row_stride<E>(before.neurons);
    share_product(weighted_inputs_job<E>(m, layer.neurons, layer.inputs, layer.data(layer.delta),
                                         row_stride<E>(layer.neurons), 1, transposed, nullptr, delta),
                  [&](const ProductJob<E>& part, ptrdiff_t first, ptrdiff_t end) {
                      active_kernels<E>().product(part);
                      apply(times_derivative_of<E>(hidden_), (end - first) * stride, a + first * stride,
                            delta + first * stride, delta + first * stride);
                  });
}

// n parameters, of which the optimizer keeps something from `place` on, and the gradient by them.
template <class E>
void Network<E>::step(Layer& layer, const Rule& rule, double weight_decay, ptrdiff_t n, ptrdiff_t place, E* parameters,
                      E* gradient) {
    // In plain descent the gradient comes times -eta.
    StepJob<E> job = step_job<E>(rule, weight_decay, powers_);
    job.scale = 1;
    job.n = n;
    job.parameters = parameters;
    job.gradient = gradient;
    if (keeps_first(rule.optimizer)) job.first = layer.data(layer.first) + place;
    if (keeps_second(rule.optimizer)) job.second = layer.data(layer.second) + place;
    active_kernels<E>().step(job);
}

// (BP3), (BP4), and the step. The errors hold the mean's 1 / m, and in plain descent the step's -eta as well.
template <class E>
void Network<E>::update(Layer& layer, const E* inputs, ptrdiff_t m, const Rule& rule) {
    const bool plain = rule.optimizer == Optimizer::sgd;
    const ptrdiff_t neurons = whole_vectors<E>(layer.neurons), weights = layer.inputs * neurons;
    const E one = 1;
    ProductJob<E> job;
    job.columns = neurons;
    job.depth = m;
    job.right = {layer.data(layer.delta), row_stride<E>(layer.neurons), lanes<E>};

    ProductJob<E> of_biases = job;
    of_biases.rows = 1;
    of_biases.left.data = &one;
    of_biases.keep = plain ? E(1) : E(0);
    of_biases.out = {plain ? layer.data(layer.biases) : allocate<E>(thread_gradient, neurons), 0, lanes<E>};
    active_kernels<E>().product(of_biases);

    job.rows = layer.inputs;
    job.left = {inputs, 1, row_stride<E>(layer.inputs)};
    job.out = {layer.data(layer.weights), lanes<E>, layer.inputs * lanes<E>};
    if (plain) job.keep = E(1 - rule.eta * rule.weight_decay);  // the weights shrink and move in the product itself
    else step(layer, rule, 0, neurons, weights, layer.data(layer.biases), of_biases.out.data);
    share_product(job, [&](const ProductJob<E>& part, ptrdiff_t first, ptrdiff_t end) {
        const ptrdiff_t at_once = plain ? 4 * strip : strip;
        for (ptrdiff_t top = first; top < end; top += at_once) {
            ProductJob<E> some = part;
            some.rows = std::min(at_once, end - top);
            some.left.data = inputs + top;
            some.out.data = job.out.data + top * lanes<E>;
            if (&layer == &layers_.front()) fetch_next(top, top + some.rows);
            if (plain) {
                active_kernels<E>().product(some);
                continue;
            }
            E* const gradient = allocate<E>(thread_gradient, strip * neurons);
            some.out = {gradient, lanes<E>, some.rows * lanes<E>};
            active_kernels<E>().product(some);
            for (ptrdiff_t j = 0; j < neurons; j += lanes<E>) {
                const ptrdiff_t place = j * layer.inputs + top * lanes<E>;
                step(layer, rule, rule.weight_decay, some.rows * lanes<E>, place, layer.data(layer.weights) + place,
                     gradient + j * some.rows);
            }
        }
    });
}

// Features first to last of the next mini-batch's examples come to the cache while this one is worked at: they were
// shuffled, so no machine fetches them by itself.
template <class E>
void Network<E>::fetch_next(ptrdiff_t first, ptrdiff_t last) const {
    for (const int64_t* example = next_; example != next_end_; ++example)
        for (ptrdiff_t k = first; k < last; k += lanes<E>) __builtin_prefetch(next_x_ + *example * next_row_ + k, 0, 2);
}

template <class E>
void Network<E>::train(const Examples<E>& examples, const int64_t* order, ptrdiff_t n, ptrdiff_t mini_batch,
                       const Rule& rule) {
    reserve(std::min(n, mini_batch), rule, examples);
    for (ptrdiff_t start = 0; start < n; start += mini_batch) {
        const ptrdiff_t m = std::min(mini_batch, n - start);
        next_x_ = examples.x;
        next_row_ = examples.row;
        next_ = order + start + m;
        next_end_ = order + std::min(n, start + m + mini_batch);
        gather(examples, order + start, m);
        const auto step = [&] {
            powers_.momentum *= rule.momentum;
            powers_.beta2 *= rule.beta2;
            const double scale = (rule.optimizer == Optimizer::sgd ? -rule.eta : 1) / double(m);
            forward(m);
            is_wide() ? train_wide(m, examples, scale, rule) : output_error(m, examples, scale);
            backward(m, rule);
        };
        // A step is done as a whole or not at all, whatever interrupts it.
        const double time = 3 * time_of_products(m, layers_.size());
        if (time < Watch::interval) {
            const Watch nobody(nullptr, nullptr);
            step();
        } else {
            undoing(step);
        }
        Watch::done(time);
    }
}

// A step of which nothing is left if it is interrupted: neither of the parameters nor of what the optimizer keeps.
template <class E>
template <class F>
void Network<E>::undoing(F step) {
    const Powers powers = powers_;
    std::vector<Buffer> before(4 * layers_.size());
    // f(a buffer that the step changes, its copy)
    const auto for_each_buffer = [&](auto f) {
        auto copy = before.begin();
        for (Layer& layer : layers_)
            for (Buffer* buffer : {&layer.weights, &layer.biases, &layer.first, &layer.second}) {
                if (buffer->size()) f(*buffer, *copy);
                ++copy;
            }
    };
    for_each_buffer(
        [](const Buffer& now, Buffer& copy) { std::memcpy(copy.reserve(now.size()), now.data(), now.size()); });
    try {
        step();
    } catch (...) {
        for_each_buffer(
            [](const Buffer& now, const Buffer& copy) { std::memcpy(now.data(), copy.data(), now.size()); });
        powers_ = powers;
        throw;
    }
}

template void Network<float>::train(const Examples<float>&, const int64_t*, ptrdiff_t, ptrdiff_t, const Rule&);
template void Network<double>::train(const Examples<double>&, const int64_t*, ptrdiff_t, ptrdiff_t, const Rule&);

}  // namespace nndl_fast
