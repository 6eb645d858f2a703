// Takes a job's rows to an operation in the layout that suits their strides.
//
// An operation is called as op(rows, first, z, y, out, keep): the layout, the number of its first
// row, where its arrays stand, and room for its exponentials (its data may be null: no room).
#pragma once
#include "tile.h"

namespace nndl_fast {
namespace {

// Fewer rows than this are not worth a vector's width of them.
constexpr ptrdiff_t few_rows = 4;

template <class V, class E = typename V::Element>
struct Driver {
    const Job<E>& job;

    template <class Op>
    NNDL_INLINE void run(Op op) const {
        const bool y = job.y.data, out = job.out.data;
        const bool across = is_contiguous(job.z) && is_contiguous(job.y) && is_contiguous(job.out);
        const bool down = job.z.row == 1 && (!y || job.y.row == 1) && (!out || job.out.row == 1);
        const bool few = job.classes <= few_classes && job.rows >= few_rows;
        ptrdiff_t r = 0;
        if (down)
            for (; r + V::size <= job.rows; r += V::size) one_tile_in_place(op, r);
        if (few)
            for (; r < job.rows; r += V::size) one_packed_tile(op, r);
        for (; r < job.rows; ++r)
            if (across)
                op(Across<V>{job.classes}, r, column(job.z, r, 1), column(job.y, r, 1), column(job.out, r, 1),
                   Column<E>{area(0), 1});
            else
                one_packed_row(op, r);
    }

private:
    NNDL_INLINE E* area(int i) const { return job.scratch + i * scratch_area(job.classes); }

    template <class X>
    static NNDL_INLINE Column<X> column(Rows<X> x, ptrdiff_t r, ptrdiff_t stride) {
        return {x.data ? x.data + r * x.row : nullptr, stride};
    }
    NNDL_INLINE Down<V> tile_from(ptrdiff_t r) const {
        return {job.classes, job.rows - r < V::size ? int(job.rows - r) : V::size};
    }

    template <class Op>
    NNDL_INLINE void one_tile_in_place(Op op, ptrdiff_t r) const {
        const Column<E> room = {job.classes <= few_classes ? area(0) : nullptr, V::size};
        const Column<E> out = column(job.out, r, job.out.cls);
        op(tile_from(r), r, column(job.z, r, job.z.cls), column(job.y, r, job.y.cls), out, room);
    }

    template <class Op>
    NNDL_INLINE void one_packed_tile(Op op, ptrdiff_t r) const {
        const Down<V> rows = tile_from(r);
        pack<V>({job.z.data + r * job.z.row, job.z.row, job.z.cls}, rows.rows, job.classes, area(1));
        if (job.y.data) pack<V>({job.y.data + r * job.y.row, job.y.row, job.y.cls}, rows.rows, job.classes, area(2));
        op(rows, r, Column<const E>{area(1), V::size}, Column<const E>{job.y.data ? area(2) : nullptr, V::size},
           Column<E>{job.out.data ? area(3) : nullptr, V::size}, Column<E>{area(0), V::size});
        if (job.out.data)
            unpack<V>(area(3), rows.rows, job.classes, {job.out.data + r * job.out.row, job.out.row, job.out.cls});
    }

    template <class Op>
    NNDL_INLINE void one_packed_row(Op op, ptrdiff_t r) const {
        gather(job.z, r, area(1));
        if (job.y.data) gather(job.y, r, area(2));
        op(Across<V>{job.classes}, r, Column<const E>{area(1), 1}, Column<const E>{job.y.data ? area(2) : nullptr, 1},
           Column<E>{job.out.data ? area(3) : nullptr, 1}, Column<E>{area(0), 1});
        if (job.out.data)
            for (ptrdiff_t j = 0; j < job.classes; ++j)
                job.out.data[r * job.out.row + j * job.out.cls] = area(3)[j];
    }
    NNDL_INLINE void gather(Rows<const E> x, ptrdiff_t r, E* to) const {
        for (ptrdiff_t j = 0; j < job.classes; ++j) to[j] = x.data[r * x.row + j * x.cls];
    }
};

template <class V, class Op>
NNDL_INLINE void drive(const Job<typename V::Element>& job, Op op) {
    Driver<V>{job}.run(op);
}

}  // namespace
}  // namespace nndl_fast
