// The two ways in which a kernel meets its rows, under one interface, so that each operation is
// written once:
//
//   RowLayout     one row; a vector holds classes that stand side by side
//   ColumnLayout  a vector's width of rows; a vector holds one class of each of them
//
// `PerRow` is the type of what a row has once: one lane in RowLayout, a vector in ColumnLayout. Both sum in
// the same order, which is a function of the number of classes alone: up to few_classes, where
// only ColumnLayout is used, one class after the other; beyond, class j belongs to lane j mod size, each
// lane adds its classes one after the other, and then the lanes meet: the upper half is added to
// the lower until one is left. Exponentials of more classes than few are added by blocks and segments of these lanes;
// see reduction/exponentials.h.
//
// A value that is absent counts zero. Adding zero changes nothing but the sign of a zero sum, which
// Wide::value settles, so it may be left out.
//
// Every .cpp of operations/ includes this header first. CMake compiles each file of csrc/kernels/operations/ once per
// instruction set and type (half.cpp, which has no type of vectors, once per instruction set). NNDL_ISA is the name of
// the set, NNDL_SIMD its header, and NNDL_VECTOR the type of its vectors: F32x16 or F64x8.
//
// A kernel is exported in the namespace that has the name of its instruction set. Everything else in such a file
// stands in an anonymous namespace: of an inline function that is compiled for AVX-512 and for the baseline, the
// linker could keep the copy for AVX-512, for everyone (tests/core/test_core.py reads the symbols).
#pragma once
#include NNDL_SIMD
#include "../simd/vectors.h"
#include "kernels.h"

#define NNDL_EXPORT(result, kernel, JobOf)                                                                  \
    namespace NNDL_ISA {                                                                                    \
    result kernel(const JobOf<NNDL_VECTOR::Element>& job) { return ::nndl_fast::kernel<NNDL_VECTOR>(job); } \
    }

// A kernel of rows, from its operation; see kernels/traversal/drive.h.
#define NNDL_EXPORT_ROWS(kernel, Operation)                                                                \
    namespace NNDL_ISA {                                                                                   \
    void kernel(const Job<NNDL_VECTOR::Element>& job) { ::nndl_fast::drive<Operation, NNDL_VECTOR>(job); } \
    }

namespace nndl_fast {
namespace {

// Sums that carry more than the type that they add: float32 into float64, float64 into a pair.

template <class V>
NNDL_INLINE auto to_double(V x, float) -> decltype(widen(x)) {
    return widen(x);
}
template <class V>
NNDL_INLINE V to_double(V x, double) {
    return x;
}
// x as float64 lanes, whichever its own are
template <class V>
NNDL_INLINE auto to_double(V x) -> decltype(to_double(x, typename V::Element())) {
    return to_double(x, typename V::Element());
}
template <class V>
using Double = decltype(to_double(V()));

template <class V, class D>
NNDL_INLINE V from_double(D x, float) {
    return narrow(x);
}
template <class V, class D>
NNDL_INLINE V from_double(D x, double) {
    return x;
}
template <class V, class D>
NNDL_INLINE V from_double(D x) {
    return from_double<V>(x, typename V::Element());
}

// A number as the sum of two V, the second at most half a unit of the first.
template <class V>
struct Split {
    V high, low;
};
// x + y as a Split, exactly if x is 0 or |x| >= |y|.
template <class V>
NNDL_INLINE Split<V> split(V x, V y) {
    const V high = x + y;
    return {high, y - (high - x)};
}

template <class V, class E = typename V::Element>
struct Wide;

template <class V>
struct Wide<V, float> {
    Double<V> sum;

    NNDL_INLINE static Wide zero() { return {Double<V>::all(0)}; }
    NNDL_INLINE void add(V x) { sum = sum + widen(x); }
    NNDL_INLINE void add(Wide x) { sum = sum + x.sum; }
    // + 0: a sum of nothing but -0 is 0, however many zeros were left out of it
    NNDL_INLINE Double<V> value() const { return sum + Double<V>::all(0); }
    NNDL_INLINE Split<V> parts() const {
        const V high = narrow(sum);
        return {high, narrow(sum - widen(high))};
    }
};

template <class V>
struct Wide<V, double> {
    V sum, lost;  // what rounding took from the sum

