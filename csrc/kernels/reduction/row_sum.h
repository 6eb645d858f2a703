// What every softmax-like operation starts with: the sum of a row's exponentials, the row's maximum, and the logarithm
// of the sum; and what the exponentials are multiplied by when the row is stored.
#pragma once
#include "../../math/log.h"
#include "exponentials.h"

namespace nndl_fast {
namespace {

template <bool Direct, class V, class Previous>
NNDL_INLINE Split<typename RowLayout<V>::PerRow> sum_of(const RowLayout<V>& row,
                                                        const Shift<typename RowLayout<V>::PerRow>& shift,
                                                        Strided<const typename V::Element> z,
                                                        Strided<typename V::Element> exps,
                                                        typename RowLayout<V>::PerRow& maximum, Previous& previous) {
    V lanes;
    const auto sum = add_up(row, Exponentials<RowLayout<V>, Direct>(shift), z, exps, lanes, previous);
    maximum = {reduce_max(lanes)};
    return sum.parts();
}
template <bool Direct, class V, class Previous>
NNDL_INLINE Split<V> sum_of(const ColumnLayout<V>& rows, const Shift<V>& shift, Strided<const typename V::Element> z,
                            Strided<typename V::Element> exps, V&, Previous& previous) {
    return add_up_many(rows, Exponentials<ColumnLayout<V>, Direct>(shift), z, exps, previous);
}

// Without a previous row the sum is compiled once for all operations. With one it is compiled into each of them: if the
// previous row's store stood behind a pointer, each call of it would cost what is in registers (bench/NOTES.md).
template <bool Direct, class L>
NNDL_NOINLINE Split<typename L::PerRow> sum_alone(const L& rows, const Shift<typename L::PerRow>& shift,
                                                  Strided<const typename L::E> z, Strided<typename L::E> exps,
                                                  typename L::PerRow& maximum) {
    NoPrevious none_before;
    return sum_of<Direct>(rows, shift, z, exps, maximum, none_before);
}

// Where a row's maximum is expected: at that of the previous row.
template <class E>
struct ExpectedMaximum {
    E maximum = 0;
    bool none = true;
    const RowSlice<E>* slice = nullptr;  // of which the maximum and the sum are there already

    // Takes the maximum for the next hint. Returns whether this one was usable.
    NNDL_INLINE bool update(E true_maximum, E c) {
        const bool good = is_valid_guess(maximum, true_maximum, c);
        maximum = true_maximum;
        none = !(__builtin_fabs(true_maximum * c) <= far_away);
        return good;
    }
};

// Exponentials that are at most the square of this times the largest one count as zero. A logit of -infinity, say, gets
// e^-depth times the shift, which may be off by 2^14.4: 2^(-181.8 + 14.4) of the largest for float32, so 2^-166 is
// above it, and 2^(-1125.3 + 14.4) for float64, so 2^-1108 is. The square itself is no number of the type.
template <class E>
constexpr E root_of_negligible = 0x1p-83f;
template <>
constexpr double root_of_negligible<double> = 0x1p-554;

// A row's exponentials and their sum.
template <class L>
struct RowSum {
    using E = typename L::E;
    using V = typename L::Vector;
    using PerRow = typename L::PerRow;
    using K = ExpConstants<E>;
    Shift<PerRow> shift;
    PerRow maximum;                   // of z, NaNs left out
    Split<PerRow> sum;                // of the exponentials, lifted
    PerRow inverse;                   // 1 / sum.high
    PerRow argument, remainder;       // of the maximum's exponential
    PerRow peak, peak_lost;           // that exponential, and what rounding took from it
    typename PerRow::Mask dominated;  // the largest exponential is nearly all of the sum
    typename PerRow::Mask uniform;    // all exponentials are the largest
    bool some_dominated, some_uniform = false;
    bool two_classes;
    PerRow per_peak;  // 1 / peak, if some are dominated
    PerRow nan;       // NaN if the row has no softmax, else zero

