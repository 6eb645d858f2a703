// What every softmax-like operation starts with: a row's maximum, its exponentials, their sum and
// the logarithm of that sum.
//
// Exponentials are shifted by 2^-N, N = the maximum's own power of two, not by the maximum: a shift
// by a power of two is exact, where z - max would round and cost up to 64 units of a small result.
//
// The sum is not built from rounded exponentials. Each enters it in two parts: its multiple of a
// grid, coarse enough for the sum of a block's multiples to be exact, and what is left, computed
// from the exact 2^n (1 + t) and so small that its rounding does not show.
#pragma once
#include "../math/log.h"
#include "layout.h"

namespace nndl_fast {
namespace {

// Beyond |c max| = 2^18 the reduction by multiples of ln 2 is no longer exact; there max is
// subtracted first, which is exact for all z that are near enough to count.
constexpr float far_away = 0x1p18f;

template <class Each>
struct Anchor {
    using E = typename Each::Element;
    Each maximum;          // of z, NaNs left out
    Each origin, c;        // the argument of the exponential is c (z - origin)
    Each lowest;           // arguments below it count as it: their exponentials come out zero
    Each code;             // for power_of_two: 2^(n - N + lift)
    Each high, low;        // the argument's maximum less N ln 2
    Each peak, peak_lost;  // the largest exponential, lifted, and what rounding took from it
    bool plain;            // c = 1, origin = 0

    NNDL_INLINE Anchor(Each max, E sharpness) : maximum(max), c(Each::all(sharpness)) {
        using K = ExpConstants<E>;
        const Each zero = Each::all(0), scaled = max * c;
        const auto far = less(Each::all(far_away), nndl_fast::max(scaled, zero - scaled));
        origin = select(far, max, zero);
        plain = sharpness == E(1) && !any(far);
        const Each from_origin = max - origin, argument = from_origin * c;
        lowest = argument - Each::all(K::depth);
        const Reduced<Each> r = reduce(argument, fma(from_origin, c, zero - argument));
        code = code_for(r.rounded, K::lift);
        high = r.high;
        low = r.low;
        const Each power = power_of_two(r.rounded, code), t = exp_minus_1(high, low);
        peak = fma(power, t, power);
        peak_lost = fma(power, t, power - peak);
    }
};

// 2^lift e^(c (z - origin)) 2^-N = power (1 + t)
template <class V>
struct Exponential {
    V power, t;
    NNDL_INLINE V value() const { return fma(power, t, power); }
};

template <bool Plain, class L, class V = typename L::Vector>
NNDL_INLINE Exponential<V> exponential(const L&, const Anchor<typename L::Each>& anchor, V z) {
    const V lowest = L::spread(anchor.lowest), zero = V::all(0);
    V argument, remainder = zero;
    if constexpr (Plain) {
        argument = max(lowest, z);  // a NaN in z stays: it is the second argument
    } else {
        const V c = L::spread(anchor.c), from_origin = z - L::spread(anchor.origin);
        const V rounded = from_origin * c;
        argument = max(lowest, rounded);
        remainder = select(equal(argument, rounded), fma(from_origin, c, zero - rounded), zero);
    }
    const Reduced<V> r = reduce(argument, remainder);
    return {power_of_two(r.rounded, L::spread(anchor.code)), exp_minus_1(r.high, r.low)};
}

// e * (high + low), rounded once but for the smaller half
template <class V>
NNDL_INLINE V scaled(V e, V peak, V high, V low, V low_of_peak) {
    return fma(e, high, e * select(equal(e, peak), low_of_peak, low));
}

// A row's exponentials and their sum.
template <class L>
struct RowSum {
    using E = typename L::E;
    using V = typename L::Vector;
    using Each = typename L::Each;
    Anchor<Each> anchor;
    Wide<Each> sum;    // lifted
    Double<Each> nan;  // NaN where the row has no softmax, else zero

    NNDL_INLINE RowSum(const L& rows, Column<const E> z, E c) : anchor(rows.maximum(z), c) {}

