#include "batch/batch.h"
#include "common/floating_point.h"
#include "isa/dispatch.h"
#include "nndl_fast.h"

namespace nndl_fast {
namespace {

constexpr ptrdiff_t good = -1, no_memory = -2;

template <class E>
ptrdiff_t run(RowKernel<E> kernel, ptrdiff_t rows, Job<E> job) noexcept {
    if (rows <= 0 || job.classes <= 0) return good;
    if (rows > most_elements / job.classes) return no_memory;
    const DefaultFloatingPoint environment;
    Batch batch;
    batch.append(rows, job.z.row, 0, job.out.row);
    try {
        run_rows(kernel, job, batch);
    } catch (...) {  // of memory: nothing else is thrown there
        return no_memory;
    }
    return good;
}

template <class E>
ptrdiff_t softmax(ptrdiff_t rows, ptrdiff_t classes, const E* z, ptrdiff_t z_row, ptrdiff_t z_class, E* out,
                  ptrdiff_t out_row, ptrdiff_t out_class) {
    Job<E> job;
    job.classes = classes;
    job.z = {z, z_row, z_class};
    job.out = {out, out_row, out_class};
    return run(active_kernels<E>().softmax, rows, job);
}

template <class E>
ptrdiff_t both(ptrdiff_t rows, ptrdiff_t classes, const E* z, ptrdiff_t z_row, ptrdiff_t z_class, const int64_t* labels,
               double scale, double* costs, E* out, ptrdiff_t out_row, ptrdiff_t out_class) {
    if (classes > 0 && rows > most_elements / classes) return no_memory;  // as run() says, but before labels are read
    if (const ptrdiff_t wrong = first_wrong_label(labels, rows, classes); wrong != rows) return wrong;
    Job<E> job;
    job.classes = classes;
    job.z = {z, z_row, z_class};
    job.out = {out, out_row, out_class};
    job.labels = labels;
    job.scale = scale;
    job.row_result = costs;
    return run(active_kernels<E>().log_likelihood, rows, job);
}

template <class E>
ptrdiff_t cost(ptrdiff_t rows, ptrdiff_t classes, const E* z, ptrdiff_t z_row, ptrdiff_t z_class, const int64_t* labels,
               double* costs) {
    return both<E>(rows, classes, z, z_row, z_class, labels, 1, costs, nullptr, 0, 0);
}

template <class E>
ptrdiff_t delta(ptrdiff_t rows, ptrdiff_t classes, const E* z, ptrdiff_t z_row, ptrdiff_t z_class,
                const int64_t* labels, double scale, E* out, ptrdiff_t out_row, ptrdiff_t out_class) {
    return both<E>(rows, classes, z, z_row, z_class, labels, scale, nullptr, out, out_row, out_class);
}

}  // namespace

// bindings/module.cpp declares it.
const nndl_fast_api& api() {
    static const nndl_fast_api table = {NNDL_FAST_API_VERSION, softmax<float>, softmax<double>,
                                        cost<float>,           cost<double>,   delta<float>,
                                        delta<double>,         both<float>,    both<double>};
    return table;
}

}  // namespace nndl_fast
