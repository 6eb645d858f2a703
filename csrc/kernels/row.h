// What every softmax-like operation starts with: a row's exponentials, their sum, the row's maximum,
// and the logarithm of the sum.
//
// Exponentials are shifted by 2^-N, not by the maximum: a shift by a power of two is exact, where
// z - max would round and cost up to 64 units of a small result. So N need only be near the
// maximum's own power of two: where rows are long, it comes from the row before, and the row is read
// once; if it was far off, the row is read again.
//
// The sum is not built from rounded exponentials. Each enters it in two parts: its multiple of a
// grid, coarse enough for a sum of such multiples to be exact, and what is left, computed from the
// exact 2^n (1 + t) and so small that its rounding does not show. The grid is 2^-14 (float64: 2^-30)
// of the largest of those that are summed together:
//
//   up to few_classes, all of them, one after the other;
//   beyond, those of one lane (class j belongs to lane j mod size) in a block of 8 vectors, one after
//   the other. Each lane adds its blocks one after the other in a Wide, and what the grid leaves over
//   in one number; after 64 blocks, a segment, that joins, the lanes meet (layout.h), and the segments
//   are added one after the other.
#pragma once
#include "../math/log.h"
#include "layout.h"

namespace nndl_fast {
namespace {

constexpr int block_vectors = 8;

template <class E>
struct Grid;

// Adding the constant rounds a number near 1 to a multiple of 2^-14 or 2^-30.
template <>
struct Grid<float> {
    static constexpr float rounder = 0x1.8p9f;  // 23 - 14
};
template <>
struct Grid<double> {
    static constexpr double rounder = 0x1.8p22;  // 52 - 30
};

template <class Each>
NNDL_INLINE auto is_far(Each scaled) {
    using E = typename Each::Element;
    return less(Each::all(E(far_away)), max(scaled, Each::all(0) - scaled));
}

template <class Each>
struct Anchor {
    using E = typename Each::Element;
    using K = ExpConstants<E>;
    Each origin;            // the argument of the exponential is c (z - origin)
    Each octaves, rounder;  // N, and what to round with so that all is 2^(lift - N) times as large
    Each lowest;            // arguments below it count as it: their exponentials come out zero
    E c;
    bool plain;             // c = 1, origin = 0

    // `near` is the maximum, or at most `window` from it and not far away. Far away, where the
    // reduction by multiples of ln 2 is no longer good, the maximum is subtracted first, which is
    // exact for all z that are near enough to count.
    NNDL_INLINE Anchor(Each near, E sharpness) : c(sharpness) {
        const auto far = is_far(near * Each::all(c));
        origin = select(far, near, Each::all(0));
        plain = c == E(1) && !any(far);
        const Each argument = (near - origin) * Each::all(c);
        octaves = octaves_of(argument);
        rounder = rounder_for(Each::all(E(K::lift)) - octaves);
        lowest = argument - Each::all(K::depth);
    }
};

// The exponentials of one row or of a vector of them, in the layout's vectors.
template <class L, bool Plain>
struct Exponentials {
    using E = typename L::E;
    using V = typename L::Vector;
    V origin, c, lowest, rounder;

    NNDL_INLINE explicit Exponentials(const Anchor<typename L::Each>& anchor)
        : origin(L::spread(anchor.origin)), c(V::all(anchor.c)), lowest(L::spread(anchor.lowest)),
          rounder(L::spread(anchor.rounder)) {}

    NNDL_INLINE Exponential<V> of(V z) const { return of(z, origin, c, lowest, rounder); }
    // Two at a time, so that the machine has something to do while it waits for the one.
    NNDL_INLINE Exponential<Pair<V>> of(Pair<V> z) const {
        return of(z, Pair<V>{origin, origin}, Pair<V>{c, c}, Pair<V>{lowest, lowest}, Pair<V>{rounder, rounder});
    }
    // The grid's rounder for exponentials of which that of z is the largest.
    NNDL_INLINE V grid(V z) const {
        using K = ExpConstants<E>;
        const V argument = max(Plain ? z : (z - origin) * c, lowest);
        const auto octaves = shift_right<3>(bits(fma(argument, V::all(K::per_ln2), rounder)));
        return from_bits(bits(V::all(Grid<E>::rounder)) + shift_left<K::mantissa>(octaves));
    }

