// Products shared out among threads, and how matrices stand for them: rows with room for whole vectors, or
// panels as wide as a vector (kernels/operations/product.cpp).
#pragma once
#include <algorithm>
#include <cstring>

#include "../batch/batch.h"
#include "../common/buffer.h"
#include "../isa/dispatch.h"
#include "../threads/threads.h"

namespace nndl_fast {

template <class E>
constexpr ptrdiff_t whole_vectors(ptrdiff_t n) {
    return (n + lanes<E> - 1) / lanes<E> * lanes<E>;
}

// Elements from one row to the next: whole vectors, and in long rows an odd number of them, so that what stands
// in one column of many rows is spread over the cache.
template <class E>
constexpr ptrdiff_t row_stride(ptrdiff_t columns) {
    const ptrdiff_t vectors = whole_vectors<E>(columns) / lanes<E>;
    return (vectors < 8 ? vectors : vectors | 1) * lanes<E>;
}

// Rows to lanes: (m, n), element (i, j) at from[i * row + j * column], to panels [i / lanes][j][i % lanes] that are
// whole.
template <class E>
void rows_to_panels(const E* from, ptrdiff_t row, ptrdiff_t column, ptrdiff_t m, ptrdiff_t n, E* to) {
    if (column == 1) {
        return active_kernels<E>().transpose({m, n, from, row, to, lanes<E>, n * lanes<E>, true});
    }
    for (ptrdiff_t top = 0; top < m; top += lanes<E>, to += n * lanes<E>)
        for (ptrdiff_t j = 0; j < n; ++j)
            for (ptrdiff_t lane = 0; lane < lanes<E>; ++lane)
                to[j * lanes<E> + lane] = top + lane < m ? from[(top + lane) * row + j * column] : E(0);
}

// Columns to lanes: the same matrix to panels [j / lanes][i][j % lanes].
template <class E>
void columns_to_panels(const E* from, ptrdiff_t row, ptrdiff_t column, ptrdiff_t m, ptrdiff_t n, E* to) {
    if (column != 1) return rows_to_panels(from, column, row, n, m, to);
    constexpr ptrdiff_t ahead = 4;  // rows: they are too far apart, and too short, to be fetched unasked
    for (ptrdiff_t i = 0; i < m; ++i, from += row) {
        E* panel = to + i * lanes<E>;
        ptrdiff_t j = 0;
        for (; j + lanes<E> <= n; j += lanes<E>, panel += m * lanes<E>) {
            __builtin_prefetch(from + ahead * row + j);
            std::memcpy(panel, from + j, sizeof(E) * lanes<E>);
        }
        if (j < n) std::fill(std::copy(from + j, from + n, panel), panel + lanes<E>, E(0));
    }
}

// And rows back: panels that are `panel` apart to (m, n), element (i, j) to to[i * row + j].
template <class E>
void from_panels(const E* from, ptrdiff_t panel, ptrdiff_t m, ptrdiff_t n, E* to, ptrdiff_t row) {
    for (ptrdiff_t top = 0; top < m; top += lanes<E>)
        active_kernels<E>().transpose(
            {n, std::min(lanes<E>, m - top), from + top / lanes<E> * panel, lanes<E>, to + top * row, row, lanes<E>});
}

// Whether a left operand whose rows stand side by side is transposed for a result of so many columns: each term of a
// tile would take a new line of it.
template <class E>
constexpr bool is_worth_transposing(ptrdiff_t columns) {
    return columns * ptrdiff_t(sizeof(E)) >= 768;
}

// Makes (depth, rows) from `from` on, `stride` apart, the left operand of the product: each of its rows in one piece.
template <class E>
void transpose_left(ProductJob<E>& product, const E* from, ptrdiff_t stride, Buffer& buffer) {
    const ptrdiff_t row = row_stride<E>(product.depth);
    E* const to = allocate<E>(buffer, product.rows * row);
    active_kernels<E>().transpose({product.depth, product.rows, from, stride, to, row, lanes<E>, true});
    product.left = {to, row, 1};
}

// The rows of a product go to threads by so many, if they take so many nanoseconds: in shorter ones another
// thread loses more by fetching from the first one's cache what was written there than it wins.
constexpr ptrdiff_t rows_of_unit = 8;
constexpr double worth_threads = 1e5;

// Whether a result is too large to be in the second cache when it is begun.
template <class E>
constexpr bool exceeds_cache(ptrdiff_t rows, ptrdiff_t columns) {
    return rows * columns * ptrdiff_t(sizeof(E)) >= 1 << 20;
}

// f(part, first, last) for each thread's rows, whose part of the job that is.
template <class E, class F>
void share_product(const ProductJob<E>& job, F f) {
    const ptrdiff_t units = (job.rows + rows_of_unit - 1) / rows_of_unit;
    const double time = nanoseconds(job);
    share_out(units, time < worth_threads ? 1 : threads_for(units, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        const ptrdiff_t begin = first * rows_of_unit, end = std::min(job.rows, last * rows_of_unit);
        ProductJob<E> part = job;
        part.rows = end - begin;
        part.uncached = exceeds_cache<E>(job.rows, job.columns);
        part.left.data += begin * job.left.row;
        part.out.data = advanced(job.out.data, begin * job.out.row);
        part.start_of_row = advanced(job.start_of_row, begin);
        f(part, begin, end);
    });
}

template <class E>
void run_product(const ProductJob<E>& job) {
    share_product(job, [](const ProductJob<E>& part, ptrdiff_t, ptrdiff_t) { active_kernels<E>().product(part); });
}

// n contiguous elements, on the calling thread; out may be z or y.
template <class E>
void apply(MapKernel<E> kernel, ptrdiff_t n, const E* z, E* out, const E* y = nullptr, double scale = 1) {
    MapJob<E> job;
    job.n = n;
    job.z = z;
    job.y = y;
    job.out = out;
    job.scale = scale;
    kernel(job);
}

}  // namespace nndl_fast
