#include <algorithm>
#include <utility>

#include "../common/buffer.h"
#include "layers.h"
#include "matrix.h"

namespace nndl_fast {
namespace {

constexpr ptrdiff_t deep = 512;               // elements of the depth copied at a time
constexpr ptrdiff_t copy_at_most = 1 << 19;   // bytes of that copy (it stays in the second cache)
constexpr ptrdiff_t tall = 512, widest = 63;  // rows and panels of a part of the result
// A right operand that could be read in place is copied if a part has so many rows, and
constexpr ptrdiff_t rows_worth_copy = 24;
constexpr ptrdiff_t tiles_worth_copy = 5;  // its row is at least so many tiles long, or
constexpr ptrdiff_t shallow = 64;          // the depth is below this and the last vector is not full.
constexpr ptrdiff_t lanes_at_once = 128, neurons_at_once = 512;
constexpr ptrdiff_t most_of_part = ptrdiff_t(1) << 30;  // multiplications, some tens of milliseconds
thread_local Buffer thread_operand, thread_result, thread_activations;

// As matrix multiplication allows it: out^T = right^T left^T.
template <class E>
Multiplication<E> transposed(const Multiplication<E>& job) {
    Multiplication<E> result = job;
    result.left = job.right.transposed();
    result.right = job.left.transposed();
    result.out = job.out.transposed();
    std::swap(result.of_columns, result.of_rows);
    result.activations = job.activations.transposed();
    return result;
}

// A part of the result: rows top to bottom, columns begin to end.
struct Part {
    ptrdiff_t top, bottom, begin, end;
};

// The function of the part's elements.
template <class E>
void finish(const Multiplication<E>& job, const Part& part) {
    if (!job.then) return;
    ptrdiff_t n = part.end - part.begin, rows = part.bottom - part.top;
    const Matrix<const E>& a = job.activations;
    if (job.out.row == n && (!a.data || (a.row == n && a.column == 1))) n *= std::exchange(rows, 1);
    for (ptrdiff_t i = part.top; i < part.top + rows; ++i) {
        E* const out = job.out.at(i, part.begin);
        if (!a.data) {
            apply(job.then, n, out, out);
            continue;
        }
        const E* z = a.at(i, part.begin);
        if (a.column != 1) {
            E* const copy = allocate<E>(thread_activations, n);
            for (ptrdiff_t j = 0; j < n; ++j) copy[j] = z[j * a.column];
            z = copy;
        }
        apply(job.then, n, z, out, out);
    }
}

template <class E>
bool left_is_transposed(const Multiplication<E>& job) {
    return job.left.row == 1 && job.left.rows > 1 && job.left.columns >= shallow &&
           is_worth_transposing<E>(job.out.columns);
}

// The columns of the right operand stand side by side, or are copied so.
template <class E>
void multiply_part(const Multiplication<E>& job, const Part& part, bool copies) {
    const ptrdiff_t depth = job.left.columns, n = part.end - part.begin;
    const ptrdiff_t panels = (n + lanes<E> - 1) / lanes<E>;
    // Of what is not copied whole vectors are read. Those of the last rows would go beyond the array.
    ptrdiff_t last_rows = 0;
    if (const ptrdiff_t beyond = part.begin + panels * lanes<E> - job.right.columns; !copies && beyond > 0)
        last_rows = std::min(depth, (beyond + job.right.row - 1) / job.right.row);
    ProductJob<E> product;
    product.rows = part.bottom - part.top;
    product.columns = n;
    product.out = {job.out.at(part.top, part.begin), job.out.row, lanes<E>};
    product.uncached = exceeds_cache<E>(job.out.rows, job.out.columns);
    product.keep = E(job.adds);
    product.start_of_column = advanced(job.of_columns, part.begin);
    product.start_of_row = advanced(job.of_rows, part.top);
    const bool transposes = copies && left_is_transposed(job);
    ptrdiff_t first = 0;
    do {
        const bool copied = copies || first >= depth - last_rows;
        const ptrdiff_t last = copies ? std::min(depth, first + deep) : copied ? depth : depth - last_rows;
        product.depth = last - first;
        product.left = {job.left.at(part.top, first), job.left.row, job.left.column};
        if (transposes) transpose_left(product, product.left.data, job.left.column, thread_result);
        if (copied) {
            E* const to = allocate<E>(thread_operand, panels * lanes<E> * product.depth);
            columns_to_panels(job.right.at(first, part.begin), job.right.row, job.right.column, product.depth, n, to);
            product.right = {to, lanes<E>, product.depth * lanes<E>};
        } else {
            product.right = {job.right.at(0, part.begin), job.right.row, lanes<E>};
        }
        active_kernels<E>().product(product);
        product.keep = 1;
        first = last;
    } while (first < depth);
    finish(job, part);
}

// The transposed product, with rows of the left operand in lanes: it is copied so, and the result is copied back.
template <class E>
void multiply_part_in_lanes(const Multiplication<E>& job, const Part& part) {
    const ptrdiff_t depth = job.left.columns, m = part.bottom - part.top, n = part.end - part.begin;
    const ptrdiff_t columns = whole_vectors<E>(m);
    E* const result = allocate<E>(thread_result, columns * n);
    alignas(64) E start[lanes_at_once] = {};
    ProductJob<E> product;
    product.rows = n;
    product.columns = columns;
    product.out = {result, lanes<E>, n * lanes<E>};
    product.keep = E(job.adds);
    product.start_of_row = advanced(job.of_columns, part.begin);
    if (job.adds) rows_to_panels<E>(job.out.at(part.top, part.begin), job.out.row, 1, m, n, result);
    if (job.of_rows) {
        std::copy_n(job.of_rows + part.top, m, start);
        product.start_of_column = start;
    }
    ptrdiff_t first = 0;
    do {
        product.depth = std::min(depth - first, deep);
        E* const operand = allocate<E>(thread_operand, columns * product.depth);
        rows_to_panels(job.left.at(part.top, first), job.left.row, job.left.column, m, product.depth, operand);
        product.left = {job.right.at(first, part.begin), job.right.column, job.right.row};
        product.right = {operand, lanes<E>, product.depth * lanes<E>};
        active_kernels<E>().product(product);
        product.keep = 1;
        first += product.depth;
    } while (first < depth);
    from_panels(result, n * lanes<E>, m, n, job.out.at(part.top, part.begin), job.out.row);
    finish(job, part);
}

// One dimension of the result in parts of about the same size, each but the last a multiple of `unit`.
struct Partition {
    ptrdiff_t n, unit, parts;
    Partition(ptrdiff_t n, ptrdiff_t unit, ptrdiff_t at_most) : n(n), unit(unit), parts((n + at_most - 1) / at_most) {}
    ptrdiff_t size() const { return ((n + parts - 1) / parts + unit - 1) / unit * unit; }
    bool may_have_more() const { return n > unit * parts; }
};

// f(part) for all parts of the result, which become smaller if else some threads would have more of them than others.
template <class E, class F>
void share_parts(const Multiplication<E>& job, Partition rows, Partition columns, F f) {
    const double time = nanoseconds(ProductJob<E>{rows.n, columns.n, job.left.columns});
    const int threads = time < worth_threads ? 1 : threads_for(rows.n, time);
    const auto parts = [&] { return rows.parts * columns.parts; };
    while (parts() % threads && parts() < 4 * threads) {
        const bool of_rows = rows.may_have_more() && (rows.size() >= columns.size() || !columns.may_have_more());
        if (!of_rows && !columns.may_have_more()) break;
        ++(of_rows ? rows : columns).parts;
    }
    const ptrdiff_t height = rows.size(), width = columns.size(), across = (columns.n + width - 1) / width;
    const ptrdiff_t units = (rows.n + height - 1) / height * across;
    share_out(units, threads, time, [&](ptrdiff_t first, ptrdiff_t last) {
        for (ptrdiff_t unit = first; unit < last; ++unit) {
            const ptrdiff_t top = unit / across * height, begin = unit % across * width;
            f(Part{top, std::min(rows.n, top + height), begin, std::min(columns.n, begin + width)});
        }
    });
}

// The rows of out are in one piece each.
template <class E>
void multiply_into_rows(const Multiplication<E>& job) {
    const ptrdiff_t m = job.out.rows, n = job.out.columns, depth = job.left.columns;
    const bool side_by_side = job.right.column == 1 && job.right.row > 0;
    if (!side_by_side && double(m) * double(depth + n) < double(depth) * double(n)) {
        return share_parts(job, Partition(m, lanes<E>, lanes_at_once), Partition(n, 32, neurons_at_once),
                           [&](const Part& part) { multiply_part_in_lanes(job, part); });
    }
    const ptrdiff_t tile = active_kernels<E>().tile_columns({});
    const ptrdiff_t fit = copy_at_most / ptrdiff_t(sizeof(E)) / std::max<ptrdiff_t>(1, std::min(depth, deep));
    const bool transposes = left_is_transposed(job);
    const Partition rows(m, 32, transposes ? std::min(tall, fit / 32 * 32) : tall),
        columns(n, tile, std::min(fit / tile * tile, widest * lanes<E>));
    const bool worth_copy = transposes || job.right.row >= tiles_worth_copy * tile || (n % lanes<E> && depth < shallow);
    share_parts(job, rows, columns, [&](const Part& part) {
        multiply_part(job, part, !side_by_side || (worth_copy && part.bottom - part.top >= rows_worth_copy));
    });
}

}  // namespace

template <class E>
void multiply(Multiplication<E> job) {
    const ptrdiff_t m = job.out.rows, n = job.out.columns, depth = job.left.columns;
    if (!m || !n) return;
    for (auto* const matrix : {&job.left, &job.right})
        if (matrix->columns == 1) matrix->column = 1;  // of one column any stride may be written
    if (n == 1) job.out.column = 1;
    if (job.out.column != 1) {
        if (m == 1 || job.out.row == 1) {
            job.out.row = 1;
            return multiply(transposed(job));
        }
        Buffer buffer;
        Multiplication<E> in_rows = job;
        in_rows.out = {allocate<E>(buffer, m * n), m, n, n, 1};
        const auto copy = [&](auto assign) {
            for (ptrdiff_t i = 0; i < m; ++i)
                for (ptrdiff_t j = 0; j < n; ++j) assign(*job.out.at(i, j), *in_rows.out.at(i, j));
        };
        if (job.adds) copy([](E x, E& to) { to = x; });
        multiply(in_rows);
        return copy([](E& to, E x) { to = x; });
    }
    // Parts that are very deep would not be interrupted: the depth is added up in pieces.
    const ptrdiff_t deepest = most_of_part / (std::min(m, tall) * std::min(n, widest * lanes<E>)) / deep * deep + deep;
    ptrdiff_t first = 0;
    do {
        const ptrdiff_t some = std::min(depth - first, deepest);
        Multiplication<E> piece = job;
        piece.left = {job.left.at(0, first), m, some, job.left.row, job.left.column};
        piece.right = {job.right.at(first, 0), some, n, job.right.row, job.right.column};
        if (first) {
            piece.adds = true;
            piece.of_columns = piece.of_rows = nullptr;
        }
        first += some;
        if (first < depth) piece.then = nullptr;
        multiply_into_rows(piece);
    } while (first < depth);
}

template void multiply(Multiplication<float>);
template void multiply(Multiplication<double>);

}  // namespace nndl_fast
