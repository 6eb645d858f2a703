// How many threads a call may use, by settings, limits and what the system gives this process; and work that can be
// interrupted.
#include "threads.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace nndl_fast {
namespace {

std::atomic<int> setting{0}, assumed_processors{0};  // 0: none
thread_local int limit = 0;                          // of calls from this thread, as OpenMP has it; 0: none

// The processors that this thread found, and until when it takes their number for true: looking takes as long as some
// elements. What control groups leave is in files, so that is read every second.
struct Look {
    int processors = 1;
    int64_t good_until = 0;
};
thread_local Look last_look;
constexpr int64_t a_look_is_good_for = 10'000'000, a_share_is_good_for = 1'000'000'000;  // nanoseconds
std::atomic<double> share{0};
std::atomic<int64_t> share_good_until{0};

// A child may have been given other processors than its parent.
[[maybe_unused]] const bool watching_forks = [] {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, [] {
        forget_processors();
        share_good_until = 0;
    });
#endif
    return true;
}();

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// quota / period, or 0 if there is no quota ("max", -1, or no such file)
double ratio(const std::string& quota, const std::string& period) {
    const double q = std::atof(quota.c_str()), p = std::atof(period.c_str());
    return q > 0 && p > 0 ? q / p : 0;
}

double quota_of_folder(const std::string& folder, bool version_2) {
    if (!version_2) return ratio(text_of(folder + "/cpu.cfs_quota_us"), text_of(folder + "/cpu.cfs_period_us"));
    std::istringstream both(text_of(folder + "/cpu.max"));
    std::string quota, period;
    both >> quota >> period;
    return ratio(quota, period);
}

// The least quota of a group and those around it; within a container the group's own path may not be there.
double least_quota(const std::string& root, std::string path, bool version_2) {
    double least = 0;
    for (;;) {
        const double found = quota_of_folder(root + path, version_2);
        if (found > 0 && (least == 0 || found < least)) least = found;
        if (path.empty()) return least;
        path.erase(path.find_last_of('/'));
    }
}

int affinity() {
#if defined(__linux__)
    for (int capacity = 1024; capacity <= 1 << 20; capacity *= 4) {  // more processors than that are an error
        cpu_set_t* const set = CPU_ALLOC(capacity);
        if (!set) break;
        const size_t bytes = CPU_ALLOC_SIZE(capacity);
        const int count = sched_getaffinity(0, bytes, set) ? 0 : CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (count) return count;
    }
#endif
    return std::max(1, int(std::thread::hardware_concurrency()));
}

// Read once, when the library is loaded, as OpenMP does: programs change the variable for those that they start.
const int wished_by_environment = wished(std::getenv("OMP_NUM_THREADS"));

}  // namespace

int wished(const char* text) {
    const long n = text ? std::strtol(text, nullptr, 10) : 0;  // a list has a number for each level of nesting
    return n >= 1 ? int(std::min(n, 1L << 20)) : 0;
}

double quota(const std::string& groups, const std::string& root) {
    double least = 0;
    std::istringstream lines(groups);
    for (std::string line; std::getline(lines, line);) {  // number:controllers:path
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        std::string path = line.substr(second + 1);
        if (path == "/") path.clear();
        if (!path.empty() && path[0] != '/') continue;
        double found = 0;
        if (controllers.empty()) found = least_quota(root, path, true);
        else if (("," + controllers + ",").find(",cpu,") != std::string::npos)
            found = least_quota(root + "/cpu", path, false);
        if (found > 0 && (least == 0 || found < least)) least = found;
    }
    return least;
}

int processors() {
    if (const int assumed = assumed_processors) return assumed;
    const int64_t time = now();
    if (time < last_look.good_until) return last_look.processors;
    int n = affinity();
    if (time >= share_good_until) {
        share = quota(text_of("/proc/self/cgroup"), "/sys/fs/cgroup");
        share_good_until = time + a_share_is_good_for;
    }
    if (share > 0) n = std::min(n, std::max(1, int(std::ceil(share))));
    last_look = {n, time + a_look_is_good_for};
    return n;
}
void forget_processors() { last_look.good_until = 0; }
void assume_processors(int n) { assumed_processors = n; }

int thread_limit() {
    int n = limit;
    if (!n) {
        n = wished_by_environment;
        if (!n) n = processors();
    }
    return std::max(1, std::min(n, implementation_limit()));
}
void set_thread_limit(int n) { limit = std::max(1, n); }

int get_num_threads() {
    const int most = thread_limit(), wanted = setting;
    if (!wanted || !implementation_limit()) return most;
    return most < processors() ? std::min(wanted, most) : wanted;
}
void set_num_threads(int n) { setting = n; }
int thread_setting() { return setting; }

int threads_for(ptrdiff_t units, double nanoseconds) {
    // Work that every thread has less of is not worth another thread, even one that is awake (bench/NOTES.md).
    constexpr double least_share = 5e3;  // nanoseconds
    const double worth = std::min(double(units), nanoseconds / least_share);
    return worth < 2 ? 1 : int(std::min(double(get_num_threads()), worth));
}

// Work that can be interrupted: what is long is cut into parts, and after each the caller's watch is asked.
namespace {

thread_local Watch* watch = nullptr;

void run(ptrdiff_t units, int threads, double nanoseconds, Body body) {
    if (threads <= 1 || units <= 1) return body.run(body.context, 0, units);
    share_out_now(units, threads, nanoseconds, body);
}

}  // namespace

Watch::Watch(bool (*goes_on)(void*), void* context) : goes_on_(goes_on), context_(context), outer_(watch) {
    watch = this;
}
Watch::~Watch() { watch = outer_; }

void Watch::done(double nanoseconds) {
    Watch* const asked = watch;
    if (!asked || !asked->goes_on_) return;
    asked->since_asked_ += nanoseconds;
    if (asked->since_asked_ < interval) return;
    asked->since_asked_ = 0;
    // Code of others may run meanwhile, a signal's handler and what it calls. It may even leave this stack for another
    // one, as greenlets do, and this watch's memory with it; what it asks of us is not watched by this one.
    watch = nullptr;
    const bool goes_on = asked->goes_on_(asked->context_);
    watch = asked;
    if (!goes_on) throw Interrupted();
}

void share_out(ptrdiff_t units, int threads, double nanoseconds, Body body) {
    if (!watch || !watch->goes_on_ || nanoseconds < Watch::first_part || units < 2) {
        run(units, threads, nanoseconds, body);
        return Watch::done(nanoseconds);
    }
    struct Part {
        Body body;
        ptrdiff_t start;
    } part{body, 0};
    const auto moved = [](void* context, ptrdiff_t first, ptrdiff_t last) {
        const Part& part = *static_cast<Part*>(context);
        part.body.run(part.body.context, part.start + first, part.start + last);
    };
    const double each = nanoseconds / double(units);
    // What a unit takes is only estimated: the first part is small, and shows what the others may be. Each has as many
    // units for every thread: none waits for another that has one more.
    for (double at_once = Watch::first_part / each; part.start < units;) {
        const ptrdiff_t n = std::min(units - part.start, (ptrdiff_t(at_once) / threads + 1) * threads);
        const int64_t start = now();
        run(n, threads, each * double(n), {moved, &part});
        const double took = double(std::max<int64_t>(1, now() - start));
        part.start += n;
        at_once = Watch::interval * double(n) / took;
        Watch::done(took);
    }
}

}  // namespace nndl_fast
