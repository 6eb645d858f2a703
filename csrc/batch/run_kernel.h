// Runs a kernel by its plan, with scratch memory that lives with the thread.
#pragma once
#include "../common/buffer.h"
#include "../kernels/table.h"

namespace nndl_fast {

template <class E>
void run_kernel(RowKernel<E> kernel, Job<E>& job) {
    static thread_local Buffer scratch;
    job.plan = plan_of(job);
    job.scratch = room<E>(scratch, job.plan.scratch);
    kernel(job);
}

}  // namespace nndl_fast
