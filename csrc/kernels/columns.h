// Columns of so many classes that no panel of them fits into a cache. The array is taken class after class, as
// it lies in memory, some tiles side by side: a shift that needs no maximum comes from the first classes, and the
// exponentials go to the result while the sums of all lanes of these tiles stay in the first cache. Where that
// shift turns out to be too far from the maxima, all is done again with them.
#pragma once
#include "exponentials.h"

namespace nndl_fast {
namespace {

// Up to tiles_together of them, side by side and all of them full.
template <class V>
class ColumnSums {
    using E = typename V::Element;
    static constexpr int size = V::size;
    static constexpr ptrdiff_t block = block_vectors * size, segment = segment_classes<E>;

public:
    static constexpr ptrdiff_t ahead = 8;  // classes

    // Class j of so many tiles into the cache: the next class may stand a page away, where no machine looks for it.
    template <class X>
    static NNDL_INLINE void fetch(Column<X> x, ptrdiff_t j, ptrdiff_t classes, int tiles) {
        if (j < 0 || j >= classes) return;
        for (int t = 0; t < tiles; ++t) __builtin_prefetch(x.data + j * x.stride + t * size);
    }

    // Exponentials go to `keep`, where there is one; it is not z.
    NNDL_INLINE ColumnSums(Column<const E> z, Column<E> keep, ptrdiff_t classes, int tiles, E c)
        : z_(z), keep_(keep), classes_(classes), tiles_(tiles), c_(c) {}

    NNDL_KERNEL void run(Summed<V>* summed) {
        find_tops(0, classes_ < block ? classes_ : block);
        for (int t = 0; t < tiles_; ++t) {
            summed[t].near = V::all(-E(__builtin_inf()));
            for (int l = 0; l < lanes_; ++l) summed[t].near = max(top_[l][t], summed[t].near);
        }
        add_up(summed);
        if (!serve(summed)) {
            for (int t = 0; t < tiles_; ++t) summed[t].near = summed[t].maximum;
            add_up(summed);
        }
    }

private:
    const Column<const E> z_;
    const Column<E> keep_;
    const ptrdiff_t classes_;
    const int tiles_;
    const E c_;
    int lanes_ = 0;  // of the block in hand
    V top_[size][tiles_together], sum_[size][tiles_together], rest_[size][tiles_together];
    Wide<V> lane_[size][tiles_together];

    NNDL_INLINE V load(ptrdiff_t j, int t) const { return V::load(z_.data + j * z_.stride + t * size); }

    // Of each lane's classes from `first` to `last` the largest; a NaN that comes first stays, as in add_up_many.
    NNDL_INLINE void find_tops(ptrdiff_t first, ptrdiff_t last) {
        lanes_ = last - first < size ? int(last - first) : size;
        for (ptrdiff_t j = first; j < last; ++j) {
            V* const top = top_[(j - first) % size];
            const bool begins = j < first + size;
            fetch(z_, j + ahead, classes_, tiles_);
            for (int t = 0; t < tiles_; ++t) top[t] = begins ? load(j, t) : max(load(j, t), top[t]);
        }
    }
    NNDL_INLINE bool serve(const Summed<V>* summed) const {
        E near[size], maximum[size];
        bool all = true;
        for (int t = 0; t < tiles_; ++t) {
            summed[t].near.store(near);
            summed[t].maximum.store(maximum);
            for (int lane = 0; lane < size; ++lane) all = all && serves(near[lane], maximum[lane], c_);
        }
        return all;
    }
    NNDL_INLINE void add_up(Summed<V>* summed) {
        bool plain = true;
        for (int t = 0; t < tiles_; ++t) plain = plain && Anchor<V>(summed[t].near, c_).plain;
        plain ? add_up_in<true>(summed) : add_up_in<false>(summed);
    }

    // In the order of add_up_many (exponentials.h).
    template <bool Plain>
    NNDL_KERNEL void add_up_in(Summed<V>* summed) {
        Exponentials<Down<V>, Plain> exp[tiles_together];
        Wide<V> total[tiles_together];
        for (int t = 0; t < tiles_; ++t) {
            exp[t] = Exponentials<Down<V>, Plain>(Anchor<V>(summed[t].near, c_));
            summed[t].maximum = V::all(-E(__builtin_inf()));
            total[t] = Wide<V>::zero();
        }
        for (ptrdiff_t start = 0; start < classes_; start += segment) {
            for (int l = 0; l < size; ++l)
                for (int t = 0; t < tiles_; ++t) {
                    lane_[l][t] = Wide<V>::zero();
                    rest_[l][t] = V::all(0);
                }
            for (ptrdiff_t first = start; first < classes_ && first < start + segment; first += block) {
                const ptrdiff_t last = classes_ - first < block ? classes_ : first + block;
                find_tops(first, last);
                for (int l = 0; l < lanes_; ++l)
                    for (int t = 0; t < tiles_; ++t) {
                        summed[t].maximum = max(top_[l][t], summed[t].maximum);
                        sum_[l][t] = top_[l][t] = exp[t].grid(top_[l][t]);
                    }
                for (ptrdiff_t j = first; j < last; ++j) {
                    const ptrdiff_t l = (j - first) % size;
                    if (keep_.data) fetch(keep_, j + ahead, classes_, tiles_);
                    for (int t = 0; t < tiles_; ++t) {
                        const Exponential<V> e = exp[t].of(load(j, t));
                        const V value = e.value();
                        if (keep_.data) value.store(keep_.data + j * keep_.stride + t * size);
                        GridSum<V> sum(sum_[l][t], rest_[l][t]);
                        sum.add(e, value);
                        sum_[l][t] = sum.sum;
                    }
                }
                for (int l = 0; l < lanes_; ++l)
                    for (int t = 0; t < tiles_; ++t) lane_[l][t].add(sum_[l][t] - top_[l][t]);
            }
            for (int l = 0; l < size; ++l)
                for (int t = 0; t < tiles_; ++t) lane_[l][t].add(rest_[l][t]);
            for (int half = size / 2; half; half /= 2)
                for (int l = 0; l < half; ++l)
                    for (int t = 0; t < tiles_; ++t) lane_[l][t].add(lane_[l + half][t]);
            for (int t = 0; t < tiles_; ++t) total[t].add(lane_[0][t]);
        }
        for (int t = 0; t < tiles_; ++t) summed[t].sum = total[t].parts();
    }
};

}  // namespace
}  // namespace nndl_fast
