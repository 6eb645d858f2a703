// Elements to threads, each an example of its own.
#pragma once
#include "../kernels/table.h"
#include "batch.h"

namespace nndl_fast {

// Runs the kernel over all elements, of which there is at least one, and returns the sum of what it returns. `cost` is
// contiguous.
template <class E>
double run_elements(MapKernel<E> kernel, const MapJob<E>& job, const Batch& batch);

}  // namespace nndl_fast
