// Elements to threads, each an example of its own.
#pragma once
#include "../kernels/table.h"
#include "batch.h"

namespace nndl_fast {

// Runs the kernel over all elements and returns the sum of what it returns. `cost` is contiguous.
template <class E>
double run_elements(MapKernel<E> kernel, const MapJob<E>& job, const Batch& batch);

// Runs the kernel over contiguous elements, one part per thread, on all threads that are allowed.
template <class E>
void run_parts(MapKernel<E> kernel, const MapJob<E>& job);

}  // namespace nndl_fast