    template <class Previous>
    NNDL_INLINE RowSum(const L& rows, Strided<const E> z, E c, Strided<E> exps, ExpectedMaximum<E>& hint,
                       Previous& previous)
        : shift(expected_maximum(rows, z, hint), c) {
        if constexpr (L::max_count == 1) {
            if (hint.slice) {
                maximum = {hint.slice->maximum};
                auto total = Wide<PerRow>::zero();
                for (ptrdiff_t j = 0; j < rows.classes; j += segment_classes<E>)
                    total.add(load_wide(hint.slice->sums + 2 * (j / segment_classes<E>), E()));
                sum = total.parts();
            }
        }
        while (!hint.slice) {  // at most twice
            sum = shift.direct ? sum_up<true>(rows, z, exps, previous) : sum_up<false>(rows, z, exps, previous);
            if constexpr (L::max_count > 1) break;
            else if (hint.update(maximum.r, c)) break;
            shift = Shift<PerRow>(maximum, c);
        }
        const PerRow from_origin = maximum - shift.origin, sharpness = PerRow::all(c), zero = PerRow::all(0);
        argument = from_origin * sharpness;
        remainder = fma(from_origin, sharpness, zero - argument);
        const Exponential<PerRow> top = exponential_times_factor(argument, shift.rounder, remainder);
        peak = top.value();
        peak_lost = top.minus(peak);
        nan = (maximum - maximum) + (sum.high - sum.high);
        // If all exponentials are the same, the sum is n times that: n equal logits get 1 / n, rounded once.
        two_classes = rows.classes == 2;
        uniform = less(zero, zero);
        const E nearly_n = E(rows.classes) * E(1 - 0x1p-12);
        if (rows.classes > 1 && rows.classes <= most_uniform && any(less(peak * PerRow::all(nearly_n), sum.high)))
            sum_up_uniform(rows, z, hint.slice ? Strided<E>{nullptr, 0} : exps);
        inverse = PerRow::all(1) / sum.high;
        // Below this the logarithm of sum / peak is less than 0.32, and log_minus() would lose digits to cancellation.
        dominated = less(sum.high, PerRow::all(E(1.375)) * peak);
        some_dominated = any(dominated);
        per_peak = some_dominated ? PerRow::all(1) / peak : zero;
    }

    // The exponential of one z of each row, with the bits that it has in the sum.
    NNDL_INLINE PerRow exponential_of(PerRow z) const {
        const PerRow c = PerRow::all(shift.c);
        return (shift.direct ? Exponentials<L, true>::of(z, shift.origin, c, shift.lowest, shift.rounder)
                             : Exponentials<L, false>::of(z, shift.origin, c, shift.lowest, shift.rounder))
            .value();
    }

    // Exponentials up to this count as zero.
    NNDL_INLINE PerRow negligible() const {
        const PerRow root = PerRow::all(root_of_negligible<E>);
        return peak * root * root;
    }

    // The exponentials of a chunk, with the bits that they have in the sum.
    template <class C>
    NNDL_INLINE V exponentials(const L& rows, C chunk, Strided<const E> z, Strided<E> exps) const {
        if (exps.data) return rows.load(exps, chunk, 0);
        const Exponentials<L, false> exp(shift);
        if constexpr (L::max_count > 1)  // these may be columns that stand where they are
            if (rows.count < L::size)
                return exp.of(V::load(z.data + chunk.j * z.stride, rows.count, E(chunk.j == 0))).value();
        return exp.of(rows.load(z, chunk, 0)).value();
    }

