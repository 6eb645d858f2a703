// The table of one instruction set, from the kernels as they are compiled in the including file.
#pragma once
#include "../kernels/half.h"
#include "../kernels/log_likelihood.h"
#include "../kernels/neuron.h"
#include "../kernels/optimizer.h"
#include "../kernels/product.h"
#include "../kernels/sigmoid.h"
#include "../kernels/softmax.h"
#include "../kernels/yardstick.h"

namespace nndl_fast {
namespace {

template <template <class, class> class Op, class V, class E = typename V::Element>
void run(const Job<E>& job) {
    const Op<V, E> op{job};
    Driver<Op, V>{job, op}.run();
}

template <class V>
constexpr Kernels<typename V::Element> kernels_of() {
    return {run<Softmax, V>,
            run<LogSoftmax, V>,
            run<LogSumExp, V>,
            run<Hard, V>,
            run<SoftmaxBackward, V>,
            run<LogLikelihood, V>,
            sigmoid<V>,
            sigmoid_prime<V>,
            binary_cross_entropy<V>,
            copy<V>,
            copy_past_cache<V>,
            exponentials<V>,
            multiplications<V>,
            operations<V>,
            cycles<V>,
            hyperbolic_tangent<V>,
            rectifier<V>,
            times_sigmoid_prime<V>,
            times_tanh_prime<V>,
            times_relu_prime<V>,
            step<V>,
            product<V>,
            turn<V>};
}

constexpr Table table_of(const char* name) {
    return {name, kernels_of<F32x16>(), kernels_of<F64x8>(), half_kernels<Float16>(), half_kernels<BFloat16>()};
}

}  // namespace
}  // namespace nndl_fast
