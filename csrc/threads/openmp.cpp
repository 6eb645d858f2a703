// OpenMP's threads: equal parts, one per thread.
#include <algorithm>
#include <atomic>
#include <new>
#include <omp.h>

#include "../common/floating_point.h"
#include "threads.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace nndl_fast {
namespace {

std::atomic<bool> in_forked_child{false};

// libgomp waits forever in a child whose parent had a team of threads, so a child stays serial.
[[maybe_unused]] const bool watching_forks = [] {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, [] { in_forked_child = true; });
#endif
    return true;
}();

}  // namespace

const char* threads_by() { return "openmp"; }
int implementation_limit() { return in_forked_child ? 1 : omp_get_max_threads(); }

void share_out_now(ptrdiff_t units, int threads, double, Body body) {
    if (in_forked_child) return body.run(body.context, 0, units);
    std::atomic<bool> failed{false};
#pragma omp parallel num_threads(threads)
    {
        const DefaultFloatingPoint environment;
        const ptrdiff_t team = omp_get_num_threads(), me = omp_get_thread_num();
        const ptrdiff_t share = units / team, more = units % team;
        const ptrdiff_t first = me * share + std::min(me, more), last = first + share + (me < more);
        try {
            if (first < last) body.run(body.context, first, last);
        } catch (...) {  // of memory: nothing else is thrown here
            failed = true;
        }
    }
    if (failed) throw std::bad_alloc();
}

}  // namespace nndl_fast
