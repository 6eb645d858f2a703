// Sharing out work, whoever does it: every unit is done once, by any number of callers and threads; what fails fails
// in the caller; a child of fork has threads of its own. And the limits that control groups set.
#include "../../csrc/threads/threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../../csrc/threads/pool.h"
#include "check.h"

#if defined(__unix__) || defined(__APPLE__)
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace nndl_fast;

namespace {

constexpr double long_work = 1e7;  // nanoseconds, as the caller says: worth waking anyone

void pass(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

const std::string by = threads_by();

// f(unit) for each unit of some work.
template <class F>
void share_each(ptrdiff_t units, int threads, double nanoseconds, F f) {
    share_out(units, threads, nanoseconds, [&](ptrdiff_t first, ptrdiff_t last) {
        for (ptrdiff_t i = first; i < last; ++i) f(size_t(i));
    });
}

// How often each unit of some work was done.
using Counts = std::vector<std::atomic<int>>;

bool each_once(ptrdiff_t units, int threads, double nanoseconds) {
    Counts done(static_cast<size_t>(units));
    share_each(units, threads, nanoseconds, [&](size_t i) { ++done[i]; });
    return std::all_of(done.begin(), done.end(), [](int times) { return times == 1; });
}

void check_units() {
    for (int processors : {1, 2, 3, 8}) {
        assume_processors(processors);
        for (ptrdiff_t units : {1, 2, 3, 7, 8, 63, 64, 65, 1000, 4097})
            for (int threads : {1, 2, 3, 7, 8, 100, 600})
                for (double nanoseconds : {0.0, 1e4, long_work})
                    check(each_once(units, threads, nanoseconds), std::to_string(units) + " units by " +
                                                                      std::to_string(threads) + " threads on " +
                                                                      std::to_string(processors) + " processors");
    }
}

// How many threads take part in a call, each of whose units takes a while: the most in so many calls.
size_t workers(int threads, int calls = 1) {
    size_t most = 0;
    for (; calls > 0; --calls) {
        std::mutex mutex;
        std::set<std::thread::id> ids;
        share_each(64, threads, long_work, [&](size_t) {
            pass(1);
            const std::lock_guard<std::mutex> lock(mutex);
            ids.insert(std::this_thread::get_id());
        });
        most = std::max(most, ids.size());
    }
    return most;
}

void check_parallel() {
    assume_processors(4);
    const size_t expected = by == "none" ? 1 : 4, most = workers(4, 5), limited = workers(2, 5);
    check(most == expected, "four threads work: " + std::to_string(most));
    check(limited == std::min(expected, size_t(2)), "not more than are allowed work: " + std::to_string(limited));
    if (by != "pool") return;
    assume_processors(2);
    check(workers(32) <= 2, "not more than there are processors work");
}

// Helpers are started for a call that wants more of them than sleep. (No call before has wanted as many.)
void check_more_helpers() {
    if (by != "pool") return;
    assume_processors(12);
    check(workers(3) <= 3, "few threads at first");
    size_t most = 0;
    for (int round = 0; round < 20 && most < 12; ++round) {
        pass(5);  // they fall asleep
        most = std::max(most, workers(12));
    }
    check(most == 12, "more threads when they are wanted: " + std::to_string(most));
}

void check_callers() {
    assume_processors(4);
    std::vector<std::thread> callers;
    std::atomic<int> wrong{0};
    for (int caller = 0; caller < 40; ++caller)  // more than the pool has tasks
        callers.emplace_back([&, caller] {
            for (int round = 0; round < 200; ++round)
                wrong += !each_once(1 + (caller * 37 + round * 101) % 700, 1 + round % 5, round % 2 ? long_work : 3e4);
        });
    for (auto& caller : callers) caller.join();
    check(!wrong, "several callers at once");
}

void check_failure() {
    assume_processors(4);
    for (int unit : {0, 100, 999})
        for (int round = 0; round < 50; ++round) {
            bool thrown = false;
            try {
                share_out(1000, 4, long_work, [&](ptrdiff_t first, ptrdiff_t last) {
                    if (first <= unit && unit < last) throw std::bad_alloc();
                });
            } catch (const std::bad_alloc&) {
                thrown = true;
            }
            check(thrown, "what a part throws comes out in the caller");
            check(each_once(100, 4, long_work), "and the next call is as ever");
        }
}

#if defined(__unix__) || defined(__APPLE__)
void check_fork() {
    assume_processors(4);
    for (int round = 0; round < 20; ++round) {
        check(each_once(1000, 4, long_work), "before fork");
        std::fflush(stdout);
        const pid_t child = fork();
        if (!child) _exit(each_once(1000, 4, long_work) && (by != "pool" || workers(4, 5) > 1) ? 0 : 1);
        int status = 1;
        check(each_once(1000, 4, long_work), "after fork");
        waitpid(child, &status, 0);
        check(!status, "in the child");
    }
}

std::atomic<bool> in_a_helper{false};
std::thread::id main_thread;

void check_signals() {
    main_thread = std::this_thread::get_id();
    signal(SIGUSR1, [](int) { in_a_helper = in_a_helper || std::this_thread::get_id() != main_thread; });
    assume_processors(4);
    workers(4);
    for (int i = 0; i < 100; ++i) kill(getpid(), SIGUSR1);
    check(!in_a_helper, "signals are not for helpers");
}

void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
}

void check_quota(const std::string& folder) {
    const auto is = [&](const std::string& groups, double expected, const std::string& what) {
        check(quota(groups, folder) == expected, what + ": " + std::to_string(quota(groups, folder)));
    };
    is("0::/\n", 0, "no files");
    write(folder + "/a/b/cpu.max", "150000 100000\n");
    write(folder + "/a/cpu.max", "max 100000\n");
    is("0::/a/b\n", 1.5, "version 2");
    is("0::/a\n", 0, "version 2, no limit");
    write(folder + "/cpu.max", "50000 100000\n");
    is("0::/a/b\n", 0.5, "the least of a group and those around it");
    is("0::/not/here\n", 0.5, "a path of another name space");
    write(folder + "/cpu/jobs/cpu.cfs_quota_us", "400000\n");
    write(folder + "/cpu/jobs/cpu.cfs_period_us", "100000\n");
    write(folder + "/cpu/cpu.cfs_quota_us", "-1\n");
    write(folder + "/cpu/cpu.cfs_period_us", "100000\n");
    is("7:memory:/jobs\n4:cpu,cpuacct:/jobs\n", 4, "version 1");
    is("4:cpuacct,cpu:/\n3:cpuset:/jobs\n", 0, "version 1, no limit");
    is("4:cpu:/jobs\n0::/a/b\n", 0.5, "both versions");
    is("", 0, "no groups");
    is("nonsense\n0:\n1:cpu:relative\n", 0, "lines that are none");
    write(folder + "/odd/cpu.max", "much of it");
    std::remove((folder + "/cpu.max").c_str());
    is("0::/odd\n", 0, "a file that is none");
}
#endif

#if defined(__linux__)
// Those that this thread may use; none if there are more than 1024.
std::vector<int> processors_of_this_thread() {
    cpu_set_t set{};
    sched_getaffinity(0, sizeof set, &set);
    std::vector<int> all;
    for (int processor = 0; processor < CPU_SETSIZE; ++processor)
        if (CPU_ISSET(processor, &set)) all.push_back(processor);
    return all;
}
void may_use(const std::vector<int>& processors) {
    cpu_set_t set{};
    for (int processor : processors) CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);
}

