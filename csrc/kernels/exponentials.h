// A row's exponentials and their sum.
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
//   up to few_classes, all of them, one after the other (two of them without a grid);
//   beyond, those of one lane (class j belongs to lane j mod size) in a block of 8 vectors, one after
//   the other. Each lane adds its blocks one after the other in a Wide, and what the grid leaves over
//   in one number; after 64 blocks, a segment, that joins, the lanes meet (layout.h), and the segments
//   are added one after the other.
#pragma once
#include <type_traits>

#include "../math/exp.h"
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

    Exponentials() = default;
    NNDL_INLINE explicit Exponentials(const Anchor<typename L::Each>& anchor)
        : origin(L::spread(anchor.origin)), c(V::all(anchor.c)), lowest(L::spread(anchor.lowest)),
          rounder(L::spread(anchor.rounder)) {}

    // X is V or several of them
    template <class X>
    NNDL_INLINE Exponential<X> of(X z) const {
        return of(z, repeat<X>(origin), repeat<X>(c), repeat<X>(lowest), repeat<X>(rounder));
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
    // Several vectors, one after the other.
    template <class X>
    NNDL_INLINE void add(Exponential<Pair<X>> e, Pair<X> value) {
        add(Exponential<X>{e.power.a, e.t.a}, value.a);
        add(Exponential<X>{e.power.b, e.t.b}, value.b);
    }
    NNDL_INLINE V multiples() const { return sum - grid; }
};

struct DoNothing {
    NNDL_INLINE void until(ptrdiff_t) const {}
};

// As many vectors at a time as the registers hold, so that the machine has something to do while it waits for one.
template <class V>
using Several = std::conditional_t<registers >= 32 && std::is_same_v<V, typename V::Register>, Pair<Pair<V>>, Pair<V>>;

