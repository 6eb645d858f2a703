// One lane: the baseline's register, and on every instruction set the type of a value that a row
// has once (its maximum, its sum), so that one text serves for a row and for a vector of rows.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "pair.h"

static_assert(__FLT_EVAL_METHOD__ == 0, "floats must be computed as floats: on 32-bit x86, with -msse2 -mfpmath=sse");

namespace nndl_fast {
namespace {

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

}  // namespace
}  // namespace nndl_fast
