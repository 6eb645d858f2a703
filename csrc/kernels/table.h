// The kernels that each instruction set has.
#pragma once
#include "job.h"

// KERNEL(what it returns, name, the type of its job) for each of them. Each is exported by a file in operations/.
#define NNDL_KERNELS(KERNEL)                                                                         \
    KERNEL(void, softmax, Job)                                                                       \
    KERNEL(void, log_softmax, Job)                                                                   \
    KERNEL(void, logsumexp, Job)                                                                     \
    KERNEL(void, hard, Job) /* c -> infinity */                                                      \
    KERNEL(void, softmax_backward, Job)                                                              \
    KERNEL(void, log_likelihood, Job) /* the cost if row_result is set, the error if out is */       \
    KERNEL(double, sigmoid, MapJob)   /* these return the sum of the costs, if there are any */      \
    KERNEL(double, sigmoid_prime, MapJob)                                                            \
    KERNEL(double, binary_cross_entropy, MapJob)                                                     \
    KERNEL(double, inverse_softmax, MapJob)                                                          \
    KERNEL(double, log_likelihood_of_activations, MapJob)                                            \
    KERNEL(double, quadratic, MapJob)                                                                \
    KERNEL(double, hyperbolic_tangent, MapJob)                                                       \
    KERNEL(double, rectifier, MapJob)                                                                \
    KERNEL(double, leaky_rectifier, MapJob)                                                          \
    KERNEL(double, times_sigmoid_prime, MapJob) /* y times the derivative, z being the activation */ \
    KERNEL(double, times_tanh_prime, MapJob)                                                         \
    KERNEL(double, times_relu_prime, MapJob)                                                         \
    KERNEL(double, times_leaky_relu_prime, MapJob)                                                   \
    KERNEL(void, step, StepJob)                                                                      \
    KERNEL(void, product, ProductJob)                                                                \
    KERNEL(ptrdiff_t, tile_columns, ProductJob) /* how many of the result's are made at a time */    \
    KERNEL(void, transpose, TransposeJob)

namespace nndl_fast {

template <class E>
using RowKernel = void (*)(const Job<E>&);
template <class E>
using MapKernel = double (*)(const MapJob<E>&);

template <class E>
struct Kernels {
#define NNDL_MEMBER(result, kernel, JobOf) result (*kernel)(const JobOf<E>&);
    NNDL_KERNELS(NNDL_MEMBER)
#undef NNDL_MEMBER
};

struct Table {
    const char* name;
    Kernels<float> f32;
    Kernels<double> f64;
    HalfKernels float16, bfloat16;
};

}  // namespace nndl_fast
