// What the pool asks of the operating system beyond the C++ library: how a waiting thread waits, which signals a
// helper gets, and where it runs.
#pragma once

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
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

// The processors on which a helper may run: those of some thread, except the one on which the helper's caller runs.
// When all are busy, the system would often choose that one, and the two would take turns.
class Place {
public:
    static Place beside(int processor, int thread) {
        Place place;
        place.known_ = !sched_getaffinity(thread, sizeof place.set_, &place.set_);  // not so beyond 1024 processors
        if (place.known_ && processor >= 0 && CPU_COUNT(&place.set_) > 1) CPU_CLR(processor, &place.set_);
        return place;
    }
    bool operator!=(const Place& other) const { return known_ != other.known_ || !CPU_EQUAL(&set_, &other.set_); }
    void hold(int thread) const {
        if (known_) sched_setaffinity(thread, sizeof set_, &set_);
    }
    static int this_thread() { return int(syscall(SYS_gettid)); }
    static int main_thread() { return int(getpid()); }

private:
    bool known_ = false;
    cpu_set_t set_{};
};

#else

inline void name_this_thread() {}
inline int this_processor() { return -1; }

class Place {
public:
    static Place beside(int, int) { return {}; }
    bool operator!=(const Place&) const { return false; }
    void hold(int) const {}
    static int this_thread() { return 0; }
    static int main_thread() { return 0; }
};

#endif

}  // namespace nndl_fast
