// Columns of so many classes that no panel of them fits into a cache. The array is read class after class, as it lies
// in memory: a block of classes of some tiles that stand side by side is copied, and worked at in the copy while the
// next block is copied. A shift that needs no maximum comes from the first block; where that turns out to be too far
// from the maxima, the sums are done again with them. Then the exponentials are computed a second time, to be stored:
// that takes less than to write them to memory and to read them again.
#pragma once
#include "exponentials.h"

namespace nndl_fast {
namespace {

// Some columns side by side: tiles, of which the last may be partly filled.
template <class V, class X>
struct Strip {
    using E = typename V::Element;
    static constexpr int size = V::size;
    // So many classes at a time: their lines stay in the first cache also where all fall on one place of it.
    static constexpr ptrdiff_t few = 8;
    X* data = nullptr;  // the first class
    ptrdiff_t cls = 0, classes = 0;
    int rows = 0;

    NNDL_INLINE int tiles() const { return (rows + size - 1) / size; }
    NNDL_INLINE int rows_of(int tile) const {
        const int left = rows - tile * size;
        return left < size ? left : size;
    }
    // Some of the classes.
    NNDL_INLINE Strip part(ptrdiff_t first, ptrdiff_t last) const { return {data + first * cls, cls, last - first, rows}; }
    NNDL_INLINE X* at(ptrdiff_t j, int tile) const { return data + j * cls + tile * size; }
    // Lanes without a column have a 1 among zeros: equal logits would be work (row.h).
    NNDL_INLINE V load_part(ptrdiff_t j, int tile) const { return V::load(at(j, tile), rows_of(tile), E(j == 0)); }

    template <int Tiles, bool Whole>
    struct Some {
        static constexpr int tiles = Tiles;
        static constexpr bool whole = Whole;
    };
    // f(first class, last, tile, Some) for these classes of each tile: of so many tiles together as the compiler
    // knows, which are whole, or of the one that is not.
    template <class F>
    NNDL_INLINE void for_each(ptrdiff_t first, ptrdiff_t last, F f) const {
        const int whole = rows / size;
        int t = 0;
        for (; t + 8 <= whole; t += 8) f(first, last, t, Some<8, true>());
        if (t + 4 <= whole) {
            f(first, last, t, Some<4, true>());
            t += 4;
        }
        for (; t < whole; ++t) f(first, last, t, Some<1, true>());
        if (t < tiles()) f(first, last, t, Some<1, false>());
    }
    template <class F>
    NNDL_INLINE void for_each_up(ptrdiff_t first, ptrdiff_t last, F f) const {
        for (ptrdiff_t end; first < last; first = end) {
            end = last - first < few ? last : first + few;
            for_each(first, end, f);
        }
    }
    template <class F>
    NNDL_INLINE void for_each_down(F f) const {
        for (ptrdiff_t last = classes; last > 0; last -= few) for_each(last < few ? 0 : last - few, last, f);
    }
    // How far from the classes `first` to `last` that stands which is wanted in cache by and by, after them or before
    // them: no machine looks for a class that stands a page away. 0 where there is none.
    NNDL_INLINE ptrdiff_t ahead(ptrdiff_t first, ptrdiff_t last, int direction) const {
        const ptrdiff_t by = direction * 64 / tiles();  // lines
        return first + by >= 0 && last + by <= classes ? by * cls : 0;
    }
};

// The sums of a strip's columns, of up to tiles_together tiles. `copies` has strip_elements() for two blocks.
template <class V>
class StripSums {
    using E = typename V::Element;
    using Z = Strip<V, const E>;
    static constexpr int size = V::size;
    static constexpr ptrdiff_t block = LaneSums<V>::block, segment = segment_classes<E>, tile_elements = block * size;
    static_assert(2 * tiles_together * tile_elements == strip_elements<E>, "");

public:
    NNDL_INLINE StripSums(const Z& z, E c, E* copies) : z_(z), c_(c), copies_(copies) {}