    // a NaN in z stays: it is max's second argument
    template <class X>
    NNDL_INLINE static Exponential<X> of(X z, X origin, X c, X lowest, X rounder) {
        if constexpr (Plain) {
            return exponential(max(lowest, z), rounder);
        } else {
            const X from_origin = z - origin, rounded = from_origin * c, argument = max(lowest, rounded);
            const X remainder = fma(from_origin, c, X::all(0) - rounded);
            return exponential(argument, rounder, select(equal(argument, rounded), remainder, X::all(0)));
        }
    }
};

// Adds up exponentials that share a grid; what the grid leaves over goes to `rest`.
template <class V>
struct GridSum {
    V grid, sum;
    V& rest;

    NNDL_INLINE GridSum(V rounder, V& left_over) : grid(rounder), sum(rounder), rest(left_over) {}
    NNDL_INLINE void add(Exponential<V> e, V value) {
        const V next = sum + value;  // rounds to the grid: that is what the sum begins with
        rest = rest + e.less(next - sum);
        sum = next;
    }
    // The same, where only some lanes have a value.
    template <class M>
    NNDL_INLINE void add_where(M m, Exponential<V> e, V value) {
        const V next = sum + select(m, value, V::all(0));
        rest = rest + select(m, e.less(next - sum), V::all(0));
        sum = next;
    }
    NNDL_INLINE V multiples() const { return sum - grid; }
};

struct DoNothing {
    NNDL_INLINE void until(ptrdiff_t) const {}
};

// Adds up a row's exponentials and writes each to `keep`, where there is one. `before` hears
// of the end of each block before the block is written: what stands there may still be read.
template <class V, bool Plain, class Before>
NNDL_INLINE Wide<typename Across<V>::Each> add_up(const Across<V>& row, const Exponentials<Across<V>, Plain>& exp,
                                                  Column<const typename V::Element> z,
                                                  Column<typename V::Element> keep, V& maximum, Before& before) {
    using Each = typename Across<V>::Each;
    constexpr ptrdiff_t block = block_vectors * V::size, segment = segment_classes<typename V::Element>;
    auto total = Wide<Each>::zero();
    maximum = V::all(-typename V::Element(__builtin_inf()));
    for (ptrdiff_t first = 0; first < row.classes; first += segment) {
        const ptrdiff_t last = row.classes - first < segment ? row.classes : first + segment;
        auto lanes = Wide<V>::zero();
        V rest = V::all(0);
        ptrdiff_t j = first;
        for (; j + block <= last; j += block) {
            V top = V::load(z.data + j);
            for (int i = 1; i < block_vectors; ++i) top = max(V::load(z.data + j + i * V::size), top);
            maximum = max(top, maximum);
            before.until(j + block);
            GridSum<V> sum(exp.grid(top), rest);
            for (int i = 0; i < block_vectors; i += 2) {
                const Exponential<Pair<V>> e = exp.of(Pair<V>::load(z.data + j + i * V::size));
                const Pair<V> value = e.value();
                if (keep.data) value.store(keep.data + j + i * V::size);
                sum.add({e.power.a, e.t.a}, value.a);
                sum.add({e.power.b, e.t.b}, value.b);
            }
            lanes.add(sum.multiples());
        }
        if (j < last) {
            const V top = row.lane_maxima(z, j, last);
            maximum = max(top, maximum);
            before.until(last);
            GridSum<V> sum(exp.grid(top), rest);
            row.for_each(j, last, [&](auto step) NNDL_LAMBDA {
                const Exponential<V> e = exp.of(row.load(z, step, 0));
                const V value = e.value();
                if (keep.data) row.store(keep, step, value);
                if (step.whole) sum.add(e, value);
                else sum.add_where(V::first(step.n), e, value);
            });
            lanes.add(sum.multiples());
        }
        lanes.add(rest);
        total.add(collapse<Each>(lanes));
    }
    return total;
}

template <class V, bool Plain>
NNDL_INLINE Wide<V> add_up_many(const Down<V>& rows, const Exponentials<Down<V>, Plain>& exp,
                                Column<const typename V::Element> z, Column<typename V::Element> keep) {
    constexpr ptrdiff_t block = 8 * (64 / sizeof(typename V::Element)), segment = segment_classes<typename V::Element>;
    auto total = Wide<V>::zero();
    for (ptrdiff_t first = 0; first < rows.classes; first += segment) {
        Wide<V> lane[V::size];
        V rest[V::size];
        for (Wide<V>& l : lane) l = Wide<V>::zero();
        for (V& r : rest) r = V::all(0);
        for (ptrdiff_t j = first; j < rows.classes && j < first + segment; j += block) {
            const ptrdiff_t last = rows.classes - j < block ? rows.classes : j + block;
            for (ptrdiff_t l = 0; l < V::size && j + l < last; ++l) {
                V top = V::load(z.data + (j + l) * z.stride);
                for (ptrdiff_t i = j + l + V::size; i < last; i += V::size) top = max(V::load(z.data + i * z.stride), top);
                GridSum<V> sum(exp.grid(top), rest[l]);
                for (ptrdiff_t i = j + l; i < last; i += V::size) {
                    const Exponential<V> e = exp.of(V::load(z.data + i * z.stride));
                    const V value = e.value();
                    if (keep.data) value.store(keep.data + i * keep.stride);
                    sum.add(e, value);
                }
                lane[l].add(sum.multiples());
            }
        }
        for (int l = 0; l < V::size; ++l) lane[l].add(rest[l]);
        for (int half = V::size / 2; half; half /= 2)
            for (int l = 0; l < half; ++l) lane[l].add(lane[l + half]);
        total.add(lane[0]);
    }
    return total;
}

template <class V, bool Plain>
NNDL_INLINE Split<V> add_up_few(const Down<V>& rows, const Exponentials<Down<V>, Plain>& exp,
                                Column<const typename V::Element> z, Column<typename V::Element> keep) {
    using E = typename V::Element;
    V rest = V::all(0);
    GridSum<V> sum(V::all(Grid<E>::rounder / ExpConstants<E>::down), rest);  // of the maximum, which is lifted
    rows.for_each([&](auto step) NNDL_LAMBDA {
        const Exponential<V> e = exp.of(rows.load(z, step, 0));
        const V value = e.value();
        if (keep.data) rows.store(keep, step, value);
        sum.add(e, value);
    });
    return split(sum.multiples(), rest);
}

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
                            Column<typename V::Element> keep, V&, Before) {
    const Exponentials<Down<V>, Plain> exp(anchor);
    return rows.classes <= few_classes ? add_up_few(rows, exp, z, keep) : add_up_many(rows, exp, z, keep).parts();
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

// A share of a row: each segment's sum, and the maximum of all of them.
template <bool Plain, class V, class E = typename V::Element>
NNDL_INLINE void add_up_share(const Across<V>&, Share<E>& share, E c, Column<const E> z, Column<E> keep) {
    using L = Across<V>;
    const Exponentials<L, Plain> exp(Anchor<typename L::Each>({share.near}, c));
    V maximum = V::all(-E(__builtin_inf()));
    for (ptrdiff_t j = share.first; j < share.last; j += segment_classes<E>) {
        const ptrdiff_t left = share.last - j;
        V top;
        DoNothing nothing;
        const auto sum = add_up(L{left < segment_classes<E> ? left : segment_classes<E>}, exp, Column<const E>{z.data + j, 1},
                                Column<E>{keep.data ? keep.data + j : nullptr, 1}, top, nothing);
        store(sum, share.sums + 2 * (j / segment_classes<E>));
        maximum = max(top, maximum);
    }
    share.maximum = reduce_max(maximum);
}

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
    Each nan;                           // NaN where the row has no softmax, else zero

    template <class Before>
    NNDL_INLINE RowSum(const L& rows, Column<const E> z, E c, Column<E> keep, Guess<E>& guess, Before& before)
        : anchor(expected_maximum(rows, z, guess), c) {
        if constexpr (L::rows_at_most == 1)
            if (guess.known) {
                maximum = {guess.known->maximum};
                auto total = Wide<Each>::zero();
                for (ptrdiff_t j = 0; j < rows.classes; j += segment_classes<E>)
                    total.add(load_wide(guess.known->sums + 2 * (j / segment_classes<E>), E()));
                sum = total.parts();
            }
        while (!guess.known) {  // at most twice
            sum = anchor.plain ? sum_of<true>(rows, anchor, z, keep, maximum, before)
                               : sum_of<false>(rows, anchor, z, keep, maximum, before);
            if constexpr (L::rows_at_most > 1) break;
            else if (guess.served(maximum.r, c)) break;
            anchor = Anchor<Each>(maximum, c);
        }
        const Each from_origin = maximum - anchor.origin, sharpness = Each::all(c), zero = Each::all(0);
        argument = from_origin * sharpness;
        remainder = fma(from_origin, sharpness, zero - argument);
        const Exponential<Each> top = exponential(argument, anchor.rounder, remainder);
        peak = top.value();
        peak_lost = top.less(peak);
        inverse = Each::all(1) / sum.high;
        dominated = less(sum.high, Each::all(E(1.375)) * peak);
        nan = (maximum - maximum) + (sum.high - sum.high);
    }

    // of one z a row, as it was in the sum
    NNDL_INLINE Each exponential_of(Each z) const {
        const Each c = Each::all(anchor.c);
        return (anchor.plain ? Exponentials<L, true>::of(z, anchor.origin, c, anchor.lowest, anchor.rounder)
                             : Exponentials<L, false>::of(z, anchor.origin, c, anchor.lowest, anchor.rounder)).value();
    }

    // Where the largest exponential is nearly all of the sum: the sum of the others, apart.
    // An exponential is one of those if it is less than the largest, which there is only once.
    NNDL_INLINE Each others(const L& rows, Column<const E> z, Column<E> keep) const {
        const V top = L::spread(peak), zero = V::all(0);
        const Exponentials<L, false> exp(anchor);
        const auto other = [&](auto step) NNDL_LAMBDA {
            const V e = keep.data ? rows.load(keep, step, 0) : exp.of(rows.load(z, step, 0)).value();
            return rows.trim(step, select(less(e, top), e, zero));
        };
        if constexpr (L::rows_at_most > 1)
            if (rows.classes <= few_classes) {  // as sum() would do it, and faster
                auto sum = Wide<V>::zero();
                rows.for_each([&](auto step) NNDL_LAMBDA { sum.add(other(step)); });
                return sum.parts().high;
            }
        return rows.template sum<1>([&](auto step) NNDL_LAMBDA { return Terms<V, 1>{{other(step)}}; }).of[0].parts().high;
    }
    // log of the sum of e^(c (z - max)): at least 0, small where one class has nearly everything
    NNDL_INLINE Each log_sum(const L& rows, Column<const E> z, Column<E> keep) const {
        constexpr E above_one = 0x1p32f;  // log_parts wants no number below that
        const LogParts<Each> parts = log_parts(sum.high * Each::all(K::down * above_one));
        LogParts<Each> x = {parts.k - Each::all(32) + anchor.octaves, parts.f};
        Each shift = argument, more = fma(sum.low, inverse, Each::all(0) - remainder);
        if (any(dominated)) {
            const Each zero = Each::all(0);
            // while the others are not too little, the sum itself is exact enough to tell them
            Each rest = (sum.high - peak) + (sum.low - peak_lost);
            const auto little = less(rest, peak * Each::all(E(0.0625)));
            if (any(less(zero, select(little, select(dominated, peak, zero), zero)))) rest = select(little, others(rows, z, keep), rest);
            const Each per_peak = Each::all(1) / peak, ratio = rest * per_peak;
            const Each left = fma(zero - ratio, peak, rest) - ratio * peak_lost;
            x = {select(dominated, zero, x.k), select(dominated, fma(left, per_peak, ratio), x.f)};
            shift = select(dominated, zero, shift);
            more = select(dominated, zero, more);
        }
        return log_less(x, shift, more);
    }

    // numerator / sum, as it is to multiply the exponentials: rounded once but for the smaller half.
    // Where one class has nearly everything, the lower half that is to multiply its exponential makes
    // up for the rounding of that, which is known: so a class with everything gets exactly 1.
    struct Scale {
        Each high, low, peak, low_of_peak;
        bool corrected;

        template <bool Corrected>
        NNDL_INLINE static V apply(V e, V high, V low, V peak, V low_of_peak) {
            return fma(e, high, e * (Corrected ? select(equal(e, peak), low_of_peak, low) : low));
        }
        template <bool Corrected>
        NNDL_INLINE V apply(V e) const {
            return apply<Corrected>(e, L::spread(high), L::spread(low), L::spread(peak), L::spread(low_of_peak));
        }
        NNDL_INLINE Each apply_once(Each e) const {
            return fma(e, high, e * (corrected ? select(equal(e, peak), low_of_peak, low) : low));
        }
    };
    NNDL_INLINE Scale scale(Each numerator) const {
        const Each high = numerator * inverse;
        const Each left = fma(Each::all(0) - high, sum.high, numerator) - high * sum.low;
        Scale s = {high, left * inverse, peak, left * inverse, any(dominated)};
        if (s.corrected) s.low_of_peak = select(dominated, fma(high, peak_lost / peak, s.low), s.low);
        return s;
    }

private:
    NNDL_INLINE Each expected_maximum(const L& rows, Column<const E> z, Guess<E>& guess) {
        if constexpr (L::rows_at_most > 1)
            maximum = rows.maximum(z);
        else if (guess.known)
            maximum = {guess.known->near};
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
