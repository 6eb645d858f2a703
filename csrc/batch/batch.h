// The examples of a batch, whatever their number of dimensions and their strides: how a kernel runs over all of them,
// on how many threads, and how their results are added up.
#pragma once
#include <algorithm>
#include <optional>

#include "../common/buffer.h"
#include "../kernels/kernels.h"

namespace nndl_fast {

constexpr int max_dims = 64;

// Strides of 0 make batches of any size, and a buffer may take a hundred times a row's size: arrays of more elements
// are refused, so that no size overflows.
constexpr ptrdiff_t most_elements = ptrdiff_t(1) << (sizeof(ptrdiff_t) == 8 ? 48 : 24);

// The dimensions of a batch, all but the class axis, and for each operand its strides in elements.
struct Batch {
    enum Operand { z, y, out, weight, operands };
    int dims = 0;
    ptrdiff_t shape[max_dims];
    ptrdiff_t stride[operands][max_dims];

    ptrdiff_t size() const;
    void append(ptrdiff_t n, ptrdiff_t z_stride, ptrdiff_t y_stride, ptrdiff_t out_stride, ptrdiff_t weight_stride = 0);
    void simplify();  // joins dimensions that every operand steps through as if they were one
};

// A walk through a batch in C order, a run of the last dimension at a time. The batch must not be empty.
class Walk {
public:
    Walk(const Batch& batch, ptrdiff_t position) : batch_(batch) {
        for (int d = batch.dims - 1; d >= 0; --d) {
            index_[d] = position % batch.shape[d];
            position /= batch.shape[d];
        }
    }
    ptrdiff_t run(ptrdiff_t at_most) const {
        return batch_.dims ? std::min(at_most, batch_.shape[batch_.dims - 1] - index_[batch_.dims - 1]) : 1;
    }
    ptrdiff_t offset(Batch::Operand operand) const {
        ptrdiff_t sum = 0;
        for (int d = 0; d < batch_.dims; ++d) sum += index_[d] * batch_.stride[operand][d];
        return sum;
    }
    ptrdiff_t stride(Batch::Operand operand) const { return batch_.dims ? batch_.stride[operand][batch_.dims - 1] : 0; }
    void advance(ptrdiff_t n) {
        for (int d = batch_.dims - 1; d >= 0; --d) {
            index_[d] += d == batch_.dims - 1 ? n : 1;
            if (index_[d] < batch_.shape[d]) return;
            index_[d] = 0;
        }
    }

private:
    const Batch& batch_;
    ptrdiff_t index_[max_dims];
};

// f(offset, i) for elements begin to begin + n of an operand, i counting from 0.
template <class F>
void for_each_offset(const Batch& batch, Batch::Operand operand, ptrdiff_t begin, ptrdiff_t n, F f) {
    Walk walk(batch, begin);
    for (ptrdiff_t done = 0; done < n;) {
        const ptrdiff_t run = walk.run(n - done), offset = walk.offset(operand), stride = walk.stride(operand);
        for (ptrdiff_t i = 0; i < run; ++i) f(offset + i * stride, done + i);
        walk.advance(run);
        done += run;
    }
}

// The first of n labels that is neither a class nor ignored; n if there is none.
inline ptrdiff_t first_wrong_label(const int64_t* labels, ptrdiff_t n, ptrdiff_t classes,
                                   std::optional<int64_t> ignored = std::nullopt) {
    // A loop without branches says whether all labels are classes, as they nearly always are: if one is not, the top
    // bit of one of the two numbers is set.
    uint64_t bits = 0;
    for (ptrdiff_t i = 0; i < n; ++i) bits |= uint64_t(labels[i]) | (uint64_t(classes - 1) - uint64_t(labels[i]));
    if (!(bits >> 63)) return n;
    for (ptrdiff_t i = 0; i < n; ++i)
        if (!is_class(labels[i], classes) && labels[i] != ignored) return i;
    return n;
}

// Sums over a batch are made in an order that depends on the batch alone: so many values at a time, and the sums of
// these groups in the same way.
constexpr ptrdiff_t fold_group = 16;

// Sums n values in place: groups, groups of groups, and so on. Destroys them.
inline double fold(double* x, ptrdiff_t n) {
    while (n > 1) {
        const ptrdiff_t groups = (n + fold_group - 1) / fold_group;
        for (ptrdiff_t g = 0; g < groups; ++g) {
            double sum = x[g * fold_group];
            for (ptrdiff_t i = g * fold_group + 1; i < std::min(n, (g + 1) * fold_group); ++i) sum += x[i];
            x[g] = sum;
        }
        n = groups;
    }
    return n ? x[0] : 0;
}

// About how long work takes on one thread, in nanoseconds: how many threads it is worth is decided by that.
template <class E>
double nanoseconds(const Job<E>& job, ptrdiff_t rows);
template <class E>
double nanoseconds(MapKernel<E> kernel, ptrdiff_t elements);
template <class E>
double nanoseconds(const ProductJob<E>& job);

// Runs the kernel over all elements, each an example of its own, of which there is at least one, on several threads if
// they are worth it. Returns the sum of what it returns. `cost` is contiguous.
template <class E>
double run_elements(MapKernel<E> kernel, const MapJob<E>& job, const Batch& batch);

// The same over all rows, of which there is at least one. The job's data pointers are those of the first row;
// its arrays with one element per row (labels, sample weights, results) are contiguous, in C order of the rows.
template <class E>
void run_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch);

// The same, and returns the sum of the rows' results; the job's own row_result is not used.
template <class E>
double sum_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch);

// The plan of the batch's first rows, as many as have a constant stride; there is at least one.
template <class E>
Plan plan_of_rows(const Job<E>& job, const Batch& batch);

// What these use: kernels on rows at constant strides, as they stand, in copies, or one row after the other divided
// among threads.

// Runs a kernel on rows that it reads as they stand (no path of the plan is copied_rows), with scratch memory that
// lives with the thread.
template <class E>
void run_kernel(RowKernel<E> kernel, Job<E>& job, const Plan& plan) {
    static thread_local Buffer scratch;
    job.plan = plan;
    job.scratch = allocate<E>(scratch, job.plan.scratch);
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
