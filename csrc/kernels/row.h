// What every softmax-like operation starts with: the sum of a row's exponentials, the row's maximum,
// what to scale the exponentials by, and the logarithm of the sum.
#pragma once
#include "../math/log.h"
#include "exponentials.h"

namespace nndl_fast {
namespace {

template <bool Plain, class V, class Before>
NNDL_INLINE Split<typename Across<V>::Each> sum_of(const Across<V>& row, const Anchor<typename Across<V>::Each>& anchor,
                                                   Column<const typename V::Element> z,
                                                   Column<typename V::Element> keep,
                                                   typename Across<V>::Each& maximum, Before& before) {
    V lanes;
    const auto sum = add_up(row, Exponentials<Across<V>, Plain>(anchor), z, keep, lanes, before);
    maximum = {reduce_max(lanes)};
    return sum.parts();
}
template <bool Plain, class V, class Before>
NNDL_INLINE Split<V> sum_of(const Down<V>& rows, const Anchor<V>& anchor, Column<const typename V::Element> z,
                            Column<typename V::Element> keep, V&, Before& before) {
    const Exponentials<Down<V>, Plain> exp(anchor);
    return rows.classes <= few_classes ? add_up_few(rows, exp, z, keep) : add_up_many(rows, exp, z, keep, before);
}

// Where a row's maximum is expected: where that of the row before was.
template <class E>
struct Guess {
    E maximum = 0;
    bool none = true;
    const Share<E>* known = nullptr;  // the sum is there already

    // Takes the maximum for the next guess. Returns whether this one serves.
    NNDL_INLINE bool served(E true_maximum, E c) {
        const bool good = serves(maximum, true_maximum, c);
        maximum = true_maximum;
        none = !(__builtin_fabs(true_maximum * c) <= far_away);
        return good;
    }
};

// Within what bounds a numerator shows nothing of the shift. Its factor's lower half has to be a normal
// number, however far the shift is off: so it is at least `a_class` times the number of classes, which is 2^-126
// times the largest sum, 2^(lift + 15), and 2^24. A smaller one is multiplied by `up`, and the result by 1 / up.
// And times it what counts for nothing has to round to zero.
template <class E>
struct Numerator;
template <>
struct Numerator<float> {
    static constexpr float a_class = 0x1p-30f, up = 0x1p126f, large = 0x1p15f;
};
template <>
struct Numerator<double> {
    static constexpr double a_class = 0x1p-800, up = 0x1p1000, large = 0x1p30;
};
// Exponentials below the square of this, as a share of the largest, are none: what stands at -infinity, say,
// was computed as e^-depth, and that is counted from the shift.
template <class E>
constexpr E root_of_nothing = 0x1p-83f;
template <>
constexpr double root_of_nothing<double> = 0x1p-554;

// A row's exponentials and their sum.
template <class L>
struct RowSum {
    using E = typename L::E;
    using V = typename L::Vector;
    using Each = typename L::Each;
    using K = ExpConstants<E>;
    Anchor<Each> anchor;
    Each maximum;                       // of z, NaNs left out
    Split<Each> sum;                    // of the exponentials, lifted
    Each inverse;                       // 1 / sum.high
    Each argument, remainder;           // of the maximum's exponential
    Each peak, peak_lost;               // that exponential, and what rounding took from it
    typename Each::Mask dominated;      // the largest exponential is nearly all of the sum
    typename Each::Mask uniform;        // all exponentials are the largest
    bool some_dominated, some_uniform = false;
    bool two_classes;
    Each per_peak;                      // 1 / peak, where some are
    Each nan;                           // NaN where the row has no softmax, else zero

    template <class Before>
    NNDL_INLINE RowSum(const L& rows, Column<const E> z, E c, Column<E> keep, Guess<E>& guess, Before& before)
        : anchor(expected_maximum(rows, z, guess), c) {
        if constexpr (L::rows_at_most == 1) {
            if (guess.known) {
                maximum = {*guess.known->maxima};
                auto total = Wide<Each>::zero();
                for (ptrdiff_t j = 0; j < rows.classes; j += segment_classes<E>)
                    total.add(load_wide(guess.known->sums + 2 * (j / segment_classes<E>), E()));
                sum = total.parts();
            }
        } else if (rows.summed) {
            maximum = rows.summed->maximum;
            sum = rows.summed->sum;
        }
        while (!guess.known && !is_summed(rows)) {  // at most twice
            sum = anchor.plain ? sum_of<true>(rows, anchor, z, keep, maximum, before)
                               : sum_of<false>(rows, anchor, z, keep, maximum, before);
            if constexpr (L::rows_at_most > 1) break;
            else if (guess.served(maximum.r, c)) break;
            anchor = Anchor<Each>(maximum, c);
        }
        const Each from_origin = maximum - anchor.origin, sharpness = Each::all(c), zero = Each::all(0);
        argument = from_origin * sharpness;
        remainder = fma(from_origin, sharpness, zero - argument);
        const Exponential<Each> top = exponential_times_factor(argument, anchor.rounder, remainder);
        peak = top.value();
        peak_lost = top.less(peak);
        nan = (maximum - maximum) + (sum.high - sum.high);
        // Where all exponentials are the same the sum is n times that: n equal logits get 1 / n, rounded once.
        two_classes = rows.classes == 2;
        uniform = less(zero, zero);
        const E nearly_n = E(rows.classes) * E(1 - 0x1p-12);
        if (rows.classes > 1 && rows.classes <= most_uniform && any(less(peak * Each::all(nearly_n), sum.high)))
            sum_up_uniform(rows, z, guess.known ? Column<E>{nullptr, 0} : keep);
        inverse = Each::all(1) / sum.high;
        dominated = less(sum.high, Each::all(E(1.375)) * peak);
        some_dominated = any(dominated);
        per_peak = some_dominated ? Each::all(1) / peak : zero;
    }

