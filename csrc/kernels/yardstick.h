// What the machine can do at best, for the benchmarks to measure the kernels against: copying, with
// and without stores past the cache, exponentials of what stands in the nearest cache, and fused multiply-adds
// of what stands in registers.
#pragma once
#include "exponentials.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
double copy(const MapJob<E>& job) {
    const Across<V> line{job.n};
    line.for_each([&](auto step) NNDL_LAMBDA { line.store(Column<E>{job.out, 1}, step, line.load(Column<const E>{job.z, 1}, step, 0)); });
    return 0;
}

template <class V, class E = typename V::Element>
double copy_past_cache(const MapJob<E>& job) {
    const ptrdiff_t lanes_before = ptrdiff_t((64 - reinterpret_cast<uintptr_t>(job.out) % 64) % 64 / sizeof(E));
    ptrdiff_t j = 0;
    for (; j < lanes_before && j < job.n; ++j) job.out[j] = job.z[j];
    for (; j + V::size <= job.n; j += V::size) V::load(job.z + j).stream(job.out + j);
    for (; j < job.n; ++j) job.out[j] = job.z[j];
    fence();
    return 0;
}

// As many exponentials as there are elements, of the first few of them.
template <class V, class E = typename V::Element>
double exponentials(const MapJob<E>& job) {
    using L = Across<V>;
    constexpr ptrdiff_t few = 2048;
    double sum = 0;
    for (ptrdiff_t done = 0; done < job.n; done += few) {
        const L line{job.n - done < few ? job.n - done : few};
        DoNothing nothing;
        V top;
        const Exponentials<L, true> exp(Anchor<typename L::Each>({job.z[0]}, 1));
        sum += add_up(line, exp, Column<const E>{job.z, 1}, Column<E>{nullptr, 1}, top, nothing).value().r;
    }
    return sum;
}

// As many multiply-adds as there are elements.
template <class V, class E = typename V::Element>
double multiplications(const MapJob<E>& job) {
    using R = typename V::Register;
    constexpr int chains = 10;
    R sum[chains];
    for (R& x : sum) x = R::all(job.z[0]);
    const R factor = R::all(E(0.5));
    for (ptrdiff_t done = 0; done < job.n; done += chains * R::size)
        for (R& x : sum) x = fma(x, factor, factor);
    for (int i = 1; i < chains; ++i) sum[0] = sum[0] + sum[i];
    return double(reduce_add(sum[0]));
}

}  // namespace
}  // namespace nndl_fast
