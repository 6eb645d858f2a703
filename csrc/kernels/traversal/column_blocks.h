// Columns of so many classes that no panel of them fits into a cache. The array is read class after class, as it lies
// in memory: a block of classes of some tiles that stand side by side is copied, and worked at in the copy while the
// next block is copied. A shift that needs no maximum comes from the first block; if that turns out to be too far
// from the maxima, the sums are done again with them. Then the exponentials are computed a second time, to be stored:
// that takes less than to write them to memory and to read them again.
#pragma once
#include "../reduction/row_sum.h"

namespace nndl_fast {
namespace {

// Some columns side by side: tiles, of which the last may be partly filled.
template <class V, class X>
struct Strip {
    using E = typename V::Element;
    static constexpr int size = V::size;
    // The number of classes that are handled at a time. Their lines stay in the first cache even if all of them fall on
    // one set of it.
    static constexpr ptrdiff_t classes_at_once = 8;
    X* data = nullptr;  // the first class
    ptrdiff_t cls = 0, classes = 0;
    int rows = 0;

    NNDL_INLINE int tiles() const { return (rows + size - 1) / size; }
    NNDL_INLINE int rows_of(int tile) const {
        const int left = rows - tile * size;
        return left < size ? left : size;
    }
    // Some of the classes.
    NNDL_INLINE Strip part(ptrdiff_t first, ptrdiff_t last) const {
        return {data + first * cls, cls, last - first, rows};
    }
    NNDL_INLINE X* at(ptrdiff_t j, int tile) const { return data + j * cls + tile * size; }
    // A lane without a column has a 1 in its first class and zeros in the others, since equal logits take a longer way
    // (row_sum.h).
    NNDL_INLINE V load_part(ptrdiff_t j, int tile) const { return V::load(at(j, tile), rows_of(tile), E(j == 0)); }

    template <int Tiles, bool Whole>
    struct TilesTogether {
        static constexpr int tiles = Tiles;
        static constexpr bool whole = Whole;
    };
    // Calls f(first class, last class, tile, TilesTogether) for groups of 8, 4 or 1 whole tiles, a number that the
    // compiler then knows, and then for the tile that is partly filled.
    template <class F>
    NNDL_INLINE void for_each(ptrdiff_t first, ptrdiff_t last, F f) const {
        const int whole = rows / size;
        int t = 0;
        for (; t + 8 <= whole; t += 8) f(first, last, t, TilesTogether<8, true>());
        if (t + 4 <= whole) {
            f(first, last, t, TilesTogether<4, true>());
            t += 4;
        }
        for (; t < whole; ++t) f(first, last, t, TilesTogether<1, true>());
        if (t < tiles()) f(first, last, t, TilesTogether<1, false>());
    }
    template <class F>
    NNDL_INLINE void for_each_up(ptrdiff_t first, ptrdiff_t last, F f) const {
        for (ptrdiff_t end; first < last; first = end) {
            end = last - first < classes_at_once ? last : first + classes_at_once;
            for_each(first, end, f);
        }
    }
    template <class F>
    NNDL_INLINE void for_each_down(F f) const {
        for (ptrdiff_t last = classes; last > 0; last -= classes_at_once)
            for_each(last < classes_at_once ? 0 : last - classes_at_once, last, f);
    }
    // The distance to the classes that are prefetched while the classes `first` to `last` are handled, in the direction
    // of the walk; 0 if there are none. The machine's own prefetching does not cross pages.
    NNDL_INLINE ptrdiff_t ahead(ptrdiff_t first, ptrdiff_t last, int direction) const {
        const ptrdiff_t by = direction * 64 / tiles();  // lines
        return first + by >= 0 && last + by <= classes ? by * cls : 0;
    }
};

// Whether none of these tiles needs the general exponentials.
template <class V>
NNDL_INLINE bool all_direct(const Summed<V>* summed, int tiles, typename V::Element c) {
    bool direct = true;
    for (int t = 0; t < tiles; ++t) direct = direct && Shift<V>(summed[t].near, c).direct;
    return direct;
}

// The sums of the columns of a strip of up to tiles_together tiles. `copies` has room for strip_elements<E>, which are
// two blocks.
template <class V>
class StripSums {
    using E = typename V::Element;
    using Z = Strip<V, const E>;
    static constexpr int size = V::size;
    static constexpr ptrdiff_t block = LaneSums<V>::block, segment = segment_classes<E>, tile_elements = block * size;
    static_assert(2 * tiles_together * tile_elements == strip_elements<E>, "");

public:
    NNDL_INLINE StripSums(const Z& z, E c, E* copies) : z_(z), c_(c), copies_(copies) {}

