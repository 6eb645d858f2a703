// Products of matrices as they stand in a network.
//
// Every element of a product is one chain of fused multiply-adds with the depth ascending, so its bits are
// fixed by this definition: they depend neither on the width of the machine's vectors, nor on how the work is
// cut into tiles and blocks (a partial sum that is stored and loaded again continues the same chain), nor on
// threads. Vectors run over the columns of the result; of the left operand one number at a time is broadcast,
// so that it may stand in memory in any way.
//
// The columns of the right operand and of the result stand in panels, which are as wide as a vector. A panel
// of the right operand is whole: if the result has fewer columns, what stands beyond them does not matter.
#include "../layout.h"

namespace nndl_fast {
namespace {

// A tile of the result is as many vectors as fit into the registers beside those of the right operand and the
// one number that is broadcast.
template <class V, int Panels>
constexpr int tile_rows() {
    constexpr int per_row = Panels * int(sizeof(V) / sizeof(typename V::Register));
    constexpr int fit = (registers - per_row - 1) / per_row;
    return fit > 10 ? 10 : fit;
}
template <class V>
constexpr int tile_panels() {
    return tile_rows<V, 3>() >= 8 ? 3 : tile_rows<V, 2>() >= 8 ? 2 : 1;
}

// Bytes of a block of panels of the right operand, which comes from the second cache for each tile: the deeper it is,
// the less often sums are stored and loaded. It stays in the first cache if the left operand's rows are adjacent, since
// then each term of a tile takes a new line of that. Bytes of a block of the left operand, which stays in the second
// cache; and of a right operand that is small enough to be read again for each block of rows.
constexpr ptrdiff_t right_block = 1 << 16, right_block_beside_adjacent = 3 << 13, left_block = 1 << 17,
                    small_right = 1 << 20;

// Evenly: the fewest parts of at most so many.
NNDL_INLINE ptrdiff_t even_part(ptrdiff_t n, ptrdiff_t at_most) {
    if (n <= at_most) return n;  // a division takes as long as a short product
    const ptrdiff_t parts = (n + at_most - 1) / at_most;
    return (n + parts - 1) / parts;
}

// What the sums of a tile start with: a number of the row times a vector.
template <class E>
struct Start {
    const E *number, *vector;
    ptrdiff_t number_row, vector_row, vector_panel;
};

template <class E>
NNDL_INLINE const char* at(const E* from, ptrdiff_t bytes) {
    return reinterpret_cast<const char*>(from) + bytes;
}

// So many tiles, one below the other, of depth first to last. Adjacent: so do the rows of the left operand stand.
template <class V, int Rows, int Panels, bool Adjacent, class E = typename V::Element>
NNDL_NOINLINE void product_tiles(const ProductJob<E>& job, const Start<E>& start, ptrdiff_t tiles, ptrdiff_t row,
                                 ptrdiff_t panel, ptrdiff_t first, ptrdiff_t last) {
    // Strides in bytes: of strides in elements compilers make a second loop for a stride of 1.
    constexpr ptrdiff_t bytes = sizeof(E);
    const ptrdiff_t left_row = Adjacent ? bytes : job.left.row * bytes, left_term = job.left.term * bytes;
    const ptrdiff_t right_term = job.right.term * bytes, right_panel = job.right.panel * bytes;
    const ptrdiff_t out_row = job.out.row * bytes, out_panel = job.out.panel * bytes;
    const ptrdiff_t number_row = start.number_row * bytes, vector_row = start.vector_row * bytes,
                    vector_panel = start.vector_panel * bytes;
    const ptrdiff_t left_over = job.columns - (panel + Panels - 1) * V::size;
    const int columns = left_over < V::size ? int(left_over) : V::size;  // of the last panel
    const bool whole = columns == V::size;
    const char* tile_left =
        at(job.left.data,
           row * left_row + (job.left.panel ? first / V::size * job.left.panel * bytes : first * left_term));
    const char* const panel_right = at(job.right.data, panel * right_panel + first * right_term);
    char* out = const_cast<char*>(at(job.out.data, row * out_row + panel * out_panel));
    const char* number = at(start.number, row * number_row);
    const char* vector = at(start.vector, row * vector_row + panel * vector_panel);
    const ptrdiff_t depth = last - first, at_once = job.left.panel ? V::size : depth;
    // How far ahead the left operand is fetched: its terms may stand far apart. Not in short products, where this would
    // be beyond the array, and a prefetch from there takes long.
    const ptrdiff_t ahead = depth >= 64 ? 12 * left_term : 0;
    const ptrdiff_t jump = job.left.panel ? job.left.panel * bytes - V::size * left_term : 0;
    do {
        // The next tile begins with what stands there. (Of the last tile this is beyond the array: no prefetch minds.)
        if (job.uncached)
            for (int i = 0; i < Rows; ++i)
                for (int p = 0; p < Panels; ++p) __builtin_prefetch(out + (Rows + i) * out_row + p * out_panel, 1);
        V sum[Rows][Panels];
        if (!start.vector) {
            for (int i = 0; i < Rows; ++i)
                for (int p = 0; p < Panels; ++p) sum[i][p] = V::all(0);
        } else {
            for (int i = 0; i < Rows; ++i)
                for (int p = 0; p < Panels; ++p) {
                    const E* const from = reinterpret_cast<const E*>(vector + i * vector_row + p * vector_panel);
                    sum[i][p] = V::all(*reinterpret_cast<const E*>(number + i * number_row)) *
                                (whole || p < Panels - 1 ? V::load(from) : V::load(from, columns, 0));
                }
        }
        const char *left = tile_left, *right = panel_right;
        ptrdiff_t terms = depth;
        do {
            ptrdiff_t k = terms < at_once ? terms : at_once;
            do {
                V r[Panels];
                for (int p = 0; p < Panels; ++p) r[p] = V::load(reinterpret_cast<const E*>(right + p * right_panel));
                if (Adjacent) __builtin_prefetch(left + ahead);
                for (int i = 0; i < Rows; ++i) {
                    const V l = V::all(*reinterpret_cast<const E*>(left + i * left_row));
                    for (int p = 0; p < Panels; ++p) sum[i][p] = fma(l, r[p], sum[i][p]);
                }
                left += left_term;
                right += right_term;
            } while (--k);
            left += jump;
            terms -= at_once;
        } while (terms > 0);
        for (int i = 0; i < Rows; ++i)
            for (int p = 0; p < Panels; ++p) {
                E* const to = reinterpret_cast<E*>(out + i * out_row + p * out_panel);
                whole || p < Panels - 1 ? sum[i][p].store(to) : sum[i][p].store(to, columns);
            }
        tile_left += Rows * left_row;
        out += Rows * out_row;
        number += Rows * number_row;
        vector += Rows * vector_row;
    } while (--tiles);
}

template <class V, int Rows, int Panels, bool Adjacent, class E>
NNDL_INLINE void product_rows(const ProductJob<E>& job, const Start<E>& start, int rows, ptrdiff_t tiles, ptrdiff_t row,
                              ptrdiff_t panel, ptrdiff_t first, ptrdiff_t last) {
    if (rows == Rows) return product_tiles<V, Rows, Panels, Adjacent>(job, start, tiles, row, panel, first, last);
    if constexpr (Rows > 1)
        product_rows<V, Rows - 1, Panels, Adjacent>(job, start, rows, tiles, row, panel, first, last);
}

template <class V, int Panels, class E>
NNDL_INLINE void product_strip(const ProductJob<E>& job, const Start<E>& start, ptrdiff_t top, ptrdiff_t bottom,
                               ptrdiff_t panel, ptrdiff_t first, ptrdiff_t last) {
    constexpr int most = tile_rows<V, Panels>();
    const ptrdiff_t rows = bottom - top, tiles = (rows + most - 1) / most, taller = rows % tiles;
    const auto some = [&](ptrdiff_t of, int height) NNDL_LAMBDA {
        if (!of) return;
        if (job.left.row == 1) product_rows<V, most, Panels, true>(job, start, height, of, top, panel, first, last);
        else product_rows<V, most, Panels, false>(job, start, height, of, top, panel, first, last);
        top += of * height;
    };
    some(taller, int(rows / tiles) + 1);
    some(tiles - taller, int(rows / tiles));
}

template <class V, int Panels, class E>
NNDL_INLINE void product_panels(const ProductJob<E>& job, const Start<E>& start, int panels, ptrdiff_t top,
                                ptrdiff_t bottom, ptrdiff_t panel, ptrdiff_t first, ptrdiff_t last) {
    if (panels == Panels) return product_strip<V, Panels>(job, start, top, bottom, panel, first, last);
    if constexpr (Panels > 1) product_panels<V, Panels - 1>(job, start, panels, top, bottom, panel, first, last);
}

template <class V, class E = typename V::Element>
void product(const ProductJob<E>& job) {
    if (!job.depth) {  // one term that adds nothing
        alignas(64) static const E nothing[V::size] = {};
        ProductJob<E> start = job;
        start.depth = 1;
        start.left.data = start.right.data = nothing;
        start.left.row = start.right.panel = start.left.panel = 0;
        return product<V>(start);
    }
    const ptrdiff_t panels = (job.columns + V::size - 1) / V::size;
    constexpr ptrdiff_t term_bytes = tile_panels<V>() * V::size * sizeof(E);
    const ptrdiff_t deepest =
        (job.left.row == 1 ? right_block_beside_adjacent : right_block) / term_bytes / V::size * V::size;
    const ptrdiff_t deep = (even_part(job.depth, deepest) + V::size - 1) / V::size * V::size;
    const ptrdiff_t tall = left_block / ptrdiff_t(sizeof(E)) / deep;
    const E one = 1;
    alignas(64) E ones[V::size];
    V::all(job.start_of_row ? E(1) : E(0)).store(ones);
    const Start<E> kept = {&job.keep, job.out.data, 0, job.out.row, job.out.panel},
                   begun = {&one, job.out.data, 0, job.out.row, job.out.panel},
                   of_rows = {job.start_of_row, job.start_of_row ? ones : nullptr, job.start_of_row ? 1 : 0, 0, 0},
                   of_columns = {&one, job.start_of_column, 0, 0, V::size};
    const Start<E>& fresh = job.keep != E(0) ? kept : job.start_of_column ? of_columns : of_rows;
    const auto block = [&](ptrdiff_t top, ptrdiff_t bottom, ptrdiff_t first, ptrdiff_t last) NNDL_LAMBDA {
        const Start<E>& start = first ? begun : fresh;
        ptrdiff_t panel = 0;
        while (panel < panels) {
            const int together = int(even_part(panels - panel, tile_panels<V>()));
            product_panels<V, tile_panels<V>()>(job, start, together, top, bottom, panel, first, last);
            panel += together;
        }
    };
    const auto smaller = [](ptrdiff_t a, ptrdiff_t b) NNDL_LAMBDA { return a < b ? a : b; };
    const bool again = panels * job.depth * V::size * ptrdiff_t(sizeof(E)) <= small_right;
    const ptrdiff_t outer_rows = again ? tall : job.rows ? job.rows : 1;
    for (ptrdiff_t start = 0; start < job.rows; start += outer_rows) {
        const ptrdiff_t end = smaller(job.rows, start + outer_rows);
        for (ptrdiff_t first = 0; first < job.depth; first += deep)
            for (ptrdiff_t top = start; top < end; top += tall)
                block(top, smaller(end, top + tall), first, smaller(job.depth, first + deep));
    }
}

template <class V, class E = typename V::Element>
ptrdiff_t tile_columns(const ProductJob<E>&) {
    return tile_panels<V>() * V::size;
}

// A whole panel of rows to lanes; columns that are no whole group are left.
template <class V, class E = typename V::Element>
NNDL_INLINE ptrdiff_t transpose_panel(const E* from, ptrdiff_t row, ptrdiff_t columns, E* to, ptrdiff_t to_column) {
    using R = typename V::Register;
    constexpr int group = R::group;
    ptrdiff_t j = 0;
    for (; j + group <= columns; j += group)
        for (int lane = 0; lane < V::size; lane += R::size) {
            R v[group];
            for (int i = 0; i < group; ++i) v[i] = R::load_groups(from + (lane + i) * row + j, group * row);
            transpose_groups(v);
            for (int i = 0; i < group; ++i) v[i].store(to + (j + i) * to_column + lane);
        }
    return j;
}

// Element (row i, column j) stands at from[i * row + j] and goes to to[i / size * to_panel + j * to_column + i % size]:
// rows become lanes. Lanes beyond the last row get 0 if `whole` says that there is room for them.
template <class V, class E = typename V::Element>
void transpose(const TransposeJob<E>& job) {
    constexpr ptrdiff_t some = 64;
    for (ptrdiff_t top = 0; top < job.rows; top += V::size) {
        E* const to = job.to + top / V::size * job.to_panel;
        const int rows = job.rows - top < V::size ? int(job.rows - top) : V::size;
        const E* const from = job.from + top * job.row;
        ptrdiff_t j = 0;
        if (rows == V::size) j = transpose_panel<V>(from, job.row, job.columns, to, job.to_column);
        else if (job.whole) {  // some columns at a time are made a whole panel
            alignas(64) E copy[V::size * some] = {};
            for (ptrdiff_t n; (n = job.columns - j < some ? job.columns - j : some) >= some / 4; j += n) {
                n -= n % (some / 4);
                for (int i = 0; i < rows; ++i)
                    for (ptrdiff_t k = 0; k < n; k += some / 4) {
                        const E* const part = from + i * job.row + j + k;
                        for (int of = 0; of < some / 4; of += V::size)
                            V::load(part + of).store(copy + i * some + k + of);
                    }
                transpose_panel<V>(copy, some, n, to + j * job.to_column, job.to_column);
            }
        }
        for (; j < job.columns; ++j) {
            for (int i = 0; i < rows; ++i) to[j * job.to_column + i] = from[i * job.row + j];
            if (job.whole)
                for (int i = rows; i < V::size; ++i) to[j * job.to_column + i] = 0;
        }
    }
}

}  // namespace

NNDL_EXPORT(void, product, ProductJob)
NNDL_EXPORT(ptrdiff_t, tile_columns, ProductJob)
NNDL_EXPORT(void, transpose, TransposeJob)

}  // namespace nndl_fast
