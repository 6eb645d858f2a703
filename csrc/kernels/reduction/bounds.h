// What a reduction has in common with whoever divides a row among threads.
#pragma once
#include <stddef.h>

namespace nndl_fast {

// The number of classes in a segment, which is added up by itself; threads share out a row by whole segments.
template <class E>
constexpr ptrdiff_t segment_classes = 64 * 8 * (64 / sizeof(E));

// How far a row's maximum, times c, may be from where it was expected, and how large either may be:
// within these bounds the expected one gives the bits that the maximum itself would have given.
constexpr float window = 10, far_away = 0x1p11f;
template <class E>
static inline bool is_usable(E expected, E maximum, E c) {
    const E e = expected * c, m = maximum * c;
    return expected == maximum ||
           (__builtin_fabs(m - e) <= window && __builtin_fabs(m) <= far_away && __builtin_fabs(e) <= far_away);
}

}  // namespace nndl_fast
