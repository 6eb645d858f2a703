// NEON on aarch64: registers of 4 float32 or 2 float64.
#pragma once
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#include "vectors.h"

namespace nndl_fast {
namespace {

constexpr int registers = 32;  // for vectors

struct I32x4 {
    uint32x4_t r;
};
struct I64x2 {
    uint64x2_t r;
};
struct M32x4 {
    uint32x4_t r;
};
struct M64x2 {
    uint64x2_t r;
};

struct F32x4 {
    static constexpr int size = 4;
    using Element = float;
    using Register = F32x4;
    using Int = I32x4;
    using Mask = M32x4;
    float32x4_t r;

    NNDL_INLINE static F32x4 all(float x) { return {vdupq_n_f32(x)}; }
    NNDL_INLINE static F32x4 load(const float* p) { return {vld1q_f32(p)}; }
    NNDL_INLINE static F32x4 load(const float* p, int n, float fill) {
        float lanes[4] = {fill, fill, fill, fill};
        for (int i = 0; i < 4 && i < n; ++i) lanes[i] = p[i];
        return {vld1q_f32(lanes)};
    }
    static constexpr int group = 4;
    NNDL_INLINE static F32x4 load_groups(const float* p, ptrdiff_t) { return load(p); }
    NNDL_INLINE void store_groups(float* p, ptrdiff_t) const { store(p); }
    NNDL_INLINE void store(float* p) const { vst1q_f32(p, r); }
    NNDL_INLINE void store(float* p, int n) const {
        float lanes[4];
        vst1q_f32(lanes, r);
        for (int i = 0; i < 4 && i < n; ++i) p[i] = lanes[i];
    }
    NNDL_INLINE static Mask first(int n) {
        const int32_t index[4] = {0, 1, 2, 3};
        return {vcltq_s32(vld1q_s32(index), vdupq_n_s32(n))};
    }
};

struct F64x2 {
    static constexpr int size = 2;
    using Element = double;
    using Register = F64x2;
    using Int = I64x2;
    using Mask = M64x2;
    float64x2_t r;

