// Neurons: their activations, errors times the derivative of one, and for sigmoid ones the binary cross-entropy with
// its error. Each element stands alone; z, y and out are contiguous, and out may be z or y.
//
// The derivative that an error is multiplied by is taken from the activation a: a (1 - a), 1 - a^2, and 1 if a > 0,
// else 0 or the slope of a leaky one.
#include "../layout.h"

#include "../../math/logistic.h"
#include "../../math/tanh.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
double sigmoid(const MapJob<E>& job) {
    return map<V>(job, [](V z) NNDL_LAMBDA { return logistic(z); });
}

template <class V, class E = typename V::Element>
double sigmoid_prime(const MapJob<E>& job) {
    return map<V>(job, [](V z) NNDL_LAMBDA { return logistic_prime(z); });
}

// cost  = |z| (1 - y) + log(1 + e^-|z|) for z >= 0, |z| y + log(1 + e^-|z|) for z < 0
// delta = sigma(z) - y, as (1 - y) - sigma(-z) if y > 1/2, because the smaller numbers lose less
template <class V, class E = typename V::Element>
double binary_cross_entropy(const MapJob<E>& job) {
    const RowLayout<V> line{job.n};
    const V zero = V::all(0), one = V::all(1), down = V::all(ExpConstants<E>::down), scale = V::all(E(job.scale));
    const auto total = line.sum_one([&](auto chunk) NNDL_LAMBDA {
        const V z = line.load(Strided<const E>{job.z, 1}, chunk, E(0)),
                y = line.load(Strided<const E>{job.y, 1}, chunk, E(0));
        const V w = job.weight ? line.load(Strided<const E>{job.weight, 1}, chunk, E(0)) : one;
        const Logistic<V> l(z);
        const auto negative = less(z, zero);
        if (job.out) {
            const V smaller = l.smaller_lifted() * down, larger = l.larger();
            const V of_z = select(negative, smaller, larger), of_minus_z = select(negative, larger, smaller);
            const V delta = select(less(V::all(E(0.5)), y), (one - y) - of_minus_z, of_z - y);
            line.store(Strided<E>{job.out, 1}, chunk, delta * (w * scale));
        }
        if (!job.sums) return zero;
        const V slope = select(negative, y, one - y);
        const V linear = select(equal(slope, zero), zero, slope * max(zero - z, z));
        const V full = linear + l.log_sum();
        const V nothing = select(is_nan(full), full, zero);  // a weight of 0 hides an infinity, not a NaN
        const V cost = select(equal(w, zero), nothing, w * full);
        if (job.cost) line.store(Strided<E>{job.cost, 1}, chunk, cost);
        return line.trim(chunk, cost);
    });
    return reduce_add(total.value());
}

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
    line.for_each([&](auto chunk) NNDL_LAMBDA {
        const V a = line.load(Strided<const E>{job.z, 1}, chunk, E(0)),
                delta = line.load(Strided<const E>{job.y, 1}, chunk, E(0));
        line.store(Strided<E>{job.out, 1}, chunk, f(delta, a));
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

NNDL_EXPORT(double, sigmoid, MapJob)
NNDL_EXPORT(double, sigmoid_prime, MapJob)
NNDL_EXPORT(double, binary_cross_entropy, MapJob)
NNDL_EXPORT(double, hyperbolic_tangent, MapJob)
NNDL_EXPORT(double, rectifier, MapJob)
NNDL_EXPORT(double, leaky_rectifier, MapJob)
NNDL_EXPORT(double, times_sigmoid_prime, MapJob)
NNDL_EXPORT(double, times_tanh_prime, MapJob)
NNDL_EXPORT(double, times_relu_prime, MapJob)
NNDL_EXPORT(double, times_leaky_relu_prime, MapJob)

}  // namespace nndl_fast
