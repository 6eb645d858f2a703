// Vectors wider than a register. Every instruction set offers the same two types, F32x16 and
// F64x8; if the machine's registers are narrower, they are Pairs of Pairs, and each operation
// is that of the halves. Lane i is lane i whatever the nesting: this is what makes a result the
// same on every instruction set.
//
// What a register type V has (Lane, the first below, is the one to read first):
//   V::size  V::Element  V::Register  V::Int  V::Mask
//   V::all(x)  V::load(p)  V::load(p, n, fill)  v.store(p)  v.store(p, n)    0 <= n; n >= size is whole
//   V::first(n)                the mask of the first n lanes; n may be negative
//   + - * /  fma(a, b, c)  sqrt(v)  max(a, b)  less(a, b)  equal(a, b)  is_nan(v)  select(mask, a, b)  any(mask)
//   | of masks
//   bits(v)  from_bits(i); of Ints: + -  shift_left<N>  shift_right<N> (zeros come in)  |
//   widen(F32s) -> F64s of as many lanes; narrow(F64s) -> F32s, rounding
//   reduce_add(v): the upper half is added to the lower until one lane is left; reduce_max(v)
//   lookup(table, i)           table[i mod 8] for each lane; the table is 64-byte aligned
// and of registers only, which hold groups of V::group lanes that move together (16 bytes):
//   V::load_groups(p, stride)  a group from p, one from p + stride, ...;  v.store_groups(p, stride)
//   transpose_groups(V v[V::group])  in place, element i of v[k]'s groups and element k of v[i]'s
//
// max(a, b) is a > b ? a : b on every instruction set: if one is a NaN, the second argument.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A kernel is one function in the end: an operation that were called, not inlined, would pass its
// vectors through memory.
#ifndef NNDL_INLINE
#define NNDL_INLINE inline __attribute__((always_inline))
#define NNDL_LAMBDA __attribute__((always_inline))
#endif
// A function that is not inlined, so that there is one copy of it: its call is too rare to be measured.
#define NNDL_NOINLINE __attribute__((noinline))

static_assert(__FLT_EVAL_METHOD__ == 0, "floats must be computed as floats: on 32-bit x86, with -msse2 -mfpmath=sse");

namespace nndl_fast {
namespace {

// One lane: the type, on every instruction set, of a value that a row has once (its maximum, its sum), so that the same
// code serves a row and a vector of rows. The baseline's vectors are arrays of it (baseline.h).

template <class I>
struct LaneInt {
    I r;
};

struct LaneMask {
    bool r;
};

template <class E, class I>
struct Lane {
    static constexpr int size = 1;
    using Element = E;
    using Register = Lane;
    using Int = LaneInt<I>;
    using Mask = LaneMask;
    E r;

