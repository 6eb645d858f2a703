// AVX-512 (F, DQ, BW, VL): registers of 16 float32 or 8 float64.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "vectors.h"

namespace nndl_fast {
namespace {

constexpr int registers = 32;  // for vectors

struct I32x16 {
    __m512i r;
};
struct I64x8 {
    __m512i r;
};
struct M16 {
    __mmask16 r;
};
struct M8 {
    __mmask8 r;
};

struct F32x16 {
    static constexpr int size = 16;
    using Element = float;
    using Register = F32x16;
    using Int = I32x16;
    using Mask = M16;
    __m512 r;

    NNDL_INLINE static F32x16 all(float x) { return {_mm512_set1_ps(x)}; }
    NNDL_INLINE static F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
    NNDL_INLINE static F32x16 load(const float* p, int n, float fill) {
        return {_mm512_mask_loadu_ps(_mm512_set1_ps(fill), first(n).r, p)};
    }
    static constexpr int group = 4;
    NNDL_INLINE static F32x16 load_groups(const float* p, ptrdiff_t stride) {
        __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(p));
        v = _mm512_insertf32x4(v, _mm_loadu_ps(p + stride), 1);
        v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 2 * stride), 2);
        return {_mm512_insertf32x4(v, _mm_loadu_ps(p + 3 * stride), 3)};
    }
    NNDL_INLINE void store_groups(float* p, ptrdiff_t stride) const {
        _mm_storeu_ps(p, _mm512_castps512_ps128(r));
        _mm_storeu_ps(p + stride, _mm512_extractf32x4_ps(r, 1));
        _mm_storeu_ps(p + 2 * stride, _mm512_extractf32x4_ps(r, 2));
        _mm_storeu_ps(p + 3 * stride, _mm512_extractf32x4_ps(r, 3));
    }
    NNDL_INLINE void store(float* p) const { _mm512_storeu_ps(p, r); }
    NNDL_INLINE void store(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n).r, r); }
    NNDL_INLINE static Mask first(int n) { return {__mmask16(n >= 16 ? 0xffff : n <= 0 ? 0 : (1u << n) - 1)}; }
};

struct F64x8 {
    static constexpr int size = 8;
    using Element = double;
    using Register = F64x8;
    using Int = I64x8;
    using Mask = M8;
    __m512d r;

    NNDL_INLINE static F64x8 all(double x) { return {_mm512_set1_pd(x)}; }
    NNDL_INLINE static F64x8 load(const double* p) { return {_mm512_loadu_pd(p)}; }
    NNDL_INLINE static F64x8 load(const double* p, int n, double fill) {
        return {_mm512_mask_loadu_pd(_mm512_set1_pd(fill), first(n).r, p)};
    }
    static constexpr int group = 2;
    NNDL_INLINE static F64x8 load_groups(const double* p, ptrdiff_t stride) {
        __m512d v = _mm512_castpd128_pd512(_mm_loadu_pd(p));
        v = _mm512_insertf64x2(v, _mm_loadu_pd(p + stride), 1);
        v = _mm512_insertf64x2(v, _mm_loadu_pd(p + 2 * stride), 2);
        return {_mm512_insertf64x2(v, _mm_loadu_pd(p + 3 * stride), 3)};
    }
    NNDL_INLINE void store_groups(double* p, ptrdiff_t stride) const {
        _mm_storeu_pd(p, _mm512_castpd512_pd128(r));
        _mm_storeu_pd(p + stride, _mm512_extractf64x2_pd(r, 1));
        _mm_storeu_pd(p + 2 * stride, _mm512_extractf64x2_pd(r, 2));
        _mm_storeu_pd(p + 3 * stride, _mm512_extractf64x2_pd(r, 3));
    }
    NNDL_INLINE void store(double* p) const { _mm512_storeu_pd(p, r); }
    NNDL_INLINE void store(double* p, int n) const { _mm512_mask_storeu_pd(p, first(n).r, r); }
    NNDL_INLINE static Mask first(int n) { return {__mmask8(n >= 8 ? 0xff : n <= 0 ? 0 : (1u << n) - 1)}; }
};