    NNDL_INLINE static Wide zero() { return {V::all(0), V::all(0)}; }
    NNDL_INLINE void add(V x) {
        const V total = sum + x, from_x = total - sum;
        lost = lost + ((sum - (total - from_x)) + (x - from_x));
        sum = total;
    }
    NNDL_INLINE void add(Wide x) {
        add(x.sum);
        lost = lost + x.lost;
    }
    // what an infinite sum has lost is no number
    NNDL_INLINE V value() const { return select(is_nan(lost), sum, sum + lost); }
    NNDL_INLINE Split<V> parts() const { return split(sum, lost); }
};

// To and from two numbers.
NNDL_INLINE void store(Wide<F32x1> x, double* to) {
    to[0] = x.sum.r;
    to[1] = 0;
}
NNDL_INLINE void store(Wide<F64x1> x, double* to) {
    to[0] = x.sum.r;
    to[1] = x.lost.r;
}
NNDL_INLINE Wide<F32x1> load_wide(const double* from, float) { return {{from[0]}}; }
NNDL_INLINE Wide<F64x1> load_wide(const double* from, double) { return {{from[0]}, {from[1]}}; }

// The lanes of a sum, the upper half added to the lower until one is left.
template <class PerRow, class V>
NNDL_INLINE Wide<PerRow> collapse(Wide<V, float> x) {
    return {{reduce_add(x.sum)}};
}
template <class PerRow, class V>
NNDL_INLINE Wide<PerRow> collapse(Wide<V, double> x) {
    double sum[V::size], lost[V::size];
    x.sum.store(sum);
    x.lost.store(lost);
    Wide<PerRow> lane[V::size];
    for (int i = 0; i < V::size; ++i) lane[i] = {{sum[i]}, {lost[i]}};
    for (int half = V::size / 2; half; half /= 2)
        for (int i = 0; i < half; ++i) lane[i].add(lane[i + half]);
    return lane[0];
}

// Where class j of the row or rows in hand stands: data + j * stride.
template <class E>
struct Strided {
    E* data;
    ptrdiff_t stride;
};

template <class E>
NNDL_INLINE E& element(MatrixView<E> x, ptrdiff_t row, ptrdiff_t j) {
    return x.data[row * x.row + j * x.cls];
}

// One vector's worth of work: class j, or n classes from j on. Whole: n is the vector's size.
template <bool Whole_>
struct Chunk {
    static constexpr bool whole = Whole_;
    ptrdiff_t j;
    int n;
};

// How the values of rows are stored: the fast path; with a correction, if one class has nearly all of the
// sum; or the general path. Each path is also right for the rows of those before it.
enum class StorePath { fast, corrected, general };
template <StorePath Path_>
struct StorePathTag {
    static constexpr StorePath path = Path_;
};
// `slowest` is the last of them that an operation has, so that no others are compiled for it.
template <StorePath slowest, class F>
NNDL_INLINE void with_store_path(StorePath path, F f) {
    constexpr StorePath corrected = slowest < StorePath::corrected ? slowest : StorePath::corrected;
    if (slowest == StorePath::fast || path == StorePath::fast) f(StorePathTag<StorePath::fast>());
    else if (slowest == StorePath::corrected || path == StorePath::corrected) f(StorePathTag<corrected>());
    else f(StorePathTag<slowest>());
}

template <class V, int K>
struct Terms {
    V v[K];
};

template <class PerRow, int K>
struct Sums {
    Wide<PerRow> of[K];
};

template <class V>
struct RowLayout {
    using Vector = V;
    using E = typename V::Element;
    using PerRow = decltype(to_lane(E()));
    static constexpr int size = V::size;
    static constexpr int count = 1, max_count = 1;
    ptrdiff_t classes;

    NNDL_INLINE static V spread(PerRow x) { return V::all(x.r); }

    template <bool Whole, class X>
    NNDL_INLINE static V load(Strided<X> x, Chunk<Whole> s, E fill) {
        return Whole ? V::load(x.data + s.j) : V::load(x.data + s.j, s.n, fill);
    }
    template <bool Whole>
    NNDL_INLINE static void store(Strided<E> x, Chunk<Whole> s, V v) {
        Whole ? v.store(x.data + s.j) : v.store(x.data + s.j, s.n);
    }
    // what each class has, whatever the row
    template <bool Whole>
    NNDL_INLINE static V per_class(const E* x, Chunk<Whole> s) {
        return Whole ? V::load(x + s.j) : V::load(x + s.j, s.n, 0);
    }
    // zero in the lanes beyond the last class
    template <bool Whole>
    NNDL_INLINE static V trim(Chunk<Whole> s, V v) {
        return Whole ? v : select(V::first(s.n), v, V::all(0));
    }

    template <class F>
    NNDL_INLINE void for_each(F f) const {
        for_each(0, classes, f);
    }
    template <class F>
    NNDL_INLINE static void for_each(ptrdiff_t first, ptrdiff_t last, F f) {
        ptrdiff_t j = first;
        for (; j + size <= last; j += size) f(Chunk<true>{j, size});
        if (j < last) f(Chunk<false>{j, int(last - j)});
    }

