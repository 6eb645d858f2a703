// What layers of neurons compute: activations, products with biases, and a last layer of very many classes.
#pragma once
#include <utility>

#include "../isa/dispatch.h"

namespace nndl_fast {

// The kernels are in kernels/operations/neuron.cpp.
enum class Activation { sigmoid, tanh, relu, leaky_relu };
constexpr std::pair<const char*, Activation> activation_names[] = {{"relu", Activation::relu},
                                                                   {"sigmoid", Activation::sigmoid},
                                                                   {"tanh", Activation::tanh},
                                                                   {"leaky_relu", Activation::leaky_relu}};

template <class E>
MapKernel<E> activation_of(Activation activation) {
    const Kernels<E>& k = active_kernels<E>();
    const MapKernel<E> kernels[] = {k.sigmoid, k.hyperbolic_tangent, k.rectifier, k.leaky_rectifier};
    return kernels[int(activation)];
}

// Errors, y, times the derivative at the activations, z.
template <class E>
MapKernel<E> times_derivative_of(Activation activation) {
    const Kernels<E>& k = active_kernels<E>();
    const MapKernel<E> kernels[] = {k.times_sigmoid_prime, k.times_tanh_prime, k.times_relu_prime,
                                    k.times_leaky_relu_prime};
    return kernels[int(activation)];
}

// Element (i, j) stands at data[i * row + j * column].
template <class T>
struct Matrix {
    T* data = nullptr;
    ptrdiff_t rows = 0, columns = 0, row = 0, column = 0;
    Matrix transposed() const { return {data, columns, rows, column, row}; }
    T* at(ptrdiff_t i, ptrdiff_t j) const { return data + i * row + j * column; }
};

// out = start + left right, and then a function of each element: products of matrices that stand in memory in any way,
// with what a layer of neurons adds to them. Every element is one chain of fused multiply-adds with the depth ascending
// (operations/product.cpp), whichever way is taken, so the bits depend on the numbers alone.
template <class E>
struct Multiplication {
    Matrix<const E> left, right;
    Matrix<E> out;
    // The start: one number per column of out, or per row, both contiguous; or what stands in out; or else 0.
    const E *of_columns = nullptr, *of_rows = nullptr;
    bool adds = false;
    // An activation; or, if there are activations of out's shape, the product with a derivative at these.
    MapKernel<E> then = nullptr;
    Matrix<const E> activations;
};

template <class E>
void multiply(Multiplication<E> job);

// The last layer without its logits: z = a w^T + b is made for a block of examples, turned into the output error in
// place, and used up for the gradients before the next block.
//
// A block of logits has classes in rows and examples in lanes: w is then read as it stands, in order, and the cost
// and its error need no sum across lanes.
constexpr ptrdiff_t default_logit_bytes = 24 << 20;

template <class E>
struct LinearJob {
    Matrix<const E> a, w;  // (n, features), (classes, features)
    const E* b = nullptr;  // contiguous
    // The options of the cost; labels, sample weights and row_result (which is needed) have an entry for each example,
    // and y.row and y.cls are the strides of targets. z and out are not used.
    Job<E> cost;
    E *nabla_w = nullptr, *nabla_b = nullptr;  // the gradients (82), (81), contiguous, both or none;
    E* delta_a = nullptr;                      // and with them, or not, the error handed down
    ptrdiff_t delta_a_row = 0;
    // Bytes of logits that are there at a time, or a quarter of w's if that is more: with few examples at a time, w and
    // its gradient go through memory too often. They are those of at least 32 examples, unless the copies of these
    // examples' inputs exceed 4 MiB (linear.cpp).
    ptrdiff_t logit_bytes = default_logit_bytes;
};

// Each example's cost goes to job.cost.row_result, and the gradients if they are asked for.
template <class E>
void run_linear(const LinearJob<E>& job);

}  // namespace nndl_fast
