// A row's exponentials and their sum.
//
// Exponentials are shifted by 2^-N, not by the maximum: a shift by a power of two is exact, where
// z - max would round and cost up to 64 units of a small result. So N need only be near the
// maximum's own power of two: if rows are long, it comes from the row before, and the row is read
// once; if it was far off, the row is read again.
//
// The sum is not built from rounded exponentials. Each enters it in two parts: its multiple of a
// grid, coarse enough for a sum of such multiples to be exact, and what is left, computed from the
// exact 2^n (1 + t) and so small that its rounding does not show. The grid is 2^-14 (float64: 2^-30)
// of the largest of those that are summed together:
//
//   up to few_classes, all of them, one after the other (two of them without a grid);
//   beyond, those of one lane (class j belongs to lane j mod size) in a block of 8 vectors, one after
//   the other. Each lane adds its blocks one after the other in a Wide, and what the grid leaves over
//   in one number; after 64 blocks, a segment, that joins, the lanes meet (layout.h), and the segments
//   are added one after the other.
#pragma once
#include "../layout.h"

#include <type_traits>

#include "../../math/exp.h"
#include "../kernels.h"

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

template <class PerRow>
NNDL_INLINE auto is_far(PerRow scaled) {
    using E = typename PerRow::Element;
    return less(PerRow::all(E(far_away)), max(scaled, PerRow::all(0) - scaled));
}

template <class PerRow>
struct Shift {
    using E = typename PerRow::Element;
    using K = ExpConstants<E>;
    PerRow origin;            // the argument of the exponential is c (z - origin)
    PerRow octaves, rounder;  // N, and what to round with so that all is 2^(lift - N) times as large
    PerRow lowest;            // arguments below it count as it: their exponentials come out zero
    E c;
    bool direct;  // c = 1, origin = 0

    // `near` is the maximum, or at most `window` from it and not far away. Far away, where the
    // reduction by multiples of ln 2 is no longer good, the maximum is subtracted first, which is
    // exact for all z that are near enough to count.
    NNDL_INLINE Shift(PerRow near, E sharpness) : c(sharpness) {
        const auto far = is_far(near * PerRow::all(c));
        origin = select(far, near, PerRow::all(0));
        direct = c == E(1) && !any(far);
        const PerRow argument = (near - origin) * PerRow::all(c);
        octaves = octaves_of(argument);
        rounder = rounder_for(PerRow::all(E(K::lift)) - octaves);
        lowest = argument - PerRow::all(K::depth);
    }
};

// The exponentials of one row or of a vector of them, in the layout's vectors.
template <class L, bool Direct>
struct Exponentials {
    using E = typename L::E;
    using V = typename L::Vector;
    V origin, c, lowest, rounder;

    NNDL_INLINE explicit Exponentials(const Shift<typename L::PerRow>& shift)
        : origin(L::spread(shift.origin)),
          c(V::all(shift.c)),
          lowest(L::spread(shift.lowest)),
          rounder(L::spread(shift.rounder)) {}

    // X is V or several of them
    template <class X>
    NNDL_INLINE Exponential<X> of(X z) const {
        return of(z, repeat<X>(origin), repeat<X>(c), repeat<X>(lowest), repeat<X>(rounder));
    }
    // The grid's rounder for exponentials of which that of z is the largest.
    NNDL_INLINE V grid(V z) const {
        using K = ExpConstants<E>;
        const V argument = max(Direct ? z : (z - origin) * c, lowest);
        const auto octaves = shift_right<3>(bits(fma(argument, V::all(K::eight_per_ln2), rounder)));
        return from_bits(bits(V::all(Grid<E>::rounder)) + shift_left<K::mantissa_bits>(octaves));
    }

