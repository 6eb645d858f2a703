// 16-bit floats to float32 and back: plain loops without a branch, which the compiler vectorises.
// To 16 bits it rounds to nearest, ties to even.
#include "../layout.h"

namespace nndl_fast {
namespace {

NNDL_INLINE float as_float(uint32_t bits) {
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}
NNDL_INLINE uint32_t as_bits(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

struct Float16 {
    NNDL_INLINE static float widen(uint16_t half) {
        constexpr uint32_t infinity = 31u << 23;  // where the exponent stands now, float16's own bias
        const uint32_t magnitude = (half & 0x7fffu) << 13, sign = (half & 0x8000u) << 16;
        const uint32_t finite = as_bits(as_float(magnitude) * 0x1p112f), other = magnitude | 0x7f800000u;
        return as_float((magnitude < infinity ? finite : other) | sign);
    }
    NNDL_INLINE static uint16_t narrow(float x) {
        const uint32_t bits = as_bits(x), magnitude = bits & 0x7fffffffu;
        const uint32_t normal = ((magnitude + 0xfffu + ((magnitude >> 13) & 1)) >> 13) - (112u << 10);
        // 1/2 has the unit of float16's subnormal numbers
        const uint32_t subnormal = as_bits(as_float(magnitude) + 0.5f) - as_bits(0.5f);
        uint32_t half = magnitude < as_bits(0x1p-14f) ? subnormal : normal;
        half = magnitude < as_bits(65520.0f) ? half : 0x7c00u;  // from there on it rounds to infinity
        half = magnitude > 0x7f800000u ? 0x7e00u : half;
        return uint16_t(half | (bits >> 31 << 15));
    }
};

struct BFloat16 {
    NNDL_INLINE static float widen(uint16_t half) { return as_float(uint32_t(half) << 16); }
    NNDL_INLINE static uint16_t narrow(float x) {
        const uint32_t bits = as_bits(x);
        const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
        return uint16_t((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded);
    }
};

// Converts what fills whole vectors, if the instruction set can do that itself, and returns how many that were.
template <class Format>
NNDL_INLINE ptrdiff_t widen_vectors(const uint16_t*, ptrdiff_t, float*) {
    return 0;
}
template <class Format>
NNDL_INLINE ptrdiff_t narrow_vectors(const float*, ptrdiff_t, uint16_t*) {
    return 0;
}
#if defined(__AVX512F__)
template <>
inline ptrdiff_t widen_vectors<Float16>(const uint16_t* from, ptrdiff_t n, float* to) {
    ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(to + i, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i))));
    return i;
}
template <>
inline ptrdiff_t narrow_vectors<Float16>(const float* from, ptrdiff_t n, uint16_t* to) {
    ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i),
                            _mm512_cvtps_ph(_mm512_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    return i;
}
#endif

template <class Format>
NNDL_INLINE void widen(const uint16_t* from, ptrdiff_t stride, ptrdiff_t n, float* to) {
    if (stride == 1)
        for (ptrdiff_t i = widen_vectors<Format>(from, n, to); i < n; ++i) to[i] = Format::widen(from[i]);
    else
        for (ptrdiff_t i = 0; i < n; ++i) to[i] = Format::widen(from[i * stride]);
}
template <class Format>
NNDL_INLINE void narrow(const float* from, ptrdiff_t n, uint16_t* to, ptrdiff_t stride) {
    if (stride == 1)
        for (ptrdiff_t i = narrow_vectors<Format>(from, n, to); i < n; ++i) to[i] = Format::narrow(from[i]);
    else
        for (ptrdiff_t i = 0; i < n; ++i) to[i * stride] = Format::narrow(from[i]);
}

}  // namespace

namespace NNDL_ISA {
void widen_float16(const uint16_t* from, ptrdiff_t stride, ptrdiff_t n, float* to) {
    widen<Float16>(from, stride, n, to);
}
void widen_bfloat16(const uint16_t* from, ptrdiff_t stride, ptrdiff_t n, float* to) {
    widen<BFloat16>(from, stride, n, to);
}
void narrow_float16(const float* from, ptrdiff_t n, uint16_t* to, ptrdiff_t stride) {
    narrow<Float16>(from, n, to, stride);
}
void narrow_bfloat16(const float* from, ptrdiff_t n, uint16_t* to, ptrdiff_t stride) {
    narrow<BFloat16>(from, n, to, stride);
}
}  // namespace NNDL_ISA

}  // namespace nndl_fast
