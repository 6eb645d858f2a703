// Work whose rows are too few for the threads: one long row after the other, or a few long columns, is divided among
// them by classes. The bits are those that one thread gives.
#pragma once
#include "../kernels/table.h"

namespace nndl_fast {

// How many threads are worth it for a row, and for all of some columns.
template <class E>
int threads_for_row(const Job<E>& job);
template <class E>
int threads_for_columns(const Job<E>& job);

// The job is one row, or some columns.
template <class E>
void run_divided(RowKernel<E> kernel, const Job<E>& job, int threads);

}  // namespace nndl_fast
