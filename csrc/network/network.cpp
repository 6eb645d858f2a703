#include "network.h"

#include <algorithm>

namespace nndl_fast {
namespace {

// Examples that go through the network at a time where nothing is learned.
constexpr ptrdiff_t examples_at_once = 96;
thread_local Buffer thread_activations[2], thread_wide[2];

}  // namespace

template <class E>
Network<E>::Network(const std::vector<ptrdiff_t>& sizes, Activation hidden, Cost cost)
    : layers_(sizes.size() - 1), hidden_(hidden), cost_(cost) {
    for (size_t i = 0; i < layers_.size(); ++i) {
        layers_[i].inputs = sizes[i];
        layers_[i].neurons = sizes[i + 1];
    }
}

template <class E>
ptrdiff_t Network<E>::room_of_weights(const Layer& layer) const {
    if (is_wide() && &layer == &layers_.back()) return whole_vectors<E>(layer.inputs * layer.neurons);
    return layer.inputs * whole_vectors<E>(layer.neurons);
}

template <class E>
void Network<E>::put(const Layer& layer, const E* weights, const E* biases, E* w, E* b) const {
    std::fill(std::copy_n(biases, layer.neurons, b), b + whole_vectors<E>(layer.neurons), E(0));
    if (is_wide() && &layer == &layers_.back()) {
        std::fill(std::copy_n(weights, layer.inputs * layer.neurons, w), w + room_of_weights(layer), E(0));
        return;
    }
    to_panels(weights, layer.inputs, 1, layer.neurons, layer.inputs, w);
}

template <class E>
void Network<E>::take(const Layer& layer, const E* w, const E* b, E* weights, E* biases) const {
    std::copy_n(b, layer.neurons, biases);
    if (is_wide() && &layer == &layers_.back()) {
        std::copy_n(w, layer.inputs * layer.neurons, weights);
        return;
    }
    from_panels(w, layer.inputs * lanes<E>, layer.neurons, layer.inputs, weights, layer.inputs);
}

template <class E>
void Network<E>::use(const std::vector<const E*>& weights, const std::vector<const E*>& biases) {
    for (size_t i = 0; i < layers_.size(); ++i) {
        Layer& layer = layers_[i];
        E* const b = room<E>(layer.biases, whole_vectors<E>(layer.neurons));
        put(layer, weights[i], biases[i], room<E>(layer.weights, room_of_weights(layer)), b);
    }
}

template <class E>
void Network<E>::give(const std::vector<E*>& weights, const std::vector<E*>& biases) const {
    for (size_t i = 0; i < layers_.size(); ++i) {
        const Layer& layer = layers_[i];
        take(layer, layer.data(layer.weights), layer.data(layer.biases), weights[i], biases[i]);
    }
}

template <class E>
void Network<E>::use_moment(int moment, const std::vector<const E*>& weights, const std::vector<const E*>& biases) {
    for (size_t i = 0; i < layers_.size(); ++i) {
        Layer& layer = layers_[i];
        const ptrdiff_t of_weights = room_of_weights(layer);
        E* const kept = room<E>(layer.moment(moment), of_weights + whole_vectors<E>(layer.neurons));
        put(layer, weights[i], biases[i], kept, kept + of_weights);
    }
}

template <class E>
void Network<E>::give_moment(int moment, const std::vector<E*>& weights, const std::vector<E*>& biases) const {
    for (size_t i = 0; i < layers_.size(); ++i) {
        const Layer& layer = layers_[i];
        const E* const kept = layer.data(layer.moment(moment));
        take(layer, kept, kept + room_of_weights(layer), weights[i], biases[i]);
    }
}

// (m, neurons): made with the examples in lanes, and turned.
template <class E>
void Network<E>::weighted_inputs_of_wide(const Layer& layer, ptrdiff_t m, const E* a, ptrdiff_t row, ptrdiff_t step,
                                         E* z) const {
    constexpr ptrdiff_t some = 64 * lanes<E>;  // neurons at a time
    const ptrdiff_t panels = (m + lanes<E> - 1) / lanes<E>;
    E* const inputs = room<E>(thread_wide[0], panels * lanes<E> * layer.inputs);
    E* const turned = room<E>(thread_wide[1], panels * lanes<E> * some);
    to_panels(a, row, step, m, layer.inputs, inputs);
    ProductJob<E> product;
    product.columns = panels * lanes<E>;
    product.depth = product.left_row = layer.inputs;
    product.left_step = 1;
    product.right = inputs;
    product.right_step = product.out_row = lanes<E>;
    product.right_panel = layer.inputs * lanes<E>;
    product.out = turned;
    product.out_panel = some * lanes<E>;
    for (ptrdiff_t j = 0; j < layer.neurons; j += some) {
        product.rows = std::min(some, layer.neurons - j);
        product.left = layer.data(layer.weights) + j * layer.inputs;
        product.start_of_row = layer.data(layer.biases) + j;
        active_kernels<E>().product(product);
        from_panels(turned, product.out_panel, m, product.rows, z + j, layer.neurons);
    }
}

template <class E>
void Network<E>::weighted_inputs(const Examples<E>& examples, ptrdiff_t n, E* z) const {
    ptrdiff_t widest = 0;
    double multiplications = 0;
    for (const Layer& layer : layers_) {
        if (!is_wide() || &layer != &layers_.back()) widest = std::max(widest, row_stride<E>(layer.neurons));
        multiplications += double(layer.inputs) * double(layer.neurons);
    }
    ProductJob<E> all;  // whose time is that of the whole
    all.rows = n;
    all.columns = 1;
    all.depth = ptrdiff_t(multiplications);
    const ptrdiff_t units = (n + examples_at_once - 1) / examples_at_once;
    const double time = nanoseconds(all);
    share_out(units, threads_for(units, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        E* place[2];
        for (int i = 0; i < 2; ++i) place[i] = room_of_zeros<E>(thread_activations[i], examples_at_once * widest);
        for (ptrdiff_t start = first * examples_at_once; start < std::min(n, last * examples_at_once);
             start += examples_at_once) {
            const ptrdiff_t m = std::min(examples_at_once, n - start);
            const E* inputs = examples.x + start * examples.row;
            ptrdiff_t row = examples.row, step = examples.step;
            int turn = 0;
            for (const Layer& layer : layers_) {
                if (&layer == &layers_.back() && is_wide()) {
                    weighted_inputs_of_wide(layer, m, inputs, row, step, z + start * layer.neurons);
                    break;
                }
                E* const out = place[turn];
                const ptrdiff_t stride = row_stride<E>(layer.neurons);
                active_kernels<E>().product(weighted_inputs_job(m, layer.inputs, layer.neurons, inputs, row, step,
                                                                layer.data(layer.weights), layer.data(layer.biases),
                                                                out));
                if (&layer == &layers_.back()) {
                    for (ptrdiff_t r = 0; r < m; ++r)
                        std::copy_n(out + r * stride, layer.neurons, z + (start + r) * layer.neurons);
                    break;
                }
                map(activation_of<E>(hidden_), m * stride, out, out);
                inputs = out;
                row = stride;
                step = 1;
                turn ^= 1;
            }
        }
    });
}

template class Network<float>;
template class Network<double>;

}  // namespace nndl_fast
