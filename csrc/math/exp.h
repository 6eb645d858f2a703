// e^x, in the two parts that softmax needs.
//
//   n = 8 k + i = the integer nearest to 8 x / ln 2,  r = x - n ln 2 / 8,
//   e^x = 2^k 2^(i/8) (1 + t),  t = e^r - 1 = r + r^2 q(r)
//
// high = x - n ln2_high / 8 is exact with a fused multiply-add: for |x| up to 2^15 it is a multiple of
// the smaller of the units of x and of ln2_high / 8, and small enough for the mantissa. |r| is at most
// 0.045, so that neither the rounding of r nor that of t shows much in 1 + t. For float32, q(high)
// replaces q(r): |x| is below 2^12 (far_away, kernels/kernels.h), so that they differ by less than
// 2^-20, times r^2 2^-29.
//
// The table of 2^(i/8) is there twice. What its entries lost when they were rounded is looked up and
// added to r; or they all are `factor` times as large, a number for which all eight lie so near to a
// number of the type that nothing has to be added. The factor drops out of a softmax.
//
// Results are computed 2^lift times as large as they are and brought down by the last
// multiplication of all, so that underflow is gradual, rounded once, and no intermediate is
// subnormal: e^-depth 2^lift is a normal number, and e^-depth is zero after that multiplication, even
// if the shift is off by `window` (kernels/kernels.h).
//
// The polynomials and the tables come from fit.py.
#pragma once
#include "../simd/vectors.h"