    // The sum of all exponentials but the largest, for rows in which that one is nearly all of the sum. It occurs only
    // once there, so the others are those that are less than it.
    NNDL_NOINLINE PerRow others(const L& rows, Strided<const E> z, Strided<E> exps) const {
        const V top = L::spread(peak), least = L::spread(negligible()), zero = V::all(0);
        const auto other = [&](auto chunk) NNDL_LAMBDA {
            const V e = exponentials(rows, chunk, z, exps);
            return rows.trim(chunk, select(less(e, top), select(less(least, e), e, zero), zero));
        };
        if constexpr (L::max_count > 1)
            if (rows.classes <= few_classes) {  // two together: widening is what costs here
                auto sum = Wide<V>::zero();
                ptrdiff_t j = 0;
                for (; j + 2 <= rows.classes; j += 2)
                    sum.add(other(Chunk<true>{j, L::size}) + other(Chunk<true>{j + 1, L::size}));
                if (j < rows.classes) sum.add(other(Chunk<true>{j, L::size}));
                return sum.parts().high;
            }
        // Through sum_one() the callers of this function, which are pipelines, would be compiled differently.
        const auto terms = [&](auto chunk) NNDL_LAMBDA { return Terms<V, 1>{{other(chunk)}}; };
        return rows.template sum<1>(terms).of[0].parts().high;
    }
    // log of the sum of e^(c (z - max)): at least 0, small if one class has nearly everything
    NNDL_INLINE PerRow log_sum(const L& rows, Strided<const E> z, Strided<E> exps) const {
        constexpr E above_one = 0x1p32f;  // log_parts wants no number below that
        const PerRow lifted = sum.high * PerRow::all(K::down * above_one), per_factor = PerRow::all(K::per_factor);
        const PerRow quotient = lifted * per_factor, lost = fma(lifted, per_factor, PerRow::all(0) - quotient);
        const LogParts<PerRow> parts = log_parts(quotient);
        LogParts<PerRow> x = {parts.k - PerRow::all(32) + shift.octaves, parts.f};
        const PerRow per_quotient = inverse * PerRow::all(K::factor / (K::down * above_one));
        PerRow subtracted = argument;
        PerRow more = fma(lost, per_quotient, fma(sum.low, inverse, PerRow::all(K::log_per_factor_low) - remainder));
        if (some_dominated) {
            const PerRow zero = PerRow::all(0);
            // While the others are not too little, the sum itself is exact enough to tell them. Of n classes the grid
            // leaves over up to n 2^-15 of the maximum, which is rounded by 2^-24 of itself n times: an error of
            // n^2 2^-39 of the maximum, one unit of what is n^2 2^-16 of it.
            PerRow sum_of_others = (sum.high - peak) + (sum.low - peak_lost);
            const E n = E(rows.classes), bound = n * n * E(0x1p-16f);
            const auto little = less(sum_of_others, peak * PerRow::all(bound < E(0.0625) ? bound : E(0.0625)));
            if (any(less(zero, select(little, select(dominated, peak, zero), zero))))
                sum_of_others = select(little, others(rows, z, exps), sum_of_others);
            const PerRow ratio = sum_of_others * per_peak;
            const PerRow left = fma(zero - ratio, peak, sum_of_others) - ratio * peak_lost;
            x = {select(dominated, zero, x.k), select(dominated, fma(left, per_peak, ratio), x.f)};
            subtracted = select(dominated, zero, subtracted);
            more = select(dominated, zero, more);
        }
        return log_minus(x, subtracted, more);
    }

private:
    template <bool Direct, class Previous>
    NNDL_INLINE Split<PerRow> sum_up(const L& rows, Strided<const E> z, Strided<E> exps, Previous& previous) {
        if constexpr (L::max_count > 1)
            if (rows.classes <= few_classes) return add_up_few(rows, Exponentials<L, Direct>(shift), z, exps);
        if constexpr (std::is_same_v<Previous, NoPrevious>) return sum_alone<Direct>(rows, shift, z, exps, maximum);
        else return sum_of<Direct>(rows, shift, z, exps, maximum, previous);
    }
    static constexpr ptrdiff_t most_uniform = ptrdiff_t(1) << 20;  // as many as float32 can count with room to spare

    NNDL_NOINLINE void sum_up_uniform(const L& rows, Strided<const E> z, Strided<E> exps) {
        const PerRow n = PerRow::all(E(rows.classes));
        const V top = L::spread(peak), zero = V::all(0), one = V::all(1);
        const auto is_other = [&](auto chunk) NNDL_LAMBDA {
            return rows.trim(chunk, select(equal(exponentials(rows, chunk, z, exps), top), zero, one));
        };
        const auto others = rows.sum_one(is_other).parts().high;
        uniform = equal(others, PerRow::all(0));
        some_uniform = any(uniform);
        const PerRow high = n * peak;
        const Split<PerRow> all = split(high, fma(n, peak, PerRow::all(0) - high) + n * peak_lost);
        sum = {select(uniform, all.high, sum.high), select(uniform, all.low, sum.low)};
    }
    NNDL_INLINE PerRow expected_maximum(const L& rows, Strided<const E> z, ExpectedMaximum<E>& hint) {
        if constexpr (L::max_count > 1) maximum = rows.maximum(z);
        else if (hint.slice) maximum = {hint.slice->near};
        else if (hint.none) {
            constexpr ptrdiff_t some = block_vectors * V::size;
            maximum = L{rows.classes < some ? rows.classes : some}.maximum(z);
            hint.maximum = maximum.r;
        } else maximum = {hint.maximum};
        return maximum;
    }
};

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

// An operation's reduce() (traversal/drive.h) if there is no previous row to be stored. It is compiled once per layout,
// for the paths on which a call costs nothing beside what they copy.
template <class Op, class L, class E = typename L::E>
NNDL_NOINLINE typename Op::template Pending<L> reduce_alone(const Op& op, const L& rows, ptrdiff_t first,
                                                            Strided<const E> z, Strided<const E> y, Strided<E> exps,
                                                            ExpectedMaximum<E>& hint) {
    NoPrevious none_before;
    return op.reduce(rows, first, z, y, exps, hint, none_before);
}

}  // namespace
}  // namespace nndl_fast
