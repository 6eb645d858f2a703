// The logistic function, its derivative and log(1 + e^-|z|), all from u = e^-|z|.
//   Domain:  every number, infinities too; NaN gives NaN.
//   Error:   logistic() is at most 0.77 units off, float64 0.78.
//   Types:   float32, float64.
//
// u is kept as 2^lift u and its own rounding error, so that it stays a normal number where the
// result is not, and so that the division does not add its error to that of the exponential.
#pragma once
#include "log.h"

namespace nndl_fast {
namespace {

template <class V>
struct Logistic {
    using E = typename V::Element;
    using K = ExpConstants<E>;
    V lifted, lifted_low;  // 2^lift u
    V sum, sum_low;        // 1 + u
    V inverse;             // 1 / sum

    NNDL_INLINE explicit Logistic(V z) {
        const V zero = V::all(E(0)), one = V::all(E(1));
        const V x = max(V::all(-K::depth), zero - max(zero - z, z));  // a NaN is the second argument
        const Exponential<V> e = exponential(x, rounder_for(V::all(K::lift)));
        lifted = e.value();
        lifted_low = e.minus(lifted);
        const V u = lifted * V::all(K::down);
        sum = one + u;
        sum_low = (u - (sum - one)) + lifted_low * V::all(K::down);
        inverse = one / sum;
    }

    NNDL_INLINE V over_sum(V x, V x_low) const {
        const V quotient = x * inverse;
        const V left = fma(V::all(E(0)) - quotient, sum, x) + x_low;
        return fma(left - quotient * sum_low, inverse, quotient);
    }
    NNDL_INLINE V larger() const { return over_sum(V::all(E(1)), V::all(E(0))); }  // of |z|
    NNDL_INLINE V smaller_lifted() const { return over_sum(lifted, lifted_low); }  // of -|z|
    NNDL_INLINE V log_sum() const { return log_of(log1p_parts(lifted * V::all(K::down))); }
};

template <class V>
NNDL_INLINE V logistic(V z) {
    using E = typename V::Element;
    const Logistic<V> l(z);
    const V smaller = l.smaller_lifted() * V::all(ExpConstants<E>::down);
    return select(less(z, V::all(E(0))), smaller, l.larger());
}

template <class V>
NNDL_INLINE V logistic_prime(V z) {
    const Logistic<V> l(z);
    return l.smaller_lifted() * l.larger() * V::all(ExpConstants<typename V::Element>::down);
}

}  // namespace
}  // namespace nndl_fast
