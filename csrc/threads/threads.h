// Shares work out among threads. Which implementation stands behind share_out() is chosen when the core is
// built (NNDL_FAST_THREADS): pool.cpp, openmp.cpp or none.cpp. Nothing else starts, names or limits a thread.
#pragma once
#include <chrono>
#include <stddef.h>
#include <stdint.h>
#include <string>

namespace nndl_fast {

// Does units first to last of some work. It may be called for any parts, in any order, several at once, and
// throws nothing but std::bad_alloc.
struct Body {
    void (*run)(void* context, ptrdiff_t first, ptrdiff_t last);
    void* context;
};

// Does all units, on the calling thread and at most threads - 1 others, and returns when all are done.
// `nanoseconds` is about what they take on one thread. Throws std::bad_alloc if a part did, and Interrupted if
// the thread's Watch says so: then some units are not done.
void share_out(ptrdiff_t units, int threads, double nanoseconds, Body body);

struct Interrupted {};

// While it lives, share_out() on this thread asks it about every so many nanoseconds of work whether to go on. Long
// work is cut for that.
class Watch {
public:
    static constexpr double interval = 6e7, first_part = 6e6;

    // A null `goes_on` watches nothing, whatever is watched outside.
    Watch(bool (*goes_on)(void* context), void* context);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // Counts work that is done; throws Interrupted if it is time to ask, and the answer is no.
    static void done(double nanoseconds);

private:
    friend void share_out(ptrdiff_t, int, double, Body);
    bool (*goes_on_)(void*);
    void* context_;
    double since_asked_ = 0;
    Watch* outer_;
};

// Shorter work is not counted.
constexpr double worth_watching = 1e5;

// share_out() of a callable f(first, last).
template <class F>
void share_out(ptrdiff_t units, int threads, double nanoseconds, F f) {
    if ((threads <= 1 || units <= 1) && nanoseconds < worth_watching) return f(ptrdiff_t(0), units);
    const auto run = [](void* context, ptrdiff_t first, ptrdiff_t last) { (*static_cast<F*>(context))(first, last); };
    share_out(units, threads, nanoseconds, Body{run, &f});
}

// The largest number of threads that is worth it for so many units of work, within what is allowed.
int threads_for(ptrdiff_t units, double nanoseconds);

const char* threads_by();  // "pool", "openmp" or "none"

// How many threads a call may use: what was set, or else the limit; and never more than a limit that is below
// the number of processors, since that is somebody's wish.
int get_num_threads();
void set_num_threads(int n);  // 0: as many as the limit
int thread_setting();         // what was set last

// The limit of calls from this thread: OMP_NUM_THREADS, or else the number of processors, until something like
// threadpoolctl sets another.
int thread_limit();
void set_thread_limit(int n);

// The processors that this thread may use: its affinity mask, and the processor time that control groups leave the
// process, rounded up. Looked for again after a while, or in the next call if they are forgotten.
int processors();
void forget_processors();
void assume_processors(int n);  // for tests; 0: the true number

// The rest is for the files of this folder and their tests.

// The largest number of threads that the implementation in use would take by itself; 0 if it has none to give.
int implementation_limit();

// What share_out() does with work that nobody watches.
void share_out_now(ptrdiff_t units, int threads, double nanoseconds, Body body);

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