namespace nndl_fast {
namespace {

template <class E>
struct ExpConstants;  // down = 2^-lift; all that is not a power of two or an integer: fit.py

template <>
struct ExpConstants<float> {
    static constexpr float ln2_high = 0x1.62e43p-1f, ln2_low = -0x1.05c61p-29f, eight_per_ln2 = 0x1.715476p+3f;
    // adding it rounds to an integer, which then stands in the low bits of the mantissa
    static constexpr float rounder = 0x1.8p23f;
    static constexpr int mantissa_bits = 23;
    static constexpr float depth = 126, down = 0x1p-56f;
    static constexpr int lift = 56;
    static constexpr float q[] = {0x1p-1f, 0x1.555cdap-3f, 0x1.55478ap-5f};
    alignas(64) static constexpr float powers[] = {0x1p+0f,        0x1.f72b84p-1f, 0x1.f06fe0p-1f, 0x1.ebfdaep-1f,
                                                   0x1.ea09e6p-1f, 0x1.eace54p-1f, 0x1.ee89fap-1f, 0x1.f5818ep-1f};
    alignas(64) static constexpr float corrections[] = {0,
                                                        -0x1.9c0c22p-27f,
                                                        0x1.12500p-25f,
                                                        -0x1.0a3552p-25f,
                                                        0x1.26055cp-26f,
                                                        0x1.67a1cap-28f,
                                                        -0x1.f9c306p-27f,
                                                        -0x1.a5217cp-28f};
    // The powers times `factor`; per_factor is 1 / factor, rounded, and log_per_factor_low is ln(1 / per_factor) -
    // ln(factor).
    alignas(64) static constexpr float scaled_powers[] = {0x1.feb052p-1f, 0x1.f6747cp-1f, 0x1.efa848p-1f,
                                                          0x1.eb2404p-1f, 0x1.e91c8ap-1f, 0x1.e9cb7cp-1f,
                                                          0x1.ed6fb4p-1f, 0x1.f44dbcp-1f};
    static constexpr float factor = 0x1.feb052p-1f, per_factor = 0x1.00a846p+0f, log_per_factor_low = -0x1.6990c8p-25f;
};

template <>
struct ExpConstants<double> {
    static constexpr double ln2_high = 0x1.62e42fefa39efp-1, ln2_low = 0x1.abc9e3b39803fp-56,
                            eight_per_ln2 = 0x1.71547652b82fep+3;
    static constexpr double rounder = 0x1.8p52;
    static constexpr int mantissa_bits = 52;
    static constexpr double depth = 780, down = 0x1p-128;
    static constexpr int lift = 128;
    static constexpr double q[] = {0x1.0000000000139p-1, 0x1.5555555555079p-3,  0x1.555555468ff26p-5,
                                   0x1.1111112831c91p-7, 0x1.6c1d118581613p-10, 0x1.a016044b17821p-13};
    alignas(64) static constexpr double powers[] = {0x1.0000000000000p+0, 0x1.f72b83c7d517bp-1, 0x1.f06fe0a31b715p-1,
                                                    0x1.ebfdad5362a27p-1, 0x1.ea09e667f3bcdp-1, 0x1.eace5422aa0dbp-1,
                                                    0x1.ee89f995ad3adp-1, 0x1.f5818dcfba487p-1};
    alignas(64) static constexpr double corrections[] = {0,
                                                         -0x1.01b15eaa59348p-55,
                                                         0x1.34d754db0abb6p-55,
                                                         0x1.690cebb7aafb0p-56,
                                                         -0x1.3b3efbf5e2229p-54,
                                                         0x1.db72fc1f0eab4p-55,
                                                         0x1.c1a7792cb3387p-55,
                                                         0x1.4a385a63d07a7p-56};
    alignas(64) static constexpr double scaled_powers[] = {
        0x1.0534f34da75fep+0, 0x1.fcd91b847d8bbp-1, 0x1.f6a1081677088p-1, 0x1.f2be4cc3b861cp-1,
        0x1.f166fa0000000p-1, 0x1.f2d604ea0a773p-1, 0x1.f74bb8abdcea9p-1, 0x1.ff0e321dfba8ep-1};
    static constexpr double factor = 0x1.0534f34da75fep+0, per_factor = 0x1.f5cb3d9b52291p-1,
                            log_per_factor_low = -0x1.892f7680fddbdp-55;
};

// What to add for rounding, so that all that is computed is 2^octaves times as large; octaves is an
// integer. It stands in the same low bits as n does, so the shift costs nothing.
template <class V>
NNDL_INLINE V rounder_for(V octaves) {
    using E = typename V::Element;
    return fma(octaves, V::all(E(8)), V::all(ExpConstants<E>::rounder));
}

// x's own integer power of two, the nearest
template <class V>
NNDL_INLINE V octaves_of(V x) {
    using E = typename V::Element;
    const V rounder = V::all(ExpConstants<E>::rounder);
    return fma(x, V::all(ExpConstants<E>::eight_per_ln2 / 8), rounder) - rounder;
}

// 2^octaves e^x = power (1 + t)
template <class V>
struct Exponential {
    V power, t;
    NNDL_INLINE V value() const { return fma(power, t, power); }
    // power (1 + t) - x, where that is much smaller than both
    NNDL_INLINE V minus(V x) const { return fma(power, t, power - x); }
};

// The low part of an argument that has none.
struct NoLowPart {};
template <class V>
NNDL_INLINE V plus(V x, V y) {
    return x + y;
}
template <class V>
NNDL_INLINE V plus(V x, NoLowPart) {
    return x;
}

// q(r). A polynomial of more than 3 coefficients is evaluated two at a time, in steps of r^2, which shortens the chain
// of dependent operations.
template <class V>
NNDL_INLINE V exp_quotient(V r, V square) {
    using E = typename V::Element;
    using K = ExpConstants<E>;
    constexpr int count = sizeof K::q / sizeof K::q[0];
    if constexpr (count == 3) return fma(fma(V::all(K::q[2]), r, V::all(K::q[1])), r, V::all(K::q[0]));
    V q = fma(V::all(K::q[count - 1]), r, V::all(K::q[count - 2]));
    for (int i = count - 4; i >= 0; i -= 2) q = fma(q, square, fma(V::all(K::q[i + 1]), r, V::all(K::q[i])));
    return q;
}

// 2^octaves e^(x + x_low), or `factor` times that, in two parts.
//   Domain:  |x| < 2^12, x_low far below the unit of x, and 2^(n/8 + octaves) a normal number; NaN gives NaN.
//   Error:   value() is at most 0.79 units off, float64 0.81.
//   Types:   float32, float64.
template <bool TimesFactor, class V, class Low>
NNDL_INLINE Exponential<V> exponential_by_table(V x, V rounder, Low x_low) {
    using K = ExpConstants<typename V::Element>;
    const V rounded = fma(x, V::all(K::eight_per_ln2), rounder), n = rounded - rounder;
    const auto code = bits(rounded);
    const V high = fma(n, V::all(-K::ln2_high / 8), x), ln2_low = V::all(-K::ln2_low / 8);
    V r;
    if constexpr (TimesFactor) r = plus(fma(n, ln2_low, high), x_low);
    else r = high + plus(fma(n, ln2_low, lookup(K::corrections, code)), x_low);
    // one addition less to wait for
    const V near_r = sizeof(typename V::Element) == sizeof(float) ? high : r;
    const V square = r * r, t = fma(square, exp_quotient(near_r, square), r);
    const auto power = lookup(TimesFactor ? K::scaled_powers : K::powers, code);
    return {from_bits(bits(power) + shift_left<K::mantissa_bits - 3>(code)), t};
}
template <class V, class Low = NoLowPart>
NNDL_INLINE Exponential<V> exponential(V x, V rounder, Low x_low = {}) {
    return exponential_by_table<false>(x, rounder, x_low);
}
template <class V, class Low = NoLowPart>
NNDL_INLINE Exponential<V> exponential_times_factor(V x, V rounder, Low x_low = {}) {
    return exponential_by_table<true>(x, rounder, x_low);
}

}  // namespace
}  // namespace nndl_fast
