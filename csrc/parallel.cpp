#include "parallel.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "buffer.h"
#include "estimate.h"
#include "halves.h"
#include "threads/threads.h"

namespace nndl_fast {
namespace {

// Sums over a batch are made of groups of so many, and those of groups again.
constexpr ptrdiff_t group = 16;
// The largest of so many classes is where a long row's maximum is expected.
constexpr ptrdiff_t classes_to_expect_from = 128;
// Threads store so many classes of columns at a time.
constexpr ptrdiff_t classes_to_store = 512;
// Rows whose results are kept apart at a time; more rows than this go to threads by whole groups.
constexpr ptrdiff_t rows_at_once = 4096;
constexpr ptrdiff_t elements_at_once = 1024;

thread_local Buffer thread_scratch, thread_sums, thread_copy;

// Sums n values in place: groups, groups of groups, and so on. Destroys them.
double fold(double* x, ptrdiff_t n) {
    while (n > 1) {
        const ptrdiff_t groups = (n + group - 1) / group;
        for (ptrdiff_t g = 0; g < groups; ++g) {
            double sum = x[g * group];
            for (ptrdiff_t i = g * group + 1; i < std::min(n, (g + 1) * group); ++i) sum += x[i];
            x[g] = sum;
        }
        n = groups;
    }
    return n ? x[0] : 0;
}

// A walk through a batch in C order, a run of the last dimension at a time.
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
    ptrdiff_t step(Batch::Operand operand) const { return batch_.dims ? batch_.stride[operand][batch_.dims - 1] : 0; }
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

// Rows first to last; the first's result goes to *results, where results are wanted.
template <class E>
void run_range(RowKernel<E> kernel, const Job<E>& job, const Batch& batch, ptrdiff_t first, ptrdiff_t last,
               double* results) {
    Walk walk(batch, first);
    while (first < last) {
        const Job<E> part = rows_at(walk, job, first, last, results);
        if (part.halves)
            run_halves(kernel, part, static_cast<E*>(thread_copy.reserve(size_t(halves_room(part)) * sizeof(E))));
        else kernel(part);
        walk.advance(part.rows);
        first += part.rows;
        results = moved(results, part.rows);
    }
}

template <class E>
E* row_scratch(const Job<E>& job) {
    return static_cast<E*>(thread_scratch.reserve(scratch_elements(job) * sizeof(E)));
}

template <class E>
ptrdiff_t segments_of(const Job<E>& row) {
    return (row.classes + segment_classes<E> - 1) / segment_classes<E>;
}

// One row or some columns, shared out among threads by classes. The bits are those that one thread gives.
template <class E>
void run_shared(RowKernel<E> kernel, const Job<E>& all, int threads) {
    const ptrdiff_t segments = segments_of(all), rows = all.rows;
    const double time = nanoseconds(kernel, all, rows);
    constexpr E none = -std::numeric_limits<E>::infinity();
    std::vector<double> sums(size_t(2 * segments * rows));
    std::vector<E> near(size_t(rows), none), maxima(size_t(segments * rows), none), maximum(near);
    const auto keep_larger = [](E& x, E y) { x = y > x ? y : x; };  // NaNs left out
    for (ptrdiff_t j = 0; j < std::min(all.classes, classes_to_expect_from); ++j)
        for (ptrdiff_t r = 0; r < rows; ++r) keep_larger(near[size_t(r)], all.z.data[r * all.z.row + j * all.z.cls]);
    RowSlice<E> slice{RowSlice<E>::add_up, 0, all.classes, near.data(), sums.data(), rows, maximum.data()};
    const auto run = [&](const Job<E>& some, RowSlice<E> mine, ptrdiff_t first, ptrdiff_t last) {
        mine.first = first;
        mine.last = std::min(all.classes, last);
        Job<E> job = some;
        job.slice = &mine;
        if (all.z.cls != 1) job.scratch = row_scratch(job);  // columns are copied; a row of its own needs none
        if (slice.task != RowSlice<E>::finish) job.row_result = nullptr;
        kernel(job);
    };
    // Where the segments are fewer than the threads, each thread adds up some of the columns, a vector's width at a
    // time.
    constexpr ptrdiff_t segment = segment_classes<E>;
    const ptrdiff_t width = segments < threads ? group : rows, parts = (rows + width - 1) / width;
    const auto add_up = [&](ptrdiff_t first, ptrdiff_t last) {
        for (ptrdiff_t i = first; i < last; ++i) {
            const ptrdiff_t r = i % parts * width, s = i / parts;
            Job<E> some = all;
            some.rows = std::min(width, rows - r);
            some.z.data += r * all.z.row;
            RowSlice<E> mine = slice;
            mine.near += r;
            mine.sums += r;
            mine.maxima = &maxima[size_t(s * rows + r)];
            run(some, mine, s * segment, (s + 1) * segment);
        }
    };
    for (;;) {  // at most twice
        share_out(segments * parts, threads, time, add_up);
        std::fill(maximum.begin(), maximum.end(), none);
        for (size_t i = 0; i < maxima.size(); ++i) keep_larger(maximum[i % size_t(rows)], maxima[i]);
        bool serve = true;
        for (size_t r = 0; r < near.size(); ++r) serve = serve && is_usable(near[r], maximum[r], all.c);
        if (serve) break;
        near = maximum;
    }
    if (all.out.data) {
        slice.task = RowSlice<E>::store;
        const ptrdiff_t at_once = all.z.cls == 1 ? segment : classes_to_store;
        share_out((all.classes + at_once - 1) / at_once, threads, time / 2,
                  [&](ptrdiff_t first, ptrdiff_t last) { run(all, slice, first * at_once, last * at_once); });
    }
    slice.task = RowSlice<E>::finish;
    run(all, slice, 0, all.classes);
}

// The same for a row of a 16-bit type, by float32 copies of it and of its result.
void run_shared_halves(RowKernel<float> kernel, const Job<float>& row, int threads) {
    const ptrdiff_t segments = segments_of(row), classes = row.classes;
    const bool out = row.halves.out.data;
    Buffer own;  // not the thread's: what interrupts a long row may call again
    float* const copy = static_cast<float*>(own.reserve(size_t(classes) * (out ? 2 : 1) * sizeof(float)));
    Job<float> widened = row;
    widened.halves = {};
    widened.z = {copy, 0, 1};
    if (out) widened.out = {copy + classes, 0, 1};
    // f(first class, number of classes) for each part
    const auto convert = [&](auto f) {
        share_out(segments, threads, nanoseconds(kernel, row, 1) / 4, [&](ptrdiff_t first, ptrdiff_t last) {
            const ptrdiff_t begin = first * segment_classes<float>,
                            end = std::min(classes, last * segment_classes<float>);
            f(begin, end - begin);
        });
    };
    const Halves& halves = row.halves;
    convert([&](ptrdiff_t j, ptrdiff_t n) {
        halves.convert.widen(halves.z.data + j * halves.z.cls, halves.z.cls, n, copy + j);
    });
    run_shared(kernel, widened, threads);
    if (out)
        convert([&](ptrdiff_t j, ptrdiff_t n) {
            halves.convert.narrow(copy + classes + j, n, halves.out.data + j * halves.out.cls, halves.out.cls);
        });
}
void run_shared_halves(RowKernel<double>, const Job<double>&, int) {}  // there is no such job

// Not 0 if rows are to be shared out: they are too few for the threads, or so long that the watch cannot wait for one.
template <class E>
int threads_for_shares(RowKernel<E> kernel, const Job<E>& job, ptrdiff_t rows) {
    const bool out_fits = !job.out.data || (job.out.cls == 1 && job.out.data != job.z.data);
    if (!job.may_share || !(job.halves || (job.z.cls == 1 && out_fits))) return 0;
    const double time = nanoseconds(kernel, job, 1);
    const int threads = threads_for(job.classes / segment_classes<E>, time);
    return rows < threads || time > Watch::interval ? threads : 0;
}

// Not 0 if columns are too few for each thread to store columns of its own: it would find in each line, or in the
// next one, what another thread stores.
template <class E>
int threads_for_columns(RowKernel<E> kernel, const Job<E>& job, const Batch& batch) {
    constexpr ptrdiff_t enough = 16 * ptrdiff_t(64 / sizeof(E));  // for a thread
    const auto in_columns = [&](Batch::Operand operand, const void* data) {
        return !data || batch.stride[operand][0] == 1;
    };
    if (!job.may_share || job.halves || !has_columns(job) || batch.dims != 1 || job.out.data == job.z.data) return 0;
    if (!in_columns(Batch::z, job.z.data) || !in_columns(Batch::out, job.out.data)) return 0;
    const ptrdiff_t rows = batch.size();
    const int threads = threads_for(job.classes / classes_to_store, nanoseconds(kernel, job, rows));
    return threads > 1 && rows < threads * enough ? threads : 0;
}

}  // namespace

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

template <class E>
void run_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch) {
    const ptrdiff_t rows = batch.size();
    if (const int threads = threads_for_shares(kernel, job, rows)) {
        Walk walk(batch, 0);
        for (ptrdiff_t r = 0; r < rows; ++r, walk.advance(1)) {
            const Job<E> row = rows_at(walk, job, r, r + 1, moved(job.row_result, r));
            job.halves ? run_shared_halves(kernel, row, threads) : run_shared(kernel, row, threads);
        }
        return;
    }
    if (const int threads = threads_for_columns(kernel, job, batch)) {
        // a tile of its own is too much for a few columns
        const ptrdiff_t left = rows % group < few_columns ? rows % group : 0;
        if (left < rows) run_shared(kernel, rows_at(Walk(batch, 0), job, 0, rows - left, job.row_result), threads);
        Job<E> mine = job;
        mine.scratch = row_scratch(job);
        return run_range(kernel, mine, batch, rows - left, rows, moved(job.row_result, rows - left));
    }
    // whole groups where a vector's width of rows is handled at a time
    const ptrdiff_t unit =
        job.classes <= few_classes || has_panels(job) || has_columns(job) || rows > rows_at_once ? group : 1;
    const ptrdiff_t units = (rows + unit - 1) / unit;
    const double time = nanoseconds(kernel, job, rows);
    share_out(units, threads_for(units, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        Job<E> mine = job;
        mine.scratch = row_scratch(job);
        run_range(kernel, mine, batch, first * unit, std::min(rows, last * unit), moved(job.row_result, first * unit));
    });
}

