// Takes a job's rows to an operation in the layout that suits their strides.
//
// An operation has two halves, so that a row can be stored while the next one is read:
//
//   pending = op.reduce(rows, first, z, y, exps, hint, previous)  computes what a row has as a whole
//   op.value<Path>(pending, rows, chunk, z, y, exps)              computes what is stored of a chunk
//   op.finish(pending, rows, first)                               does what is left once all is stored
//
// `first` is the number of the first row, `exps` an array for its exponentials, and pending.path the
// fastest StorePath that is right for these rows; Op::slowest is the slowest that an operation has. If its results are
// one number per row, value() and finish() are not called (Op::stores is false). An operation that adds up exponentials
// (Op::sums) also says of which sharpness (op.sharpness()), and whether value() takes them from `exps` (Op::keeps) or
// takes z instead.
//
// `previous` is told how far reduce() has come: NoPrevious ignores it, Storer stores the row before (rows), SlabMover
// stores the slab before and copies the next (slabs).
//
// Long rows are software pipelined: while row r is added up, row r - 1 is stored. Both use one array of
// exponentials, which therefore stays in the nearest cache:
//
//   class            0 ...      block ...         2 block ...
//   exps       before   | r - 1     | r - 1           | r - 1 ...
//              then     | r         | r - 1           | r - 1 ...
//              then     | r         | r               | r - 1 ...
//   out             stored up to here ^, then to here ^
//
// Before reduce() overwrites a block of exponentials, it calls previous.store_until(the block's end), and
// the Storer scales those of row r - 1 and stores them. Their sum has been known since the last block of
// row r - 1. This is the one place where an operation calls code that is above it.
#pragma once
#include "../reduction/row_sum.h"
#include "tiles.h"

namespace nndl_fast {
namespace {

// Stores a row chunk by chunk, each class before the exponentials that it is computed from are overwritten.
template <class Op, class L, class Pending>
class Storer {
    using E = typename L::E;

public:
    NNDL_INLINE Storer(const Op& op, const L& rows, const Pending& pending, Strided<const E> z, Strided<const E> y,
                       Strided<E> exps, Strided<E> out)
        : op_(op), rows_(rows), pending_(pending), z_(z), y_(y), exps_(exps), out_(out) {
        // From here on whole cache lines are stored: a store that crosses a line costs two.
        const ptrdiff_t beyond = ptrdiff_t(reinterpret_cast<uintptr_t>(out.data) % 64 / sizeof(E));
        head_ = beyond ? L::size - beyond : 0;
        if (head_ > rows.classes) head_ = rows.classes;
    }
    // Stores at least up to class `end`.
    NNDL_INLINE void store_until(ptrdiff_t end) {
        if (done_ < end) store(end);
    }
    NNDL_INLINE void store_nothing() { done_ = rows_.classes; }

private:
    const Op& op_;
    const L rows_;
    const Pending& pending_;
    const Strided<const E> z_, y_;
    const Strided<E> exps_, out_;
    ptrdiff_t head_, done_ = 0;

    template <StorePath path, class C>
    NNDL_INLINE typename L::Vector value(C chunk) {
        return op_.template value<path>(pending_, rows_, chunk, z_, y_, exps_);
    }
    NNDL_NOINLINE void store(ptrdiff_t end) {
        with_store_path<Op::slowest>(pending_.path, [&](auto tag) NNDL_LAMBDA { store_in<tag.path>(end); });
    }
    template <StorePath path>
    NNDL_INLINE void store_in(ptrdiff_t end) {
        if (done_ < head_) {
            const Chunk<false> chunk{0, int(head_)};
            rows_.store(out_, chunk, value<path>(chunk));
            done_ = head_;
        }
        ptrdiff_t j = done_;
        for (; j < end && j + L::size <= rows_.classes; j += L::size)
            value<path>(Chunk<true>{j, L::size}).store(out_.data + j);
        if (j < end && j < rows_.classes) {
            const Chunk<false> chunk{j, int(rows_.classes - j)};
            rows_.store(out_, chunk, value<path>(chunk));
            j = rows_.classes;
        }
        done_ = j;
    }
};

// The vector of a tile: two registers if there are many, so that the machine has something to do while it waits for
// one.
template <class V>
using TileVector = std::conditional_t<is_one_of_many_registers<V>, Pair<V>, V>;

template <template <class, class> class OpOf, class V, class E = typename V::Element>
struct Driver {
    using Big = TileVector<V>;
    using Op = OpOf<V, E>;
    const Job<E>& job;
    const Op& op;

