// Rows to threads, and sums over a batch in an order that does not depend on the threads.
#pragma once
#include "../kernels/table.h"
#include "batch.h"

namespace nndl_fast {

// Runs the kernel over all rows, of which there is at least one. The job's data pointers are those of the first row;
// its arrays with one element per row (labels, sample weights, results) are contiguous, in C order of the rows.
template <class E>
void run_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch);

// The same, and returns the sum of the rows' results; the job's own row_result is not used.
template <class E>
double sum_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch);

// The plan of the batch's first rows, as many as have a constant stride; there is at least one.
template <class E>
Plan plan_of_rows(const Job<E>& job, const Batch& batch);

}  // namespace nndl_fast
