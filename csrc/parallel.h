// Takes a batch to the kernels: which rows to which thread, scratch memory that lives with the
// thread, and sums over the batch in an order that does not depend on the threads.
#pragma once
#include "kernels/table.h"

namespace nndl_fast {

constexpr int max_dims = 64;

// The dimensions of a batch, all but the class axis, and for each operand its strides in elements.
struct Batch {
    enum Operand { z, y, out, weight, operands };
    int dims = 0;
    ptrdiff_t shape[max_dims];
    ptrdiff_t stride[operands][max_dims];

    ptrdiff_t size() const;
    void append(ptrdiff_t n, ptrdiff_t z_stride, ptrdiff_t y_stride, ptrdiff_t out_stride, ptrdiff_t weight_stride = 0);
    void simplify();  // joins dimensions that every operand steps through as if they were one
};

// Runs the kernel over all rows. The job's data pointers are those of the first row; what it has
// one per row of (labels, weights, results) is contiguous, rows in C order.
template <class E>
void run_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch);

// The same, and returns the sum of the rows' results; the job's own row_result is not used.
template <class E>
double sum_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch);

// Runs the kernel over all elements and returns the sum of what it returns. `cost` is contiguous.
template <class E>
double run_elements(MapKernel<E> kernel, const MapJob<E>& job, const Batch& batch);

// Runs the kernel over contiguous elements, one part a thread, on all threads that are allowed.
template <class E>
void run_parts(MapKernel<E> kernel, const MapJob<E>& job);

}  // namespace nndl_fast
