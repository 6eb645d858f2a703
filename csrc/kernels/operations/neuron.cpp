// Hidden neurons: activations of weighted inputs, and errors times the derivative. The sigmoid itself is in
// sigmoid.cpp. Each element stands alone; z, y and out are contiguous, and out may be z or y.
//
// The derivative is taken from the activation a: a (1 - a), 1 - a^2, and 1 if a > 0, else 0 or the slope of a leaky
// one.
#include "../layout.h"

#include "../../math/tanh.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
double hyperbolic_tangent(const MapJob<E>& job) {
    return map<V>(job, [](V z) NNDL_LAMBDA { return hyperbolic_tangent(z); });
}

// A NaN stays one: it is the second argument.
template <class V, class E = typename V::Element>
double rectifier(const MapJob<E>& job) {
    return map<V>(job, [](V z) NNDL_LAMBDA { return max(V::all(0), z); });
}

constexpr double slope = 0.01;  // PyTorch's default

template <class V, class E = typename V::Element>
double leaky_rectifier(const MapJob<E>& job) {
    return map<V>(job, [](V z) NNDL_LAMBDA { return max(V::all(E(slope)) * z, z); });
}

template <class V, class E = typename V::Element, class F>
NNDL_INLINE double map_errors(const MapJob<E>& job, F f) {
    const RowLayout<V> line{job.n};
    line.for_each([&](auto step) NNDL_LAMBDA {
        const V a = line.load(Strided<const E>{job.z, 1}, step, E(0)),
                delta = line.load(Strided<const E>{job.y, 1}, step, E(0));
        line.store(Strided<E>{job.out, 1}, step, f(delta, a));
    });
    return 0;
}

template <class V, class E = typename V::Element>
double times_sigmoid_prime(const MapJob<E>& job) {
    return map_errors<V>(job, [](V delta, V a) NNDL_LAMBDA { return delta * (a * (V::all(1) - a)); });
}

template <class V, class E = typename V::Element>
double times_tanh_prime(const MapJob<E>& job) {
    return map_errors<V>(job, [](V delta, V a) NNDL_LAMBDA { return delta * fma(V::all(0) - a, a, V::all(1)); });
}

template <class V, class E = typename V::Element>
double times_relu_prime(const MapJob<E>& job) {
    return map_errors<V>(job, [](V delta, V a) NNDL_LAMBDA { return select(less(V::all(0), a), delta, V::all(0)); });
}

template <class V, class E = typename V::Element>
double times_leaky_relu_prime(const MapJob<E>& job) {
    return map_errors<V>(
        job, [](V delta, V a) NNDL_LAMBDA { return select(less(V::all(0), a), delta, V::all(E(slope)) * delta); });
}

}  // namespace

NNDL_EXPORT(double, hyperbolic_tangent, MapJob)
NNDL_EXPORT(double, rectifier, MapJob)
NNDL_EXPORT(double, leaky_rectifier, MapJob)
NNDL_EXPORT(double, times_sigmoid_prime, MapJob)
NNDL_EXPORT(double, times_tanh_prime, MapJob)
NNDL_EXPORT(double, times_relu_prime, MapJob)
NNDL_EXPORT(double, times_leaky_relu_prime, MapJob)

}  // namespace nndl_fast
