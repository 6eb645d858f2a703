// Which way the rows of a job take through memory, how much scratch memory that needs, and what threads may divide
// among them. plan_of() decides it, from shapes, strides and the type alone; the traversal, whoever allocates and
// whoever shares out work read the plan. `nndl_fast._core.plan(z, axis)` shows it.
#pragma once
#include <stddef.h>

namespace nndl_fast {

template <class E>
struct Job;  // kernels.h

enum class Path : unsigned char {
    tiles_in_place,  // columns: the lanes of a vector are rows that stand side by side
    packed_tiles,    // few classes in other strides: the same, in copies whose classes stand side by side
    slabs,           // columns of more classes: copies of all classes of some tiles
    rows,            // more classes, which stand side by side: the lanes are classes
    copied_rows,     // the same in other strides: batch/run_kernel.cpp makes copies of some rows, and these go by rows
    slice_of_row,    // some classes of one long row
};

// Up to this many classes, rows are handled a vector's width of them at a time.
constexpr ptrdiff_t few_classes = 128;
// Columns of more classes than few, up to so many, are handled in slabs of some tiles.
constexpr ptrdiff_t slab_classes = 2048;
constexpr int slab_tiles = 4, slabs_in_hand = 3;
// With more than few_classes classes, fewer remaining rows than this are handled one by one and not as a partly filled
// tile.
constexpr int few_rows = 4;
// Rows that go to a thread together if they are handled in tiles: whole tiles of any type.
constexpr ptrdiff_t rows_of_tiles = 16;

struct Plan {
    ptrdiff_t rows_by_path = 0;  // the others, fewer than a tile, take remainder_path
    ptrdiff_t scratch = 0;       // elements
    Path path = Path::rows, remainder_path = Path::rows;
    unsigned char unit = 1;  // rows that go to a thread together
    bool divisible = false;  // whether threads may divide the classes of a row among them, or of a copy of it
};

// The lanes of a vector, which are the rows of a tile.
template <class E>
constexpr ptrdiff_t lanes = 64 / ptrdiff_t(sizeof(E));

// static, here and below: files of different instruction sets must not share a copy of a function.

// One row, or one tile of few classes; with room for whole vectors, and so that areas do not begin at the same place of
// a page.
static constexpr ptrdiff_t scratch_area(ptrdiff_t classes) {
    return classes <= few_classes ? 32 * (classes + 1) : (classes + 63) / 64 * 64 + 80;
}
template <class E>
static constexpr ptrdiff_t slab_elements(ptrdiff_t classes) {
    return slab_tiles * lanes<E> * classes;
}
template <class E>
static constexpr ptrdiff_t scratch_of(Path path, ptrdiff_t classes) {
    const ptrdiff_t exps = scratch_area(classes), copy_of_z = exps, copy_of_y = exps;
    switch (path) {
        case Path::tiles_in_place:
            return classes <= few_classes ? exps : 0;  // else they stand in the result
        case Path::packed_tiles:
            return exps + 2 * (copy_of_z + copy_of_y);  // of this tile and of the next
        case Path::slabs:
            return slabs_in_hand * slab_elements<E>(classes);
        case Path::rows:
            return exps;
        case Path::copied_rows:  // of which copies are made elsewhere
        case Path::slice_of_row:
            return 0;
    }
    return 0;
}

// 16-bit types are computed in copies. Whether these are in columns, too.
template <class E>
static constexpr bool are_copied_in_columns(const Job<E>& job) {
    return job.half.z.row == 1 && job.half.z.cls != 1;
}

template <class E>
static constexpr Plan plan_of(const Job<E>& job) {
    const ptrdiff_t classes = job.classes, tile = lanes<E>;
    ptrdiff_t row = job.z.row, cls = job.z.cls, out_row = job.out.row, out_cls = job.out.cls;
    bool out = job.out.data;
    if (job.half) {
        const bool columns = are_copied_in_columns(job);
        row = out_row = columns ? 1 : classes;
        cls = out_cls = columns ? job.rows : 1;
        out = job.half.out.data;
    }
    const bool y = job.y.data;
    const bool contiguous = cls == 1 && (!y || job.y.cls == 1) && (!out || out_cls == 1);
    const bool columns = row == 1 && (!y || job.y.row == 1) && (!out || out_row == 1);
    const bool few = classes <= few_classes, many_in_columns = columns && !few && cls != 1;
    const ptrdiff_t beside_tiles = job.rows % tile;

    Plan plan;
    plan.rows_by_path = job.rows;
    if (job.slice) {
        plan.path = Path::slice_of_row;
        return plan;
    }
    plan.remainder_path = few ? Path::packed_tiles : contiguous ? Path::rows : Path::copied_rows;
    plan.path = plan.remainder_path;
    if (columns && job.whole_tiles) {
        plan.path = Path::tiles_in_place;
    } else if (many_in_columns && classes <= slab_classes) {
        plan.path = Path::slabs;
        // A tile that is partly filled costs as much as a whole one. It can only be copied, and targets are read in
        // place, by whole vectors.
        if (y || beside_tiles < few_rows) plan.rows_by_path -= beside_tiles;
    } else if (columns && (few || cls == 1 || !job.exponentials)) {  // nothing is added up by blocks
        plan.path = Path::tiles_in_place;
        plan.rows_by_path -= beside_tiles;
    }
    if (!plan.rows_by_path) {
        plan.path = plan.remainder_path;
        plan.rows_by_path = job.rows;
    }
    const ptrdiff_t by_path = scratch_of<E>(plan.path, classes),
                    by_remainder = scratch_of<E>(plan.remainder_path, classes);
    plan.scratch = by_path < by_remainder ? by_remainder : by_path;
    if (plan.path != Path::rows && plan.path != Path::copied_rows) plan.unit = rows_of_tiles;
    // A row can be divided if its sum is one of segments, no class needs a target of its own, and storing does not
    // overwrite what another thread still reads; a copied row always.
    const bool in_place = out && job.out.data == job.z.data, targets_everywhere = y || job.smoothing > 0;
    plan.divisible = job.half || plan.path == Path::copied_rows ||
                     (plan.path == Path::rows && job.exponentials && !targets_everywhere && !in_place);
    return plan;
}

}  // namespace nndl_fast
