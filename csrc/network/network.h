// A feedforward network: its output for many examples, and gradient descent by mini-batches (the book's
// equations BP1 to BP4), many of them in one call.
//
// Everything is computed here, with the products of operations/product.cpp, so the same numbers come out on every
// machine and with any number of threads.
#pragma once
#include <utility>
#include <vector>

#include "../common/buffer.h"
#include "layers.h"
#include "matrix.h"
#include "optimizer.h"

namespace nndl_fast {

// The output layer is softmax with the first, sigmoid neurons with the others.
enum class Cost { log_likelihood, cross_entropy, quadratic };

// (n, features), element (i, k) at x[i * row + k * column]; labels (n,) or targets (n, outputs), contiguous
template <class E>
struct Examples {
    const E* x = nullptr;
    ptrdiff_t row = 0, column = 1;
    const int64_t* labels = nullptr;
    const E* targets = nullptr;
    const double* weights = nullptr;  // (n,), by which the cost of each is multiplied, if there are any
};

// A softmax layer of so many neurons or more is wide: in training its weighted inputs are not held as a whole.
constexpr ptrdiff_t wide_layer = 4096;

template <class E>
class Network {
public:
    Network(const std::vector<ptrdiff_t>& sizes, Activation hidden, Cost cost);

    // The parameters: weights[i] is (sizes[i + 1], sizes[i]) and biases[i] (sizes[i + 1],), both contiguous.
    void use(const std::vector<const E*>& weights, const std::vector<const E*>& biases);
    // Writes what they have become to arrays of the same shapes.
    void give(const std::vector<E*>& weights, const std::vector<E*>& biases) const;

    // What the optimizer keeps of earlier gradients, as arrays of the same shapes: none with plain descent, one with
    // momentum, and with Adam a second. Steps go on with what is used as if they had never ended.
    int moments() const { return int(layers_.front().first.size() > 0) + int(layers_.front().second.size() > 0); }
    void use_moment(int moment, const std::vector<const E*>& weights, const std::vector<const E*>& biases);
    void give_moment(int moment, const std::vector<E*>& weights, const std::vector<E*>& biases) const;
    Powers powers() const { return powers_; }
    void use_powers(Powers powers) { powers_ = powers; }

    // A step for each `mini_batch` of the examples that `order` lists; the last may be smaller.
    void train(const Examples<E>& examples, const int64_t* order, ptrdiff_t n, ptrdiff_t mini_batch, const Rule& rule);

    // The weighted inputs of the output layer for n examples, (n, outputs) contiguous.
    void weighted_inputs(const Examples<E>& examples, ptrdiff_t n, E* z) const;

private:
    // The activations and errors have one row per example. The weights stand in panels of neurons: that of neuron j
    // and input k at [j / lanes][k][j % lanes]. The weights of a wide layer stand as they are given.
    struct Layer {
        ptrdiff_t inputs, neurons;
        Buffer weights, biases;
        Buffer a, delta;
        Buffer transposed;     // the weights in panels of inputs
        Buffer gradient;       // of a wide layer
        Buffer first, second;  // what the optimizer keeps of earlier gradients, of the weights, then of the biases
        E* data(const Buffer& buffer) const { return static_cast<E*>(buffer.data()); }
        Buffer& moment(int which) { return which ? second : first; }
        const Buffer& moment(int which) const { return which ? second : first; }
    };

    // Whether the last layer is a wide one of softmax.
    bool is_wide() const { return cost_ == Cost::log_likelihood && layers_.back().neurons >= wide_layer; }
    // Elements of a layer's weights as they stand here.
    ptrdiff_t weight_elements(const Layer& layer) const;
    // Between arrays as they are given and as they stand here.
    void import_layer(const Layer& layer, const E* weights, const E* biases, E* w, E* b) const;
    void export_layer(const Layer& layer, const E* w, const E* b, E* weights, E* biases) const;
    // Of the products of the first layers, one for each.
    double time_of_products(ptrdiff_t m, size_t layers) const;
    template <class F>
    void undoing(F step);
    void reserve(ptrdiff_t mini_batch, const Rule& rule, const Examples<E>& examples);
    void gather(const Examples<E>& examples, const int64_t* order, ptrdiff_t m);
    template <class F>
    Examples<E> forward(Examples<E> examples, ptrdiff_t m, F place) const;
    void forward(ptrdiff_t m);
    void output_error(ptrdiff_t m, const Examples<E>& examples, double scale);
    void backward(ptrdiff_t m, const Rule& rule);
    void train_wide(ptrdiff_t m, const Examples<E>& examples, double scale, const Rule& rule);
    const double* weights_in_hand(const Examples<E>& examples) const {
        return examples.weights ? static_cast<const double*>(weights_.data()) : nullptr;
    }
    void hand_down(Layer& layer, Layer& before, ptrdiff_t m);
    void update(Layer& layer, const E* inputs, ptrdiff_t m, const Rule& rule);
    void fetch_next(ptrdiff_t first, ptrdiff_t last) const;
    void step(Layer& layer, const Rule& rule, double weight_decay, ptrdiff_t n, ptrdiff_t place, E* parameters,
              E* gradient);

    std::vector<Layer> layers_;
    Activation hidden_;
    Cost cost_;
    Buffer x_, targets_, labels_, weights_;  // of the mini-batch in hand
    const E* next_x_ = nullptr;              // of the next one
    ptrdiff_t next_row_ = 0;
    const int64_t *next_ = nullptr, *next_end_ = nullptr;
    Powers powers_;
};

// The product that gives z: left, m rows of them, times weights in panels, plus biases where there are any.
template <class E>
ProductJob<E> weighted_inputs_job(ptrdiff_t m, ptrdiff_t depth, ptrdiff_t neurons, const E* left, ptrdiff_t left_row,
                                  ptrdiff_t left_column, const E* weights, const E* biases, E* z) {
    ProductJob<E> job{m, whole_vectors<E>(neurons), depth};
    job.left = {left, left_row, left_column};
    job.right = {weights, lanes<E>, depth * lanes<E>};
    job.out = {z, row_stride<E>(neurons), lanes<E>};
    job.start_of_column = biases;
    return job;
}

// m examples through the layers, on this thread: layer i writes its activations, the last one its weighted inputs, as
// rows at place(i). Returns those of the last layer that has been computed, which a wide one is not.
template <class E>
template <class F>
Examples<E> Network<E>::forward(Examples<E> examples, ptrdiff_t m, F place) const {
    for (size_t i = 0; i < layers_.size() - is_wide(); ++i) {
        const Layer& layer = layers_[i];
        E* const a = place(i);
        const ptrdiff_t row = row_stride<E>(layer.neurons);
        active_kernels<E>().product(weighted_inputs_job(m, layer.inputs, layer.neurons, examples.x, examples.row,
                                                        examples.column, layer.data(layer.weights),
                                                        layer.data(layer.biases), a));
        if (i + 1 < layers_.size()) apply(activation_of<E>(hidden_), m * row, a, a);
        examples = {a, row};
    }
    return examples;
}

}  // namespace nndl_fast
