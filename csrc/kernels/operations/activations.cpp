// Costs of activations, and their logarithms. Each element stands alone; z, which holds activations, y and out are
// contiguous.
#include "../layout.h"

#include "../../math/log.h"

namespace nndl_fast {
namespace {

// ln x.
//   Domain:  every number; 0 gives -infinity, what is less and NaN give NaN.
//   Error:   that of log_of().
//   Types:   float32, float64.
template <class V>
NNDL_INLINE V logarithm(V x) {
    using E = typename V::Element;
    constexpr int mantissa_bits = ExpConstants<E>::mantissa_bits;
    constexpr E least = sizeof(E) == sizeof(float) ? E(0x1p-126) : E(0x1p-1022),
                up = E(uint64_t(1) << (mantissa_bits + 1));
    constexpr E bias = sizeof(E) == sizeof(float) ? 128 : 1024;  // so that exponents are not negative
    const V zero = V::all(0), one = V::all(1);
    const auto subnormal = less(x, V::all(least));
    const V normal = select(subnormal, x * V::all(up), x);
    const auto biased =
        shift_left<mantissa_bits>(bits(V::all(E(uint64_t(1) << mantissa_bits) + bias)));  // its low bits are bias
    const auto k = shift_right<mantissa_bits>(bits(normal) - bits(V::all(E(0x1.6a09e667f3bcdp-1))) + biased);
    const V unit = V::all(E(uint64_t(1) << mantissa_bits));
    const V octaves = (from_bits(k | bits(unit)) - unit) - V::all(bias);
    const V f = from_bits(bits(normal) - (shift_left<mantissa_bits>(k) - biased)) - one;
    const V log = log_of(LogParts<V>{select(subnormal, octaves - V::all(E(mantissa_bits + 1)), octaves), f});
    const V infinite = V::all(E(__builtin_inf()));
    const V special =
        select(equal(x, zero), zero - infinite, select(equal(x, infinite), x, V::all(E(__builtin_nan("")))));
    return select(less(zero, x), select(equal(x, infinite), special, log), special);
}

// scale is what is added
template <class V, class E = typename V::Element>
double inverse_softmax(const MapJob<E>& job) {
    const RowLayout<V> line{job.n};
    line.for_each([&](auto chunk) NNDL_LAMBDA {
        const V a = line.load(Strided<const E>{job.z, 1}, chunk, E(1));
        line.store(Strided<E>{job.out, 1}, chunk, logarithm(a) + V::all(E(job.scale)));
    });
    return 0;
}

// The sum of f(activation, target), which is the cost; and if out is there (a - y) scale.
template <class V, class E = typename V::Element, class F>
NNDL_INLINE double sum_of_costs(const MapJob<E>& job, F f) {
    const RowLayout<V> line{job.n};
    const auto total = line.sum_one([&](auto chunk) NNDL_LAMBDA {
        const V a = line.load(Strided<const E>{job.z, 1}, chunk, E(1)),
                y = line.load(Strided<const E>{job.y, 1}, chunk, E(0));
        if (job.out) line.store(Strided<E>{job.out, 1}, chunk, (a - y) * V::all(E(job.scale)));
        return line.trim(chunk, f(a, y));
    });
    return reduce_add(total.value());
}

// -y ln a, and 0 if y is 0, whatever a is
template <class V, class E = typename V::Element>
double log_likelihood_of_activations(const MapJob<E>& job) {
    const V zero = V::all(0);
    return sum_of_costs<V>(job,
                           [&](V a, V y) NNDL_LAMBDA { return select(equal(y, zero), zero, zero - y * logarithm(a)); });
}

template <class V, class E = typename V::Element>
double quadratic(const MapJob<E>& job) {
    return sum_of_costs<V>(job, [](V a, V y) NNDL_LAMBDA { return V::all(E(0.5)) * (a - y) * (a - y); });
}

}  // namespace

NNDL_EXPORT(double, inverse_softmax, MapJob)
NNDL_EXPORT(double, log_likelihood_of_activations, MapJob)
NNDL_EXPORT(double, quadratic, MapJob)

}  // namespace nndl_fast
