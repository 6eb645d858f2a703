// The two ways in which a kernel meets its rows, under one interface, so that each operation is
// written once:
//
//   Across  one row; a vector holds classes that stand side by side
//   Down    a vector's width of rows; a vector holds one class of each of them
//
// `Each` is the type of what a row has once: one lane in Across, a vector in Down. Both sum in
// the same order, which is a function of the number of classes alone:
//
//   class j belongs to lane j mod size, and to block j / (8 size);
//   in a block, the up to 8 values of a lane meet as ((0 1)(2 3))((4 5)(6 7));
//   with one block, the lanes then meet: the upper half is added to the lower until one is left;
//   with more, each lane adds its blocks one after the other in a Wide, and then the lanes meet.
//
// A value that is absent counts zero. Adding zero changes nothing but the sign of a zero sum, which
// Wide::value settles, so it may be left out.
#pragma once
#include "../simd/scalar.h"
#include "job.h"
#include "wide.h"

namespace nndl_fast {
namespace {

constexpr int block_vectors = 8;

// Where class j of the row or rows in hand stands: data + j * stride.
template <class E>
struct Column {
    E* data;
    ptrdiff_t stride;
};

// One vector's worth of work: class j, or n classes from j on. Whole: n is the vector's size.
template <bool Whole_>
struct Step {
    static constexpr bool whole = Whole_;
    ptrdiff_t j;
    int n;
};

template <class V, int K>
struct Terms {
    V v[K];
    NNDL_INLINE Terms operator+(const Terms& other) const {
        Terms sum;
        for (int k = 0; k < K; ++k) sum.v[k] = v[k] + other.v[k];
        return sum;
    }
};

template <class Each, int K>
struct Sums {
    Wide<Each> of[K];
};

// The tree over the first `count` of 8 values.
template <class V, int K>
NNDL_INLINE Terms<V, K> meet(Terms<V, K>* t, int count) {
    for (int width = 1; width < block_vectors; width *= 2)
        for (int i = 0; i + width < count; i += 2 * width) t[i] = t[i] + t[i + width];
    return t[0];
}

template <class V>
struct Across {
    using Vector = V;
    using E = typename V::Element;
    using Each = decltype(to_lane(E()));
    static constexpr int size = V::size;
    static constexpr int rows = 1, rows_at_most = 1;
    ptrdiff_t classes;

    NNDL_INLINE static V spread(Each x) { return V::all(x.r); }
    NNDL_INLINE static E& at(Column<E> x, ptrdiff_t j, int) { return x.data[j]; }
    NNDL_INLINE static E at(Column<const E> x, ptrdiff_t j, int) { return x.data[j]; }

    template <bool W, class X>
    NNDL_INLINE static V load(Column<X> x, Step<W> s, E fill) {
        return W ? V::load(x.data + s.j) : V::load(x.data + s.j, s.n, fill);
    }
    template <bool W>
    NNDL_INLINE static void store(Column<E> x, Step<W> s, V v) {
        W ? v.store(x.data + s.j) : v.store(x.data + s.j, s.n);
    }
    // what each class has, whatever the row
    template <bool W>
    NNDL_INLINE static V per_class(const E* x, Step<W> s) {
        return W ? V::load(x + s.j) : V::load(x + s.j, s.n, 0);
    }
    // zero in the lanes beyond the last class
    template <bool W>
    NNDL_INLINE static V trim(Step<W> s, V v) {
        return W ? v : select(V::first(s.n), v, V::all(0));
    }

    template <class F>
    NNDL_INLINE void for_each(F f) const {
        ptrdiff_t j = 0;
        for (; j + size <= classes; j += size) f(Step<true>{j, size});
        if (j < classes) f(Step<false>{j, int(classes - j)});
    }

    // NaNs left out
    NNDL_INLINE Each maximum(Column<const E> x) const {
        const E none = -E(__builtin_inf());
        V a = V::all(none), b = a, c = a, d = a;  // so that one does not wait for the other
        ptrdiff_t j = 0;
        for (; j + 4 * size <= classes; j += 4 * size) {
            a = max(V::load(x.data + j), a);
            b = max(V::load(x.data + j + size), b);
            c = max(V::load(x.data + j + 2 * size), c);
            d = max(V::load(x.data + j + 3 * size), d);
        }
        for (; j + size <= classes; j += size) a = max(V::load(x.data + j), a);
        if (j < classes) b = max(V::load(x.data + j, int(classes - j), none), b);
        return {reduce_max(max(max(a, b), max(c, d)))};
    }

