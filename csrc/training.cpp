#include "training.h"

#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "parallel.h"

namespace nndl_fast {
namespace {

template <class E>
void map(MapKernel<E> kernel, const E* z, ptrdiff_t n, E* out) {
    MapJob<E> job;
    job.z = z;
    job.out = out;
    Batch batch;
    batch.append(n, 1, 0, 1);
    run_elements(kernel, job, batch);
}

template <class E>
void activate(Hidden hidden, const std::vector<E>& z, ptrdiff_t n, std::vector<E>& a) {
    switch (hidden) {
        case Hidden::sigmoid: return map(active_kernels<E>().sigmoid, z.data(), n, a.data());
        case Hidden::tanh: return void(std::transform(z.begin(), z.begin() + n, a.begin(), [](E x) { return std::tanh(x); }));
        case Hidden::relu: std::transform(z.begin(), z.begin() + n, a.begin(), [](E x) { return x < 0 ? 0 : x; });
    }
}

// delta times the derivative of the activation; z is not needed any more, and may be overwritten
template <class E>
void times_derivative(Hidden hidden, std::vector<E>& z, const std::vector<E>& a, ptrdiff_t n, std::vector<E>& delta) {
    switch (hidden) {
        case Hidden::sigmoid:
            map(active_kernels<E>().sigmoid_prime, z.data(), n, z.data());
            for (ptrdiff_t i = 0; i < n; ++i) delta[i] *= z[i];
            return;
        case Hidden::tanh:
            for (ptrdiff_t i = 0; i < n; ++i) delta[i] *= 1 - a[i] * a[i];
            return;
        case Hidden::relu:
            for (ptrdiff_t i = 0; i < n; ++i) delta[i] = a[i] > 0 ? delta[i] : 0;
    }
}

// Zero in place of what is too small to matter: the weights of an input that is always 0 shrink for ever, and
// numbers below the smallest normal one take a processor a hundred times as long.
template <class E>
E settled(E x, E least) {
    return std::fabs(x) < least ? E(0) : x;
}

// n parameters, with the gradient of their mean cost
template <class E>
void step(const Rule& rule, double steps, double shrink, E* w, E* gradient, E* first, E* second, ptrdiff_t n) {
    const E eta = E(rule.eta), mu = E(rule.mu), decay = E(shrink);
    constexpr E least = sizeof(E) == sizeof(float) ? E(0x1p-50) : E(0x1p-400);
    for (ptrdiff_t i = 0; i < n; ++i) gradient[i] = settled(gradient[i] + decay * w[i], least);
    if (rule.kind == Rule::adam) {
        const E other = E(rule.second), small = E(rule.small);
        const E rate = E(rule.eta / (1 - std::pow(rule.mu, steps))), root = E(1 / std::sqrt(1 - std::pow(rule.second, steps)));
        for (ptrdiff_t i = 0; i < n; ++i) {
            first[i] = settled(mu * first[i] + (1 - mu) * gradient[i], least);
            second[i] = settled(other * second[i] + (1 - other) * gradient[i] * gradient[i], least * least);
            w[i] -= rate * first[i] / (std::sqrt(second[i]) * root + small);
        }
        return;
    }
    // the book's (107) and (108); with Nesterov the step is the one that the new velocity would make next
    for (ptrdiff_t i = 0; i < n; ++i) {
        first[i] = settled(mu * first[i] - eta * gradient[i], least);
        w[i] += rule.kind == Rule::nesterov ? mu * first[i] - eta * gradient[i] : first[i];
    }
}

}  // namespace

template <class E>
Training<E>::Training(const std::vector<ptrdiff_t>& sizes, Hidden hidden, Cost cost, Gemm<E> gemm)
    : layers_(sizes.size() - 1), hidden_(hidden), cost_(cost), gemm_(gemm) {
    for (size_t i = 0; i < layers_.size(); ++i) {
        layers_[i].inputs = sizes[i];
        layers_[i].neurons = sizes[i + 1];
    }
}

template <class E>
void Training<E>::use(const std::vector<E*>& weights, const std::vector<E*>& biases) {
    for (size_t i = 0; i < layers_.size(); ++i) {
        layers_[i].weights = weights[i];
        layers_[i].biases = biases[i];
    }
}

// C = alpha A B + beta C, all of them row by row: for BLAS, C^T = alpha B^T A^T + beta C^T.
// A is (m, k), or (k, m) to be transposed; B is (k, n), or (n, k).
template <class E>
void Training<E>::product(bool trans_a, bool trans_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, double alpha, const E* a, const E* b,
                          double beta, E* c) const {
    char ta = trans_a ? 'T' : 'N', tb = trans_b ? 'T' : 'N';
    int rows = int(n), columns = int(m), inner = int(k), lda = trans_a ? columns : inner, ldb = trans_b ? inner : rows;
    E factor = E(alpha), keep = E(beta);
    gemm_(&tb, &ta, &rows, &columns, &inner, &factor, const_cast<E*>(b), &ldb, const_cast<E*>(a), &lda, &keep, c, &rows);
}

template <class E>
void Training<E>::reserve(ptrdiff_t mini_batch, const Rule& rule) {
    const auto room = [](auto& x, ptrdiff_t n) {
        if (ptrdiff_t(x.size()) < n) x.resize(size_t(n));
    };
    room(x_, mini_batch * layers_.front().inputs);
    room(labels_, mini_batch);
    room(targets_, mini_batch * layers_.back().neurons);
    for (Layer& layer : layers_) {
        for (auto* x : {&layer.z, &layer.a, &layer.delta}) room(*x, mini_batch * layer.neurons);
        const ptrdiff_t parameters = (layer.inputs + 1) * layer.neurons;
        if (rule.kind != Rule::plain) room(layer.gradient, parameters), room(layer.first, parameters);
        if (rule.kind == Rule::adam) room(layer.second, parameters);
    }
}

template <class E>
void Training<E>::gather(const Examples<E>& examples, const int64_t* order, ptrdiff_t m) {
    const ptrdiff_t features = layers_.front().inputs, outputs = layers_.back().neurons;
    for (ptrdiff_t r = 0; r < m; ++r) {
        std::copy_n(examples.x + order[r] * features, features, x_.data() + r * features);
        if (examples.labels) labels_[size_t(r)] = examples.labels[order[r]];
        if (examples.targets) std::copy_n(examples.targets + order[r] * outputs, outputs, targets_.data() + r * outputs);
    }
}

template <class E>
void Training<E>::forward(ptrdiff_t m) {
    const E* inputs = x_.data();
    for (Layer& layer : layers_) {
        for (ptrdiff_t r = 0; r < m; ++r) std::copy_n(layer.biases, layer.neurons, layer.z.data() + r * layer.neurons);
        product(false, true, m, layer.neurons, layer.inputs, 1, inputs, layer.weights, 1, layer.z.data());
        if (&layer == &layers_.back()) return;
        activate(hidden_, layer.z, m * layer.neurons, layer.a);
        inputs = layer.a.data();
    }
}

// a - y (84), (68), or times the derivative (BP1)
template <class E>
void Training<E>::output_error(ptrdiff_t m, bool labelled) {
    Layer& last = layers_.back();
    const ptrdiff_t n = m * last.neurons;
    if (cost_ == Cost::log_likelihood) {
        Job<E> job;
        job.classes = last.neurons;
        job.z = {last.z.data(), 0, 1};
        job.out = {last.delta.data(), 0, 1};
        if (labelled) job.labels = labels_.data();
        else job.y = {targets_.data(), 0, 1};
        Batch batch;
        batch.append(m, last.neurons, last.neurons, last.neurons);
        return run_rows(active_kernels<E>().log_likelihood, job, batch);
    }
    map(active_kernels<E>().sigmoid, last.z.data(), n, last.delta.data());
    for (ptrdiff_t i = 0; i < n; ++i) last.delta[i] -= targets_[i];
    if (cost_ == Cost::quadratic) times_derivative(Hidden::sigmoid, last.z, last.a, n, last.delta);
}

template <class E>
void Training<E>::backward(ptrdiff_t m, const Rule& rule) {
    for (size_t i = layers_.size(); i-- > 0;) {
        Layer& layer = layers_[i];
        if (!i) return update(layer, x_.data(), m, rule);
        Layer& before = layers_[i - 1];
        product(false, false, m, layer.inputs, layer.neurons, 1, layer.delta.data(), layer.weights, 0, before.delta.data());
        times_derivative(hidden_, before.z, before.a, m * before.neurons, before.delta);
        update(layer, before.a.data(), m, rule);
    }
}

template <class E>
void Training<E>::update(Layer& layer, const E* inputs, ptrdiff_t m, const Rule& rule) {
    const ptrdiff_t size = layer.inputs * layer.neurons;
    const auto add_up = [&](E factor, E* to) {
        for (ptrdiff_t r = 0; r < m; ++r)
            for (ptrdiff_t j = 0; j < layer.neurons; ++j) to[j] += factor * layer.delta[r * layer.neurons + j];
    };
    if (rule.kind == Rule::plain) {  // the weights shrink and move in the product itself: no gradient is stored
        product(true, false, layer.neurons, layer.inputs, m, -rule.eta / double(m), layer.delta.data(), inputs,
                1 - rule.eta * rule.shrink, layer.weights);
        return add_up(E(-rule.eta / double(m)), layer.biases);
    }
    E* const gradient = layer.gradient.data();
    product(true, false, layer.neurons, layer.inputs, m, 1 / double(m), layer.delta.data(), inputs, 0, gradient);
    std::fill_n(gradient + size, layer.neurons, E(0));
    add_up(E(1 / double(m)), gradient + size);
    E *const first = layer.first.data(), *const second = layer.second.data();
    step(rule, steps_, rule.shrink, layer.weights, gradient, first, second, size);
    step(rule, steps_, 0, layer.biases, gradient + size, first + size, second ? second + size : nullptr, layer.neurons);
}

template <class E>
void Training<E>::run(const Examples<E>& examples, const int64_t* order, ptrdiff_t n, ptrdiff_t mini_batch, const Rule& rule) {
    reserve(std::min(n, mini_batch), rule);
    for (ptrdiff_t start = 0; start < n; start += mini_batch) {
        const ptrdiff_t m = std::min(mini_batch, n - start);
        gather(examples, order + start, m);
        forward(m);
        output_error(m, examples.labels);
        steps_ += 1;
        backward(m, rule);
    }
}

template class Training<float>;
template class Training<double>;

}  // namespace nndl_fast