template <class E>
double sum_rows(RowKernel<E> kernel, const Job<E>& job, const Batch& batch) {
    const ptrdiff_t rows = batch.size();
    if (rows <= rows_at_once) {
        Job<E> mine = job;
        Buffer own;  // for long work: what interrupts it may call again
        Buffer& sums = nanoseconds(kernel, job, rows) < Watch::first_part ? thread_sums : own;
        mine.row_result = static_cast<double*>(sums.reserve(rows_at_once * sizeof(double)));
        run_rows(kernel, mine, batch);
        return fold(mine.row_result, rows);
    }
    const ptrdiff_t groups = (rows + group - 1) / group;
    std::vector<double> sums(groups);
    const double time = nanoseconds(kernel, job, rows);
    share_out(groups, threads_for(groups, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        Job<E> mine = job;
        mine.scratch = row_scratch(job);
        double* const results = static_cast<double*>(thread_sums.reserve(rows_at_once * sizeof(double)));
        constexpr ptrdiff_t groups_at_once = rows_at_once / group;
        for (ptrdiff_t g = first; g < last; g += groups_at_once) {
            const ptrdiff_t begin = g * group, end = std::min(rows, std::min(last, g + groups_at_once) * group);
            run_range(kernel, mine, batch, begin, end, results);
            for (ptrdiff_t i = begin; i < end; i += group)
                sums[i / group] = fold(results + (i - begin), std::min(group, end - i));
        }
    });
    return fold(sums.data(), groups);
}