    // a NaN in z stays: it is max's second argument
    template <class X>
    NNDL_INLINE static Exponential<X> of(X z, X origin, X c, X lowest, X rounder) {
        if constexpr (Direct) {
            return exponential_times_factor(max(lowest, z), rounder);
        } else {
            const X from_origin = z - origin, rounded = from_origin * c, argument = max(lowest, rounded);
            const X remainder = fma(from_origin, c, X::all(0) - rounded);
            return exponential_times_factor(argument, rounder, select(equal(argument, rounded), remainder, X::all(0)));
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
        rest = rest + e.minus(next - sum);
        sum = next;
    }
    // The same, if only some lanes have a value.
    template <class M>
    NNDL_INLINE void add_where(M m, Exponential<V> e, V value) {
        const V next = sum + select(m, value, V::all(0));
        rest = rest + select(m, e.minus(next - sum), V::all(0));
        sum = next;
    }
    // Several vectors, one after the other.
    template <class X>
    NNDL_INLINE void add(Exponential<Pair<X>> e, Pair<X> value) {
        add(Exponential<X>{e.power.a, e.t.a}, value.a);
        add(Exponential<X>{e.power.b, e.t.b}, value.b);
    }
    NNDL_INLINE V multiples() const { return sum - grid; }
};

// There is no previous row to be stored.
struct NoPrevious {
    NNDL_INLINE void store_until(ptrdiff_t) const {}
};

template <class V>
constexpr bool is_one_of_many_registers = registers >= 32 && std::is_same_v<V, typename V::Register>;

// Two vectors at a time, or four if a vector is one register of many: independent operations hide latency.
template <class V>
using Several = std::conditional_t<is_one_of_many_registers<V>, Pair<Pair<V>>, Pair<V>>;

// Adds up a row's exponentials and writes each to `exps`, if there is such an array. Before a
// block of `exps` is overwritten, `previous` stores the previous row up to the end of that block, because it still
// reads it.
template <class V, bool Direct, class Previous>
NNDL_INLINE Wide<typename RowLayout<V>::PerRow> add_up(const RowLayout<V>& row,
                                                       const Exponentials<RowLayout<V>, Direct>& exp,
                                                       Strided<const typename V::Element> z,
                                                       Strided<typename V::Element> exps, V& maximum,
                                                       Previous& previous) {
    using PerRow = typename RowLayout<V>::PerRow;
    using Most = Several<V>;
    constexpr ptrdiff_t block = block_vectors * V::size, segment = segment_classes<typename V::Element>;
    auto total = Wide<PerRow>::zero();
    maximum = V::all(-typename V::Element(__builtin_inf()));
    for (ptrdiff_t first = 0; first < row.classes; first += segment) {
        const ptrdiff_t last = row.classes - first < segment ? row.classes : first + segment;
        auto lanes = Wide<V>::zero();
        V rest = V::all(0);
        const auto several = [&](auto type, ptrdiff_t i, GridSum<V>& sum) NNDL_LAMBDA {
            using X = decltype(type);
            const Exponential<X> e = exp.of(X::load(z.data + i));
            const X value = e.value();
            if (exps.data) value.store(exps.data + i);
            sum.add(e, value);
        };
        ptrdiff_t j = first;
        for (; j + block <= last; j += block) {
            const V top = row.lane_maxima(z, j, j + block);
            maximum = max(top, maximum);
            previous.store_until(j + block);
            GridSum<V> sum(exp.grid(top), rest);
            for (ptrdiff_t i = j; i < j + block; i += Most::size) several(Most(), i, sum);
            lanes.add(sum.multiples());
        }
        if (j < last) {
            const V top = row.lane_maxima(z, j, last);
            maximum = max(top, maximum);
            previous.store_until(last);
            GridSum<V> sum(exp.grid(top), rest);
            for (; j + Pair<V>::size <= last; j += Pair<V>::size) several(Pair<V>(), j, sum);
            row.for_each(j, last, [&](auto chunk) NNDL_LAMBDA {
                const Exponential<V> e = exp.of(row.load(z, chunk, 0));
                const V value = e.value();
                if (exps.data) row.store(exps, chunk, value);
                if (chunk.whole) sum.add(e, value);
                else sum.add_where(V::first(chunk.n), e, value);
            });
            lanes.add(sum.multiples());
        }
        lanes.add(rest);
        total.add(collapse<PerRow>(lanes));
    }
    return total;
}

// The same for a tile of rows: each of a row's lanes stands in a vector of its own, with those of the other rows.
// `previous` is told how far the classes that are added up next reach.
template <class V, bool Direct, class Previous>
NNDL_INLINE Split<V> add_up_many(const ColumnLayout<V>& rows, const Exponentials<ColumnLayout<V>, Direct>& exp,
                                 Strided<const typename V::Element> z, Strided<typename V::Element> exps,
                                 Previous& previous) {
    constexpr ptrdiff_t size = V::size, block = block_vectors * size, segment = segment_classes<typename V::Element>;
    Wide<V> lane[size];
    V rest[size];
    auto total = Wide<V>::zero();
    for (ptrdiff_t start = 0; start < rows.classes; start += segment) {
        for (int l = 0; l < size; ++l) {
            lane[l] = Wide<V>::zero();
            rest[l] = V::all(0);
        }
        for (ptrdiff_t j = start; j < rows.classes && j < start + segment; j += block) {
            const ptrdiff_t classes = rows.classes - j < block ? rows.classes - j : block;
            for (ptrdiff_t l = 0; l < size && l < classes; ++l) {
                previous.store_until(j + classes * (l + 1) / size);
                V top = V::load(z.data + (j + l) * z.stride);
                for (ptrdiff_t i = j + l + size; i < j + classes; i += size)
                    top = max(V::load(z.data + i * z.stride), top);
                GridSum<V> sum(exp.grid(top), rest[l]);
                for (ptrdiff_t i = j + l; i < j + classes; i += size) {
                    const Exponential<V> e = exp.of(V::load(z.data + i * z.stride));
                    const V value = e.value();
                    if (exps.data) value.store(exps.data + i * exps.stride);
                    sum.add(e, value);
                }
                lane[l].add(sum.multiples());
            }
        }
        for (int l = 0; l < size; ++l) lane[l].add(rest[l]);
        for (int half = size / 2; half; half /= 2)
            for (int l = 0; l < half; ++l) lane[l].add(lane[l + half]);
        total.add(lane[0]);
    }
    return total.parts();
}

template <class V, bool Direct>
NNDL_INLINE Split<V> add_up_few(const ColumnLayout<V>& rows, const Exponentials<ColumnLayout<V>, Direct>& exp,
                                Strided<const typename V::Element> z, Strided<typename V::Element> exps) {
    using E = typename V::Element;
    if (rows.classes == 2) {  // with all that rounding takes: twice the digits, so that the results are monotone
        const Chunk<true> first{0, V::size}, second{1, V::size};
        const Exponential<V> e = exp.of(rows.load(z, first, 0)), f = exp.of(rows.load(z, second, 0));
        const V x = e.value(), y = f.value(), sum = x + y, from_y = sum - x;
        if (exps.data) {
            rows.store(exps, first, x);
            rows.store(exps, second, y);
        }
        return split(sum, ((x - (sum - from_y)) + (y - from_y)) + (e.minus(x) + f.minus(y)));
    }
    V rest = V::all(0);
    GridSum<V> sum(V::all(Grid<E>::rounder / ExpConstants<E>::down), rest);  // of the maximum, which is lifted
    rows.for_each([&](auto chunk) NNDL_LAMBDA {
        const Exponential<V> e = exp.of(rows.load(z, chunk, 0));
        const V value = e.value();
        if (exps.data) rows.store(exps, chunk, value);
        sum.add(e, value);
    });
    return split(sum.multiples(), rest);
}

// A slice of a row: each segment's sum, and the maximum of all of them.
template <bool Direct, class V, class E = typename V::Element>
NNDL_NOINLINE void add_up_slice(const RowLayout<V>&, RowSlice<E>& slice, E c, Strided<const E> z, Strided<E> exps) {
    using L = RowLayout<V>;
    const Exponentials<L, Direct> exp(Shift<typename L::PerRow>({slice.near}, c));
    V maximum = V::all(-E(__builtin_inf()));
    for (ptrdiff_t j = slice.first; j < slice.last; j += segment_classes<E>) {
        const ptrdiff_t left = slice.last - j;
        V top;
        NoPrevious none_before;
        const auto sum =
            add_up(L{left < segment_classes<E> ? left : segment_classes<E>}, exp, Strided<const E>{z.data + j, 1},
                   Strided<E>{exps.data ? exps.data + j : nullptr, 1}, top, none_before);
        store(sum, slice.sums + 2 * (j / segment_classes<E>));
        maximum = max(top, maximum);
    }
    slice.maximum = reduce_max(maximum);
}

}  // namespace
}  // namespace nndl_fast
