// Batches, and about how long work takes.
#include "batch.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "../isa/dispatch.h"

namespace nndl_fast {

ptrdiff_t Batch::size() const {
    ptrdiff_t n = 1;
    for (int d = 0; d < dims; ++d) n *= shape[d];
    return n;
}

void Batch::append(ptrdiff_t n, ptrdiff_t z_stride, ptrdiff_t y_stride, ptrdiff_t out_stride, ptrdiff_t weight_stride) {
    shape[dims] = n;
    stride[z][dims] = z_stride;
    stride[y][dims] = y_stride;
    stride[out][dims] = out_stride;
    stride[weight][dims] = weight_stride;
    ++dims;
}

void Batch::simplify() {
    int kept = 0;
    for (int d = 0; d < dims; ++d) {
        if (shape[d] == 1) continue;
        bool joins = kept > 0;
        for (int k = 0; joins && k < operands; ++k) joins = stride[k][kept - 1] == stride[k][d] * shape[d];
        const int to = joins ? kept - 1 : kept++;
        shape[to] = joins ? shape[to] * shape[d] : shape[d];
        for (int k = 0; k < operands; ++k) stride[k][to] = stride[k][d];
    }
    dims = kept;
}

namespace {

// Work of fewer elements is short on any machine and instruction set.
constexpr ptrdiff_t few_elements = 256;

// A float32 element of the logistic function takes so many exponentials in a sum: 3.3 were measured with AVX-512, 2.5
// with AVX2, 1.5 without vectors.
constexpr double per_sigmoid = 2.5;

// The nanoseconds of a float32 exponential in a sum, by the logistic function, which is measured once for each
// instruction set that is used: with AVX-512 it takes a hundredth of what it takes without vectors.
double exponential() {
    static std::atomic<const Table*> measured{nullptr};
    static std::atomic<double> result{0};
    const Table* const table = &active_table();
    if (measured.load(std::memory_order_acquire) == table) return result.load(std::memory_order_relaxed);
    constexpr ptrdiff_t n = 512;
    float z[n] = {};
    MapJob<float> job;
    job.n = n;
    job.z = job.out = z;
    double best = 1e9;
    for (int round = 0; round < 5; ++round) {
        const auto start = std::chrono::steady_clock::now();
        table->f32.sigmoid(job);
        best =
            std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
    }
    best /= n * per_sigmoid;
    result.store(best, std::memory_order_relaxed);
    measured.store(table, std::memory_order_release);
    return best;
}

// What an element takes beside a float32 exponential, here and below: measured at 10, 100 and 1000 classes with AVX2,
// where the estimates are within a factor of 2 (bench/NOTES.md).
template <class E>
constexpr double per_element = sizeof(E) == sizeof(float) ? 1 : 3;

}  // namespace

template <class E>
double nanoseconds(const Job<E>& job, ptrdiff_t rows) {
    const double elements = double(rows) * double(job.classes);
    if (elements < few_elements) return 0;
    double each = !job.exponentials ? 0.6 : job.y.data ? 3 : job.classes <= 32 ? 2 : 1.3;
    each *= per_element<E>;
    if (job.half) each += 2.5;
    return elements * each * exponential();
}

template <class E>
double nanoseconds(MapKernel<E> kernel, ptrdiff_t elements) {
    if (elements < few_elements) return 0;
    const double each = kernel == active_kernels<E>().binary_cross_entropy ? 5.5 : 1.7;
    return double(elements) * each * per_element<E> * exponential();
}

template <class E>
double nanoseconds(const ProductJob<E>& job) {
    const double multiplications = double(job.rows) * double(job.columns) * double(job.depth);
    return multiplications < 64 * few_elements ? 0 : multiplications * 0.06 * sizeof(E) / sizeof(float) * exponential();
}

template double nanoseconds(const ProductJob<float>&);
template double nanoseconds(const ProductJob<double>&);
template double nanoseconds(const Job<float>&, ptrdiff_t);
template double nanoseconds(const Job<double>&, ptrdiff_t);
template double nanoseconds(MapKernel<float>, ptrdiff_t);
template double nanoseconds(MapKernel<double>, ptrdiff_t);

}  // namespace nndl_fast
