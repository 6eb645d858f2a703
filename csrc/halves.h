// Rows of a 16-bit type: kernels run on a float32 copy of some of them at a time.
#pragma once
#include <algorithm>
#include <utility>

#include "kernels/table.h"

namespace nndl_fast {

// How many elements are copied at a time: some rows, whole vectors' widths of them where they are short,
// that stay in the first cache; at least one.
template <class E>
ptrdiff_t halves_room(const Job<E>& job) {
    constexpr ptrdiff_t at_once = 4096, vector = 16;
    return job.classes * std::min(job.rows, std::max(ptrdiff_t(1), at_once / job.classes / vector * vector));
}

// Runs the kernel on float32 copies of some rows at a time, which its results replace.
// `copy` has halves_room(job) elements.
inline void run_halves(RowKernel<float> kernel, const Job<float>& job, float* copy) {
    const MatrixView<const uint16_t> z = job.halves.z;
    const MatrixView<uint16_t> out = job.halves.out;
    const HalfKernels convert = job.halves.convert;
    const ptrdiff_t classes = job.classes;
    const ptrdiff_t at_once = halves_room(job) / classes;
    const bool columns = z.row == 1 && z.cls != 1;  // the copy has what stands side by side in z side by side
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
        // all of them where they stand one after the other
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
        kernel(part);
        if (out.data)
            for_each_line(out, [&](uint16_t* to, ptrdiff_t stride, ptrdiff_t n, const float* from) {
                convert.narrow(from, n, to, stride);
            });
    }
}
inline void run_halves(RowKernel<double>, const Job<double>&, double*) {}  // there is no such job

}  // namespace nndl_fast