    NNDL_INLINE void run() const {
        if constexpr (Op::sums)
            if (job.slice) return run_slice(*job.slice);
        const ptrdiff_t r = run_path(job.plan.path, 0, job.plan.rows_by_path);
        if (r < job.rows) run_path(job.plan.remainder_path, r, job.rows);
    }

private:
    // Handles the rows from r to last and returns the first row that is left. Packed tiles and contiguous rows run to
    // the end of the job, which the plan makes `last`.
    NNDL_INLINE ptrdiff_t run_path(Path path, ptrdiff_t r, ptrdiff_t last) const {
        switch (path) {
            case Path::packed_tiles:
                return packed_tiles<V>(packed_tiles<Big>(r, Big::size), 1);
            case Path::slabs:
                return slabs(r, last);
            case Path::rows:
                return rows_as_they_are(r);
            case Path::tiles_in_place:
            default:  // copied_rows and slice_of_row never come here: run_strided(), run()
                if (job.classes <= few_classes)
                    for (; r + Big::size <= last; r += Big::size) one_tile_in_place<Big>(r);
                for (; r < last; r += V::size) one_tile_in_place<V>(r, last - r);
                return last;
        }
    }
    NNDL_INLINE bool stores() const { return Op::stores && job.out.data; }
    NNDL_INLINE E* area(int i) const { return job.scratch + i * scratch_area(job.classes); }

    // Tiles are reduced inline, except the small ones that larger tiles leave over.
    template <class Tile>
    static NNDL_INLINE auto reduce_tile(const OpOf<Tile, E>& op, const ColumnLayout<Tile>& rows, ptrdiff_t first,
                                        Strided<const E> z, Strided<const E> y, Strided<E> exps) {
        ExpectedMaximum<E> none;
        NoPrevious none_before;
        if constexpr (Tile::size < Big::size) return reduce_alone(op, rows, first, z, y, exps, none);
        else return op.reduce(rows, first, z, y, exps, none, none_before);
    }
    template <class X>
    static NNDL_INLINE Strided<X> column(MatrixView<X> x, ptrdiff_t r, ptrdiff_t stride) {
        return {x.data ? x.data + r * x.row : nullptr, stride};
    }
    template <class Tile, class Pending>
    NNDL_INLINE void store_tile(const ColumnLayout<Tile>& rows, const Pending& pending, Strided<const E> z,
                                Strided<const E> y, Strided<E> exps, Strided<E> out) const {
        const OpOf<Tile, E> tile_op{job};
        with_store_path<Op::slowest>(pending.path, [&](auto tag) NNDL_LAMBDA {
            rows.for_each([&](auto chunk) NNDL_LAMBDA {
                rows.store(out, chunk, tile_op.template value<tag.path>(pending, rows, chunk, z, y, exps));
            });
        });
    }
    template <class Tile>
    NNDL_NOINLINE void one_tile_in_place(ptrdiff_t r, ptrdiff_t left = Tile::size) const {
        const OpOf<Tile, E> tile_op{job};
        const ColumnLayout<Tile> rows{job.classes, left < Tile::size ? int(left) : Tile::size};
        const Strided<const E> z = column(job.z, r, job.z.cls), y = column(job.y, r, job.y.cls);
        const Strided<E> out = column(job.out, r, job.out.cls), buffer = {area(0), Tile::size};
        const Strided<E> exps = job.classes <= few_classes ? buffer : out;
        const auto pending = reduce_tile(tile_op, rows, r, z, y, exps);
        if (!stores()) return;
        store_tile(rows, pending, z, y, exps, out);
        tile_op.finish(pending, rows, r);
    }

