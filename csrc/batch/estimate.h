// About how long work takes on one thread, in nanoseconds: how many threads it is worth is decided by that.
#pragma once
#include "../kernels/table.h"

namespace nndl_fast {

template <class E>
double nanoseconds(const Job<E>& job, ptrdiff_t rows);

template <class E>
double nanoseconds(MapKernel<E> kernel, ptrdiff_t elements);

template <class E>
double nanoseconds(const ProductJob<E>& job);

}  // namespace nndl_fast