// Runs f on a thread of its own, which may use these processors.
template <class F>
void with_processors(std::vector<int> allowed, F f) {
    std::thread([&] {
        may_use(allowed);
        f();
    }).join();
}

void check_places(const std::vector<int>& all) {
    const int a = all[0], b = all[1];
    with_processors({a, b}, [&] {
        const Thread wide = Thread::current();
        with_processors({a}, [&] {
            check(!(Place::beside(a, wide) != Place::only(b)), "beside a caller, by the caller's affinity");
            check(!(Place::beside(a, Thread::current()) != Place::only(a)), "beside one that has no other");
        });
        Helper helper;
        const Place place = Place::only(b);
        for (bool by_itself : {true, false}) {
            helper.stay(place);
            check(processors_of_this_thread() == std::vector<int>{b}, "a helper stays where it is put");
            std::thread([&] { check(helper.move_to(a), "a helper is moved"); }).join();
            check(processors_of_this_thread() == std::vector<int>{a}, "to its caller's processor");
            by_itself ? helper.go_back() : helper.stay(place);
            check(processors_of_this_thread() == std::vector<int>{b}, "and goes back");
        }
    });
}

// A helper that does not run, in the middle of a piece, is moved to the processor of the caller that waits for it. (The
// caller may itself be moved to the helper's processor by the system: then it is tried again.)
void check_handing_over() {
    assume_processors(2);
    bool moved = false;
    for (int round = 0; round < 20 && !moved; ++round) {
        const std::thread::id caller = std::this_thread::get_id();
        std::atomic<bool> helper_is_in{false};
        share_out(2, 2, long_work, [&](ptrdiff_t, ptrdiff_t) {
            if (std::this_thread::get_id() == caller) {
                for (int i = 0; i < 1000 && !helper_is_in; ++i) pass(1);
                return;
            }
            helper_is_in = true;
            const std::vector<int> before = processors_of_this_thread();
            for (int i = 0; i < 1000 && !moved; ++i) {
                pass(1);
                const std::vector<int> now = processors_of_this_thread();
                moved = now.size() == 1 && now != before;
            }
        });
    }
    check(moved, "a helper without a processor gets its caller's");
}

void check_processors(const std::vector<int>& all) {
    assume_processors(0);
    const int before = processors();
    with_processors(all, [&] {
        check(processors() == before, "the same for another thread");
        with_processors({all[0]}, [&] { check(processors() == 1, "one for a thread that may use one"); });
        may_use({all[0]});
        pass(20);
        check(processors() == 1, "what was true once is not taken for true for ever");
        may_use(all);
        forget_processors();
        check(processors() == before, "what is forgotten is looked for");
    });
}

