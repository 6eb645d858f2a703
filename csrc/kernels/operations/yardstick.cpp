// What the machine can do at best, for the benchmarks to measure the kernels against: copying, with
// and without stores past the cache, exponentials of what stands in the nearest cache, fused multiply-adds of what
// stands in registers, softmax's operations when none waits for another, and cycles.
#include "../export.h"

#include <utility>

#include "../reduction/exponentials.h"

namespace nndl_fast {
namespace {

template <class V, class E = typename V::Element>
double copy(const MapJob<E>& job) {
    const RowLayout<V> line{job.n};
    line.for_each([&](auto step) NNDL_LAMBDA {
        line.store(Strided<E>{job.out, 1}, step, line.load(Strided<const E>{job.z, 1}, step, 0));
    });
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
    using L = RowLayout<V>;
    constexpr ptrdiff_t few = 2048;
    double sum = 0;
    for (ptrdiff_t done = 0; done < job.n; done += few) {
        const L line{job.n - done < few ? job.n - done : few};
        NoPrevious none_before;
        V top;
        const Exponentials<L, true> exp(Shift<typename L::PerRow>({job.z[0]}, 1));
        sum += add_up(line, exp, Strided<const E>{job.z, 1}, Strided<E>{nullptr, 1}, top, none_before).value().r;
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

// What softmax does with a vector: 21 operations. Those of one register have nothing to do with those of another.
template <class R, class E = typename R::Element>
struct Operations {
    static constexpr int count = 21, registers = R::size * sizeof(E) == 64 ? count : 11;  // as many as there are
    R x[registers], half, one, nothing, integers;

    template <int K>
    NNDL_INLINE void run() {
        R& a = x[K % registers];
        if constexpr (K < 9) a = fma(a, half, half);
        else if constexpr (K < 11) a = a * one;
        else if constexpr (K < 16) a = a + nothing;
        else if constexpr (K < 18) a = max(a, half);
        else if constexpr (K < 19) a = lookup(ExpConstants<E>::scaled_powers, bits(a));
        else if constexpr (K < 20) integers = from_bits(shift_left<1>(bits(integers)));
        else a = from_bits(bits(a) + bits(nothing));
    }
    template <int... K>
    NNDL_INLINE void run_all(std::integer_sequence<int, K...>) {
        (run<K>(), ...);
    }
};

// The operations of softmax on as many elements.
template <class V, class E = typename V::Element>
double operations(const MapJob<E>& job) {
    using R = typename V::Register;
    // not known to the compiler, which would leave them out
    const bool some = job.n > 0;
    Operations<R> all;
    all.half = R::all(some ? E(0.5) : E(2));
    all.one = R::all(some ? E(1) : E(2));
    all.nothing = all.integers = R::all(some ? E(0) : E(2));
    for (R& x : all.x) x = all.one;
    for (ptrdiff_t done = 0; done < job.n; done += R::size)
        all.run_all(std::make_integer_sequence<int, Operations<R>::count>());
    double sum = reduce_add(all.integers);
    for (const R& x : all.x) sum += reduce_add(x);
    return sum;
}

// An addition of integers for each element, one after the other: each takes a cycle, if it is not of a constant, which
// some processors add while they rename registers. Eight of them in each round of the loop, whose jump takes one or two
// cycles by where it stands.
template <class V, class E = typename V::Element>
double cycles(const MapJob<E>& job) {
    ptrdiff_t x = 0, one = 1;
    asm volatile("" : "+r"(one));
    const auto add = [&]() NNDL_LAMBDA {
        x += one;
        asm volatile("" : "+r"(x));  // as it is to the compiler
    };
    ptrdiff_t done = 0;
    for (; done + 8 <= job.n; done += 8) add(), add(), add(), add(), add(), add(), add(), add();
    for (; done < job.n; ++done) add();
    return double(x);
}

}  // namespace

NNDL_EXPORT(double, copy, MapJob)
NNDL_EXPORT(double, copy_past_cache, MapJob)
NNDL_EXPORT(double, exponentials, MapJob)
NNDL_EXPORT(double, multiplications, MapJob)
NNDL_EXPORT(double, operations, MapJob)
NNDL_EXPORT(double, cycles, MapJob)

}  // namespace nndl_fast
