#include "divided.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "../kernels/reduction/bounds.h"
#include "../threads/threads.h"
#include "estimate.h"
#include "run_kernel.h"

namespace nndl_fast {
namespace {

// The largest of so many classes is where a long row's maximum is expected.
constexpr ptrdiff_t classes_to_expect_from = 128;
// Threads store so many classes of columns at a time.
constexpr ptrdiff_t classes_to_store = 512;

template <class E>
ptrdiff_t segments_of(const Job<E>& row) {
    return (row.classes + segment_classes<E> - 1) / segment_classes<E>;
}

template <class E>
void divide(RowKernel<E> kernel, const Job<E>& all, int threads) {
    const ptrdiff_t segments = segments_of(all), rows = all.rows;
    const double time = nanoseconds(all, rows);
    constexpr E none = -std::numeric_limits<E>::infinity();
    std::vector<double> sums(size_t(2 * segments * rows));
    std::vector<E> near(size_t(rows), none), maxima(size_t(segments * rows), none), maximum(near);
    const auto keep_larger = [](E& x, E y) { x = y > x ? y : x; };  // NaNs left out
    for (ptrdiff_t j = 0; j < std::min(all.classes, classes_to_expect_from); ++j)
        for (ptrdiff_t r = 0; r < rows; ++r) keep_larger(near[size_t(r)], all.z.data[r * all.z.row + j * all.z.cls]);
    RowSlice<E> slice{RowSlice<E>::add_up, 0, all.classes, near.data(), sums.data(), rows, maximum.data()};
    const auto run = [&](const Job<E>& some, RowSlice<E> mine, ptrdiff_t first, ptrdiff_t last) {
        mine.first = first;
        mine.last = std::min(all.classes, last);
        Job<E> job = some;
        job.slice = &mine;
        if (mine.task != RowSlice<E>::finish) job.row_result = nullptr;
        run_kernel(kernel, job);
    };
    // If there are fewer segments than threads, the columns are divided as well, into whole tiles.
    constexpr ptrdiff_t segment = segment_classes<E>;
    const ptrdiff_t width = segments < threads ? rows_of_tiles : rows, parts = (rows + width - 1) / width;
    const auto add_up = [&](ptrdiff_t first, ptrdiff_t last) {
        for (ptrdiff_t i = first; i < last; ++i) {
            const ptrdiff_t r = i % parts * width, s = i / parts;
            Job<E> some = all;
            some.rows = std::min(width, rows - r);
            some.z.data += r * all.z.row;
            RowSlice<E> mine = slice;
            mine.near += r;
            mine.sums += r;
            mine.maxima = &maxima[size_t(s * rows + r)];
            run(some, mine, s * segment, (s + 1) * segment);
        }
    };
    for (;;) {  // at most twice
        share_out(segments * parts, threads, time, add_up);
        std::fill(maximum.begin(), maximum.end(), none);
        for (size_t i = 0; i < maxima.size(); ++i) keep_larger(maximum[i % size_t(rows)], maxima[i]);
        bool usable = true;
        for (size_t r = 0; r < near.size(); ++r) usable = usable && is_usable(near[r], maximum[r], all.c);
        if (usable) break;
        near = maximum;
    }
    if (all.out.data) {
        slice.task = RowSlice<E>::store;
        const ptrdiff_t at_once = all.z.cls == 1 ? segment : classes_to_store;
        share_out((all.classes + at_once - 1) / at_once, threads, time / 2,
                  [&](ptrdiff_t first, ptrdiff_t last) { run(all, slice, first * at_once, last * at_once); });
    }
    slice.task = RowSlice<E>::finish;
    run(all, slice, 0, all.classes);
}

// The same for a row of a 16-bit type, by float32 copies of it and of its result.
void divide_halves(RowKernel<float> kernel, const Job<float>& row, int threads) {
    const ptrdiff_t segments = segments_of(row), classes = row.classes;
    const bool out = row.halves.out.data;
    Buffer own;  // not the thread's: what interrupts a long row may call again
    float* const copy = static_cast<float*>(own.reserve(size_t(classes) * (out ? 2 : 1) * sizeof(float)));
    Job<float> widened = row;
    widened.halves = {};
    widened.z = {copy, 0, 1};
    if (out) widened.out = {copy + classes, 0, 1};
    // f(first class, number of classes) for each part
    const auto convert = [&](auto f) {
        share_out(segments, threads, nanoseconds(row, 1) / 4, [&](ptrdiff_t first, ptrdiff_t last) {
            const ptrdiff_t begin = first * segment_classes<float>,
                            end = std::min(classes, last * segment_classes<float>);
            f(begin, end - begin);
        });
    };
    const Halves& halves = row.halves;
    convert([&](ptrdiff_t j, ptrdiff_t n) {
        halves.convert.widen(halves.z.data + j * halves.z.cls, halves.z.cls, n, copy + j);
    });
    divide(kernel, widened, threads);
    if (out)
        convert([&](ptrdiff_t j, ptrdiff_t n) {
            halves.convert.narrow(copy + classes + j, n, halves.out.data + j * halves.out.cls, halves.out.cls);
        });
}
void divide_halves(RowKernel<double>, const Job<double>&, int) {}  // there is no such job

}  // namespace

template <class E>
int threads_for_row(const Job<E>& job) {
    return threads_for(job.classes / segment_classes<E>, nanoseconds(job, 1));
}

template <class E>
int threads_for_columns(const Job<E>& job) {
    return threads_for(job.classes / classes_to_store, nanoseconds(job, job.rows));
}

template <class E>
void run_divided(RowKernel<E> kernel, const Job<E>& job, int threads) {
    job.halves ? divide_halves(kernel, job, threads) : divide(kernel, job, threads);
}

template int threads_for_row(const Job<float>&);
template int threads_for_row(const Job<double>&);
template int threads_for_columns(const Job<float>&);
template int threads_for_columns(const Job<double>&);
template void run_divided(RowKernel<float>, const Job<float>&, int);
template void run_divided(RowKernel<double>, const Job<double>&, int);

}  // namespace nndl_fast
