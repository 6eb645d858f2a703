// What a row's exponentials are multiplied by when the row is stored.
#pragma once
#include "row_sum.h"

namespace nndl_fast {
namespace {

// The bounds of a numerator within which its quotients by the sum have the same bits for every shift. A shift may be
// off by `window`, a factor of 2^14.4 (here: 2^15), so the sum of n classes is at least 2^(lift - 15), and at most
// n 2^(lift + 15).
//
// From below: numerator / sum is kept in two parts, and the lower one, 2^24 times as small, has to be a normal number.
// For float32 that is numerator >= n 2^(lift + 15) 2^24 2^-126 = n 2^-31, for float64 n 2^(lift + 15) 2^53 2^-1022 =
// n 2^-826. `per_class` is more than that. A smaller numerator is multiplied by `up`, and the results by 1 / up.
//
// From above: an exponential that counts as zero is 2^lift e^-depth, 2^-125.8 for float32. Divided by the smallest sum,
// 2^41, and times the numerator it has to round to zero, so it has to be below 2^-150: `large` is 2^15. For float64,
// 2^-997.3 over 2^113 has to stay below 2^-1075: up to 2^35; `large` is 2^30.
template <class E>
struct Numerator;
template <>
struct Numerator<float> {
    static constexpr float per_class = 0x1p-30f, up = 0x1p126f, large = 0x1p15f;
};
template <>
struct Numerator<double> {
    static constexpr double per_class = 0x1p-800, up = 0x1p1000, large = 0x1p30;
};

// numerator / sum in two parts, by which the exponentials are multiplied. If one class has nearly all of the sum,
// or if all exponentials are the same, then what rounding took from the largest exponential counts as well: so a class
// with everything gets exactly 1, and each of n equal ones 1 / n. With two classes it always counts, so that the
// result of one never falls when its logit rises.
template <class L>
struct Scale {
    using E = typename L::E;
    using V = typename L::Vector;
    using PerRow = typename L::PerRow;
    PerRow high, low, peak, rest_of_peak;
    bool corrected;
    // Whether the numerator is beyond its bounds. Then a scaled exponential is multiplied by `down` as well, and
    // counts as zero if it is at most `least`.
    bool beyond;
    PerRow down, least;

    template <bool Corrected>
    NNDL_INLINE static V apply(V e, V high, V low, V peak, V rest_of_peak) {
        return fma(e, high, Corrected ? select(equal(e, peak), rest_of_peak, e * low) : e * low);
    }
    template <bool Corrected>
    NNDL_INLINE V apply(V e) const {
        return apply<Corrected>(e, L::spread(high), L::spread(low), L::spread(peak), L::spread(rest_of_peak));
    }
    NNDL_INLINE PerRow apply_once(PerRow e) const {
        const PerRow scaled = fma(e, high, corrected ? select(equal(e, peak), rest_of_peak, e * low) : e * low);
        return beyond ? select(less(least, e), scaled * down, PerRow::all(0)) : scaled;
    }
    NNDL_INLINE V apply_beyond(V e) const {
        return select(less(L::spread(least), e), apply<true>(e) * L::spread(down), V::all(0));
    }
};

template <class L, class PerRow = typename L::PerRow>
NNDL_INLINE Scale<L> scale_of(const RowSum<L>& row, PerRow numerator, ptrdiff_t classes) {
    using E = typename L::E;
    using N = Numerator<E>;
    const PerRow one = PerRow::all(1), zero = PerRow::all(0);
    Scale<L> s;
    const auto small = less(numerator, PerRow::all(E(classes) * N::per_class));
    s.beyond = any(less(zero, select(small, numerator, zero))) || any(less(PerRow::all(N::large), numerator));
    s.down = one;
    if (s.beyond) {
        numerator = numerator * select(small, PerRow::all(N::up), one);
        s.down = select(small, PerRow::all(1 / N::up), one);
    }
    s.least = row.negligible();
    s.high = numerator * row.inverse;
    const PerRow left = fma(zero - s.high, row.sum.high, numerator) - s.high * row.sum.low;
    s.low = left * row.inverse;
    s.peak = row.peak;
    s.rest_of_peak = row.peak * s.low;
    s.corrected = row.some_dominated || row.some_uniform || row.two_classes;
    if (s.corrected) {
        const PerRow whole = fma(row.peak_lost, s.high, s.rest_of_peak);
        s.rest_of_peak =
            row.two_classes ? whole : select(row.dominated, whole, select(row.uniform, whole, s.rest_of_peak));
    }
    return s;
}

}  // namespace
}  // namespace nndl_fast
