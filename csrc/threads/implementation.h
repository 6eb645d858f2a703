// What the files of this folder share.
#pragma once
#include <chrono>
#include <stdint.h>
#include <string>

#include "threads.h"

namespace nndl_fast {

// The largest number of threads that the implementation in use would take by itself; 0 if it has none to give.
int implementation_limit();

// What share_out() does with work that nobody watches.
void share_out_now(ptrdiff_t units, int threads, double nanoseconds, Body body);

// Work that every thread has less of than this is not worth another thread, even one that is awake.
constexpr double least_share = 5e3;  // nanoseconds (bench/NOTES.md)

// The number of threads that OMP_NUM_THREADS asks for if it has this text; 0 if it asks for none.
int wished(const char* text);

// The processors' worth of time that control groups leave to a process whose /proc/self/cgroup has this text,
// with the groups' files below `root`; 0 if they leave it all there is.
double quota(const std::string& groups, const std::string& root);

inline int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace nndl_fast