    NNDL_INLINE static F64x2 all(double x) { return {vdupq_n_f64(x)}; }
    NNDL_INLINE static F64x2 load(const double* p) { return {vld1q_f64(p)}; }
    NNDL_INLINE static F64x2 load(const double* p, int n, double fill) {
        const double lanes[2] = {n > 0 ? p[0] : fill, n > 1 ? p[1] : fill};
        return {vld1q_f64(lanes)};
    }
    static constexpr int group = 2;
    NNDL_INLINE static F64x2 load_groups(const double* p, ptrdiff_t) { return load(p); }
    NNDL_INLINE void store_groups(double* p, ptrdiff_t) const { store(p); }
    NNDL_INLINE void store(double* p) const { vst1q_f64(p, r); }
    NNDL_INLINE void store(double* p, int n) const {
        if (n > 0) p[0] = vgetq_lane_f64(r, 0);
        if (n > 1) p[1] = vgetq_lane_f64(r, 1);
    }
    NNDL_INLINE static Mask first(int n) {
        const int64_t index[2] = {0, 1};
        return {vcltq_s64(vld1q_s64(index), vdupq_n_s64(n))};
    }
};

NNDL_INLINE F32x4 operator+(F32x4 x, F32x4 y) { return {vaddq_f32(x.r, y.r)}; }
NNDL_INLINE F32x4 operator-(F32x4 x, F32x4 y) { return {vsubq_f32(x.r, y.r)}; }
NNDL_INLINE F32x4 operator*(F32x4 x, F32x4 y) { return {vmulq_f32(x.r, y.r)}; }
NNDL_INLINE F32x4 operator/(F32x4 x, F32x4 y) { return {vdivq_f32(x.r, y.r)}; }
NNDL_INLINE F32x4 fma(F32x4 x, F32x4 y, F32x4 z) { return {vfmaq_f32(z.r, x.r, y.r)}; }
NNDL_INLINE F32x4 sqrt(F32x4 x) { return {vsqrtq_f32(x.r)}; }
// not vmaxq: that one returns the NaN, whichever argument it is
NNDL_INLINE F32x4 max(F32x4 x, F32x4 y) { return {vbslq_f32(vcgtq_f32(x.r, y.r), x.r, y.r)}; }
NNDL_INLINE M32x4 less(F32x4 x, F32x4 y) { return {vcltq_f32(x.r, y.r)}; }
NNDL_INLINE M32x4 equal(F32x4 x, F32x4 y) { return {vceqq_f32(x.r, y.r)}; }
NNDL_INLINE M32x4 is_nan(F32x4 x) { return {vmvnq_u32(vceqq_f32(x.r, x.r))}; }
NNDL_INLINE F32x4 select(M32x4 m, F32x4 x, F32x4 y) { return {vbslq_f32(m.r, x.r, y.r)}; }
NNDL_INLINE M32x4 operator|(M32x4 x, M32x4 y) { return {vorrq_u32(x.r, y.r)}; }
NNDL_INLINE bool any(M32x4 m) { return vmaxvq_u32(m.r) != 0; }
NNDL_INLINE I32x4 bits(F32x4 x) { return {vreinterpretq_u32_f32(x.r)}; }
NNDL_INLINE F32x4 from_bits(I32x4 x) { return {vreinterpretq_f32_u32(x.r)}; }
NNDL_INLINE I32x4 operator+(I32x4 x, I32x4 y) { return {vaddq_u32(x.r, y.r)}; }
NNDL_INLINE I32x4 operator-(I32x4 x, I32x4 y) { return {vsubq_u32(x.r, y.r)}; }
NNDL_INLINE I32x4 operator|(I32x4 x, I32x4 y) { return {vorrq_u32(x.r, y.r)}; }
template <int N>
NNDL_INLINE I32x4 shift_left(I32x4 x) {
    return {vshlq_n_u32(x.r, N)};
}
template <int N>
NNDL_INLINE I32x4 shift_right(I32x4 x) {
    return {vshrq_n_u32(x.r, N)};
}

NNDL_INLINE F64x2 operator+(F64x2 x, F64x2 y) { return {vaddq_f64(x.r, y.r)}; }
NNDL_INLINE F64x2 operator-(F64x2 x, F64x2 y) { return {vsubq_f64(x.r, y.r)}; }
NNDL_INLINE F64x2 operator*(F64x2 x, F64x2 y) { return {vmulq_f64(x.r, y.r)}; }
NNDL_INLINE F64x2 operator/(F64x2 x, F64x2 y) { return {vdivq_f64(x.r, y.r)}; }
NNDL_INLINE F64x2 fma(F64x2 x, F64x2 y, F64x2 z) { return {vfmaq_f64(z.r, x.r, y.r)}; }
NNDL_INLINE F64x2 sqrt(F64x2 x) { return {vsqrtq_f64(x.r)}; }
NNDL_INLINE F64x2 max(F64x2 x, F64x2 y) { return {vbslq_f64(vcgtq_f64(x.r, y.r), x.r, y.r)}; }
NNDL_INLINE M64x2 less(F64x2 x, F64x2 y) { return {vcltq_f64(x.r, y.r)}; }
NNDL_INLINE M64x2 equal(F64x2 x, F64x2 y) { return {vceqq_f64(x.r, y.r)}; }
NNDL_INLINE M64x2 is_nan(F64x2 x) {
    return {vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(vceqq_f64(x.r, x.r))))};
}
NNDL_INLINE F64x2 select(M64x2 m, F64x2 x, F64x2 y) { return {vbslq_f64(m.r, x.r, y.r)}; }
NNDL_INLINE M64x2 operator|(M64x2 x, M64x2 y) { return {vorrq_u64(x.r, y.r)}; }
NNDL_INLINE bool any(M64x2 m) { return vmaxvq_u32(vreinterpretq_u32_u64(m.r)) != 0; }
NNDL_INLINE I64x2 bits(F64x2 x) { return {vreinterpretq_u64_f64(x.r)}; }
NNDL_INLINE F64x2 from_bits(I64x2 x) { return {vreinterpretq_f64_u64(x.r)}; }
NNDL_INLINE I64x2 operator+(I64x2 x, I64x2 y) { return {vaddq_u64(x.r, y.r)}; }
NNDL_INLINE I64x2 operator-(I64x2 x, I64x2 y) { return {vsubq_u64(x.r, y.r)}; }
NNDL_INLINE I64x2 operator|(I64x2 x, I64x2 y) { return {vorrq_u64(x.r, y.r)}; }
template <int N>
NNDL_INLINE I64x2 shift_left(I64x2 x) {
    return {vshlq_n_u64(x.r, N)};
}
template <int N>
NNDL_INLINE I64x2 shift_right(I64x2 x) {
    return {vshrq_n_u64(x.r, N)};
}