template <class E>
double run_elements(MapKernel<E> kernel, const MapJob<E>& job, const Batch& batch) {
    const ptrdiff_t n = batch.size(), chunks = (n + elements_at_once - 1) / elements_at_once;
    std::vector<double> sums(chunks);
    const bool in_place =
        batch.dims == 0 ||
        (batch.dims == 1 && batch.stride[Batch::z][0] == 1 && (!job.y || batch.stride[Batch::y][0] == 1) &&
         (!job.out || batch.stride[Batch::out][0] == 1) && (!job.weight || batch.stride[Batch::weight][0] == 1));
    const double time = nanoseconds(kernel, n);
    share_out(chunks, threads_for(chunks, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        E* const room = in_place
                            ? nullptr
                            : static_cast<E*>(thread_scratch.reserve(Batch::operands * elements_at_once * sizeof(E)));
        for (ptrdiff_t chunk = first; chunk < last; ++chunk) {
            const ptrdiff_t begin = chunk * elements_at_once, end = std::min(n, begin + elements_at_once);
            MapJob<E> part = job;
            part.n = end - begin;
            part.cost = moved(job.cost, begin);
            if (in_place) {
                part.z = moved(job.z, begin);
                part.y = moved(job.y, begin);
                part.weight = moved(job.weight, begin);
                part.out = moved(job.out, begin);
                sums[chunk] = kernel(part);
                continue;
            }
            E* const area[Batch::operands] = {room, room + elements_at_once, room + 2 * elements_at_once,
                                              room + 3 * elements_at_once};
            // copies between an operand and its area; the direction is in the assignment
            const auto copy = [&](Batch::Operand operand, auto assign) {
                Walk walk(batch, begin);
                for (ptrdiff_t done = 0; done < part.n;) {
                    const ptrdiff_t run = walk.run(part.n - done), offset = walk.offset(operand),
                                    step = walk.step(operand);
                    for (ptrdiff_t i = 0; i < run; ++i) assign(offset + i * step, area[operand][done + i]);
                    walk.advance(run);
                    done += run;
                }
            };
            copy(Batch::z, [&](ptrdiff_t at, E& x) { x = job.z[at]; });
            if (job.y) copy(Batch::y, [&](ptrdiff_t at, E& x) { x = job.y[at]; });
            if (job.weight) copy(Batch::weight, [&](ptrdiff_t at, E& x) { x = job.weight[at]; });
            part.z = area[Batch::z];
            part.y = job.y ? area[Batch::y] : nullptr;
            part.weight = job.weight ? area[Batch::weight] : nullptr;
            part.out = job.out ? area[Batch::out] : nullptr;
            sums[chunk] = kernel(part);
            if (job.out) copy(Batch::out, [&](ptrdiff_t at, E& x) { job.out[at] = x; });
        }
    });
    return fold(sums.data(), chunks);
}

template <class E>
void run_parts(MapKernel<E> kernel, const MapJob<E>& job) {
    const ptrdiff_t chunks = (job.n + elements_at_once - 1) / elements_at_once;
    share_out(chunks, get_num_threads(), nanoseconds(kernel, job.n), [&](ptrdiff_t first, ptrdiff_t last) {
        MapJob<E> part = job;
        part.n = std::min(job.n, last * elements_at_once) - first * elements_at_once;
        part.z = job.z + first * elements_at_once;
        part.out = job.out + first * elements_at_once;
        if (part.n > 0) kernel(part);
    });
}

template void run_parts(MapKernel<float>, const MapJob<float>&);
template void run_rows(RowKernel<float>, const Job<float>&, const Batch&);
template void run_rows(RowKernel<double>, const Job<double>&, const Batch&);
template double sum_rows(RowKernel<float>, const Job<float>&, const Batch&);
template double sum_rows(RowKernel<double>, const Job<double>&, const Batch&);
template double run_elements(MapKernel<float>, const MapJob<float>&, const Batch&);
template double run_elements(MapKernel<double>, const MapJob<double>&, const Batch&);

}  // namespace nndl_fast
