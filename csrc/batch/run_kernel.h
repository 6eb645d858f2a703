// Kernels on rows at constant strides: as they stand, in copies, or one row after the other divided among threads.
#pragma once
#include "../common/buffer.h"
#include "../kernels/table.h"

namespace nndl_fast {

// Runs a kernel on rows that it reads as they stand (no path of the plan is copied_rows), with scratch memory that
// lives with the thread.
template <class E>
void run_kernel(RowKernel<E> kernel, Job<E>& job, const Plan& plan) {
    static thread_local Buffer scratch;
    job.plan = plan;
    job.scratch = room<E>(scratch, job.plan.scratch);
    kernel(job);
}
template <class E>
void run_kernel(RowKernel<E> kernel, Job<E>& job) {
    run_kernel(kernel, job, plan_of(job));
}

// The same whatever the type of the rows and their strides are, on this thread. Rows of a 16-bit type are copied, and
// those of many classes that are not contiguous.
template <class E>
void run_strided(RowKernel<E> kernel, Job<E>& job);

// Rows that are all to be copied: threads share out the copying by classes, so that no two of them write to one cache
// line, and then the rows of the copy.
template <class E>
void run_copied(RowKernel<E> kernel, const Job<E>& job);

// One row, whose classes are contiguous: they are divided among threads. The bits are those that one thread gives.
template <class E>
void run_divided(RowKernel<E> kernel, const Job<E>& row, int threads);
// How many threads are worth that.
template <class E>
int threads_for_row(const Job<E>& job);

}  // namespace nndl_fast
