// AVX2 and FMA: registers of 8 float32 or 4 float64.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "vectors.h"

namespace nndl_fast {
namespace {

constexpr int registers = 16;  // for vectors

// Eight set words, then eight clear ones: a window into them is the mask of the first n lanes.
alignas(64) const int32_t kWindow[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

NNDL_INLINE __m256i first_words(int n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kWindow + 8 - (n < 0 ? 0 : n > 8 ? 8 : n)));
}

struct I32x8 {
    __m256i r;
};
struct I64x4 {
    __m256i r;
};
struct M32x8 {
    __m256 r;
};
struct M64x4 {
    __m256d r;
};

struct F32x8 {
    static constexpr int size = 8;
    using Element = float;
    using Register = F32x8;
    using Int = I32x8;
    using Mask = M32x8;
    __m256 r;

    NNDL_INLINE static F32x8 all(float x) { return {_mm256_set1_ps(x)}; }
    NNDL_INLINE static F32x8 load(const float* p) { return {_mm256_loadu_ps(p)}; }
    NNDL_INLINE static F32x8 load(const float* p, int n, float fill) {
        const __m256i m = first_words(n);
        return {_mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, m), _mm256_castsi256_ps(m))};
    }
    static constexpr int group = 4;
    NNDL_INLINE static F32x8 load_groups(const float* p, ptrdiff_t stride) {
        return {_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1)};
    }
    NNDL_INLINE void store_groups(float* p, ptrdiff_t stride) const {
        _mm_storeu_ps(p, _mm256_castps256_ps128(r));
        _mm_storeu_ps(p + stride, _mm256_extractf128_ps(r, 1));
    }
    NNDL_INLINE void store(float* p) const { _mm256_storeu_ps(p, r); }
    // In parts: AMD's processors take some twenty cycles for a store with a mask.
    NNDL_INLINE void store(float* p, int n) const {
        if (n >= 8) return store(p);
        __m128 rest = _mm256_castps256_ps128(r);
        if (n & 4) {
            _mm_storeu_ps(p, rest);
            p += 4;
            rest = _mm256_extractf128_ps(r, 1);
        }
        if (n & 2) {
            _mm_storel_pi(reinterpret_cast<__m64*>(p), rest);
            p += 2;
            rest = _mm_movehl_ps(rest, rest);
        }
        if (n & 1) _mm_store_ss(p, rest);
    }
    NNDL_INLINE static Mask first(int n) { return {_mm256_castsi256_ps(first_words(n))}; }
};

struct F64x4 {
    static constexpr int size = 4;
    using Element = double;
    using Register = F64x4;
    using Int = I64x4;
    using Mask = M64x4;
    __m256d r;

    NNDL_INLINE static __m256i words(int n) { return first_words(n < 4 ? 2 * n : 8); }
    NNDL_INLINE static F64x4 all(double x) { return {_mm256_set1_pd(x)}; }
    NNDL_INLINE static F64x4 load(const double* p) { return {_mm256_loadu_pd(p)}; }
    NNDL_INLINE static F64x4 load(const double* p, int n, double fill) {
        const __m256i m = words(n);
        return {_mm256_blendv_pd(_mm256_set1_pd(fill), _mm256_maskload_pd(p, m), _mm256_castsi256_pd(m))};
    }
    static constexpr int group = 2;
    NNDL_INLINE static F64x4 load_groups(const double* p, ptrdiff_t stride) {
        return {_mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(p + stride), 1)};
    }
    NNDL_INLINE void store_groups(double* p, ptrdiff_t stride) const {
        _mm_storeu_pd(p, _mm256_castpd256_pd128(r));
        _mm_storeu_pd(p + stride, _mm256_extractf128_pd(r, 1));
    }
    NNDL_INLINE void store(double* p) const { _mm256_storeu_pd(p, r); }
    NNDL_INLINE void store(double* p, int n) const {
        if (n >= 4) return store(p);
        __m128d rest = _mm256_castpd256_pd128(r);
        if (n & 2) {
            _mm_storeu_pd(p, rest);
            p += 2;
            rest = _mm256_extractf128_pd(r, 1);
        }
        if (n & 1) _mm_store_sd(p, rest);
    }
    NNDL_INLINE static Mask first(int n) { return {_mm256_castsi256_pd(words(n))}; }
};

