#include "rows.h"

#include <algorithm>
#include <vector>

#include "../threads/threads.h"
#include "divided.h"
#include "estimate.h"
#include "fold.h"
#include "halves.h"

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
    part.z = {moved(job.z.data, walk.offset(Batch::z)), walk.step(Batch::z), job.z.cls};
    part.y = {moved(job.y.data, walk.offset(Batch::y)), walk.step(Batch::y), job.y.cls};
    part.out = {moved(job.out.data, walk.offset(Batch::out)), walk.step(Batch::out), job.out.cls};
    part.halves.z = {moved(job.halves.z.data, walk.offset(Batch::z)), walk.step(Batch::z), job.halves.z.cls};
    part.halves.out = {moved(job.halves.out.data, walk.offset(Batch::out)), walk.step(Batch::out), job.halves.out.cls};
    part.labels = moved(job.labels, first);
    part.sample_weight = moved(job.sample_weight, first);
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
        part.halves ? run_halves(kernel, part) : run_kernel(kernel, part);
        walk.advance(part.rows);
        first += part.rows;
        results = moved(results, part.rows);
    }
}

// The threads that are to divide the classes of each row among them: the rows are too few for the threads, or so long
// that the watch cannot wait for one. 0 if rows go to threads as they are.
template <class E>
int threads_for_each_row(const Job<E>& job, ptrdiff_t rows) {
    const int threads = threads_for_row(job);
    return rows < threads || nanoseconds(job, 1) > Watch::interval ? threads : 0;
}

// The threads that are to divide the classes of all columns among them: the columns are so few that a thread which
// stored columns of its own would find in each line, or in the next one, what another thread stores. 0 if they are not.
template <class E>
int threads_for_few_columns(const Job<E>& job) {
    constexpr ptrdiff_t enough = 16 * lanes<E>;  // for a thread
    const int threads = threads_for_columns(job);
    return threads > 1 && job.rows < threads * enough ? threads : 0;
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
    if (plan.divisible && (job.halves || plan.path == Path::rows)) {
        if (const int threads = threads_for_each_row(job, rows)) {
            Walk walk(batch, 0);
            for (ptrdiff_t r = 0; r < rows; ++r, walk.advance(1))
                run_divided(kernel, rows_at(walk, job, r, r + 1, moved(job.row_result, r)), threads);
            return;
        }
    } else if (plan.divisible && begin.rows == rows) {
        if (const int threads = threads_for_few_columns(begin)) {
            // a tile of its own is too much for a few columns
            const ptrdiff_t beside = rows % rows_of_tiles < few_rows ? rows % rows_of_tiles : 0;
            Job<E> divided = begin;
            divided.rows = rows - beside;
            if (divided.rows) run_divided(kernel, divided, threads);
            return run_range(kernel, job, batch, divided.rows, rows, moved(job.row_result, divided.rows));
        }
    }
    const ptrdiff_t unit = rows > rows_at_once ? fold_group : plan.unit, units = (rows + unit - 1) / unit;
    share_out(units, threads_for(units, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        run_range(kernel, job, batch, first * unit, std::min(rows, last * unit), moved(job.row_result, first * unit));
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