    NNDL_KERNEL void run(Summed<V>* summed) {
        copy_first_block();
        const Down<V> first_block{end_of_block(0), size};
        for (int t = 0; t < z_.tiles(); ++t)
            summed[t].near = first_block.maximum(Column<const E>{copies_ + t * tile_elements, size});
        add_up(summed);
        if (!serve(summed)) {
            for (int t = 0; t < z_.tiles(); ++t) summed[t].near = summed[t].maximum;
            run_near(summed);
        }
        for (int t = 0; t < z_.tiles(); ++t) summed[t].sum = total(t).parts();
    }
    // Adds up and finds the maxima, where these are expected near summed[].near.
    NNDL_KERNEL void run_near(Summed<V>* summed) {
        copy_first_block();
        add_up(summed);
    }
    NNDL_INLINE Wide<V> total(int tile) const { return sums_[tile].total(); }

private:
    const Z z_;
    const E c_;
    E* const copies_;
    LaneSums<V> sums_[tiles_together];

    NNDL_INLINE ptrdiff_t end_of_block(ptrdiff_t first) const { return z_.classes - first < block ? z_.classes : first + block; }

    NNDL_INLINE void copy_first_block() const { copy(copies_, 0, 0, end_of_block(0)); }
    // Some classes of the block that begins at `start`: each tile's go to its own place, one after the other.
    NNDL_KERNEL void copy(E* block_of, ptrdiff_t start, ptrdiff_t first, ptrdiff_t last) const {
        const Z z = z_;
        z.for_each_up(first, last, [&](ptrdiff_t j, ptrdiff_t end, int t, auto some) NNDL_LAMBDA {
            const E* from = z.at(j, t);
            E* to = block_of + t * tile_elements + (j - start) * size;
            const ptrdiff_t ahead = z.ahead(j, end, 1);
            for (; j < end; ++j, from += z.cls, to += size)
                for (int i = 0; i < some.tiles; ++i) {
                    __builtin_prefetch(from + ahead + i * size);
                    (some.whole ? V::load(from + i * size) : z.load_part(j, t)).store(to + i * tile_elements);
                }
        });
    }
    NNDL_INLINE bool serve(const Summed<V>* summed) const {
        E near[size], maximum[size];
        bool all = true;
        for (int t = 0; t < z_.tiles(); ++t) {
            summed[t].near.store(near);
            summed[t].maximum.store(maximum);
            for (int lane = 0; lane < size; ++lane) all = all && serves(near[lane], maximum[lane], c_);
        }
        return all;
    }
    NNDL_INLINE void add_up(Summed<V>* summed) {
        bool plain = true;
        for (int t = 0; t < z_.tiles(); ++t) plain = plain && Anchor<V>(summed[t].near, c_).plain;
        plain ? add_up_in<true>(summed) : add_up_in<false>(summed);
    }
    // The first block has been copied.
    template <bool Plain>
    NNDL_KERNEL void add_up_in(Summed<V>* summed) {
        const int tiles = z_.tiles();
        const ptrdiff_t lanes = tiles * size, each = (block + lanes - 1) / lanes;  // classes copied with each lane
        Exponentials<Down<V>, Plain> exp[tiles_together];
        for (int t = 0; t < tiles; ++t) {
            exp[t] = Exponentials<Down<V>, Plain>(Anchor<V>(summed[t].near, c_));
            summed[t].maximum = V::all(-E(__builtin_inf()));
            sums_[t].begin();
        }
        E *now = copies_, *next = copies_ + tiles_together * tile_elements;
        for (ptrdiff_t first = 0; first < z_.classes; first += block) {
            const ptrdiff_t last = end_of_block(first), next_last = end_of_block(last);
            ptrdiff_t copied = last;
            const auto copy_more = [&](ptrdiff_t by) NNDL_LAMBDA {
                const ptrdiff_t end = next_last - copied < by ? next_last : copied + by;
                if (copied < end) copy(next, last, copied, end);
                copied = end;
            };
            if (first % segment == 0)
                for (int t = 0; t < tiles; ++t) sums_[t].begin_segment();
            for (int t = 0; t < tiles; ++t)
                sums_[t].add_block(exp[t], Column<const E>{now + t * tile_elements, size}, last - first, Column<E>{nullptr, 0},
                                   summed[t].maximum, [&]() NNDL_LAMBDA { copy_more(each); });
            copy_more(block);
            if (last == z_.classes || last % segment == 0)
                for (int t = 0; t < tiles; ++t) sums_[t].end_segment();
            E* const free = now;
            now = next;
            next = free;
        }
    }
};

}  // namespace
}  // namespace nndl_fast
