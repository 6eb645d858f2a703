#include "network.h"

#include <algorithm>

namespace nndl_fast {
namespace {

// Examples that go through the network at a time where nothing is learned.
constexpr ptrdiff_t examples_at_once = 96;
thread_local Buffer thread_activations[2];

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
ptrdiff_t Network<E>::weight_elements(const Layer& layer) const {
    if (is_wide() && &layer == &layers_.back()) return whole_vectors<E>(layer.inputs * layer.neurons);
    return layer.inputs * whole_vectors<E>(layer.neurons);
}

template <class E>
void Network<E>::import_layer(const Layer& layer, const E* weights, const E* biases, E* w, E* b) const {
    std::fill(std::copy_n(biases, layer.neurons, b), b + whole_vectors<E>(layer.neurons), E(0));
    if (is_wide() && &layer == &layers_.back()) {
        std::fill(std::copy_n(weights, layer.inputs * layer.neurons, w), w + weight_elements(layer), E(0));
        return;
    }
    rows_to_panels(weights, layer.inputs, 1, layer.neurons, layer.inputs, w);
}

template <class E>
void Network<E>::export_layer(const Layer& layer, const E* w, const E* b, E* weights, E* biases) const {
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
        E* const b = allocate<E>(layer.biases, whole_vectors<E>(layer.neurons));
        import_layer(layer, weights[i], biases[i], allocate<E>(layer.weights, weight_elements(layer)), b);
    }
}

template <class E>
void Network<E>::give(const std::vector<E*>& weights, const std::vector<E*>& biases) const {
    for (size_t i = 0; i < layers_.size(); ++i) {
        const Layer& layer = layers_[i];
        export_layer(layer, layer.data(layer.weights), layer.data(layer.biases), weights[i], biases[i]);
    }
}

template <class E>
void Network<E>::use_moment(int moment, const std::vector<const E*>& weights, const std::vector<const E*>& biases) {
    for (size_t i = 0; i < layers_.size(); ++i) {
        Layer& layer = layers_[i];
        const ptrdiff_t of_weights = weight_elements(layer);
        E* const kept = allocate<E>(layer.moment(moment), of_weights + whole_vectors<E>(layer.neurons));
        import_layer(layer, weights[i], biases[i], kept, kept + of_weights);
    }
}

template <class E>
void Network<E>::give_moment(int moment, const std::vector<E*>& weights, const std::vector<E*>& biases) const {
    for (size_t i = 0; i < layers_.size(); ++i) {
        const Layer& layer = layers_[i];
        const E* const kept = layer.data(layer.moment(moment));
        export_layer(layer, kept, kept + weight_elements(layer), weights[i], biases[i]);
    }
}

template <class E>
double Network<E>::time_of_products(ptrdiff_t m, size_t layers) const {
    ptrdiff_t depth = 0;
    for (size_t i = 0; i < layers; ++i) depth += layers_[i].inputs * layers_[i].neurons;
    return nanoseconds(ProductJob<E>{m, 1, depth});
}

template <class E>
void Network<E>::weighted_inputs(const Examples<E>& examples, ptrdiff_t n, E* z) const {
    const Layer& last_layer = layers_.back();
    const size_t layers = layers_.size() - is_wide();
    ptrdiff_t widest = 0;
    for (size_t i = 0; i < layers; ++i) widest = std::max(widest, row_stride<E>(layers_[i].neurons));
    // What goes into a wide layer, of all examples, or else z.
    Buffer own;
    const ptrdiff_t columns = is_wide() ? last_layer.inputs : last_layer.neurons;
    const ptrdiff_t row = is_wide() ? row_stride<E>(columns) : columns;
    E* const result = is_wide() && layers ? allocate<E>(own, n * row) : z;
    const ptrdiff_t units = (n + examples_at_once - 1) / examples_at_once;
    const double time = time_of_products(n, layers);
    if (layers)
        share_out(units, threads_for(units, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
            E* place[2];
            for (int i = 0; i < 2; ++i) place[i] = allocate_zeros<E>(thread_activations[i], examples_at_once * widest);
            for (ptrdiff_t start = first * examples_at_once; start < std::min(n, last * examples_at_once);
                 start += examples_at_once) {
                const ptrdiff_t m = std::min(examples_at_once, n - start);
                const Examples<E> a = forward({examples.x + start * examples.row, examples.row, examples.column}, m,
                                              [&](size_t layer) { return place[layer % 2]; });
                for (ptrdiff_t r = 0; r < m; ++r) std::copy_n(a.x + r * a.row, columns, result + (start + r) * row);
            }
        });
    if (!is_wide()) return;
    const Examples<E> into_wide = layers ? Examples<E>{result, row} : examples;
    Multiplication<E> product;
    product.left = {into_wide.x, n, last_layer.inputs, into_wide.row, into_wide.column};
    product.right = {last_layer.data(last_layer.weights), last_layer.inputs, last_layer.neurons, 1, last_layer.inputs};
    product.out = {z, n, last_layer.neurons, last_layer.neurons, 1};
    product.of_columns = last_layer.data(last_layer.biases);
    multiply(product);
}

template class Network<float>;
template class Network<double>;

}  // namespace nndl_fast