// Adds up a row's exponentials and writes each to `keep`, where there is one. `before` hears
// of the end of each block before the block is written: what stands there may still be read.
template <class V, bool Plain, class Before>
NNDL_INLINE Wide<typename Across<V>::Each> add_up(const Across<V>& row, const Exponentials<Across<V>, Plain>& exp,
                                                  Column<const typename V::Element> z,
                                                  Column<typename V::Element> keep, V& maximum, Before& before) {
    using Each = typename Across<V>::Each;
    using Most = Several<V>;
    constexpr ptrdiff_t block = block_vectors * V::size, segment = segment_classes<typename V::Element>;
    auto total = Wide<Each>::zero();
    maximum = V::all(-typename V::Element(__builtin_inf()));
    for (ptrdiff_t first = 0; first < row.classes; first += segment) {
        const ptrdiff_t last = row.classes - first < segment ? row.classes : first + segment;
        auto lanes = Wide<V>::zero();
        V rest = V::all(0);
        const auto several = [&](auto type, ptrdiff_t i, GridSum<V>& sum) NNDL_LAMBDA {
            using X = decltype(type);
            const Exponential<X> e = exp.of(X::load(z.data + i));
            const X value = e.value();
            if (keep.data) value.store(keep.data + i);
            sum.add(e, value);
        };
        ptrdiff_t j = first;
        for (; j + block <= last; j += block) {
            const V top = row.lane_maxima(z, j, j + block);
            maximum = max(top, maximum);
            before.until(j + block);
            GridSum<V> sum(exp.grid(top), rest);
            for (ptrdiff_t i = j; i < j + block; i += Most::size) several(Most(), i, sum);
            lanes.add(sum.multiples());
        }
        if (j < last) {
            const V top = row.lane_maxima(z, j, last);
            maximum = max(top, maximum);
            before.until(last);
            GridSum<V> sum(exp.grid(top), rest);
            for (; j + Pair<V>::size <= last; j += Pair<V>::size) several(Pair<V>(), j, sum);
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

// The sums of one tile's rows, each of whose lanes stands in a vector of its own.
template <class V>
class LaneSums {
    using E = typename V::Element;
    static constexpr int size = V::size;

public:
    static constexpr ptrdiff_t block = block_vectors * size;

    NNDL_INLINE void begin() { total_ = Wide<V>::zero(); }
    NNDL_INLINE void begin_segment() {
        for (Wide<V>& lane : lane_) lane = Wide<V>::zero();
        for (V& rest : rest_) rest = V::all(0);
    }
    // A block, of which z has so many classes. Their exponentials go to `keep`, where there is one; `maximum` becomes
    // the largest of them and itself. `between` is called before each lane.
    template <bool Plain, class F>
    NNDL_INLINE void add_block(const Exponentials<Down<V>, Plain>& exp, Column<const E> z, ptrdiff_t classes, Column<E> keep,
                               V& maximum, F between) {
        for (ptrdiff_t l = 0; l < size && l < classes; ++l) {
            between();
            V top = V::load(z.data + l * z.stride);
            for (ptrdiff_t i = l + size; i < classes; i += size) top = max(V::load(z.data + i * z.stride), top);
            maximum = max(top, maximum);
            GridSum<V> sum(exp.grid(top), rest_[l]);
            for (ptrdiff_t i = l; i < classes; i += size) {
                const Exponential<V> e = exp.of(V::load(z.data + i * z.stride));
                const V value = e.value();
                if (keep.data) value.store(keep.data + i * keep.stride);
                sum.add(e, value);
            }
            lane_[l].add(sum.multiples());
        }
    }
    NNDL_INLINE void end_segment() {
        for (int l = 0; l < size; ++l) lane_[l].add(rest_[l]);
        for (int half = size / 2; half; half /= 2)
            for (int l = 0; l < half; ++l) lane_[l].add(lane_[l + half]);
        total_.add(lane_[0]);
    }
    NNDL_INLINE Wide<V> total() const { return total_; }

private:
    Wide<V> lane_[size], total_;
    V rest_[size];
};

// `before` hears of the classes that are to be added up next.
template <class V, bool Plain, class Before>
NNDL_INLINE Split<V> add_up_many(const Down<V>& rows, const Exponentials<Down<V>, Plain>& exp,
                                 Column<const typename V::Element> z, Column<typename V::Element> keep, Before& before) {
    using E = typename V::Element;
    constexpr ptrdiff_t block = LaneSums<V>::block, segment = segment_classes<E>;
    LaneSums<V> sums;
    V maximum = V::all(0);
    sums.begin();
    for (ptrdiff_t start = 0; start < rows.classes; start += segment) {
        sums.begin_segment();
        for (ptrdiff_t j = start; j < rows.classes && j < start + segment; j += block) {
            const ptrdiff_t classes = rows.classes - j < block ? rows.classes - j : block;
            ptrdiff_t lanes = 0;
            sums.add_block(exp, Column<const E>{z.data + j * z.stride, z.stride}, classes,
                           Column<E>{keep.data ? keep.data + j * keep.stride : nullptr, keep.stride}, maximum, [&]() NNDL_LAMBDA {
                               before.until(j + classes * ++lanes / V::size);
                           });
        }
        sums.end_segment();
    }
    return sums.total().parts();
}

template <class V, bool Plain>
NNDL_INLINE Split<V> add_up_few(const Down<V>& rows, const Exponentials<Down<V>, Plain>& exp,
                                Column<const typename V::Element> z, Column<typename V::Element> keep) {
    using E = typename V::Element;
    if (rows.classes == 2) {  // with all that rounding takes: twice the digits, so that the results are monotone
        const Step<true> first{0, V::size}, second{1, V::size};
        const Exponential<V> e = exp.of(rows.load(z, first, 0)), f = exp.of(rows.load(z, second, 0));
        const V x = e.value(), y = f.value(), sum = x + y, from_y = sum - x;
        if (keep.data) {
            rows.store(keep, first, x);
            rows.store(keep, second, y);
        }
        return split(sum, ((x - (sum - from_y)) + (y - from_y)) + (e.less(x) + f.less(y)));
    }
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

// A share of a row: each segment's sum, and the maximum of all of them.
template <bool Plain, class V, class E = typename V::Element>
NNDL_INLINE void add_up_share(const Across<V>&, Share<E>& share, E c, Column<const E> z, Column<E> keep) {
    using L = Across<V>;
    const Exponentials<L, Plain> exp(Anchor<typename L::Each>({*share.near}, c));
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
    *share.maxima = reduce_max(maximum);
}

}  // namespace
}  // namespace nndl_fast