    // NaNs left out
    NNDL_INLINE PerRow maximum(Strided<const E> x) const { return {reduce_max(lane_maxima(x, 0, classes))}; }
    NNDL_INLINE static V lane_maxima(Strided<const E> x, ptrdiff_t first, ptrdiff_t last) {
        const E none = -E(__builtin_inf());
        V a = V::all(none), b = a;  // so that one does not wait for the other
        ptrdiff_t j = first;
        for (; j + 2 * size <= last; j += 2 * size) {
            a = max(V::load(x.data + j), a);
            b = max(V::load(x.data + j + size), b);
        }
        if (j + size <= last) {
            a = max(V::load(x.data + j), a);
            j += size;
        }
        if (j < last) b = max(V::load(x.data + j, int(last - j), none), b);
        return max(a, b);
    }

    template <int K, class F>
    NNDL_INLINE Sums<PerRow, K> sum(F f) const {
        Wide<V> lanes[K];
        for (int k = 0; k < K; ++k) lanes[k] = Wide<V>::zero();
        for_each([&](auto chunk) NNDL_LAMBDA {
            const Terms<V, K> t = f(chunk);
            for (int k = 0; k < K; ++k) lanes[k].add(t.v[k]);
        });
        Sums<PerRow, K> result;
        for (int k = 0; k < K; ++k) result.of[k] = collapse<PerRow>(lanes[k]);
        return result;
    }

    // The sum of one vector f(chunk) of each chunk.
    template <class F>
    NNDL_INLINE Wide<PerRow> sum_one(const F& f) const {
        return sum<1>([&](auto chunk) NNDL_LAMBDA { return Terms<V, 1>{{f(chunk)}}; }).of[0];
    }
};

template <class V>
struct ColumnLayout {
    using Vector = V;
    using E = typename V::Element;
    using PerRow = V;
    static constexpr int size = V::size, max_count = V::size;
    ptrdiff_t classes;
    int count;                  // 1 to size; the arrays have room for all lanes, those beyond hold anything
    const E* maxima = nullptr;  // of z, if they are known

    NNDL_INLINE static V spread(PerRow x) { return x; }

    template <bool Whole, class X>
    NNDL_INLINE static V load(Strided<X> x, Chunk<Whole> s, E) {
        return V::load(x.data + s.j * x.stride);
    }
    template <bool Whole>
    NNDL_INLINE static void store(Strided<E> x, Chunk<Whole> s, V v) {
        v.store(x.data + s.j * x.stride);
    }
    template <bool Whole>
    NNDL_INLINE static V per_class(const E* x, Chunk<Whole> s) {
        return V::all(x[s.j]);
    }
    template <bool Whole>
    NNDL_INLINE static V trim(Chunk<Whole>, V v) {
        return v;
    }

    template <class F>
    NNDL_INLINE void for_each(F f) const {
        for (ptrdiff_t j = 0; j < classes; ++j) f(Chunk<true>{j, size});
    }

    // of z, NaNs left out
    NNDL_INLINE PerRow maximum(Strided<const E> x) const {
        if (maxima) return V::load(maxima);
        V a = V::all(-E(__builtin_inf())), b = a;
        ptrdiff_t j = 0;
        for (; j + 2 <= classes; j += 2) {
            a = max(V::load(x.data + j * x.stride), a);
            b = max(V::load(x.data + (j + 1) * x.stride), b);
        }
        if (j < classes) a = max(V::load(x.data + j * x.stride), a);
        return max(a, b);
    }

    template <int K, class F>
    NNDL_INLINE Sums<PerRow, K> sum(F f) const {
        Sums<PerRow, K> lane[size];
        const int lanes = classes <= few_classes ? 1 : size;
        for (int l = 0; l < lanes; ++l)
            for (int k = 0; k < K; ++k) lane[l].of[k] = Wide<V>::zero();
        for (ptrdiff_t j = 0; j < classes; ++j) {
            const Terms<V, K> t = f(Chunk<true>{j, size});
            for (int k = 0; k < K; ++k) lane[j & (lanes - 1)].of[k].add(t.v[k]);
        }
        for (int half = lanes / 2; half; half /= 2)
            for (int l = 0; l < half; ++l)
                for (int k = 0; k < K; ++k) lane[l].of[k].add(lane[l + half].of[k]);
        return lane[0];
    }

    // The sum of one vector f(chunk) of each chunk.
    template <class F>
    NNDL_INLINE Wide<PerRow> sum_one(const F& f) const {
        return sum<1>([&](auto chunk) NNDL_LAMBDA { return Terms<V, 1>{{f(chunk)}}; }).of[0];
    }
};

// An operation on single elements, vector by vector.
template <class V, class E = typename V::Element, class F>
NNDL_INLINE double map(const MapJob<E>& job, F f) {
    const RowLayout<V> line{job.n};
    line.for_each([&](auto chunk) NNDL_LAMBDA {
        line.store(Strided<E>{job.out, 1}, chunk, f(line.load(Strided<const E>{job.z, 1}, chunk, E(0))));
    });
    return 0;
}

}  // namespace
}  // namespace nndl_fast
