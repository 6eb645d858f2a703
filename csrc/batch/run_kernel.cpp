#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "../isa/dispatch.h"
#include "../kernels/kernels.h"
#include "../threads/threads.h"
#include "batch.h"

namespace nndl_fast {
namespace {

// Columns that are copied together: as many as have room for their copies in the cache that the threads share, but in
// any case some lines of each class side by side, which the machine reads faster, unless that is too much memory.
constexpr ptrdiff_t few_columns = 64, many_columns = 256, bytes_at_once = 8 << 20, most_bytes = 64 << 20;
// Classes that a thread copies of them.
constexpr ptrdiff_t classes_of_unit = 512;
// The largest of so many classes is where a long row's maximum is expected.
constexpr ptrdiff_t classes_to_expect_from = 128;

template <class E>
ptrdiff_t rows_of_copy(const Job<E>& job) {
    const ptrdiff_t row = scratch_area(job.classes) * ptrdiff_t(sizeof(E));
    const ptrdiff_t fit = std::clamp(bytes_at_once / row, few_columns, many_columns);
    return std::clamp<ptrdiff_t>(std::min(fit, most_bytes / row), 1, job.rows);
}

// Fetches the lines of x, some classes of some columns, to be read or written: they are pages apart, so the machine
// does not by itself.
template <bool written, class X>
void fetch(const MatrixView<X>& x, ptrdiff_t columns, ptrdiff_t first, ptrdiff_t last) {
    for (ptrdiff_t j = first; j < last; ++j)
        for (ptrdiff_t r = 0; r < columns; r += 64 / ptrdiff_t(sizeof(X)))
            __builtin_prefetch(x.data + j * x.cls + r, written);
}

// Classes first to last of so many rows, to or from a copy of them in which element (r, j) stands at copy[r * row + j].
template <class E>
void copy_in(const MatrixView<const E>& x, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t last, E* copy, ptrdiff_t row) {
    if (x.row != 1) {
        for (ptrdiff_t r = 0; r < rows; ++r)
            for (ptrdiff_t j = first; j < last; ++j) copy[r * row + j] = x.data[r * x.row + j * x.cls];
        return;
    }
    for (ptrdiff_t j = first, end; j < last; j = end) {
        end = std::min(last, j + lanes<E>);
        fetch<false>(x, rows, end, std::min(last, end + lanes<E>));
        active_kernels<E>().transpose({end - j, rows, x.data + j * x.cls, x.cls, copy + j, row, lanes<E>});
    }
}
template <class E>
void copy_out(const E* copy, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t last, const MatrixView<E>& x) {
    if (x.row != 1) {
        for (ptrdiff_t r = 0; r < rows; ++r)
            for (ptrdiff_t j = first; j < last; ++j) x.data[r * x.row + j * x.cls] = copy[r * row + j];
        return;
    }
    for (ptrdiff_t j = first, end; j < last; j = end) {
        end = std::min(last, j + lanes<E>);
        fetch<true>(x, rows, end, std::min(last, end + lanes<E>));
        active_kernels<E>().transpose({rows, end - j, copy + j, row, x.data + j * x.cls, x.cls, lanes<E>});
    }
}

// The same for z and the result of a job, which may be of a 16-bit type.
void copy_z_in(const Job<float>& job, ptrdiff_t first, ptrdiff_t last, float* copy, ptrdiff_t row) {
    if (!job.half) return copy_in(job.z, job.rows, first, last, copy, row);
    const MatrixView<const uint16_t>& z = job.half.z;
    for (ptrdiff_t r = 0; r < job.rows; ++r)
        job.half.convert.widen(z.data + r * z.row + first * z.cls, z.cls, last - first, copy + r * row + first);
}
void copy_z_in(const Job<double>& job, ptrdiff_t first, ptrdiff_t last, double* copy, ptrdiff_t row) {
    copy_in(job.z, job.rows, first, last, copy, row);
}
void copy_result_out(const Job<float>& job, const float* copy, ptrdiff_t row, ptrdiff_t first, ptrdiff_t last) {
    if (!job.half) return copy_out(copy, row, job.rows, first, last, job.out);
    const MatrixView<uint16_t>& out = job.half.out;
    for (ptrdiff_t r = 0; r < job.rows; ++r)
        job.half.convert.narrow(copy + r * row + first, last - first, out.data + r * out.row + first * out.cls,
                                out.cls);
}
void copy_result_out(const Job<double>& job, const double* copy, ptrdiff_t row, ptrdiff_t first, ptrdiff_t last) {
    copy_out(copy, row, job.rows, first, last, job.out);
}

// A few rows of a 16-bit type at a time, in a float32 copy that the results overwrite.
void run_half_precision(RowKernel<float> kernel, const Job<float>& job) {
    static thread_local Buffer thread_copy;
    const ptrdiff_t classes = job.classes;
    // Some rows that stay in the first cache, whole vectors' widths of them if they are short; at least one.
    constexpr ptrdiff_t elements = 4096;
    const ptrdiff_t at_once =
        std::min(job.rows, std::max(ptrdiff_t(1), elements / classes / rows_of_tiles * rows_of_tiles));
    float* const copy = allocate<float>(thread_copy, at_once * classes);
    const bool columns = are_copied_in_columns(job);  // what stands side by side in z does so in the copy
    for (ptrdiff_t first = 0; first < job.rows; first += at_once) {
        const Job<float> some = rows_of(job, first, std::min(at_once, job.rows - first));
        Job<float> part = some;
        part.half = {};
        part.z = columns ? MatrixView<const float>{copy, 1, part.rows} : MatrixView<const float>{copy, classes, 1};
        if (some.half.out.data) part.out = {copy, part.z.row, part.z.cls};
        // f(place, stride, length, place in the copy) for each line of the copy, a row or a column, or for
        // all of them if they stand one after the other
        const auto for_each_line = [&](auto half, auto f) {
            ptrdiff_t lines = columns ? classes : part.rows, length = columns ? part.rows : classes;
            const ptrdiff_t line = columns ? half.cls : half.row, stride = columns ? half.row : half.cls;
            if (stride == 1 && line == length) length *= std::exchange(lines, 1);
            for (ptrdiff_t i = 0; i < lines; ++i) f(half.data + i * line, stride, length, copy + i * length);
        };
        for_each_line(some.half.z, [&](const uint16_t* from, ptrdiff_t stride, ptrdiff_t n, float* to) {
            job.half.convert.widen(from, stride, n, to);
        });
        run_strided(kernel, part);
        if (some.half.out.data)
            for_each_line(some.half.out, [&](uint16_t* to, ptrdiff_t stride, ptrdiff_t n, const float* from) {
                job.half.convert.narrow(from, n, to, stride);
            });
    }
}
void run_half_precision(RowKernel<double>, const Job<double>&) {}  // there is no such job

// Rows that are all to be copied, some at a time: share(some, copy) calls copy(begin, end) for all classes of these,
// and run(copies) runs the kernel. Results that are to be `apart` do not overwrite the copy of z.
template <class E, class Share, class Run>
void run_in_copies(const Job<E>& job, ptrdiff_t at_once, Buffer& memory, bool apart, Share share, Run run) {
    const ptrdiff_t row = scratch_area(job.classes), area = at_once * row;
    const bool targets = job.y.data, stores = job.out.data || job.half.out.data;
    E* const z = allocate<E>(memory, area * (1 + targets + (stores && apart)));
    E *const y = z + area, *const out = stores && apart ? y + area * targets : z;
    for (ptrdiff_t first = 0; first < job.rows; first += at_once) {
        const Job<E> some = rows_of(job, first, std::min(at_once, job.rows - first));
        share(some, [&](ptrdiff_t begin, ptrdiff_t end) {
            copy_z_in(some, begin, end, z, row);
            if (targets) copy_in(some.y, some.rows, begin, end, y, row);
        });
        Job<E> copies = some;
        copies.half = {};
        copies.z = {z, row, 1};
        copies.y = {targets ? y : nullptr, row, 1};
        copies.out = {stores ? out : nullptr, row, 1};
        run(copies);
        if (stores) share(some, [&](ptrdiff_t begin, ptrdiff_t end) { copy_result_out(some, out, row, begin, end); });
    }
}

// One cache line of columns at a time, in memory that lives with the thread.
template <class E>
void run_copied_alone(RowKernel<E> kernel, const Job<E>& job) {
    static thread_local Buffer thread_copy;
    const ptrdiff_t most = bytes_at_once / (scratch_area(job.classes) * ptrdiff_t(sizeof(E)));
    run_in_copies(
        job, std::clamp<ptrdiff_t>(std::min(most, lanes<E>), 1, job.rows), thread_copy, false,
        [](const Job<E>& some, auto copy) { copy(0, some.classes); },
        [&](Job<E>& copies) { run_kernel(kernel, copies); });
}

}  // namespace

template <class E>
void run_strided(RowKernel<E> kernel, Job<E>& job) {
    if (job.half) return run_half_precision(kernel, job);
    const Plan plan = plan_of(job);
    if (plan.path != Path::copied_rows && (plan.remainder_path != Path::copied_rows || plan.rows_by_path == job.rows))
        return run_kernel(kernel, job, plan);
    const ptrdiff_t not_copied = plan.path == Path::copied_rows ? 0 : plan.rows_by_path;
    if (not_copied) {
        Job<E> some = rows_of(job, 0, not_copied);
        run_kernel(kernel, some);
    }
    run_copied_alone(kernel, rows_of(job, not_copied, job.rows - not_copied));
}

template <class E>
void run_copied(RowKernel<E> kernel, const Job<E>& job) {
    const ptrdiff_t at_once = rows_of_copy(job), units = (job.classes + classes_of_unit - 1) / classes_of_unit;
    Buffer own;  // not the thread's: what interrupts long work may call again
    const auto share = [&](const Job<E>& some, auto copy) {
        const double time = nanoseconds(some, some.rows) / 4;
        share_out(units, threads_for(units, time), time, [&](ptrdiff_t begin, ptrdiff_t end) {
            for (ptrdiff_t j = begin * classes_of_unit; j < std::min(job.classes, end * classes_of_unit);
                 j += classes_of_unit)
                copy(j, std::min(job.classes, j + classes_of_unit));
        });
    };
    // Where threads divide the classes of a row, its result must not overwrite it.
    run_in_copies(job, at_once, own, at_once <= get_num_threads(), share, [&](const Job<E>& copies) {
        Batch rows;
        rows.append(copies.rows, copies.z.row, copies.z.row, copies.z.row);
        run_rows(kernel, copies, rows);
    });
}

template <class E>
int threads_for_row(const Job<E>& job) {
    return threads_for(job.classes / segment_classes<E>, nanoseconds(job, 1));
}

template <class E>
void run_divided(RowKernel<E> kernel, const Job<E>& row, int threads) {
    constexpr ptrdiff_t segment = segment_classes<E>;
    constexpr E none = -std::numeric_limits<E>::infinity();
    const ptrdiff_t segments = (row.classes + segment - 1) / segment;
    const double time = nanoseconds(row, 1);
    std::vector<double> sums(size_t(2 * segments));
    std::vector<E> maxima(size_t(segments), none);
    const auto larger = [](E x, E y) { return y > x ? y : x; };  // NaNs left out
    RowSlice<E> slice{RowSlice<E>::add_up, 0, row.classes, none, sums.data(), none};
    for (ptrdiff_t j = 0; j < std::min(row.classes, classes_to_expect_from); ++j)
        slice.near = larger(slice.near, row.z.data[j]);
    // Returns the maximum.
    const auto run = [&](ptrdiff_t first, ptrdiff_t last) {
        RowSlice<E> mine = slice;
        mine.first = first;
        mine.last = std::min(row.classes, last);
        Job<E> job = row;
        job.slice = &mine;
        if (mine.task != RowSlice<E>::finish) job.row_result = nullptr;
        run_kernel(kernel, job);
        return mine.maximum;
    };
    for (;;) {  // at most twice
        share_out(segments, threads, time, [&](ptrdiff_t first, ptrdiff_t last) {
            for (ptrdiff_t s = first; s < last; ++s) maxima[size_t(s)] = run(s * segment, (s + 1) * segment);
        });
        slice.maximum = none;
        for (const E maximum : maxima) slice.maximum = larger(slice.maximum, maximum);
        if (is_valid_guess(slice.near, slice.maximum, row.c)) break;
        slice.near = slice.maximum;
    }
    if (row.out.data) {
        slice.task = RowSlice<E>::store;
        share_out(segments, threads, time / 2,
                  [&](ptrdiff_t first, ptrdiff_t last) { run(first * segment, last * segment); });
    }
    slice.task = RowSlice<E>::finish;
    run(0, row.classes);
}

template void run_strided(RowKernel<float>, Job<float>&);
template void run_strided(RowKernel<double>, Job<double>&);
template void run_copied(RowKernel<float>, const Job<float>&);
template void run_copied(RowKernel<double>, const Job<double>&);

template int threads_for_row(const Job<float>&);
template int threads_for_row(const Job<double>&);
template void run_divided(RowKernel<float>, const Job<float>&, int);
template void run_divided(RowKernel<double>, const Job<double>&, int);

}  // namespace nndl_fast
