// The activations of neurons, and the kernels that compute them (kernels/operations/neuron.cpp).
#pragma once
#include "../isa/dispatch.h"

namespace nndl_fast {

enum class Activation { sigmoid, tanh, relu, leaky_relu };

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

}  // namespace nndl_fast