    NNDL_NOINLINE void run(Summed<V>* summed) {
        copy_first_block();
        const ColumnLayout<V> first_block{end_of_block(0), size};
        for (int t = 0; t < z_.tiles(); ++t)
            summed[t].near = first_block.maximum(Strided<const E>{copies_ + t * tile_elements, size});
        add_up(summed);
        if (!serve(summed)) {
            for (int t = 0; t < z_.tiles(); ++t) summed[t].near = summed[t].maximum;
            run_near(summed);
        }
        for (int t = 0; t < z_.tiles(); ++t) summed[t].sum = total(t).parts();
    }
    // Adds up and finds the maxima, which are expected near summed[].near.
    NNDL_NOINLINE void run_near(Summed<V>* summed) {
        copy_first_block();
        add_up(summed);
    }
    NNDL_INLINE Wide<V> total(int tile) const { return sums_[tile].total(); }

private:
    const Z z_;
    const E c_;
    E* const copies_;
    LaneSums<V> sums_[tiles_together];

    NNDL_INLINE ptrdiff_t end_of_block(ptrdiff_t first) const {
        return z_.classes - first < block ? z_.classes : first + block;
    }

    NNDL_INLINE void copy_first_block() const { copy(copies_, 0, 0, end_of_block(0)); }
    // Some classes of the block that begins at `start`: each tile's go to its own place, one after the other.
    NNDL_NOINLINE void copy(E* block_of, ptrdiff_t start, ptrdiff_t first, ptrdiff_t last) const {
        const Z z = z_;
        z.for_each_up(first, last, [&](ptrdiff_t j, ptrdiff_t end, int t, auto together) NNDL_LAMBDA {
            const E* from = z.at(j, t);
            E* to = block_of + t * tile_elements + (j - start) * size;
            const ptrdiff_t ahead = z.ahead(j, end, 1);
            for (; j < end; ++j, from += z.cls, to += size)
                for (int i = 0; i < together.tiles; ++i) {
                    __builtin_prefetch(from + ahead + i * size);
                    (together.whole ? V::load(from + i * size) : z.load_part(j, t)).store(to + i * tile_elements);
                }
        });
    }
    NNDL_INLINE bool serve(const Summed<V>* summed) const {
        E near[size], maximum[size];
        bool all = true;
        for (int t = 0; t < z_.tiles(); ++t) {
            summed[t].near.store(near);
            summed[t].maximum.store(maximum);
            for (int lane = 0; lane < size; ++lane) all = all && is_usable(near[lane], maximum[lane], c_);
        }
        return all;
    }
    NNDL_INLINE void add_up(Summed<V>* summed) {
        all_direct(summed, z_.tiles(), c_) ? add_up_in<true>(summed) : add_up_in<false>(summed);
    }
    // The first block has been copied.
    template <bool Direct>
    NNDL_NOINLINE void add_up_in(Summed<V>* summed) {
        const int tiles = z_.tiles();
        const ptrdiff_t lanes = tiles * size, each = (block + lanes - 1) / lanes;  // classes copied with each lane
        Exponentials<ColumnLayout<V>, Direct> exp[tiles_together];
        for (int t = 0; t < tiles; ++t) {
            exp[t] = Exponentials<ColumnLayout<V>, Direct>(Shift<V>(summed[t].near, c_));
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
                sums_[t].add_block(exp[t], Strided<const E>{now + t * tile_elements, size}, last - first,
                                   Strided<E>{nullptr, 0}, summed[t].maximum, [&]() NNDL_LAMBDA { copy_more(each); });
            copy_more(block);
            if (last == z_.classes || last % segment == 0)
                for (int t = 0; t < tiles; ++t) sums_[t].end_segment();
            E* const free = now;
            now = next;
            next = free;
        }
    }
};

// An operation (drive.h) on a job's columns.
template <class Op, class V, class E = typename V::Element>
struct ColumnDriver {
    const Job<E>& job;
    const Op& op;

