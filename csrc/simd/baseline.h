// No instruction set assumed: arrays, and loops that the compiler may vectorise.
#pragma once
// Arrays of lanes live in memory anyway: calls keep the compiled file small.
#define NNDL_INLINE inline
#define NNDL_LAMBDA
#include "vectors.h"

namespace nndl_fast {
namespace {

constexpr int registers = 4;  // arrays of lanes: more do not help

template <class T, int N>
struct Lanes {
    T r[N];
};

template <class One, int N>
struct Array {
    static constexpr int size = N;
    using Element = typename One::Element;
    using Register = Array;
    using Int = Lanes<typename One::Int, N>;
    using Mask = Lanes<LaneMask, N>;
    One r[N];

    static Array all(Element x) {
        Array v;
        for (One& lane : v.r) lane = {x};
        return v;
    }
    static Array load(const Element* p) { return load(p, N, 0); }
    static Array load(const Element* p, int n, Element fill) {
        Array v;
        for (int i = 0; i < N; ++i) v.r[i] = {i < n ? p[i] : fill};
        return v;
    }
    void store(Element* p) const { store(p, N); }
    void store(Element* p, int n) const {
        for (int i = 0; i < N && i < n; ++i) p[i] = r[i].r;
    }
    static constexpr int group = 1;
    static Array load_groups(const Element* p, ptrdiff_t stride) {
        Array v;
        for (int i = 0; i < N; ++i) v.r[i] = {p[i * stride]};
        return v;
    }
    void store_groups(Element* p, ptrdiff_t stride) const {
        for (int i = 0; i < N; ++i) p[i * stride] = r[i].r;
    }
    static Mask first(int n) {
        Mask m;
        for (int i = 0; i < N; ++i) m.r[i] = {i < n};
        return m;
    }
};

using F32x16 = Array<F32x1, 16>;
using F64x8 = Array<F64x1, 8>;

// f of each lane
template <class Result, class F>
Result each_lane(F f) {
    Result v;
    for (int i = 0; i < int(sizeof v.r / sizeof v.r[0]); ++i) v.r[i] = f(i);
    return v;
}

#define NNDL_LANES(TYPE, OP)                                                   \
    template <class X, int N>                                                  \
    TYPE<X, N> operator OP(const TYPE<X, N>& x, const TYPE<X, N>& y) {         \
        return each_lane<TYPE<X, N>>([&](int i) { return x.r[i] OP y.r[i]; }); \
    }
NNDL_LANES(Array, +)
NNDL_LANES(Array, -)
NNDL_LANES(Array, *)
NNDL_LANES(Array, /)
NNDL_LANES(Lanes, +)
NNDL_LANES(Lanes, -)
NNDL_LANES(Lanes, |)
#undef NNDL_LANES

template <class X, int N>
Array<X, N> fma(const Array<X, N>& x, const Array<X, N>& y, const Array<X, N>& z) {
    return each_lane<Array<X, N>>([&](int i) { return fma(x.r[i], y.r[i], z.r[i]); });
}
template <class X, int N>
Array<X, N> sqrt(const Array<X, N>& x) {
    return each_lane<Array<X, N>>([&](int i) { return sqrt(x.r[i]); });
}
template <class X, int N>
Array<X, N> max(const Array<X, N>& x, const Array<X, N>& y) {
    return each_lane<Array<X, N>>([&](int i) { return max(x.r[i], y.r[i]); });
}
template <class X, int N>
Lanes<LaneMask, N> less(const Array<X, N>& x, const Array<X, N>& y) {
    return each_lane<Lanes<LaneMask, N>>([&](int i) { return less(x.r[i], y.r[i]); });
}
template <class X, int N>
Lanes<LaneMask, N> equal(const Array<X, N>& x, const Array<X, N>& y) {
    return each_lane<Lanes<LaneMask, N>>([&](int i) { return equal(x.r[i], y.r[i]); });
}
template <class X, int N>
Lanes<LaneMask, N> is_nan(const Array<X, N>& x) {
    return each_lane<Lanes<LaneMask, N>>([&](int i) { return is_nan(x.r[i]); });
}
template <class X, int N>
Array<X, N> select(const Lanes<LaneMask, N>& m, const Array<X, N>& x, const Array<X, N>& y) {
    return each_lane<Array<X, N>>([&](int i) { return select(m.r[i], x.r[i], y.r[i]); });
}
template <int N>
bool any(const Lanes<LaneMask, N>& m) {
    bool found = false;
    for (LaneMask lane : m.r) found = found || lane.r;
    return found;
}
template <class X, int N>
auto bits(const Array<X, N>& x) {
    return each_lane<typename Array<X, N>::Int>([&](int i) { return bits(x.r[i]); });
}
template <class I, int N>
auto from_bits(const Lanes<I, N>& x) {
    return each_lane<Array<decltype(from_bits(x.r[0])), N>>([&](int i) { return from_bits(x.r[i]); });
}
template <int S, class I, int N>
Lanes<I, N> shift_left(const Lanes<I, N>& x) {
    return each_lane<Lanes<I, N>>([&](int i) { return shift_left<S>(x.r[i]); });
}
template <int S, class I, int N>
Lanes<I, N> shift_right(const Lanes<I, N>& x) {
    return each_lane<Lanes<I, N>>([&](int i) { return shift_right<S>(x.r[i]); });
}

inline Pair<F64x8> widen(const F32x16& x) {
    return {each_lane<F64x8>([&](int i) { return widen(x.r[i]); }),
            each_lane<F64x8>([&](int i) { return widen(x.r[i + 8]); })};
}
inline F32x16 narrow(const Pair<F64x8>& x) {
    return each_lane<F32x16>([&](int i) { return narrow(i < 8 ? x.a.r[i] : x.b.r[i - 8]); });
}

template <class X, int N>
typename X::Element reduce_add(Array<X, N> x) {
    for (int half = N / 2; half; half /= 2)
        for (int i = 0; i < half; ++i) x.r[i] = x.r[i] + x.r[i + half];
    return x.r[0].r;
}
template <class X, int N>
typename X::Element reduce_max(Array<X, N> x) {
    for (int half = N / 2; half; half /= 2)
        for (int i = 0; i < half; ++i) x.r[i] = max(x.r[i], x.r[i + half]);
    return x.r[0].r;
}
template <class E, class I, int N>
auto lookup(const E* table, const Lanes<I, N>& x) {
    return each_lane<Array<decltype(lookup(table, x.r[0])), N>>([&](int i) { return lookup(table, x.r[i]); });
}
template <class X, int N>
void transpose_groups(Array<X, N>*) {}

}  // namespace
}  // namespace nndl_fast
