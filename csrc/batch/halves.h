// Rows of a 16-bit type: kernels run on a float32 copy of some of them at a time.
#pragma once
#include <algorithm>
#include <utility>

#include "run_kernel.h"

namespace nndl_fast {

// Runs the kernel on a float32 copy of a few rows at a time; the results overwrite the copy and are converted from
// there.
inline void run_halves(RowKernel<float> kernel, const Job<float>& job) {
    static thread_local Buffer thread_copy;
    const MatrixView<const uint16_t> z = job.halves.z;
    const MatrixView<uint16_t> out = job.halves.out;
    const HalfKernels convert = job.halves.convert;
    const ptrdiff_t classes = job.classes;
    // Some rows that stay in the first cache, whole vectors' widths of them if they are short; at least one.
    constexpr ptrdiff_t elements = 4096;
    const ptrdiff_t at_once =
        std::min(job.rows, std::max(ptrdiff_t(1), elements / classes / rows_of_tiles * rows_of_tiles));
    float* const copy = room<float>(thread_copy, at_once * classes);
    const bool columns = are_copied_in_columns(job);  // what stands side by side in z does so in the copy
    for (ptrdiff_t first = 0; first < job.rows; first += at_once) {
        Job<float> part = job;
        part.halves = {};
        part.rows = std::min(at_once, job.rows - first);
        part.z = columns ? MatrixView<const float>{copy, 1, part.rows} : MatrixView<const float>{copy, classes, 1};
        if (out.data) part.out = {copy, part.z.row, part.z.cls};
        part.y.data = moved(job.y.data, first * job.y.row);
        part.labels = moved(job.labels, first);
        part.sample_weight = moved(job.sample_weight, first);
        part.row_result = moved(job.row_result, first);
        // f(place, stride, length, place in the copy) for each line of the copy, a row or a column, or for
        // all of them if they stand one after the other
        const auto for_each_line = [&](auto half, auto f) {
            ptrdiff_t lines = columns ? classes : part.rows, length = columns ? part.rows : classes;
            const ptrdiff_t step = columns ? half.cls : half.row, stride = columns ? half.row : half.cls;
            if (stride == 1 && step == length) length *= std::exchange(lines, 1);
            for (ptrdiff_t i = 0; i < lines; ++i)
                f(half.data + first * half.row + i * step, stride, length, copy + i * length);
        };
        for_each_line(z, [&](const uint16_t* from, ptrdiff_t stride, ptrdiff_t n, float* to) {
            convert.widen(from, stride, n, to);
        });
        run_kernel(kernel, part);
        if (out.data)
            for_each_line(out, [&](uint16_t* to, ptrdiff_t stride, ptrdiff_t n, const float* from) {
                convert.narrow(from, n, to, stride);
            });
    }
}
inline void run_halves(RowKernel<double>, const Job<double>&) {}  // there is no such job

}  // namespace nndl_fast
