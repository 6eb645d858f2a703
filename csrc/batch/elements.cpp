#include <algorithm>
#include <vector>

#include "../common/buffer.h"
#include "../threads/threads.h"
#include "batch.h"

namespace nndl_fast {
namespace {

constexpr ptrdiff_t elements_at_once = 1024, least_row = 8;
thread_local Buffer thread_copies;

// The job of n elements from these places on.
template <class E>
MapJob<E> part_at(const MapJob<E>& job, ptrdiff_t n, ptrdiff_t z, ptrdiff_t y, ptrdiff_t weight, ptrdiff_t out) {
    MapJob<E> part = job;
    part.n = n;
    part.z = advanced(job.z, z);
    part.y = advanced(job.y, y);
    part.weight = advanced(job.weight, weight);
    part.out = advanced(job.out, out);
    return part;
}

// Elements begin to end as they stand, a run of the last dimension at a time.
template <class E>
void run_in_rows(MapKernel<E> kernel, const MapJob<E>& job, const Batch& batch, ptrdiff_t begin, ptrdiff_t end) {
    Walk walk(batch, begin);
    while (begin < end) {
        const MapJob<E> part = part_at(job, walk.run(end - begin), walk.offset(Batch::z), walk.offset(Batch::y),
                                       walk.offset(Batch::weight), walk.offset(Batch::out));
        kernel(part);
        walk.advance(part.n);
        begin += part.n;
    }
}

// n elements from `begin` on, at most elements_at_once of any strides, in copies.
template <class E>
double run_in_copies(MapKernel<E> kernel, const MapJob<E>& job, const Batch& batch, ptrdiff_t begin, ptrdiff_t n) {
    E* const scratch = static_cast<E*>(thread_copies.reserve(Batch::operands * elements_at_once * sizeof(E)));
    E* const area[Batch::operands] = {scratch, scratch + elements_at_once, scratch + 2 * elements_at_once,
                                      scratch + 3 * elements_at_once};
    // copies between an operand and its area; the direction is in the assignment
    const auto copy = [&](Batch::Operand operand, auto assign) {
        for_each_offset(batch, operand, begin, n,
                        [&](ptrdiff_t offset, ptrdiff_t i) { assign(offset, area[operand][i]); });
    };
    copy(Batch::z, [&](ptrdiff_t at, E& x) { x = job.z[at]; });
    if (job.y) copy(Batch::y, [&](ptrdiff_t at, E& x) { x = job.y[at]; });
    if (job.weight) copy(Batch::weight, [&](ptrdiff_t at, E& x) { x = job.weight[at]; });
    MapJob<E> part = job;
    part.n = n;
    part.cost = advanced(job.cost, begin);
    part.z = area[Batch::z];
    part.y = job.y ? area[Batch::y] : nullptr;
    part.weight = job.weight ? area[Batch::weight] : nullptr;
    part.out = job.out ? area[Batch::out] : nullptr;
    const double sum = kernel(part);
    if (job.out) copy(Batch::out, [&](ptrdiff_t at, E& x) { job.out[at] = x; });
    return sum;
}

}  // namespace

template <class E>
double run_elements(MapKernel<E> kernel, const MapJob<E>& job, const Batch& batch) {
    const ptrdiff_t n = batch.size(), chunks = (n + elements_at_once - 1) / elements_at_once;
    std::vector<double> sums(chunks);
    const int inner = batch.dims - 1;
    const auto is_plain = [&](const void* data, Batch::Operand operand) {
        return !data || batch.stride[operand][inner] == 1;
    };
    const bool plain = batch.dims && is_plain(job.z, Batch::z) && is_plain(job.y, Batch::y) &&
                       is_plain(job.out, Batch::out) && is_plain(job.weight, Batch::weight);
    const bool in_place = !batch.dims || (batch.dims == 1 && plain);
    // Without sums, whose order is that of the chunks, rows can be taken as they stand.
    const bool in_rows = !in_place && plain && !job.sums && !job.cost && batch.shape[inner] >= least_row;
    const double time = nanoseconds(kernel, n);
    share_out(chunks, threads_for(chunks, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        if (in_rows)
            return run_in_rows(kernel, job, batch, first * elements_at_once, std::min(n, last * elements_at_once));
        for (ptrdiff_t chunk = first; chunk < last; ++chunk) {
            const ptrdiff_t begin = chunk * elements_at_once, some = std::min(n - begin, elements_at_once);
            if (!in_place) {
                sums[chunk] = run_in_copies(kernel, job, batch, begin, some);
                continue;
            }
            MapJob<E> part = part_at(job, some, begin, begin, begin, begin);
            part.cost = advanced(job.cost, begin);
            sums[chunk] = kernel(part);
        }
    });
    return fold(sums.data(), chunks);
}

template double run_elements(MapKernel<float>, const MapJob<float>&, const Batch&);
template double run_elements(MapKernel<double>, const MapJob<double>&, const Batch&);

}  // namespace nndl_fast
