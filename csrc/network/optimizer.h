// Steps of gradient descent: the rule of a step, and steps of arrays as they stand in memory.
#pragma once
#include <vector>

#include "../batch/batch.h"
#include "../kernels/kernels.h"

namespace nndl_fast {

// How a step changes the parameters. kernels/operations/step.cpp has the formulas.
struct Rule {
    Optimizer optimizer = Optimizer::sgd;
    double eta = 0;           // the learning rate
    double weight_decay = 0;  // regularisation adds weight_decay * w to the gradient, which is lambda / n in the book
    double momentum = 0;      // for Adam, beta1
    double beta2 = 0.999, epsilon = 1e-8;  // epsilon keeps divisors from 0
    bool decoupled = false;  // whether the weights shrink by eta * weight_decay instead, apart from the gradient

    bool operator==(const Rule& other) const {
        return optimizer == other.optimizer && eta == other.eta && weight_decay == other.weight_decay &&
               momentum == other.momentum && beta2 == other.beta2 && epsilon == other.epsilon &&
               decoupled == other.decoupled;
    }
};

// momentum and beta2 to the number of steps, which Adam divides by
struct Powers {
    double momentum = 1, beta2 = 1;
};

// The numbers of a step whose powers these are.
template <class E>
StepJob<E> step_job(const Rule& rule, double weight_decay, Powers powers);

// Parameters as arrays of any strides: the batch's operands are the gradient (z), what is kept of earlier ones (y and
// weight), and the parameters (out).
template <class E>
struct StepArrays {
    Batch batch;
    E* parameters = nullptr;
    const E* gradient = nullptr;
    E *first = nullptr, *second = nullptr;
};

// The sum of the squares of all gradients, added up in an order that depends on the parameters' shapes and strides
// alone.
template <class E>
double sum_of_squares(const std::vector<StepArrays<E>>& arrays);

// Allocates nothing, and is not interrupted: it is done as a whole.
template <class E>
void step_arrays(const StepJob<E>& rule, const std::vector<StepArrays<E>>& arrays);

}  // namespace nndl_fast
