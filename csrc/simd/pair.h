// Vectors wider than a register. Every instruction set offers the same two types, F32x16 and
// F64x8; if the machine's registers are narrower, they are Pairs of Pairs, and each operation
// is that of the halves. Lane i is lane i whatever the nesting: this is what makes a result the
// same on every instruction set.
//
// What a register type V has (scalar.h, one lane, is the one to read first):
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

// A kernel is one function in the end: an operation that were called, not inlined, would pass its
// vectors through memory.
#ifndef NNDL_INLINE
#define NNDL_INLINE inline __attribute__((always_inline))
#define NNDL_LAMBDA __attribute__((always_inline))
#endif
// A function that is not inlined, so that there is one copy of it: its call is too rare to be measured.
#define NNDL_NOINLINE __attribute__((noinline))

namespace nndl_fast {
namespace {

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