    // The rows from r to last; returns the first row that is left.
    NNDL_NOINLINE ptrdiff_t run(ptrdiff_t r, ptrdiff_t last) const {
        for (int rows; r < last; r += rows) {
            rows = columns_from(r, last);
            Columns columns(r, rows);
            StripSums<V>(strip(columns, job.z), op.sharpness(), job.scratch).run(columns.summed);
            reduce(columns);
            if (!Op::stores || !job.out.data) continue;
            store(columns, 0, job.classes);
            finish(columns);
        }
        return r;
    }
    NNDL_NOINLINE void run_slice(RowSlice<E>& slice) const {
        constexpr ptrdiff_t segment = segment_classes<E>;
        for (ptrdiff_t r = 0; r < job.rows; r += tiles_together * V::size) {
            Columns columns(r, columns_from(r, job.rows));
            const Strip<V, const E> z = strip(columns, job.z);
            // Calls f(summed, tile, first row of the tile, number of its rows) for each tile.
            const auto for_each_tile = [&](auto f) NNDL_LAMBDA {
                for (int t = 0; t < z.tiles(); ++t) f(columns.summed[t], t, r + t * V::size, z.rows_of(t));
            };
            for_each_tile([&](Summed<V>& summed, int, ptrdiff_t at, int n)
                              NNDL_LAMBDA { summed.near = V::load(slice.near + at, n, 0); });
            if (slice.task == RowSlice<E>::add_up) {
                V maxima[tiles_together];
                for (V& maximum : maxima) maximum = V::all(-E(__builtin_inf()));
                for (ptrdiff_t j = slice.first; j < slice.last; j += segment) {
                    StripSums<V> sums(z.part(j, slice.last - j < segment ? slice.last : j + segment), op.sharpness(),
                                      job.scratch);
                    sums.run_near(columns.summed);
                    for_each_tile([&](Summed<V>& summed, int t, ptrdiff_t at, int n) NNDL_LAMBDA {
                        nndl_fast::store(sums.total(t), slice.sums + j / segment * 2 * slice.rows + at, slice.rows, n);
                        maxima[t] = max(summed.maximum, maxima[t]);
                    });
                }
                for_each_tile([&](Summed<V>&, int t, ptrdiff_t at, int n)
                                  NNDL_LAMBDA { maxima[t].store(slice.maxima + at, n); });
                continue;
            }
            for_each_tile([&](Summed<V>& summed, int, ptrdiff_t at, int n) NNDL_LAMBDA {
                summed.maximum = V::load(slice.maxima + at, n, 0);
                auto total = Wide<V>::zero();
                for (ptrdiff_t j = 0; j < job.classes; j += segment)
                    total.add(load_wide<V>(slice.sums + j / segment * 2 * slice.rows + at, slice.rows, n, E()));
                summed.sum = total.parts();
            });
            reduce(columns);
            if (!Op::stores || !job.out.data) continue;
            if (slice.task == RowSlice<E>::store) store(columns, slice.first, slice.last);
            else finish(columns);
        }
    }

private:
    using Pending = typename Op::template Pending<ColumnLayout<V>>;

