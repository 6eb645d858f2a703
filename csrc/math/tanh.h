// tanh, from a polynomial near 0 and as 1 - 2 / (e^2|x| + 1) elsewhere.
//
// The sum and the quotient are kept with their rounding errors: what is left of the last subtraction is then
// all but exact.
#pragma once
#include "exp.h"

namespace nndl_fast {
namespace {

template <class E>
struct TanhConstants;  // tanh s = s + s^3 p(s^2) for |s| < small (fit.py); 1 to rounding from `large` on

template <>
struct TanhConstants<float> {
    static constexpr float small = 0.25f, large = 10;
    static constexpr float p[] = {-0x1.555516p-2f, 0x1.10e0c4p-3f, -0x1.a52dep-5f};
};

template <>
struct TanhConstants<double> {
    static constexpr double small = 0.25, large = 20;
    static constexpr double p[] = {-0x1.55555555554f1p-2, 0x1.11111110fd20ep-3,  -0x1.ba1ba18f42ccdp-5,
                                   0x1.664f32a990b36p-6,  -0x1.22683d2ffd9fdp-7, 0x1.d50717b22baaap-9,
                                   -0x1.5948c7519185fp-10};
};

// tanh x.
//   Domain:  every number, infinities too; NaN gives NaN.
//   Error:   at most 0.57 units off, float64 0.59.
//   Types:   float32, float64.
template <class V>
NNDL_INLINE V hyperbolic_tangent(V x) {
    using E = typename V::Element;
    using K = TanhConstants<E>;
    constexpr int count = sizeof K::p / sizeof K::p[0];
    const V zero = V::all(0), one = V::all(1), two = V::all(2);
    const V size = max(zero - x, x);  // a NaN is the second argument, here and below

    const V square = x * x;
    V p = V::all(K::p[count - 1]);
    for (int i = count - 2; i >= 0; --i) p = fma(p, square, V::all(K::p[i]));
    const V near = fma(x * square, p, x);

    const V bounded = zero - max(V::all(-K::large), zero - size);
    const Exponential<V> e = exponential(bounded + bounded, V::all(ExpConstants<E>::rounder));
    const V above = e.power + one, above_low = (e.power - above) + one;
    const V sum = fma(e.power, e.t, above), sum_low = fma(e.power, e.t, above - sum) + above_low;
    const V quotient = two / sum;
    const V left = fma(zero - quotient, sum, two) - quotient * sum_low;
    const V rest = one - quotient, rest_low = (one - rest) - quotient;
    const V far = rest + (rest_low - left * (quotient * V::all(E(0.5))));
    return select(less(size, V::all(K::small)), near, select(less(x, zero), zero - far, far));
}

}  // namespace
}  // namespace nndl_fast