    // Packs and handles tiles of Tile::size rows from row r on, the last of `at_least` rows or more; returns the first
    // row that is left.
    template <class Tile>
    NNDL_NOINLINE ptrdiff_t packed_tiles(ptrdiff_t r, int at_least) const {
        const OpOf<Tile, E> tile_op{job};
        const auto rows_from = [&](ptrdiff_t first) NNDL_LAMBDA {
            const ptrdiff_t left = job.rows - first;
            const int count = left < at_least ? 0 : left < Tile::size ? int(left) : Tile::size;
            return ColumnLayout<Tile>{job.classes, count, nullptr};
        };
        alignas(64) E maxima[2][Tile::size];
        const Strided<E> buffer = {area(0), Tile::size};
        E *const z[] = {area(1), area(3)}, *const y[] = {area(2), area(4)};
        // While the end of the one tile is waited for, the next is packed, where both stay in the first cache.
        const bool ahead = job.classes <= 32;
        ColumnLayout<Tile> rows = rows_from(r);
        pack_tile(rows, r, z[0], y[0], maxima[0]);
        for (int now = 0; rows.count; now ^= 1) {
            const int other = now ^ 1;
            const Strided<const E> tile_z = {z[now], Tile::size}, tile_y = {job.y.data ? y[now] : nullptr, Tile::size};
            const auto pending = reduce_tile(tile_op, rows, r, tile_z, tile_y, buffer);
            ColumnLayout<Tile> next = rows_from(r + rows.count);
            if (ahead) pack_tile(next, r + rows.count, z[other], y[other], maxima[other]);
            if (stores()) {
                store_tile(rows, pending, tile_z, tile_y, buffer, buffer);
                unpack<Tile>(buffer.data, rows.count, job.classes,
                             {job.out.data + r * job.out.row, job.out.row, job.out.cls});
                tile_op.finish(pending, rows, r);
            }
            if (!ahead) pack_tile(next, r + rows.count, z[other], y[other], maxima[other]);
            r += rows.count;
            rows = next;
        }
        return r;
    }
    template <class Tile>
    NNDL_INLINE void pack_tile(ColumnLayout<Tile>& rows, ptrdiff_t r, E* z, E* y, E* maxima) const {
        if (!rows.count) return;
        if (job.y.data)
            pack<Tile>({job.y.data + r * job.y.row, job.y.row, job.y.cls}, rows.count, job.classes, y, maxima);
        pack<Tile>({job.z.data + r * job.z.row, job.z.row, job.z.cls}, rows.count, job.classes, z, maxima);
        rows.maxima = maxima;
    }

    NNDL_NOINLINE ptrdiff_t slabs(ptrdiff_t r, ptrdiff_t last) const {
        using Pending = typename Op::template Pending<ColumnLayout<V>>;
        using P = Slab<V, Pending>;
        P slab[slabs_in_hand];
        for (int i = 0; i < slabs_in_hand; ++i) {
            slab[i].classes = job.classes;
            slab[i].buffer = job.scratch + i * slab_elements<E>(job.classes);
        }
        P *before = &slab[0], *now = &slab[1], *next = &slab[2];
        do {
            next->row = r;
            next->rows = last - r < slab_tiles * V::size ? last - r : slab_tiles * V::size;
            r += next->rows;
            SlabMover<Op, V, Pending> mover(op, job, *before, *next, now->tiles());
            for (int t = 0; t < now->tiles(); ++t) {
                mover.begin(t);
                const Strided<E> buffer = now->column(t);
                ExpectedMaximum<E> none;
                now->pending[t] = op.reduce(ColumnLayout<V>{job.classes, now->rows_of(t)}, now->row_of(t),
                                            Strided<const E>{buffer.data, buffer.stride},
                                            column(job.y, now->row_of(t), job.y.cls), buffer, none, mover);
            }
            mover.move(job.classes);
            for (int t = 0; t < before->tiles(); ++t)
                op.finish(before->pending[t], ColumnLayout<V>{job.classes, before->rows_of(t)}, before->row_of(t));
            P* const free = before;
            before = now;
            now = next;
            next = free;
            if (!stores()) before->rows = 0;
        } while (now->tiles() || before->tiles());
        return r;
    }

