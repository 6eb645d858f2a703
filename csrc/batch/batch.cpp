// Batches, about how long work takes, and how the rows of a batch go to threads.
#include "batch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include "../isa/dispatch.h"
#include "../threads/threads.h"

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

namespace {

// Rows whose results are kept apart at a time; more rows than this go to threads by whole groups.
constexpr ptrdiff_t rows_at_once = 4096;
static_assert(fold_group == rows_of_tiles, "groups of rows are whole tiles");

thread_local Buffer thread_sums;

// The job of the rows where the walk is, as many as stand at one stride.
template <class E>
Job<E> rows_at(const Walk& walk, const Job<E>& job, ptrdiff_t first, ptrdiff_t last, double* results) {
    Job<E> part = job;
    part.rows = walk.run(last - first);
    const auto there = [&](auto& x, Batch::Operand operand) {
        x.data = advanced(x.data, walk.offset(operand));
        x.row = walk.stride(operand);
    };
    there(part.z, Batch::z);
    there(part.y, Batch::y);
    there(part.out, Batch::out);
    there(part.half.z, Batch::z);
    there(part.half.out, Batch::out);
    part.labels = advanced(job.labels, first);
    part.sample_weight = advanced(job.sample_weight, first);
    part.row_result = results;
    return part;
}

// Rows first to last; the first's result goes to *results, if results are wanted.
template <class E>
void run_range(RowKernel<E> kernel, const Job<E>& job, const Batch& batch, ptrdiff_t first, ptrdiff_t last,
               double* results) {
    Walk walk(batch, first);
    while (first < last) {
        Job<E> part = rows_at(walk, job, first, last, results);
        run_strided(kernel, part);
        walk.advance(part.rows);
        first += part.rows;
        results = advanced(results, part.rows);
    }
}

// The threads that are to divide the classes of each row among them: the rows are too few for the threads, or so long
// that the watch cannot wait for one. 0 if rows go to threads as they are.
template <class E>
int threads_for_each_row(const Job<E>& job, ptrdiff_t rows) {
    const int threads = threads_for_row(job);
    return rows < threads || nanoseconds(job, 1) > Watch::interval ? threads : 0;
}

}  // namespace

template <class E>
Plan plan_of_rows(const Job<E>& job, const Batch& batch) {
    return plan_of(rows_at(Walk(batch, 0), job, 0, batch.size(), nullptr));
}

template <class E>
void run_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch) {
    const ptrdiff_t rows = batch.size();
    const double time = nanoseconds(job, rows);
    // Four ways: on this thread; all threads copy one run at a time (`copies`); all threads divide one row at a time
    // (`dividing`); rows shared out by units.
    if (time < worth_watching && threads_for(rows * job.classes, time) <= 1)  // too little to share out in any way
        return run_range(kernel, job, batch, 0, rows, job.row_result);
    const Job<E> begin = rows_at(Walk(batch, 0), job, 0, rows, job.row_result);
    const Plan plan = plan_of(begin);
    const bool copied = plan.path == Path::copied_rows, few_runs = rows <= begin.rows * threads_for(rows, time);
    const int dividing = plan.divisible && !copied ? threads_for_each_row(job, rows) : 0;
    const bool copies = copied ? few_runs : job.half && dividing;
    if (copies || dividing) {
        Walk walk(batch, 0);
        for (ptrdiff_t r = 0, next; r < rows; walk.advance(next - r), r = next) {
            const Job<E> part = rows_at(walk, job, r, copies ? rows : r + 1, advanced(job.row_result, r));
            next = r + part.rows;
            copies ? run_copied(kernel, part) : run_divided(kernel, part, dividing);
        }
        return;
    }
    const ptrdiff_t unit = rows > rows_at_once ? fold_group : plan.unit, units = (rows + unit - 1) / unit;
    share_out(units, threads_for(units, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        run_range(kernel, job, batch, first * unit, std::min(rows, last * unit),
                  advanced(job.row_result, first * unit));
    });
}

template <class E>
double sum_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch) {
    const ptrdiff_t rows = batch.size();
    if (rows <= rows_at_once) {
        Job<E> mine = job;
        Buffer own;  // for long work: what interrupts it may call again
        Buffer& sums = nanoseconds(job, rows) < Watch::first_part ? thread_sums : own;
        mine.row_result = static_cast<double*>(sums.reserve(rows_at_once * sizeof(double)));
        run_rows(kernel, mine, batch);
        return fold(mine.row_result, rows);
    }
    const ptrdiff_t groups = (rows + fold_group - 1) / fold_group;
    std::vector<double> sums(groups);
    const double time = nanoseconds(job, rows);
    share_out(groups, threads_for(groups, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        double* const results = static_cast<double*>(thread_sums.reserve(rows_at_once * sizeof(double)));
        constexpr ptrdiff_t groups_at_once = rows_at_once / fold_group;
        for (ptrdiff_t g = first; g < last; g += groups_at_once) {
            const ptrdiff_t begin = g * fold_group,
                            end = std::min(rows, std::min(last, g + groups_at_once) * fold_group);
            run_range(kernel, job, batch, begin, end, results);
            for (ptrdiff_t i = begin; i < end; i += fold_group)
                sums[i / fold_group] = fold(results + (i - begin), std::min(fold_group, end - i));
        }
    });
    return fold(sums.data(), groups);
}

template void run_rows(RowKernel<float>, const Job<float>&, const Batch&);
template void run_rows(RowKernel<double>, const Job<double>&, const Batch&);
template double sum_rows(RowKernel<float>, const Job<float>&, const Batch&);
template double sum_rows(RowKernel<double>, const Job<double>&, const Batch&);
template Plan plan_of_rows(const Job<float>&, const Batch&);
template Plan plan_of_rows(const Job<double>&, const Batch&);

}  // namespace nndl_fast
