// An operation on single elements, vector by vector.
#pragma once
#include "../layout.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element, class F>
NNDL_INLINE double map(const MapJob<E>& job, F f) {
    const RowLayout<V> line{job.n};
    line.for_each([&](auto step) NNDL_LAMBDA {
        line.store(Strided<E>{job.out, 1}, step, f(line.load(Strided<const E>{job.z, 1}, step, E(0))));
    });
    return 0;
}

}  // namespace
}  // namespace nndl_fast