    // of one z a row, as it was in the sum
    NNDL_INLINE Each exponential_of(Each z) const {
        const Each c = Each::all(anchor.c);
        return (anchor.plain ? Exponentials<L, true>::of(z, anchor.origin, c, anchor.lowest, anchor.rounder)
                             : Exponentials<L, false>::of(z, anchor.origin, c, anchor.lowest, anchor.rounder)).value();
    }

    // exponentials up to this are none
    NNDL_INLINE Each nothing() const {
        const Each root = Each::all(root_of_nothing<E>);
        return peak * root * root;
    }

    // Those of a step, as they were in the sum.
    template <class S>
    NNDL_INLINE V exponentials(const L& rows, S step, Column<const E> z, Column<E> keep) const {
        if (keep.data) return rows.load(keep, step, 0);
        const Exponentials<L, false> exp(anchor);
        if constexpr (L::rows_at_most > 1)  // these may be columns that stand where they are
            if (rows.rows < L::size) return exp.of(V::load(z.data + step.j * z.stride, rows.rows, E(step.j == 0))).value();
        return exp.of(rows.load(z, step, 0)).value();
    }

    // Where the largest exponential is nearly all of the sum: the sum of the others, apart.
    // An exponential is one of those if it is less than the largest, which there is only once.
    NNDL_INLINE Each others(const L& rows, Column<const E> z, Column<E> keep) const {
        const V top = L::spread(peak), least = L::spread(nothing()), zero = V::all(0);
        const auto other = [&](auto step) NNDL_LAMBDA {
            const V e = exponentials(rows, step, z, keep);
            return rows.trim(step, select(less(e, top), select(less(least, e), e, zero), zero));
        };
        if constexpr (L::rows_at_most > 1)
            if (rows.classes <= few_classes) {  // two together: widening is what costs here
                auto sum = Wide<V>::zero();
                ptrdiff_t j = 0;
                for (; j + 2 <= rows.classes; j += 2)
                    sum.add(other(Step<true>{j, L::size}) + other(Step<true>{j + 1, L::size}));
                if (j < rows.classes) sum.add(other(Step<true>{j, L::size}));
                return sum.parts().high;
            }
        return rows.template sum<1>([&](auto step) NNDL_LAMBDA { return Terms<V, 1>{{other(step)}}; }).of[0].parts().high;
    }
    // log of the sum of e^(c (z - max)): at least 0, small where one class has nearly everything
    NNDL_INLINE Each log_sum(const L& rows, Column<const E> z, Column<E> keep) const {
        constexpr E above_one = 0x1p32f;  // log_parts wants no number below that
        const Each lifted = sum.high * Each::all(K::down * above_one), per_factor = Each::all(K::per_factor);
        const Each quotient = lifted * per_factor, lost = fma(lifted, per_factor, Each::all(0) - quotient);
        const LogParts<Each> parts = log_parts(quotient);
        LogParts<Each> x = {parts.k - Each::all(32) + anchor.octaves, parts.f};
        const Each per_quotient = inverse * Each::all(K::factor / (K::down * above_one));
        Each shift = argument;
        Each more = fma(lost, per_quotient, fma(sum.low, inverse, Each::all(K::log_per_factor_low) - remainder));
        if (some_dominated) {
            const Each zero = Each::all(0);
            // While the others are not too little, the sum itself is exact enough to tell them: of n classes
            // up to n 2^-15 of the maximum is left over by the grid, rounded n times.
            Each rest = (sum.high - peak) + (sum.low - peak_lost);
            const E n = E(rows.classes), bound = n * n * E(0x1p-16f);
            const auto little = less(rest, peak * Each::all(bound < E(0.0625) ? bound : E(0.0625)));
            if (any(less(zero, select(little, select(dominated, peak, zero), zero)))) rest = select(little, others(rows, z, keep), rest);
            const Each ratio = rest * per_peak;
            const Each left = fma(zero - ratio, peak, rest) - ratio * peak_lost;
            x = {select(dominated, zero, x.k), select(dominated, fma(left, per_peak, ratio), x.f)};
            shift = select(dominated, zero, shift);
            more = select(dominated, zero, more);
        }
        return log_less(x, shift, more);
    }