void check_affinities() {
    if (by != "pool") return;
    const std::vector<int> all = processors_of_this_thread();
    if (all.empty()) return;
    check_processors(all);
    if (all.size() < 2 || !may_set_affinity) return;
    check_places(all);
    check_handing_over();
}
#endif

void check_limits() {
    assume_processors(4);
    if (by != "pool") return;
    check(wished(nullptr) == 0 && wished("") == 0 && wished("many") == 0 && wished("-1") == 0,
          "what is no number does not count");
    check(wished("3") == 3 && wished("3,2") == 3, "OMP_NUM_THREADS");
    check(thread_limit() == 4 && get_num_threads() == 4, "the processors");
    set_thread_limit(3);
    set_num_threads(8);
    check(get_num_threads() == 3, "a limit below the processors holds");
    set_thread_limit(1);
    check(get_num_threads() == 1, "a limit that was set");
    std::thread([] { check(get_num_threads() == 8, "it is one of its thread"); }).join();
    set_thread_limit(4);
    set_num_threads(0);
    check(get_num_threads() == 4, "no setting");
    check(threads_for(100, 1e3) == 1 && threads_for(100, 1e9) == 4 && threads_for(1, 1e9) == 1, "threads by work");
}

// Waking that took milliseconds is not taken to do so for ever.
void check_wake_price() {
    WakePrice price;
    check(price.is_paid_by(1.1e5) && !price.is_paid_by(4e4), "what waking takes at first");
    for (int i = 0; i < 30; ++i) price.learn(2'000'000);
    check(!price.is_paid_by(2e5), "dear when it took long");
    pass(20);
    check(price.is_paid_by(1.1e5), "as at first 20 ms later");
    for (int i = 0; i < 30; ++i) price.learn(1'000);
    check(price.is_paid_by(4e4), "cheap when it was fast");
    pass(20);
    check(price.is_paid_by(4e4) && !price.is_paid_by(4e3), "and no cheaper by itself");
}

// Work of so many units, each of a millisecond, until its watch says no at the question of that number. How many
// units were done, or -1 where one was left out or done twice.
ptrdiff_t watched(ptrdiff_t units, int threads, int answers, bool outer_only, bool& interrupted) {
    Counts done(static_cast<size_t>(units));
    interrupted = false;
    try {
        const Watch watch([](void* left) { return --*static_cast<int*>(left) > 0; }, &answers);
        std::optional<Watch> nobody;
        if (outer_only) nobody.emplace(nullptr, nullptr);
        share_each(units, threads, 1e6 * double(units), [&](size_t i) {
            pass(1);
            ++done[i];
        });
    } catch (const Interrupted&) {
        interrupted = true;
    }
    const auto end = std::find_if(done.begin(), done.end(), [](int times) { return times != 1; });
    return std::any_of(end, done.end(), [](int times) { return times; }) ? -1 : end - done.begin();
}

void check_watch() {
    assume_processors(4);
    if (by != "none") {  // two units, each longer than what is done before a watch is asked, which wait for each other
        const Watch watch([](void*) { return true; }, nullptr);
        std::atomic<int> begun{0}, met{0};
        share_each(2, 2, 4 * Watch::first_part, [&](size_t) {
            ++begun;
            for (int i = 0; i < 2000 && begun < 2; ++i) pass(1);
            met += begun == 2;
        });
        check(met == 2, "two long units that are watched, at once");
    }
    bool interrupted;
    for (int threads : {1, 4}) {
        const std::string by_some = " by " + std::to_string(threads) + " threads";
        check(watched(600, threads, 1000, false, interrupted) == 600 && !interrupted, "watched work" + by_some);
        const ptrdiff_t done = watched(600, threads, 1, false, interrupted);
        check(interrupted && done > 0 && done < 600,
              "interrupted work" + by_some + ": " + std::to_string(done) + " units");
        check(watched(600, threads, 1, true, interrupted) == 600 && !interrupted, "work that nobody watches" + by_some);
        check(watched(3, threads, 0, false, interrupted) == 3 && !interrupted, "short work" + by_some);
    }
    int asked = 0;
    {
        const Watch watch([](void* n) { return ++*static_cast<int*>(n) > 0; }, &asked);
        for (int i = 0; i < 100; ++i) Watch::done(Watch::interval / 10);
    }
    check(asked == 10, "asked " + std::to_string(asked) + " times");
    Watch::done(1e12);  // nobody is asked any more
    check(asked == 10, "after the watch");
    assume_processors(0);
}

}  // namespace

int main([[maybe_unused]] int count, [[maybe_unused]] char** arguments) {
    std::printf("threads by %s\n", threads_by());
    check_limits();
    check_more_helpers();
    check_units();
    check_parallel();
    check_callers();
    check_failure();
    check_watch();
    check_wake_price();
#if defined(__linux__)
    check_affinities();
#endif
#if defined(__unix__) || defined(__APPLE__)
    check_signals();
    check_fork();
    if (count > 1) check_quota(arguments[1]);
#endif
    return summary();
}
