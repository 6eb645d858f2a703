// log(2^k (1 + f)) for f in [sqrt(1/2) - 1, sqrt(2) - 1], f exact.
//
//   s = f / (2 + f),  log(1 + f) = 2 atanh(s) = f - (f^2 / 2 - s (f^2 / 2 + s^2 P(s^2)))
//
// which keeps f, the largest term, free of rounding; so is a number that is subtracted from it. P comes from fit.py.
#pragma once
#include <stdint.h>

#include "exp.h"

namespace nndl_fast {
namespace {

template <class E>
struct LogConstants;

template <>
struct LogConstants<float> {
    static constexpr float p[] = {0x1.55557ap-1f, 0x1.995e0ep-2f, 0x1.31f672p-2f};
};

template <>
struct LogConstants<double> {
    static constexpr double p[] = {0x1.5555555555595p-1, 0x1.999999997ef99p-2, 0x1.24924942c7fc2p-2,
                                   0x1.c71c514f5da2dp-3, 0x1.74666747ff304p-3, 0x1.399d72b16e4b8p-3,
                                   0x1.2f329153c0157p-3};
};

// The argument of a logarithm, 2^k (1 + f).
template <class V>
struct LogParts {
    V k, f;
};

// log(2^k (1 + f)) - y + more.
//   Domain:  sqrt(1/2) - 1 <= f <= sqrt(2) - 1, k an integer, y near k ln 2 or 0, more below the unit of the others.
//   Error:   log_of() is at most 0.84 units off, float64 0.82.
//   Types:   float32, float64.
template <class V>
NNDL_INLINE V log_minus(LogParts<V> x, V y, V more) {
    using E = typename V::Element;
    using K = LogConstants<E>;
    constexpr int count = sizeof K::p / sizeof K::p[0];
    const V f = x.f, s = f / (V::all(E(2)) + f), z = s * s;
    V p = V::all(K::p[count - 1]);
    for (int i = count - 2; i >= 0; --i) p = fma(p, z, V::all(K::p[i]));
    const V half = V::all(E(0.5)) * f * f;
    // k ln 2 as the sum of two numbers. y is near the first or 0, so their difference is exact.
    const V octaves = x.k * V::all(ExpConstants<E>::ln2_high);
    const V octaves_low = fma(x.k, V::all(ExpConstants<E>::ln2_high), V::all(E(0)) - octaves);
    const V low = fma(x.k, V::all(ExpConstants<E>::ln2_low), octaves_low);
    const V small = half - (fma(s, fma(z, p, half), low) + more);
    const V base = octaves - y;
    const V high = base + f;
    return high + ((f + (base - high)) - small);
}
template <class V>
NNDL_INLINE V log_of(LogParts<V> x) {
    return log_minus(x, V::all(0), V::all(0));
}

// x >= sqrt(1/2), finite
template <class V>
NNDL_INLINE LogParts<V> log_parts(V x) {
    using E = typename V::Element;
    constexpr int mantissa_bits = ExpConstants<E>::mantissa_bits;
    const auto above = bits(x) - bits(V::all(E(0x1.6a09e667f3bcdp-1)));  // sqrt(1/2)
    const auto k = shift_right<mantissa_bits>(above);
    const V unit = V::all(E(uint64_t(1) << mantissa_bits));  // its low bits are an integer's
    return {from_bits(k | bits(unit)) - unit, from_bits(bits(x) - shift_left<mantissa_bits>(k)) - V::all(E(1))};
}

// log(1 + x) for x in [0, 1]
template <class V>
NNDL_INLINE LogParts<V> log1p_parts(V x) {
    using E = typename V::Element;
    const V one = V::all(E(1)), zero = V::all(E(0));
    const auto halve = less(V::all(E(0.4140625)), x);
    return {select(halve, one, zero), select(halve, (x - one) * V::all(E(0.5)), x)};
}

}  // namespace
}  // namespace nndl_fast