NNDL_INLINE F32x8 operator+(F32x8 x, F32x8 y) { return {_mm256_add_ps(x.r, y.r)}; }
NNDL_INLINE F32x8 operator-(F32x8 x, F32x8 y) { return {_mm256_sub_ps(x.r, y.r)}; }
NNDL_INLINE F32x8 operator*(F32x8 x, F32x8 y) { return {_mm256_mul_ps(x.r, y.r)}; }
NNDL_INLINE F32x8 operator/(F32x8 x, F32x8 y) { return {_mm256_div_ps(x.r, y.r)}; }
NNDL_INLINE F32x8 fma(F32x8 x, F32x8 y, F32x8 z) { return {_mm256_fmadd_ps(x.r, y.r, z.r)}; }
NNDL_INLINE F32x8 sqrt(F32x8 x) { return {_mm256_sqrt_ps(x.r)}; }
NNDL_INLINE F32x8 max(F32x8 x, F32x8 y) { return {_mm256_max_ps(x.r, y.r)}; }
NNDL_INLINE M32x8 less(F32x8 x, F32x8 y) { return {_mm256_cmp_ps(x.r, y.r, _CMP_LT_OQ)}; }
NNDL_INLINE M32x8 equal(F32x8 x, F32x8 y) { return {_mm256_cmp_ps(x.r, y.r, _CMP_EQ_OQ)}; }
NNDL_INLINE M32x8 is_nan(F32x8 x) { return {_mm256_cmp_ps(x.r, x.r, _CMP_UNORD_Q)}; }
NNDL_INLINE F32x8 select(M32x8 m, F32x8 x, F32x8 y) { return {_mm256_blendv_ps(y.r, x.r, m.r)}; }
NNDL_INLINE M32x8 operator|(M32x8 x, M32x8 y) { return {_mm256_or_ps(x.r, y.r)}; }
NNDL_INLINE bool any(M32x8 m) { return _mm256_movemask_ps(m.r) != 0; }
NNDL_INLINE I32x8 bits(F32x8 x) { return {_mm256_castps_si256(x.r)}; }
NNDL_INLINE F32x8 from_bits(I32x8 x) { return {_mm256_castsi256_ps(x.r)}; }
NNDL_INLINE I32x8 operator+(I32x8 x, I32x8 y) { return {_mm256_add_epi32(x.r, y.r)}; }
NNDL_INLINE I32x8 operator-(I32x8 x, I32x8 y) { return {_mm256_sub_epi32(x.r, y.r)}; }
NNDL_INLINE I32x8 operator|(I32x8 x, I32x8 y) { return {_mm256_or_si256(x.r, y.r)}; }
template <int N>
NNDL_INLINE I32x8 shift_left(I32x8 x) {
    return {_mm256_slli_epi32(x.r, N)};
}
template <int N>
NNDL_INLINE I32x8 shift_right(I32x8 x) {
    return {_mm256_srli_epi32(x.r, N)};
}

NNDL_INLINE F64x4 operator+(F64x4 x, F64x4 y) { return {_mm256_add_pd(x.r, y.r)}; }
NNDL_INLINE F64x4 operator-(F64x4 x, F64x4 y) { return {_mm256_sub_pd(x.r, y.r)}; }
NNDL_INLINE F64x4 operator*(F64x4 x, F64x4 y) { return {_mm256_mul_pd(x.r, y.r)}; }
NNDL_INLINE F64x4 operator/(F64x4 x, F64x4 y) { return {_mm256_div_pd(x.r, y.r)}; }
NNDL_INLINE F64x4 fma(F64x4 x, F64x4 y, F64x4 z) { return {_mm256_fmadd_pd(x.r, y.r, z.r)}; }
NNDL_INLINE F64x4 sqrt(F64x4 x) { return {_mm256_sqrt_pd(x.r)}; }
NNDL_INLINE F64x4 max(F64x4 x, F64x4 y) { return {_mm256_max_pd(x.r, y.r)}; }
NNDL_INLINE M64x4 less(F64x4 x, F64x4 y) { return {_mm256_cmp_pd(x.r, y.r, _CMP_LT_OQ)}; }
NNDL_INLINE M64x4 equal(F64x4 x, F64x4 y) { return {_mm256_cmp_pd(x.r, y.r, _CMP_EQ_OQ)}; }
NNDL_INLINE M64x4 is_nan(F64x4 x) { return {_mm256_cmp_pd(x.r, x.r, _CMP_UNORD_Q)}; }
NNDL_INLINE F64x4 select(M64x4 m, F64x4 x, F64x4 y) { return {_mm256_blendv_pd(y.r, x.r, m.r)}; }
NNDL_INLINE M64x4 operator|(M64x4 x, M64x4 y) { return {_mm256_or_pd(x.r, y.r)}; }
NNDL_INLINE bool any(M64x4 m) { return _mm256_movemask_pd(m.r) != 0; }
NNDL_INLINE I64x4 bits(F64x4 x) { return {_mm256_castpd_si256(x.r)}; }
NNDL_INLINE F64x4 from_bits(I64x4 x) { return {_mm256_castsi256_pd(x.r)}; }
NNDL_INLINE I64x4 operator+(I64x4 x, I64x4 y) { return {_mm256_add_epi64(x.r, y.r)}; }
NNDL_INLINE I64x4 operator-(I64x4 x, I64x4 y) { return {_mm256_sub_epi64(x.r, y.r)}; }
NNDL_INLINE I64x4 operator|(I64x4 x, I64x4 y) { return {_mm256_or_si256(x.r, y.r)}; }
template <int N>
NNDL_INLINE I64x4 shift_left(I64x4 x) {
    return {_mm256_slli_epi64(x.r, N)};
}
template <int N>
NNDL_INLINE I64x4 shift_right(I64x4 x) {
    return {_mm256_srli_epi64(x.r, N)};
}

