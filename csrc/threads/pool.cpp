// A pool of helpers whose caller never waits for a thread that has not begun.
//
// A task is cut into pieces. The caller and whichever helpers have a processor claim pieces until none is left;
// then the caller waits only for pieces that a helper has claimed and not finished. A helper that gets no
// processor, because other libraries' threads still spin on it, say, costs nothing.
//
// A helper that finds no work spins for a while and then sleeps. Waking it takes tens of microseconds on some
// machines, so a caller does it only for work that is worth it, by what earlier wake-ups took. Several threads
// may call at once: each has a task of its own, and helpers look for pieces in all tasks.
#include "pool.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <thread>

namespace nndl_fast {
namespace {

constexpr int most_tasks = 16;                       // at once
constexpr int64_t before_another_try = 100'000'000;  // nanoseconds, when the system gave no thread

// Counts the callers that are in it now, this one included.
class Present {
public:
    explicit Present(std::atomic<int>& count)
        : count_(count), number(count.fetch_add(1, std::memory_order_relaxed) + 1) {}
    ~Present() { count_.fetch_sub(1, std::memory_order_relaxed); }

private:
    std::atomic<int>& count_;

public:
    const int number;
};

class Pool {
public:
    void share_out(ptrdiff_t units, int threads, double nanoseconds, Body body) {
        const Present caller(callers_);
        const int most = std::min(processors() - 1, Helpers::most);
        // The other callers have a processor each, most likely of these.
        const int helpers = std::min(threads - 1, most - (caller.number - 1));
        const int spinning = spinning_.load(std::memory_order_relaxed);
        const bool waking = spinning < helpers && price_.is_paid_by(nanoseconds);
        Task* const task = helpers > 0 && (spinning > 0 || waking) ? free_task() : nullptr;
        if (!task) return body.run(body.context, 0, units);
        // From here on nothing is thrown until all are out.
        task->publish(Cut(units, helpers + 1, nanoseconds), body);
        if (waking) wake(helpers - spinning, helpers, most);
        const bool good = task->work(helpers_);
        task->taken.store(false, std::memory_order_release);
        if (!good) throw std::bad_alloc();
    }

private:
    Task tasks_[most_tasks];
    Helpers helpers_;
    WakePrice price_;
    std::atomic<int> callers_{0};
    std::atomic<int> spinning_{0};  // helpers that look for work
    std::atomic<int> to_wake_{0};   // helpers asleep, for woken ones to wake: a caller wakes two
    std::atomic<int64_t> no_thread_before_{0};

    Task* free_task() {
        for (Task& task : tasks_)
            if (!task.taken.exchange(true, std::memory_order_acquire)) return &task;
        return nullptr;
    }

    void wake(int n, int wanted, int most) noexcept {
        const Place place = Place::beside(this_processor(), Thread::current());
        to_wake_.store(n, std::memory_order_relaxed);
        const int woken = wake_two(place);
        // If two were woken, they wake the others there are.
        const int limit = woken == 2 ? wanted : most;
        if (now() < no_thread_before_.load(std::memory_order_relaxed)) return;
        for (int i = woken; i < n && helpers_.may_start(limit); ++i)
            if (!start_one(place)) return;
    }
    int wake_two(const Place& place) {
        int woken = 0;
        while (woken < 2 && to_wake_.fetch_sub(1, std::memory_order_relaxed) > 0) {
            Helper* const helper = helpers_.first(
                [](Helper& h) { return h.asleep.load(std::memory_order_relaxed) && h.asleep.exchange(false); });
            if (!helper) break;
            helper->stay(place);
            helper->called_at = now();
            helper->called.post();
            ++woken;
        }
        return woken;
    }

    bool start_one(const Place& place) {
        const BlockedSignals blocked;  // helpers inherit it: a signal is for the threads of the program
        try {
            std::thread([this, place] { live(place); }).detach();
            return true;
        } catch (const std::exception&) {  // no more threads, no memory for one: the work is done without it
            no_thread_before_.store(now() + before_another_try, std::memory_order_relaxed);
            helpers_.not_started();
            return false;
        }
    }

    // What a helper does until the process ends.
    void live(const Place& place) {
        Helper self;
        name_this_thread();
        self.stay(place);
        helpers_.add(&self);
        spinning_.fetch_add(1, std::memory_order_relaxed);
        for (int64_t idle_since = now();;) {
            if (help(self)) {
                idle_since = now();
                continue;
            }
            self.go_back();
            if (now() - idle_since < spin_before_sleeping) {
                for (int i = 0; i < 8; ++i) relax();
                continue;
            }
            sleep(self);
            idle_since = now();
        }
    }

    bool help(Helper& self) {
        for (Task& task : tasks_)
            if (const int piece = task.enter(self)) {
                spinning_.fetch_sub(1, std::memory_order_relaxed);
                task.help(self, piece);
                spinning_.fetch_add(1, std::memory_order_relaxed);
                return true;
            }
        return false;
    }

    void sleep(Helper& self) {
        spinning_.fetch_sub(1, std::memory_order_relaxed);
        self.asleep.store(true);
        self.called.wait();
        spinning_.fetch_add(1, std::memory_order_relaxed);
        price_.learn(now() - self.called_at);
        wake_two(self.place);
    }
};

// Never destroyed: helpers use it until the process ends. A child of fork has no helpers, so it gets a new one.
alignas(Pool) unsigned char storage[sizeof(Pool)];
Pool* const pool = [] {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, [] { new (storage) Pool; });
#endif
    return new (storage) Pool;
}();

}  // namespace

const char* threads_by() { return "pool"; }
int implementation_limit() { return Helpers::most + 1; }
void share_out_now(ptrdiff_t units, int threads, double nanoseconds, Body body) {
    pool->share_out(units, threads, nanoseconds, body);
}

}  // namespace nndl_fast