NNDL_INLINE F32x16 operator+(F32x16 x, F32x16 y) { return {_mm512_add_ps(x.r, y.r)}; }
NNDL_INLINE F32x16 operator-(F32x16 x, F32x16 y) { return {_mm512_sub_ps(x.r, y.r)}; }
NNDL_INLINE F32x16 operator*(F32x16 x, F32x16 y) { return {_mm512_mul_ps(x.r, y.r)}; }
NNDL_INLINE F32x16 operator/(F32x16 x, F32x16 y) { return {_mm512_div_ps(x.r, y.r)}; }
NNDL_INLINE F32x16 fma(F32x16 x, F32x16 y, F32x16 z) { return {_mm512_fmadd_ps(x.r, y.r, z.r)}; }
NNDL_INLINE F32x16 sqrt(F32x16 x) { return {_mm512_sqrt_ps(x.r)}; }
NNDL_INLINE F32x16 max(F32x16 x, F32x16 y) { return {_mm512_max_ps(x.r, y.r)}; }
NNDL_INLINE M16 less(F32x16 x, F32x16 y) { return {_mm512_cmp_ps_mask(x.r, y.r, _CMP_LT_OQ)}; }
NNDL_INLINE M16 equal(F32x16 x, F32x16 y) { return {_mm512_cmp_ps_mask(x.r, y.r, _CMP_EQ_OQ)}; }
NNDL_INLINE M16 is_nan(F32x16 x) { return {_mm512_cmp_ps_mask(x.r, x.r, _CMP_UNORD_Q)}; }
NNDL_INLINE F32x16 select(M16 m, F32x16 x, F32x16 y) { return {_mm512_mask_blend_ps(m.r, y.r, x.r)}; }
NNDL_INLINE M16 operator|(M16 x, M16 y) { return {__mmask16(x.r | y.r)}; }
NNDL_INLINE bool any(M16 m) { return m.r != 0; }
NNDL_INLINE I32x16 bits(F32x16 x) { return {_mm512_castps_si512(x.r)}; }
NNDL_INLINE F32x16 from_bits(I32x16 x) { return {_mm512_castsi512_ps(x.r)}; }
NNDL_INLINE I32x16 operator+(I32x16 x, I32x16 y) { return {_mm512_add_epi32(x.r, y.r)}; }
NNDL_INLINE I32x16 operator-(I32x16 x, I32x16 y) { return {_mm512_sub_epi32(x.r, y.r)}; }
NNDL_INLINE I32x16 operator|(I32x16 x, I32x16 y) { return {_mm512_or_si512(x.r, y.r)}; }
template <int N>
NNDL_INLINE I32x16 shift_left(I32x16 x) {
    return {_mm512_slli_epi32(x.r, N)};
}
template <int N>
NNDL_INLINE I32x16 shift_right(I32x16 x) {
    return {_mm512_srli_epi32(x.r, N)};
}