NNDL_INLINE Pair<F64x4> widen(F32x8 x) {
    return {{_mm256_cvtps_pd(_mm256_castps256_ps128(x.r))}, {_mm256_cvtps_pd(_mm256_extractf128_ps(x.r, 1))}};
}
NNDL_INLINE F32x8 narrow(Pair<F64x4> x) { return {_mm256_set_m128(_mm256_cvtpd_ps(x.b.r), _mm256_cvtpd_ps(x.a.r))}; }

NNDL_INLINE float reduce_add(F32x8 x) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x.r), _mm256_extractf128_ps(x.r, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
NNDL_INLINE float reduce_max(F32x8 x) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(x.r), _mm256_extractf128_ps(x.r, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
NNDL_INLINE double reduce_add(F64x4 x) {
    const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(x.r), _mm256_extractf128_pd(x.r, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
NNDL_INLINE double reduce_max(F64x4 x) {
    const __m128d s = _mm_max_pd(_mm256_castpd256_pd128(x.r), _mm256_extractf128_pd(x.r, 1));
    return _mm_cvtsd_f64(_mm_max_sd(s, _mm_unpackhi_pd(s, s)));
}

NNDL_INLINE F32x8 lookup(const float* table, I32x8 i) { return {_mm256_permutevar8x32_ps(_mm256_load_ps(table), i.r)}; }
// There is no permutation of doubles by a variable: words 2 i and 2 i + 1 of the table are looked up
// in its halves, of 4 doubles each.
NNDL_INLINE F64x4 lookup(const double* table, I64x4 i) {
    const __m256i low_word = _mm256_shuffle_epi32(_mm256_add_epi64(i.r, i.r), 0xa0);  // of each i, twice
    const __m256i words = _mm256_or_si256(low_word, _mm256_set1_epi64x(int64_t(1) << 32));
    const __m256 a = _mm256_permutevar8x32_ps(_mm256_castpd_ps(_mm256_load_pd(table)), words);
    const __m256 b = _mm256_permutevar8x32_ps(_mm256_castpd_ps(_mm256_load_pd(table + 4)), words);
    return {
        _mm256_blendv_pd(_mm256_castps_pd(a), _mm256_castps_pd(b), _mm256_castsi256_pd(_mm256_slli_epi64(i.r, 61)))};
}

NNDL_INLINE void transpose_groups(F32x8* v) {
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(v[0].r, v[1].r));
    const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(v[0].r, v[1].r));
    const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(v[2].r, v[3].r));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(v[2].r, v[3].r));
    v[0].r = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
    v[1].r = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
    v[2].r = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
    v[3].r = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
}
NNDL_INLINE void transpose_groups(F64x4* v) {
    const __m256d a = _mm256_unpacklo_pd(v[0].r, v[1].r), b = _mm256_unpackhi_pd(v[0].r, v[1].r);
    v[0].r = a;
    v[1].r = b;
}

using F32x16 = Pair<F32x8>;
using F64x8 = Pair<F64x4>;

}  // namespace
}  // namespace nndl_fast
