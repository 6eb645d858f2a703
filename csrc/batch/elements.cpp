#include <algorithm>
#include <vector>

#include "../common/buffer.h"
#include "../threads/threads.h"
#include "batch.h"

namespace nndl_fast {
namespace {

constexpr ptrdiff_t elements_at_once = 1024, least_row = 8;
thread_local Buffer thread_copies;

}  // namespace

template <class E>
double run_elements(MapKernel<E> kernel, const MapJob<E>& job, const Batch& batch) {
    const ptrdiff_t n = batch.size(), chunks = (n + elements_at_once - 1) / elements_at_once;
    std::vector<double> sums(chunks);
    const bool in_place =
        batch.dims == 0 ||
        (batch.dims == 1 && batch.stride[Batch::z][0] == 1 && (!job.y || batch.stride[Batch::y][0] == 1) &&
         (!job.out || batch.stride[Batch::out][0] == 1) && (!job.weight || batch.stride[Batch::weight][0] == 1));
    // Without sums, whose order is that of the chunks, rows can be taken as they stand.
    const int inner = batch.dims - 1;
    const auto is_plain = [&](const void* data, Batch::Operand operand) {
        return !data || batch.stride[operand][inner] == 1;
    };
    const bool in_rows = !in_place && !job.sums && !job.cost && batch.shape[inner] >= least_row &&
                         is_plain(job.z, Batch::z) && is_plain(job.y, Batch::y) && is_plain(job.out, Batch::out) &&
                         is_plain(job.weight, Batch::weight);
    const double time = nanoseconds(kernel, n);
    share_out(chunks, threads_for(chunks, time), time, [&](ptrdiff_t first, ptrdiff_t last) {
        if (in_rows) {
            const ptrdiff_t end = std::min(n, last * elements_at_once);
            Walk walk(batch, first * elements_at_once);
            for (ptrdiff_t at = first * elements_at_once; at < end;) {
                MapJob<E> part = job;
                part.n = walk.run(end - at);
                part.z = advanced(job.z, walk.offset(Batch::z));
                part.y = advanced(job.y, walk.offset(Batch::y));
                part.weight = advanced(job.weight, walk.offset(Batch::weight));
                part.out = advanced(job.out, walk.offset(Batch::out));
                kernel(part);
                walk.advance(part.n);
                at += part.n;
            }
            return;
        }
        E* const room =
            in_place ? nullptr : static_cast<E*>(thread_copies.reserve(Batch::operands * elements_at_once * sizeof(E)));
        for (ptrdiff_t chunk = first; chunk < last; ++chunk) {
            const ptrdiff_t begin = chunk * elements_at_once, end = std::min(n, begin + elements_at_once);
            MapJob<E> part = job;
            part.n = end - begin;
            part.cost = advanced(job.cost, begin);
            if (in_place) {
                part.z = advanced(job.z, begin);
                part.y = advanced(job.y, begin);
                part.weight = advanced(job.weight, begin);
                part.out = advanced(job.out, begin);
                sums[chunk] = kernel(part);
                continue;
            }
            E* const area[Batch::operands] = {room, room + elements_at_once, room + 2 * elements_at_once,
                                              room + 3 * elements_at_once};
            // copies between an operand and its area; the direction is in the assignment
            const auto copy = [&](Batch::Operand operand, auto assign) {
                for_each_offset(batch, operand, begin, part.n,
                                [&](ptrdiff_t offset, ptrdiff_t i) { assign(offset, area[operand][i]); });
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

template double run_elements(MapKernel<float>, const MapJob<float>&, const Batch&);
template double run_elements(MapKernel<double>, const MapJob<double>&, const Batch&);

}  // namespace nndl_fast