NNDL_INLINE F64x8 operator+(F64x8 x, F64x8 y) { return {_mm512_add_pd(x.r, y.r)}; }
NNDL_INLINE F64x8 operator-(F64x8 x, F64x8 y) { return {_mm512_sub_pd(x.r, y.r)}; }
NNDL_INLINE F64x8 operator*(F64x8 x, F64x8 y) { return {_mm512_mul_pd(x.r, y.r)}; }
NNDL_INLINE F64x8 operator/(F64x8 x, F64x8 y) { return {_mm512_div_pd(x.r, y.r)}; }
NNDL_INLINE F64x8 fma(F64x8 x, F64x8 y, F64x8 z) { return {_mm512_fmadd_pd(x.r, y.r, z.r)}; }
NNDL_INLINE F64x8 sqrt(F64x8 x) { return {_mm512_sqrt_pd(x.r)}; }
NNDL_INLINE F64x8 max(F64x8 x, F64x8 y) { return {_mm512_max_pd(x.r, y.r)}; }
NNDL_INLINE M8 less(F64x8 x, F64x8 y) { return {_mm512_cmp_pd_mask(x.r, y.r, _CMP_LT_OQ)}; }
NNDL_INLINE M8 equal(F64x8 x, F64x8 y) { return {_mm512_cmp_pd_mask(x.r, y.r, _CMP_EQ_OQ)}; }
NNDL_INLINE M8 is_nan(F64x8 x) { return {_mm512_cmp_pd_mask(x.r, x.r, _CMP_UNORD_Q)}; }
NNDL_INLINE F64x8 select(M8 m, F64x8 x, F64x8 y) { return {_mm512_mask_blend_pd(m.r, y.r, x.r)}; }
NNDL_INLINE M8 operator|(M8 x, M8 y) { return {__mmask8(x.r | y.r)}; }
NNDL_INLINE bool any(M8 m) { return m.r != 0; }
NNDL_INLINE I64x8 bits(F64x8 x) { return {_mm512_castpd_si512(x.r)}; }
NNDL_INLINE F64x8 from_bits(I64x8 x) { return {_mm512_castsi512_pd(x.r)}; }
NNDL_INLINE I64x8 operator+(I64x8 x, I64x8 y) { return {_mm512_add_epi64(x.r, y.r)}; }
NNDL_INLINE I64x8 operator-(I64x8 x, I64x8 y) { return {_mm512_sub_epi64(x.r, y.r)}; }
NNDL_INLINE I64x8 operator|(I64x8 x, I64x8 y) { return {_mm512_or_si512(x.r, y.r)}; }
template <int N>
NNDL_INLINE I64x8 shift_left(I64x8 x) {
    return {_mm512_slli_epi64(x.r, N)};
}
template <int N>
NNDL_INLINE I64x8 shift_right(I64x8 x) {
    return {_mm512_srli_epi64(x.r, N)};
}

NNDL_INLINE Pair<F64x8> widen(F32x16 x) {
    return {{_mm512_cvtps_pd(_mm512_castps512_ps256(x.r))}, {_mm512_cvtps_pd(_mm512_extractf32x8_ps(x.r, 1))}};
}
NNDL_INLINE F32x16 narrow(Pair<F64x8> x) {
    const __m512 low = _mm512_castps256_ps512(_mm512_cvtpd_ps(x.a.r));
    return {_mm512_insertf32x8(low, _mm512_cvtpd_ps(x.b.r), 1)};
}

NNDL_INLINE float reduce_add(F32x16 x) {
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(x.r), _mm512_extractf32x8_ps(x.r, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
NNDL_INLINE float reduce_max(F32x16 x) {
    const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(x.r), _mm512_extractf32x8_ps(x.r, 1));
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
NNDL_INLINE double reduce_add(F64x8 x) {
    const __m256d h = _mm256_add_pd(_mm512_castpd512_pd256(x.r), _mm512_extractf64x4_pd(x.r, 1));
    const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
NNDL_INLINE double reduce_max(F64x8 x) {
    const __m256d h = _mm256_max_pd(_mm512_castpd512_pd256(x.r), _mm512_extractf64x4_pd(x.r, 1));
    const __m128d s = _mm_max_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
    return _mm_cvtsd_f64(_mm_max_sd(s, _mm_unpackhi_pd(s, s)));
}

NNDL_INLINE F32x16 lookup(const float* table, I32x16 i) {
    return {_mm512_permutexvar_ps(i.r, _mm512_broadcast_f32x8(_mm256_load_ps(table)))};
}
NNDL_INLINE F64x8 lookup(const double* table, I64x8 i) { return {_mm512_permutexvar_pd(i.r, _mm512_load_pd(table))}; }

NNDL_INLINE void transpose_groups(F32x16* v) {
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(v[0].r, v[1].r));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(v[0].r, v[1].r));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(v[2].r, v[3].r));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(v[2].r, v[3].r));
    v[0].r = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    v[1].r = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    v[2].r = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    v[3].r = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
}
NNDL_INLINE void transpose_groups(F64x8* v) {
    const __m512d a = _mm512_unpacklo_pd(v[0].r, v[1].r), b = _mm512_unpackhi_pd(v[0].r, v[1].r);
    v[0].r = a;
    v[1].r = b;
}

}  // namespace
}  // namespace nndl_fast