    // Hot: whole blocks in one expression, which takes long to compile
    template <int K, bool Hot = false, class F>
    NNDL_INLINE Sums<Each, K> sum(F f) const {
        constexpr ptrdiff_t block = block_vectors * size;
        Sums<Each, K> result;
        Wide<V> lanes[K];
        for (int k = 0; k < K; ++k) {
            lanes[k] = Wide<V>::zero();
            result.of[k] = Wide<Each>::zero();
        }
        ptrdiff_t j = 0;
        for (; Hot && j + block < classes; j += block) {
            const auto term = [&](int i) NNDL_LAMBDA { return f(Step<true>{j + i * size, size}); };
            const Terms<V, K> all = ((term(0) + term(1)) + (term(2) + term(3))) +
                                    ((term(4) + term(5)) + (term(6) + term(7)));
            for (int k = 0; k < K; ++k) lanes[k].add(all.v[k]);
        }
        for (; j < classes; j += block) {
            const Terms<V, K> all = rest_of_block<K>(f, j);
            if (classes <= block)
                for (int k = 0; k < K; ++k) result.of[k] = Wide<Each>::from({reduce_add(all.v[k])});
            else
                for (int k = 0; k < K; ++k) lanes[k].add(all.v[k]);
        }
        if (classes > block)
            for (int k = 0; k < K; ++k) result.of[k] = collapse<Each>(lanes[k]);
        return result;
    }

private:
    template <int K, class F>
    NNDL_INLINE Terms<V, K> rest_of_block(F f, ptrdiff_t j) const {
        Terms<V, K> t[block_vectors];
        int count = 0;
        for (; j + size <= classes && count < block_vectors; j += size) t[count++] = f(Step<true>{j, size});
        if (j < classes && count < block_vectors) t[count++] = f(Step<false>{j, int(classes - j)});
        return meet(t, count);
    }
};

template <class V>
struct Down {
    using Vector = V;
    using E = typename V::Element;
    using Each = V;
    static constexpr int size = V::size, rows_at_most = V::size;
    ptrdiff_t classes;
    int rows;  // 1 to size; the arrays have room for all lanes, those beyond hold anything

    NNDL_INLINE static V spread(Each x) { return x; }
    NNDL_INLINE static E& at(Column<E> x, ptrdiff_t j, int lane) { return x.data[j * x.stride + lane]; }
    NNDL_INLINE static E at(Column<const E> x, ptrdiff_t j, int lane) { return x.data[j * x.stride + lane]; }

    template <class X, class S>
    NNDL_INLINE static V load(Column<X> x, S step, E) {
        return V::load(x.data + step.j * x.stride);
    }
    template <class S>
    NNDL_INLINE static void store(Column<E> x, S step, V v) {
        v.store(x.data + step.j * x.stride);
    }
    template <class S>
    NNDL_INLINE static V per_class(const E* x, S step) {
        return V::all(x[step.j]);
    }
    template <class S>
    NNDL_INLINE static V trim(S, V v) {
        return v;
    }

    template <class F>
    NNDL_INLINE void for_each(F f) const {
        for (ptrdiff_t j = 0; j < classes; ++j) f(Step<true>{j, size});
    }

    NNDL_INLINE Each maximum(Column<const E> x) const {
        V a = V::all(-E(__builtin_inf())), b = a;
        ptrdiff_t j = 0;
        for (; j + 2 <= classes; j += 2) {
            a = max(V::load(x.data + j * x.stride), a);
            b = max(V::load(x.data + (j + 1) * x.stride), b);
        }
        if (j < classes) a = max(V::load(x.data + j * x.stride), a);
        return max(a, b);
    }

    template <int K, bool Hot = false, class F>
    NNDL_INLINE Sums<Each, K> sum(F f) const {
        constexpr ptrdiff_t block = block_vectors * size;
        const int lanes = classes < size ? int(classes) : size;
        Sums<Each, K> result, lane[size];
        Terms<V, K> only[size];
        const bool one_each = Hot && classes <= size;  // a lane has one class: no block to walk
        for (ptrdiff_t j = 0; one_each && j < classes; ++j) only[j] = f(Step<true>{j, size});
        for (int l = 0; classes > block && l < size; ++l)
            for (int k = 0; k < K; ++k) lane[l].of[k] = Wide<Each>::zero();
        for (ptrdiff_t j = 0; !one_each && j < classes; j += block)
            for (int l = 0; l < lanes && j + l < classes; ++l) {
                const Terms<V, K> t = lane_of_block<K>(f, j, l);
                if (classes <= block)
                    only[l] = t;
                else
                    for (int k = 0; k < K; ++k) lane[l].of[k].add(t.v[k]);
            }
        if (classes <= block) {
            for (int half = size / 2; half; half /= 2)
                for (int l = 0; l + half < lanes && l < half; ++l) only[l] = only[l] + only[l + half];
            for (int k = 0; k < K; ++k) result.of[k] = Wide<Each>::from(only[0].v[k]);
            return result;
        }
        for (int half = size / 2; half; half /= 2)
            for (int l = 0; l < half; ++l)
                for (int k = 0; k < K; ++k) lane[l].of[k].add(lane[l + half].of[k]);
        return lane[0];
    }

private:
    template <int K, class F>
    NNDL_INLINE Terms<V, K> lane_of_block(F f, ptrdiff_t j, int lane) const {
        Terms<V, K> t[block_vectors];
        int count = 0;
        for (ptrdiff_t i = j + lane; i < classes && count < block_vectors; i += size) t[count++] = f(Step<true>{i, size});
        return meet(t, count);
    }
};

}  // namespace
}  // namespace nndl_fast