    NNDL_INLINE static Lane all(E x) { return {x}; }
    NNDL_INLINE static Lane load(const E* p) { return {*p}; }
    NNDL_INLINE static Lane load(const E* p, int n, E fill) { return {n > 0 ? *p : fill}; }
    NNDL_INLINE void store(E* p) const { *p = r; }
    NNDL_INLINE void store(E* p, int n) const {
        if (n > 0) *p = r;
    }
    NNDL_INLINE static Mask first(int n) { return {n > 0}; }
};

using F32x1 = Lane<float, uint32_t>;
using F64x1 = Lane<double, uint64_t>;

NNDL_INLINE F32x1 to_lane(float x) { return {x}; }
NNDL_INLINE F64x1 to_lane(double x) { return {x}; }

#define NNDL_LANE(OP)                                                \
    template <class E, class I>                                      \
    NNDL_INLINE Lane<E, I> operator OP(Lane<E, I> x, Lane<E, I> y) { \
        return {x.r OP y.r};                                         \
    }
NNDL_LANE(+)
NNDL_LANE(-)
NNDL_LANE(*)
NNDL_LANE(/)
#undef NNDL_LANE
#define NNDL_LANE(OP)                                                \
    template <class I>                                               \
    NNDL_INLINE LaneInt<I> operator OP(LaneInt<I> x, LaneInt<I> y) { \
        return {x.r OP y.r};                                         \
    }
NNDL_LANE(+)
NNDL_LANE(-)
NNDL_LANE(|)
#undef NNDL_LANE

NNDL_INLINE LaneMask operator|(LaneMask x, LaneMask y) { return {x.r || y.r}; }
NNDL_INLINE bool any(LaneMask m) { return m.r; }

// Correctly rounded everywhere: an instruction if the file is compiled for one, else libm's.
NNDL_INLINE F32x1 fma(F32x1 x, F32x1 y, F32x1 z) { return {__builtin_fmaf(x.r, y.r, z.r)}; }
NNDL_INLINE F64x1 fma(F64x1 x, F64x1 y, F64x1 z) { return {__builtin_fma(x.r, y.r, z.r)}; }

NNDL_INLINE F32x1 sqrt(F32x1 x) { return {__builtin_sqrtf(x.r)}; }
NNDL_INLINE F64x1 sqrt(F64x1 x) { return {__builtin_sqrt(x.r)}; }

template <class E, class I>
NNDL_INLINE Lane<E, I> max(Lane<E, I> x, Lane<E, I> y) {
    return {x.r > y.r ? x.r : y.r};
}
template <class E, class I>
NNDL_INLINE LaneMask less(Lane<E, I> x, Lane<E, I> y) {
    return {x.r < y.r};
}
template <class E, class I>
NNDL_INLINE LaneMask equal(Lane<E, I> x, Lane<E, I> y) {
    return {x.r == y.r};
}
template <class E, class I>
NNDL_INLINE LaneMask is_nan(Lane<E, I> x) {
    return {x.r != x.r};
}
template <class E, class I>
NNDL_INLINE Lane<E, I> select(LaneMask m, Lane<E, I> x, Lane<E, I> y) {
    return {m.r ? x.r : y.r};
}
template <class E, class I>
NNDL_INLINE LaneInt<I> bits(Lane<E, I> x) {
    LaneInt<I> y;
    __builtin_memcpy(&y, &x, sizeof y);
    return y;
}
NNDL_INLINE F32x1 from_bits(LaneInt<uint32_t> x) {
    F32x1 y;
    __builtin_memcpy(&y, &x, sizeof y);
    return y;
}
NNDL_INLINE F64x1 from_bits(LaneInt<uint64_t> x) {
    F64x1 y;
    __builtin_memcpy(&y, &x, sizeof y);
    return y;
}
template <int N, class I>
NNDL_INLINE LaneInt<I> shift_left(LaneInt<I> x) {
    return {I(x.r << N)};
}
template <int N, class I>
NNDL_INLINE LaneInt<I> shift_right(LaneInt<I> x) {
    return {I(x.r >> N)};
}
NNDL_INLINE F64x1 widen(F32x1 x) { return {double(x.r)}; }
NNDL_INLINE F32x1 narrow(F64x1 x) { return {float(x.r)}; }

template <class E, class I>
NNDL_INLINE E reduce_add(Lane<E, I> x) {
    return x.r;
}
template <class E, class I>
NNDL_INLINE E reduce_max(Lane<E, I> x) {
    return x.r;
}
template <class E, class I>
NNDL_INLINE Lane<E, I> lookup(const E* table, LaneInt<I> i) {
    return {table[i.r & 7]};
}

// A pair of masks or of integers: two halves and no more.
template <class X>
struct Two {
    X a, b;
};

template <class V>
struct Pair {
    static constexpr int size = 2 * V::size;
    using Element = typename V::Element;
    using Register = typename V::Register;
    using Int = Two<typename V::Int>;
    using Mask = Two<typename V::Mask>;
    V a, b;