    // numerator / sum, as it is to multiply the exponentials: rounded once but for the smaller half.
    // Where one class has nearly everything, or all have the same, what the largest exponential lost when it was
    // rounded counts as well: so a class with everything gets exactly 1, and one of n equal ones 1 / n. With two
    // classes always: so the one's result never falls when its logit rises.
    struct Scale {
        Each high, low, peak, rest_of_peak;
        bool corrected;
        // Where the numerator is beyond its bounds, what is scaled is still to be multiplied by `down`, and is
        // zero where the exponential is not more than `least`.
        bool beyond;
        Each down, least;

        template <bool Corrected>
        NNDL_INLINE static V apply(V e, V high, V low, V peak, V rest_of_peak) {
            return fma(e, high, Corrected ? select(equal(e, peak), rest_of_peak, e * low) : e * low);
        }
        template <bool Corrected>
        NNDL_INLINE V apply(V e) const {
            return apply<Corrected>(e, L::spread(high), L::spread(low), L::spread(peak), L::spread(rest_of_peak));
        }
        NNDL_INLINE Each apply_once(Each e) const {
            const Each scaled = fma(e, high, corrected ? select(equal(e, peak), rest_of_peak, e * low) : e * low);
            return beyond ? select(less(least, e), scaled * down, Each::all(0)) : scaled;
        }
        NNDL_INLINE V apply_beyond(V e) const {
            return select(less(L::spread(least), e), apply<true>(e) * L::spread(down), V::all(0));
        }
    };
    NNDL_INLINE Scale scale(Each numerator, ptrdiff_t classes) const {
        using N = Numerator<E>;
        const Each one = Each::all(1), zero = Each::all(0);
        const auto small = less(numerator, Each::all(E(classes) * N::a_class));
        const bool beyond = any(less(zero, select(small, numerator, zero))) || any(less(Each::all(N::large), numerator));
        Each down = one;
        if (beyond) {
            numerator = numerator * select(small, Each::all(N::up), one);
            down = select(small, Each::all(1 / N::up), one);
        }
        const Each high = numerator * inverse;
        const Each left = fma(zero - high, sum.high, numerator) - high * sum.low;
        const Each low = left * inverse;
        Scale s = {high, low, peak, peak * low, some_dominated || some_uniform || two_classes, beyond, down, nothing()};
        if (s.corrected) {
            const Each whole = fma(peak_lost, high, s.rest_of_peak);
            s.rest_of_peak = two_classes ? whole : select(dominated, whole, select(uniform, whole, s.rest_of_peak));
        }
        return s;
    }

private:
    static NNDL_INLINE bool is_summed(const L& rows) {
        if constexpr (L::rows_at_most > 1) return rows.summed;
        else return false;
    }
    static constexpr ptrdiff_t most_uniform = ptrdiff_t(1) << 20;  // as many as float32 can count with room to spare

    NNDL_KERNEL void sum_up_uniform(const L& rows, Column<const E> z, Column<E> keep) {
        const Each n = Each::all(E(rows.classes));
        const V top = L::spread(peak), zero = V::all(0), one = V::all(1);
        const auto others = rows.template sum<1>([&](auto step) NNDL_LAMBDA {
            return Terms<V, 1>{{rows.trim(step, select(equal(exponentials(rows, step, z, keep), top), zero, one))}};
        }).of[0].parts().high;
        uniform = equal(others, Each::all(0));
        some_uniform = any(uniform);
        const Each high = n * peak;
        const Split<Each> all = split(high, fma(n, peak, Each::all(0) - high) + n * peak_lost);
        sum = {select(uniform, all.high, sum.high), select(uniform, all.low, sum.low)};
    }
    NNDL_INLINE Each expected_maximum(const L& rows, Column<const E> z, Guess<E>& guess) {
        if constexpr (L::rows_at_most > 1)
            maximum = rows.summed ? rows.summed->near : rows.maximum(z);
        else if (guess.known)
            maximum = {*guess.known->near};
        else if (guess.none) {
            constexpr ptrdiff_t some = block_vectors * V::size;
            maximum = L{rows.classes < some ? rows.classes : some}.maximum(z);
            guess.maximum = maximum.r;
        } else
            maximum = {guess.maximum};
        return maximum;
    }
};

}  // namespace
}  // namespace nndl_fast
