// What the pool asks of the operating system beyond the C++ library: how a waiting thread waits, which signals a
// helper gets, and where it runs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <time.h>
#endif

namespace nndl_fast {

// Lets the processor know that this thread only waits.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

// What one thread waits for and others post. The lock is held for a few instructions only, since whoever holds it may
// lose its processor.
class Semaphore {
public:
    void post() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            posted_ = true;
        }
        changed_.notify_one();
    }
    void wait() {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [&] { return posted_; });
        posted_ = false;
    }
    void wait(int64_t nanoseconds) {  // at most so long
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait_for(lock, std::chrono::nanoseconds(nanoseconds), [&] { return posted_; });
        posted_ = false;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool posted_ = false;
};

// Blocks all signals of this thread, and so of those that it starts meanwhile.
class BlockedSignals {
#if defined(__unix__) || defined(__APPLE__)
public:
    BlockedSignals() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;

private:
    sigset_t before_;
#endif
};

#if defined(__linux__)

// The name that debuggers, top and the like show.
inline void name_this_thread() { pthread_setname_np(pthread_self(), "nndl_fast"); }

// The processor on which this thread runs; -1 if that is not known.
inline int this_processor() { return sched_getcpu(); }

// A thread that has not ended.
class Thread {
public:
    static Thread current() {
        Thread thread;
        thread.id_ = pthread_self();
        return thread;
    }
    // Whether it does not run just now: its processor time does not go on.
    bool stands_still() const {
        const int64_t before = processor_time();
        for (int i = 0; i < 64; ++i) relax();
        return before >= 0 && processor_time() == before;
    }

private:
    friend class Place;
    pthread_t id_{};

    int64_t processor_time() const {
        clockid_t clock;
        timespec time;
        if (pthread_getcpuclockid(id_, &clock) || clock_gettime(clock, &time)) return -1;
        return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
    }
};

// Unless the environment asked for a process that is left as it is when the library was loaded.
inline const bool may_set_affinity = [] {
    const char* const text = std::getenv("NNDL_FAST_UNOBTRUSIVE");
    return !text || !*text || !std::strcmp(text, "0");
}();

// The processors on which a helper may run.
class Place {
public:
    // Those of some thread, except the one on which the helper's caller runs. When all are busy, the system would often
    // choose that one, and the two would take turns.
    static Place beside(int processor, Thread thread) {
        Place place;  // not known if there are more than 1024 processors
        place.known_ = may_set_affinity && !pthread_getaffinity_np(thread.id_, sizeof place.set_, &place.set_);
        if (place.known_ && processor >= 0 && CPU_COUNT(&place.set_) > 1) CPU_CLR(processor, &place.set_);
        return place;
    }
    static Place only(int processor) {
        Place place = beside(-1, Thread::current());
        if (processor < 0) place.known_ = false;
        CPU_ZERO(&place.set_);
        CPU_SET(processor, &place.set_);
        return place;
    }
    bool operator!=(const Place& other) const { return known_ != other.known_ || !CPU_EQUAL(&set_, &other.set_); }
    // Whether the thread is held there now.
    bool hold(Thread thread) const { return known_ && !pthread_setaffinity_np(thread.id_, sizeof set_, &set_); }

private:
    bool known_ = false;
    cpu_set_t set_{};
};

#else

inline void name_this_thread() {}
inline int this_processor() { return -1; }

class Thread {
public:
    static Thread current() { return {}; }
    bool stands_still() const { return false; }
};

class Place {
public:
    static Place beside(int, Thread) { return {}; }
    static Place only(int) { return {}; }
    bool operator!=(const Place&) const { return false; }
    bool hold(Thread) const { return false; }
};

#endif

}  // namespace nndl_fast