    NNDL_INLINE static Pair all(Element x) { return {V::all(x), V::all(x)}; }
    NNDL_INLINE static Pair load(const Element* p) { return {V::load(p), V::load(p + V::size)}; }
    NNDL_INLINE static Pair load(const Element* p, int n, Element fill) {
        if (n <= V::size) return {V::load(p, n, fill), V::all(fill)};
        return {V::load(p), V::load(p + V::size, n - V::size, fill)};
    }
    NNDL_INLINE void store(Element* p) const {
        a.store(p);
        b.store(p + V::size);
    }
    NNDL_INLINE void store(Element* p, int n) const {
        a.store(p, n);
        if (n > V::size) b.store(p + V::size, n - V::size);
    }
    NNDL_INLINE static Mask first(int n) { return {V::first(n), V::first(n - V::size)}; }
};

// X's every V
template <class X, class V>
NNDL_INLINE X repeat(V v) {
    if constexpr (sizeof(X) == sizeof(V)) {
        return v;
    } else {
        const auto half = repeat<decltype(X::a)>(v);
        return {half, half};
    }
}

#define NNDL_LIFT(OP, WRAP)                                 \
    template <class X>                                      \
    NNDL_INLINE WRAP<X> operator OP(WRAP<X> x, WRAP<X> y) { \
        return {x.a OP y.a, x.b OP y.b};                    \
    }
NNDL_LIFT(+, Pair)
NNDL_LIFT(-, Pair)
NNDL_LIFT(*, Pair)
NNDL_LIFT(/, Pair)
NNDL_LIFT(+, Two)
NNDL_LIFT(-, Two)
NNDL_LIFT(|, Two)
#undef NNDL_LIFT

template <class V>
NNDL_INLINE Pair<V> fma(Pair<V> x, Pair<V> y, Pair<V> z) {
    return {fma(x.a, y.a, z.a), fma(x.b, y.b, z.b)};
}
template <class V>
NNDL_INLINE Pair<V> sqrt(Pair<V> x) {
    return {sqrt(x.a), sqrt(x.b)};
}
template <class V>
NNDL_INLINE Pair<V> max(Pair<V> x, Pair<V> y) {
    return {max(x.a, y.a), max(x.b, y.b)};
}
template <class V>
NNDL_INLINE typename Pair<V>::Mask less(Pair<V> x, Pair<V> y) {
    return {less(x.a, y.a), less(x.b, y.b)};
}
template <class V>
NNDL_INLINE typename Pair<V>::Mask equal(Pair<V> x, Pair<V> y) {
    return {equal(x.a, y.a), equal(x.b, y.b)};
}
template <class V>
NNDL_INLINE typename Pair<V>::Mask is_nan(Pair<V> x) {
    return {is_nan(x.a), is_nan(x.b)};
}
template <class M, class V>
NNDL_INLINE Pair<V> select(Two<M> m, Pair<V> x, Pair<V> y) {
    return {select(m.a, x.a, y.a), select(m.b, x.b, y.b)};
}
template <class M>
NNDL_INLINE bool any(Two<M> m) {
    return any(m.a | m.b);
}
template <class V>
NNDL_INLINE typename Pair<V>::Int bits(Pair<V> x) {
    return {bits(x.a), bits(x.b)};
}
template <class I>
NNDL_INLINE auto from_bits(Two<I> x) -> Pair<decltype(from_bits(x.a))> {
    return {from_bits(x.a), from_bits(x.b)};
}
template <int N, class I>
NNDL_INLINE Two<I> shift_left(Two<I> x) {
    return {shift_left<N>(x.a), shift_left<N>(x.b)};
}
template <int N, class I>
NNDL_INLINE Two<I> shift_right(Two<I> x) {
    return {shift_right<N>(x.a), shift_right<N>(x.b)};
}
template <class V>
NNDL_INLINE auto widen(Pair<V> x) -> Pair<decltype(widen(x.a))> {
    return {widen(x.a), widen(x.b)};
}
template <class V>
NNDL_INLINE auto narrow(Pair<V> x) -> Pair<decltype(narrow(x.a))> {
    return {narrow(x.a), narrow(x.b)};
}
template <class E, class I>
NNDL_INLINE auto lookup(const E* table, Two<I> i) -> Pair<decltype(lookup(table, i.a))> {
    return {lookup(table, i.a), lookup(table, i.b)};
}
template <class V>
NNDL_INLINE typename V::Element reduce_add(Pair<V> x) {
    return reduce_add(x.a + x.b);
}
template <class V>
NNDL_INLINE typename V::Element reduce_max(Pair<V> x) {
    return reduce_max(max(x.a, x.b));
}

}  // namespace
}  // namespace nndl_fast