    // Each exponential is also written to `keep`, where there is one.
    NNDL_INLINE void add_up(const L& rows, Column<const E> z, Column<E> keep) {
        const auto terms = anchor.plain ? add_terms<true>(rows, z, keep) : add_terms<false>(rows, z, keep);
        sum = terms.of[0];
        sum.add(terms.of[1]);
        const Double<Each> top = to_double(anchor.maximum);
        nan = (top - top) + (sum.value() - sum.value());
    }

    // Where the largest exponential is nearly all of the sum: the sum of the others, apart.
    // An exponential is one of those if it is less than the largest, which there is only once.
    NNDL_INLINE Wide<Each> others(const L& rows, Column<const E> z, Column<E> keep) const {
        const V peak = L::spread(anchor.peak), zero = V::all(0);
        return rows.template sum<1, true>([&](auto step) NNDL_LAMBDA {
            V e;
            if (keep.data)
                e = rows.load(keep, step, E(0));
            else {
                const V x = rows.load(z, step, E(0));
                e = anchor.plain ? exponential<true>(rows, anchor, x).value()
                                 : exponential<false>(rows, anchor, x).value();
            }
            return Terms<V, 1>{{rows.trim(step, select(less(e, peak), e, zero))}};
        }).of[0];
    }

    // log of the sum of e^(c (z - max)): at least 0, small where one class has nearly everything
    NNDL_INLINE Double<Each> log_sum(const L& rows, Column<const E> z, Column<E> keep) const {
        using D = Double<Each>;
        const D zero = D::all(0), down = D::all(ExpConstants<E>::down);
        const D total = sum.value(), peak = to_double(anchor.peak) + to_double(anchor.peak_lost);
        const auto dominated = less(total, D::all(1.375) * peak);
        LogParts<D> x = log_parts(total * down);
        D shift = to_double(anchor.high) + to_double(anchor.low);
        if (any(dominated)) {
            const D ratio = others(rows, z, keep).value() / peak;
            x = {select(dominated, zero, x.k), select(dominated, ratio, x.f)};
            shift = select(dominated, zero, shift);
        }
        return log_of(x) - shift;
    }

    // numerator / sum, and its lower half as it is to multiply the largest exponential, whose
    // rounding error is known: so a class with all of the probability gets exactly 1.
    struct Scale {
        Each peak, high, low, low_of_peak;
        NNDL_INLINE V apply(V e) const {
            return scaled(e, L::spread(peak), L::spread(high), L::spread(low), L::spread(low_of_peak));
        }
        NNDL_INLINE Each apply_once(Each e) const { return scaled(e, peak, high, low, low_of_peak); }
    };
    NNDL_INLINE Scale scale(Double<Each> numerator) const {
        const Split<Each> q = sum.divide(numerator);
        return {anchor.peak, q.high, q.low, fma(q.high, anchor.peak_lost / anchor.peak, q.low)};
    }

private:
    template <bool Plain>
    NNDL_INLINE Sums<Each, 2> add_terms(const L& rows, Column<const E> z, Column<E> keep) const {
        return rows.template sum<2, Plain>([&](auto step) NNDL_LAMBDA {
            const Exponential<V> e = exponential<Plain>(rows, anchor, rows.load(z, step, E(0)));
            const V value = e.value(), to_grid = V::all(ExpConstants<E>::to_grid);
            if (keep.data) rows.store(keep, step, value);
            const V multiple = (value + to_grid) - to_grid;
            return Terms<V, 2>{{rows.trim(step, multiple), rows.trim(step, fma(e.power, e.t, e.power - multiple))}};
        });
    }
};

// Writes one and the same NaN over the rows whose lane of `nan` is a NaN.
template <class L, class D>
NNDL_INLINE void overwrite_nan_rows(const L& rows, D nan, Column<typename L::E> out) {
    if (!any(is_nan(nan))) return;
    double lanes[D::size];
    nan.store(lanes);
    for (int lane = 0; lane < rows.rows; ++lane)
        if (lanes[lane] != lanes[lane])
            for (ptrdiff_t j = 0; j < rows.classes; ++j) L::at(out, j, lane) = typename L::E(__builtin_nan(""));
}

}  // namespace
}  // namespace nndl_fast
