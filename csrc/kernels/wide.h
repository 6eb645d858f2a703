// Sums that carry more than the type that they add: float32 into float64, float64 into a pair.
#pragma once
#include "../simd/scalar.h"

namespace nndl_fast {
namespace {

template <class V>
NNDL_INLINE auto to_double(V x, float) -> decltype(widen(x)) {
    return widen(x);
}
template <class V>
NNDL_INLINE V to_double(V x, double) {
    return x;
}
// x as float64 lanes, whichever its own are
template <class V>
NNDL_INLINE auto to_double(V x) -> decltype(to_double(x, typename V::Element())) {
    return to_double(x, typename V::Element());
}
template <class V>
using Double = decltype(to_double(V()));

template <class V, class D>
NNDL_INLINE V from_double(D x, float) {
    return narrow(x);
}
template <class V, class D>
NNDL_INLINE V from_double(D x, double) {
    return x;
}
template <class V, class D>
NNDL_INLINE V from_double(D x) {
    return from_double<V>(x, typename V::Element());
}

// A number as the sum of two V, the second at most half a unit of the first.
template <class V>
struct Split {
    V high, low;
};
// x + y as a Split, exactly if x is 0 or |x| >= |y|.
template <class V>
NNDL_INLINE Split<V> split(V x, V y) {
    const V high = x + y;
    return {high, y - (high - x)};
}

template <class V, class E = typename V::Element>
struct Wide;

template <class V>
struct Wide<V, float> {
    Double<V> sum;

    NNDL_INLINE static Wide zero() { return {Double<V>::all(0)}; }
    NNDL_INLINE void add(V x) { sum = sum + widen(x); }
    NNDL_INLINE void add(Wide x) { sum = sum + x.sum; }
    // + 0: a sum of nothing but -0 is 0, however many zeros were left out of it
    NNDL_INLINE Double<V> value() const { return sum + Double<V>::all(0); }
    NNDL_INLINE Split<V> parts() const {
        const V high = narrow(sum);
        return {high, narrow(sum - widen(high))};
    }
};

template <class V>
struct Wide<V, double> {
    V sum, lost;  // what rounding took from the sum

    NNDL_INLINE static Wide zero() { return {V::all(0), V::all(0)}; }
    NNDL_INLINE void add(V x) {
        const V total = sum + x, from_x = total - sum;
        lost = lost + ((sum - (total - from_x)) + (x - from_x));
        sum = total;
    }
    NNDL_INLINE void add(Wide x) {
        add(x.sum);
        lost = lost + x.lost;
    }
    // what an infinite sum has lost is no number
    NNDL_INLINE V value() const { return select(is_nan(lost), sum, sum + lost); }
    NNDL_INLINE Split<V> parts() const { return split(sum, lost); }
};

// To and from two numbers.
NNDL_INLINE void store(Wide<F32x1> x, double* to) {
    to[0] = x.sum.r;
    to[1] = 0;
}
NNDL_INLINE void store(Wide<F64x1> x, double* to) {
    to[0] = x.sum.r;
    to[1] = x.lost.r;
}
NNDL_INLINE Wide<F32x1> load_wide(const double* from, float) { return {{from[0]}}; }
NNDL_INLINE Wide<F64x1> load_wide(const double* from, double) { return {{from[0]}, {from[1]}}; }

// The lanes of a sum, the upper half added to the lower until one is left.
template <class PerRow, class V>
NNDL_INLINE Wide<PerRow> collapse(Wide<V, float> x) {
    return {{reduce_add(x.sum)}};
}
template <class PerRow, class V>
NNDL_INLINE Wide<PerRow> collapse(Wide<V, double> x) {
    double sum[V::size], lost[V::size];
    x.sum.store(sum);
    x.lost.store(lost);
    Wide<PerRow> lane[V::size];
    for (int i = 0; i < V::size; ++i) lane[i] = {{sum[i]}, {lost[i]}};
    for (int half = V::size / 2; half; half /= 2)
        for (int i = 0; i < half; ++i) lane[i].add(lane[i + half]);
    return lane[0];
}

}  // namespace
}  // namespace nndl_fast