NNDL_INLINE Pair<F64x2> widen(F32x4 x) { return {{vcvt_f64_f32(vget_low_f32(x.r))}, {vcvt_high_f64_f32(x.r)}}; }
NNDL_INLINE F32x4 narrow(Pair<F64x2> x) { return {vcvt_high_f32_f64(vcvt_f32_f64(x.a.r), x.b.r)}; }

NNDL_INLINE float reduce_add(F32x4 x) {
    const float32x2_t s = vadd_f32(vget_low_f32(x.r), vget_high_f32(x.r));
    return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}
NNDL_INLINE float reduce_max(F32x4 x) {
    const float32x2_t a = vget_low_f32(x.r), b = vget_high_f32(x.r);
    const float32x2_t s = vbsl_f32(vcgt_f32(a, b), a, b);
    return max(F32x1{vget_lane_f32(s, 0)}, F32x1{vget_lane_f32(s, 1)}).r;
}
NNDL_INLINE double reduce_add(F64x2 x) { return vgetq_lane_f64(x.r, 0) + vgetq_lane_f64(x.r, 1); }
NNDL_INLINE double reduce_max(F64x2 x) { return max(F64x1{vgetq_lane_f64(x.r, 0)}, F64x1{vgetq_lane_f64(x.r, 1)}).r; }

// Tables are looked up by bytes: those of element i are size i, size i + 1, ...
NNDL_INLINE F32x4 lookup(const float* table, I32x4 i) {
    const uint32x4_t first = vmulq_n_u32(vandq_u32(i.r, vdupq_n_u32(7)), 0x04040404);
    const uint8x16_t bytes = vreinterpretq_u8_u32(vaddq_u32(first, vdupq_n_u32(0x03020100)));
    const uint8_t* const t = reinterpret_cast<const uint8_t*>(table);
    return {vreinterpretq_f32_u8(vqtbl2q_u8({{vld1q_u8(t), vld1q_u8(t + 16)}}, bytes))};
}
NNDL_INLINE F64x2 lookup(const double* table, I64x2 i) {
    const uint32x4_t words = vandq_u32(vreinterpretq_u32_u64(i.r), vdupq_n_u32(7));
    const uint32x4_t first = vmulq_n_u32(vtrn1q_u32(words, words), 0x08080808);
    const uint32x4_t offsets = vreinterpretq_u32_u64(vdupq_n_u64(0x0706050403020100));
    const uint8_t* const t = reinterpret_cast<const uint8_t*>(table);
    return {vreinterpretq_f64_u8(vqtbl4q_u8({{vld1q_u8(t), vld1q_u8(t + 16), vld1q_u8(t + 32), vld1q_u8(t + 48)}},
                                            vreinterpretq_u8_u32(vaddq_u32(first, offsets))))};
}

NNDL_INLINE void transpose_groups(F32x4* v) {
    const float32x4x2_t a = vtrnq_f32(v[0].r, v[1].r), b = vtrnq_f32(v[2].r, v[3].r);
    v[0].r = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    v[1].r = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    v[2].r = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    v[3].r = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}
NNDL_INLINE void transpose_groups(F64x2* v) {
    const float64x2_t a = vzip1q_f64(v[0].r, v[1].r), b = vzip2q_f64(v[0].r, v[1].r);
    v[0].r = a;
    v[1].r = b;
}

using F32x16 = Pair<Pair<F32x4>>;
using F64x8 = Pair<Pair<F64x2>>;

}  // namespace
}  // namespace nndl_fast
