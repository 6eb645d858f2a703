// Gradient descent by mini-batches through a feedforward network (the book's equations BP1 to BP4), many
// mini-batches in one call. The matrix products are those of a BLAS that the caller hands over; the
// activations, the output error and the update of the parameters are computed here.
#pragma once
#include <vector>

#include "kernels/job.h"

namespace nndl_fast {

// Fortran's gemm: matrices stand column by column. Nothing that is pointed to is changed but the last matrix.
template <class E>
using Gemm = void (*)(char* trans_a, char* trans_b, int* m, int* n, int* k, E* alpha, E* a, int* lda, E* b, int* ldb, E* beta,
                      E* c, int* ldc);

enum class Hidden { sigmoid, tanh, relu };
// The output layer is softmax with the first, sigmoid neurons with the others.
enum class Cost { log_likelihood, cross_entropy, quadratic };

// What a step does with the gradient g of the mean cost of the mini-batch, regularisation included.
struct Rule {
    enum Kind { plain, momentum, nesterov, adam } kind = plain;
    double eta = 0;             // learning rate
    double shrink = 0;          // lambda / n: what the regularisation adds to g is shrink * w, not for biases
    double mu = 0;              // momentum; Adam's first decay rate
    double second = 0.999, small = 1e-8;  // Adam's second decay rate, and what keeps its divisor from 0
};

// (n, features) contiguous; labels (n,) or targets (n, outputs)
template <class E>
struct Examples {
    const E* x = nullptr;
    const int64_t* labels = nullptr;
    const E* targets = nullptr;
};

template <class E>
class Training {
public:
    Training(const std::vector<ptrdiff_t>& sizes, Hidden hidden, Cost cost, Gemm<E> gemm);

    // The parameters that run() changes in place: weights[i] is (sizes[i + 1], sizes[i]) and biases[i]
    // (sizes[i + 1],), both contiguous.
    void use(const std::vector<E*>& weights, const std::vector<E*>& biases);

    // A step for each `mini_batch` of the examples that `order` lists; the last may be smaller.
    void run(const Examples<E>& examples, const int64_t* order, ptrdiff_t n, ptrdiff_t mini_batch, const Rule& rule);

private:
    // m examples, a row each
    struct Layer {
        ptrdiff_t inputs, neurons;
        E *weights = nullptr, *biases = nullptr;
        std::vector<E> z, a, delta;
        std::vector<E> gradient, first, second;  // of the weights, then of the biases; what the rule keeps of them
    };

    void reserve(ptrdiff_t mini_batch, const Rule& rule);
    void gather(const Examples<E>& examples, const int64_t* order, ptrdiff_t m);
    void forward(ptrdiff_t m);
    void output_error(ptrdiff_t m, bool labelled);
    void backward(ptrdiff_t m, const Rule& rule);
    void update(Layer& layer, const E* inputs, ptrdiff_t m, const Rule& rule);
    void product(bool trans_a, bool trans_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, double alpha, const E* a, const E* b,
                 double beta, E* c) const;

    std::vector<Layer> layers_;
    Hidden hidden_;
    Cost cost_;
    Gemm<E> gemm_;
    std::vector<E> x_, targets_;  // of the mini-batch in hand
    std::vector<int64_t> labels_;
    double steps_ = 0;            // Adam counts them
};

}  // namespace nndl_fast
