// e^x, in the two parts that softmax needs.
//
//   n = the integer nearest to x / ln 2,  r = x - n ln 2,  e^x = 2^n (1 + t),  t = e^r - 1
//
// x - n * ln2_high is exact with a fused multiply-add: for |x| < 2^18 it is a multiple of the
// smaller of the units of x and of ln2_high, and small enough for the mantissa. What ln2_high
// lacks stays apart (`low`) and is added to r^2 q(r), so that t is rounded once, where it is at
// most a quarter of a unit of 1 + t. The caller may have a remainder of x itself to add there.
//
// Results are computed 2^lift times as large as they are and brought down by the last
// multiplication of all, so that underflow is gradual, rounded once, and no intermediate is
// subnormal: e^-depth 2^lift is a normal number, and e^-depth is zero after that multiplication.
//
// The polynomials come from fit.py.
#pragma once
#include "../simd/pair.h"

namespace nndl_fast {
namespace {

template <class E>
struct ExpConstants;  // ln2_high, ln2_low, per_ln2, q: fit.py; down = 2^-lift;
// adding to_grid rounds a lifted number to a multiple of 2^-14 (2^-30) times 2^lift

template <>
struct ExpConstants<float> {
    static constexpr float ln2_high = 0x1.62e43p-1f, ln2_low = -0x1.05c61p-29f, per_ln2 = 0x1.715476p+0f;
    // adding it rounds to an integer, which then stands in the low bits of the mantissa
    static constexpr float rounder = 0x1.8p23f;
    static constexpr int mantissa = 23, exponent_bias = 127;
    static constexpr float depth = 130, down = 0x1p-64f, to_grid = 0x1.8p73f;  // 23 - 14 + 64
    static constexpr int lift = 64;
    static constexpr float q[] = {0x1.fffffcp-2f, 0x1.55548ap-3f, 0x1.555916p-5f, 0x1.123fb4p-7f,
                                  0x1.6a1a8ep-10f};
};

template <>
struct ExpConstants<double> {
    static constexpr double ln2_high = 0x1.62e42fefa39efp-1, ln2_low = 0x1.abc9e3b39803fp-56,
                            per_ln2 = 0x1.71547652b82fep+0;
    static constexpr double rounder = 0x1.8p52;
    static constexpr int mantissa = 52, exponent_bias = 1023;
    static constexpr double depth = 780, down = 0x1p-128, to_grid = 0x1.8p150;  // 52 - 30 + 128
    static constexpr int lift = 128;
    static constexpr double q[] = {0x1.000000000000bp-1,  0x1.55555555554f0p-3,  0x1.555555555025dp-5,
                                   0x1.1111111129941p-7,  0x1.6c16c185981adp-10, 0x1.a01a01233f917p-13,
                                   0x1.a01995fa20f5ep-16, 0x1.71df2eb5a22f7p-19, 0x1.28b15bae90642p-22,
                                   0x1.ad7ace96d5a64p-26};
};

// x = n ln 2 + high + low; the bits of `rounded` are those of the rounder plus n.
template <class V>
struct Reduced {
    V rounded, high, low;
};

template <class V>
NNDL_INLINE Reduced<V> reduce(V x, V x_low) {
    using K = ExpConstants<typename V::Element>;
    const V rounded = fma(x, V::all(K::per_ln2), V::all(K::rounder));
    const V n = rounded - V::all(K::rounder);
    return {rounded, fma(n, V::all(-K::ln2_high), x), fma(n, V::all(-K::ln2_low), x_low)};
}

// e^r - 1 for r = high + low, |r| <= 0.35, low far below high's unit or high zero
template <class V>
NNDL_INLINE V exp_minus_1(V high, V low) {
    using K = ExpConstants<typename V::Element>;
    constexpr int count = sizeof K::q / sizeof K::q[0];
    const V r = high + low;
    V q = V::all(K::q[count - 1]);
    for (int i = count - 2; i >= 0; --i) q = fma(q, r, V::all(K::q[i]));
    return high + fma(r * r, q, low);
}

// 2^(n + shift), where code(shift) was made for the shift and 2^(n + shift) is a normal number
template <class V>
NNDL_INLINE V power_of_two(V rounded, V code) {
    return from_bits(shift_left<ExpConstants<typename V::Element>::mantissa>(bits(rounded) + bits(code)));
}

// The bits to add for a result of 2^(n - n0 + bias): those of n0's rounder cancel those of n's.
template <class V>
NNDL_INLINE V code_for(V rounded0, int bias) {
    using E = typename V::Element;
    // an integer in the low bits of a float: rounder + k is rounder's bits plus k
    const V wanted = V::all(ExpConstants<E>::rounder + E(bias + ExpConstants<E>::exponent_bias));
    return from_bits(bits(wanted) - bits(rounded0));
}

}  // namespace
}  // namespace nndl_fast