    // Some tiles of columns that are summed up.
    struct Columns {
        const ptrdiff_t row;
        const int rows;
        Summed<V> summed[tiles_together];
        Pending pending[tiles_together];
        StorePath path = StorePath::fast;
        NNDL_INLINE Columns(ptrdiff_t r, int n) : row(r), rows(n) {}
    };
    template <class X>
    static NNDL_INLINE Strided<X> column(MatrixView<X> x, ptrdiff_t r) {
        return {x.data ? x.data + r : nullptr, x.cls};
    }
    NNDL_INLINE int columns_from(ptrdiff_t r, ptrdiff_t last) const {
        return int(last - r < tiles_together * V::size ? last - r : tiles_together * V::size);
    }
    template <class X>
    NNDL_INLINE Strip<V, X> strip(const Columns& columns, MatrixView<X> x) const {
        return {x.data ? x.data + columns.row : nullptr, x.cls, job.classes, columns.rows};
    }
    NNDL_INLINE ColumnLayout<V> tile(const Columns& columns, int t) const {
        return {job.classes, strip(columns, job.z).rows_of(t), nullptr, &columns.summed[t]};
    }
    NNDL_NOINLINE void reduce(Columns& columns) const {
        for (int t = 0; t < strip(columns, job.z).tiles(); ++t) {
            const ptrdiff_t r = columns.row + t * V::size;
            MaxHint<E> none;
            columns.pending[t] =
                reduce_alone(op, tile(columns, t), r, column(job.z, r), column(job.y, r), Strided<E>{nullptr, 0}, none);
            if (columns.path < columns.pending[t].path) columns.path = columns.pending[t].path;
        }
    }
    // Classes `first` to `last`.
    NNDL_INLINE void store(const Columns& columns, ptrdiff_t first, ptrdiff_t last) const {
        const bool direct = all_direct(columns.summed, strip(columns, job.z).tiles(), op.sharpness());
        with_store_path<Op::slowest>(columns.path, [&](auto tag) NNDL_LAMBDA {
            direct ? store_again<tag.path, true>(columns, first, last)
                   : store_again<tag.path, false>(columns, first, last);
        });
    }
    NNDL_INLINE void finish(const Columns& columns) const {
        for (int t = 0; t < strip(columns, job.z).tiles(); ++t)
            op.finish(columns.pending[t], tile(columns, t), columns.row + t * V::size);
    }
    // Computes a second time what to store: the last classes first, which are still in cache.
    template <StorePath path, bool Direct>
    NNDL_NOINLINE void store_again(const Columns& columns, ptrdiff_t first_class, ptrdiff_t last_class) const {
        const Strip<V, const E> z = strip(columns, job.z).part(first_class, last_class);
        const Strip<V, E> out = strip(columns, job.out).part(first_class, last_class);
        const ColumnLayout<V> rows{job.classes, V::size};
        const ptrdiff_t z_cls = z.cls, cls = out.cls;
        z.for_each_down([&](ptrdiff_t j, ptrdiff_t last, int t, auto together) NNDL_LAMBDA {
            const E* from = z.at(j, t);
            E* to = out.at(j, t);
            const ptrdiff_t z_ahead = z.ahead(j, last, -1), ahead = out.ahead(j, last, -1);
            Pending pending[together.tiles];
            Exponentials<ColumnLayout<V>, Direct> exp[together.tiles];
            Strided<const E> y[together.tiles];
            for (int i = 0; i < together.tiles; ++i) {
                pending[i] = columns.pending[t + i];
                exp[i] = Exponentials<ColumnLayout<V>, Direct>(Shift<V>(columns.summed[t + i].near, op.sharpness()));
                y[i] = column(job.y, columns.row + (t + i) * V::size);
            }
            for (; j < last; ++j, from += z_cls, to += cls)
                for (int i = 0; i < together.tiles; ++i) {
                    __builtin_prefetch(from + z_ahead + i * V::size);
                    __builtin_prefetch(to + ahead + i * V::size);
                    alignas(64) E buffer[V::size];  // stays in a register
                    const V x = together.whole ? V::load(from + i * V::size) : z.load_part(j, t);
                    (Op::keeps ? exp[i].of(x).value() : x).store(buffer);
                    const V v = op.template value<path>(pending[i], rows, Step<true>{first_class + j, V::size},
                                                        Strided<const E>{buffer, 0}, y[i], Strided<E>{buffer, 0});
                    together.whole ? v.store(to + i * V::size) : v.store(to, out.rows_of(t));
                }
        });
    }
};

}  // namespace
}  // namespace nndl_fast
