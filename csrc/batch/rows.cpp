#include <algorithm>
#include <vector>

#include "../threads/threads.h"
#include "batch.h"

namespace nndl_fast {
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