    NNDL_NOINLINE void run_slice(RowSlice<E>& slice) const {
        const RowLayout<V> row{job.classes};
        const Strided<const E> z = {job.z.data, 1}, y = {job.y.data, 1};
        // at the end there are results where the exponentials were
        const Strided<E> exps = {slice.task == RowSlice<E>::finish ? nullptr : job.out.data, 1};
        if (slice.task == RowSlice<E>::add_up) {
            const Strided<E> kept = {Op::keeps ? job.out.data : nullptr, 1};
            const E c = op.sharpness();
            const bool direct = Shift<typename RowLayout<V>::PerRow>({slice.near}, c).direct;
            return direct ? add_up_slice<true>(row, slice, c, z, kept) : add_up_slice<false>(row, slice, c, z, kept);
        }
        ExpectedMaximum<E> hint;
        hint.slice = &slice;
        const auto pending = reduce_alone(op, row, 0, z, y, exps, hint);
        if (!stores()) return;
        if (slice.task == RowSlice<E>::finish) return op.finish(pending, row, 0);
        with_store_path<Op::slowest>(pending.path, [&](auto tag) NNDL_LAMBDA {
            row.for_each(slice.first, slice.last, [&](auto chunk) NNDL_LAMBDA {
                row.store(exps, chunk, op.template value<tag.path>(pending, row, chunk, z, y, exps));
            });
        });
    }

    // The software pipeline.
    NNDL_NOINLINE ptrdiff_t rows_as_they_are(ptrdiff_t r) const {
        using L = RowLayout<V>;
        using Pending = typename Op::template Pending<L>;
        const L row{job.classes};
        const Strided<E> exps = {stores() ? area(0) : nullptr, 1};
        ExpectedMaximum<E> hint;
        Pending pending{};
        for (bool first = true;; first = false) {
            const ptrdiff_t previous = first ? r : r - 1;  // a first row has none, and its storer stores nothing
            Storer<Op, L, Pending> storer(op, row, pending, column(job.z, previous, 1), column(job.y, previous, 1),
                                          exps, column(job.out, previous, 1));
            if (first || !stores()) storer.store_nothing();
            Pending next{};
            if (r < job.rows) next = op.reduce(row, r, column(job.z, r, 1), column(job.y, r, 1), exps, hint, storer);
            storer.store_until(job.classes);
            if (!first && stores()) op.finish(pending, row, previous);
            if (r == job.rows) return r;
            pending = next;
            ++r;
        }
    }
};

// Writes one and the same NaN over the rows whose lane of `nan` is a NaN.
template <class L, class E>
NNDL_INLINE void overwrite_nan_rows(const L& rows, typename L::PerRow nan, MatrixView<E> out, ptrdiff_t first) {
    if (!any(is_nan(nan))) return;
    E lanes[L::max_count];
    nan.store(lanes, rows.count);
    for (int lane = 0; lane < rows.count; ++lane)
        if (lanes[lane] != lanes[lane])
            for (ptrdiff_t j = 0; j < rows.classes; ++j) element(out, first + lane, j) = E(__builtin_nan(""));
}

template <template <class, class> class Op, class V, class E = typename V::Element>
NNDL_INLINE void drive(const Job<E>& job) {
    const Op<V, E> op{job};
    Driver<Op, V>{job, op}.run();
}

}  // namespace
}  // namespace nndl_fast
