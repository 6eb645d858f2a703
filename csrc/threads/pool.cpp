// A pool of helpers whose caller never waits for a thread that has not begun.
//
// A task is cut into pieces. The caller and whichever helpers have a processor claim pieces until none is left;
// then the caller waits only for pieces that a helper has claimed and not finished. A helper that gets no
// processor, because other libraries' threads still spin on it, say, costs nothing.
//
// A helper that finds no work spins for a while and then sleeps. Waking it takes tens of microseconds on some
// machines, so a caller does it only for work that is worth it, by what earlier wake-ups took. Several threads
// may call at once: each has a slot for its task, and helpers look for pieces in all slots.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

#include "implementation.h"
#include "system.h"
#include "threads.h"

namespace nndl_fast {
namespace {

constexpr int slots = 16, most_helpers = 510;
// Pieces get smaller round by round: in each, every thread gets its share of half of what is left. What one holds
// who is interrupted is little then.
constexpr int most_rounds = 5;
constexpr double least_piece = 2e3;  // nanoseconds

// The times of waking and waiting, in nanoseconds.
constexpr int64_t first_wake_price = 50'000, least_wake_price = 5'000, most_wake_price = 1'000'000;
constexpr int64_t spin_before_yielding = 2'000, spin_before_sleeping = 50'000;

// How units are cut into pieces.
struct Cut {
    ptrdiff_t units;
    int threads, rounds;

    Cut(ptrdiff_t units, int threads, double nanoseconds) : units(units), threads(threads), rounds(1) {
        const double pieces = std::min(double(units), nanoseconds / least_piece);
        while (rounds < most_rounds && double(threads) * double(2 << rounds) < pieces) ++rounds;
    }
    int pieces() const { return threads * rounds; }
    // The first unit of a piece; that of the piece after the last is the end.
    ptrdiff_t start(int piece) const {
        const int round = piece / threads, place = piece % threads;
        if (round == rounds) return units;
        const double left = double(units) / double(int64_t(1) << round);
        const double share = round + 1 == rounds ? left : left / 2;
        return ptrdiff_t(double(units) - left + share * place / threads);
    }
};

// What is left of a task, in one word, so that entering it and claiming a piece are one step: a thread is either
// not there at all, or has a piece.
class Left {
public:
    explicit Left(uint64_t word) : word_(word) {}
    Left task(int pieces, int seats) const {  // the next one
        return Left((word_ & ~low_bits) + generation + uint64_t(pieces) * piece + uint64_t(seats) * seat);
    }
    int pieces() const { return int(word_ / piece & most); }
    int seats() const { return int(word_ / seat & most); }
    bool caller_sleeps() const { return word_ & sleeping; }
    Left after_claiming() const { return Left(word_ - piece); }
    Left after_entering() const { return Left(word_ - piece - seat); }
    Left after_leaving() const { return Left(word_ + seat); }
    Left with_sleeping_caller() const { return Left(word_ | sleeping); }
    uint64_t word() const { return word_; }

private:
    static constexpr uint64_t most = 4095, piece = 1, seat = piece << 12, sleeping = seat << 12,
                              generation = sleeping << 1;
    static constexpr uint64_t low_bits = generation - 1;
    uint64_t word_;
};

// A task while it is worked on. What is not atomic is written by the caller before it publishes the task, and
// read by those who have claimed a piece.
struct alignas(64) Slot {
    std::atomic<uint64_t> left{0};
    std::atomic<bool> taken{false}, failed{false};
    Cut cut{0, 1, 0};
    Body body{};
    int processor = -1;  // the caller's
    std::mutex mutex;
    std::condition_variable finished;

    void publish(const Cut& task_cut, Body task_body) {
        cut = task_cut;
        body = task_body;
        processor = this_processor();
        failed.store(false, std::memory_order_relaxed);
        const Left next = Left(left.load(std::memory_order_relaxed)).task(cut.pieces(), cut.threads - 1);
        left.store(next.word(), std::memory_order_release);
    }

    // A helper claims its first piece: how many were left, or 0 if it was not let in.
    int enter() {
        uint64_t word = left.load(std::memory_order_relaxed);
        while (Left(word).pieces() && Left(word).seats())
            if (exchange(word, Left(word).after_entering())) return Left(word).pieces();
        return 0;
    }
    // And does it, and others.
    void help(int piece) {
        for (;;) {
            run(piece);
            uint64_t word = left.load(std::memory_order_relaxed);
            while (!exchange(word, Left(word).pieces() ? Left(word).after_claiming() : Left(word).after_leaving())) {
            }
            piece = Left(word).pieces();
            if (piece) continue;
            if (Left(word).caller_sleeps()) {
                const std::lock_guard<std::mutex> lock(mutex);
                finished.notify_all();
            }
            return;
        }
    }

    // The caller's part, after which the task is done. False if a piece failed.
    bool work() {
        uint64_t word = left.load(std::memory_order_relaxed);
        while (Left(word).pieces())
            if (exchange(word, Left(word).after_claiming())) {
                run(Left(word).pieces());
                word = left.load(std::memory_order_relaxed);
            }
        if (!all_are_out()) wait();
        return !failed.load(std::memory_order_relaxed);
    }

private:
    bool exchange(uint64_t& word, Left next) {
        return left.compare_exchange_weak(word, next.word(), std::memory_order_acq_rel, std::memory_order_relaxed);
    }
    bool all_are_out() const { return Left(left.load(std::memory_order_acquire)).seats() == cut.threads - 1; }

    // The piece that was claimed when so many were left.
    void run(int pieces_left) {
        const int piece = cut.pieces() - pieces_left;
        const ptrdiff_t first = cut.start(piece), last = cut.start(piece + 1);
        if (first == last || failed.load(std::memory_order_relaxed)) return;
        try {
            body.run(body.context, first, last);
        } catch (...) {  // of memory: nothing else is thrown there
            failed.store(true, std::memory_order_relaxed);
        }
    }

    void wait() {
        const int64_t start = now();
        for (int64_t waited = 0; waited < spin_before_sleeping; waited = now() - start) {
            if (waited < spin_before_yielding)
                for (int i = 0; i < 8; ++i) relax();
            else std::this_thread::yield();
            if (all_are_out()) return;
        }
        // Now a helper has most likely lost its processor: asleep, this thread gives it its own.
        std::unique_lock<std::mutex> lock(mutex);
        uint64_t word = left.load(std::memory_order_relaxed);
        while (!exchange(word, Left(word).with_sleeping_caller())) {
        }
        finished.wait(lock, [&] { return all_are_out(); });
    }
};

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
        // The other callers have a processor each.
        const int helpers = std::min({threads, processors() - (caller.number - 1), most_helpers + 1}) - 1;
        const int spinning = spinning_.load(std::memory_order_relaxed);
        const bool waking = spinning < helpers && is_worth_waking(nanoseconds);
        Slot* const slot = helpers > 0 && (spinning > 0 || waking) ? free_slot() : nullptr;
        if (!slot) return body.run(body.context, 0, units);
        slot->publish(Cut(units, helpers + 1, nanoseconds), body);
        if (waking) wake(helpers - spinning);
        const bool good = slot->work();
        slot->taken.store(false, std::memory_order_release);
        if (!good) throw std::bad_alloc();
    }

private:
    Slot slots_[slots];
    std::atomic<int> callers_{0};
    std::atomic<int> spinning_{0};  // helpers that look for work
    std::atomic<int64_t> wake_price_{first_wake_price};
    std::atomic<int64_t> end_of_last_{0}, missed_{0};

    struct Helper {
        std::condition_variable called;
        bool awake = true;
        int thread = 0;
        Place place;
        Helper* next = nullptr;
    };
    std::mutex mutex_;  // of what follows
    Helper* asleep_ = nullptr;
    int helpers_ = 0;
    int to_wake_ = 0;  // of those asleep, for woken ones to wake: a caller wakes two
    Place place_;
    int64_t called_at_ = 0;
    bool refused_ = false;  // the system gave no more threads

    Slot* free_slot() {
        for (Slot& slot : slots_)
            if (!slot.taken.exchange(true, std::memory_order_acquire)) return &slot;
        return nullptr;
    }

    // Whether a helper that has to be woken would be there in time to be of use. If not, but if one was missed in
    // calls that came one after the other, by more than waking it takes, it is woken for the next ones.
    bool is_worth_waking(double nanoseconds) {
        const int64_t price = wake_price_.load(std::memory_order_relaxed);
        if (nanoseconds >= 2 * double(price)) return true;
        // What was dear while others had the processors may be cheap again.
        wake_price_.store(std::max(price - price / 64, least_wake_price), std::memory_order_relaxed);
        const int64_t start = now(),
                      gap = start - end_of_last_.exchange(start + int64_t(nanoseconds), std::memory_order_relaxed);
        const int64_t before = gap < spin_before_sleeping ? missed_.load(std::memory_order_relaxed) : 0;
        const int64_t missed = before + int64_t(nanoseconds / 2);
        missed_.store(missed < price ? missed : 0, std::memory_order_relaxed);
        return missed >= price;
    }
    // Steps up and down tend to the median, which a helper that had to wait for milliseconds once does not move.
    void learn_price(int64_t latency) {
        const int64_t price = wake_price_.load(std::memory_order_relaxed);
        const int64_t next = latency > price ? price + price / 8 : price - price / 8;
        wake_price_.store(std::min(std::max(next, least_wake_price), most_wake_price), std::memory_order_relaxed);
    }

    void wake(int n) {
        const std::lock_guard<std::mutex> lock(mutex_);
        place_ = Place::beside(this_processor(), Place::this_thread());
        called_at_ = asleep_ ? now() : 0;
        to_wake_ = n;
        wake_two();
        while (to_wake_ && !asleep_ && helpers_ < processors() - 1 && !refused_) start_one();
    }
    void wake_two() {
        for (int i = 0; i < 2 && to_wake_ && asleep_; ++i) {
            Helper* const helper = asleep_;
            asleep_ = helper->next;
            --to_wake_;
            if (place_ != helper->place) place_.hold(helper->thread);
            helper->place = place_;
            helper->awake = true;
            helper->called.notify_one();
        }
    }

    void start_one() {
        const BlockedSignals blocked;  // helpers inherit it: a signal is for the threads of the program
        try {
            std::thread([this] { live(); }).detach();
            ++helpers_;
            --to_wake_;
        } catch (const std::exception&) {  // no more threads, no memory for one: the work is done without it
            refused_ = true;
        }
    }

    // What a helper does until the process ends.
    void live() {
        Helper self;
        self.thread = Place::this_thread();
        name_this_thread();
        spinning_.fetch_add(1, std::memory_order_relaxed);
        for (int64_t idle_since = now();;) {
            if (help(self)) {
                idle_since = now();
                continue;
            }
            if (now() - idle_since < spin_before_sleeping) {
                for (int i = 0; i < 8; ++i) relax();
                continue;
            }
            sleep(self);
            idle_since = now();
        }
    }

    bool help(Helper& self) {
        for (Slot& slot : slots_)
            if (const int piece = slot.enter()) {
                spinning_.fetch_sub(1, std::memory_order_relaxed);
                // The caller has come to this processor, and cannot go on while we are here.
                if (slot.processor >= 0 && slot.processor == this_processor()) {
                    self.place = Place::beside(slot.processor, Place::main_thread());
                    self.place.hold(0);
                }
                slot.help(piece);
                spinning_.fetch_add(1, std::memory_order_relaxed);
                return true;
            }
        return false;
    }

    void sleep(Helper& self) {
        std::unique_lock<std::mutex> lock(mutex_);
        self.next = asleep_;
        self.awake = false;
        asleep_ = &self;
        spinning_.fetch_sub(1, std::memory_order_relaxed);
        self.called.wait(lock, [&] { return self.awake; });
        spinning_.fetch_add(1, std::memory_order_relaxed);
        if (called_at_) learn_price(now() - called_at_);
        called_at_ = 0;
        wake_two();
    }
};

// Never destroyed: helpers use it until the process ends. A child of fork has no helpers, so it gets a new one.
alignas(Pool) unsigned char room[sizeof(Pool)];
Pool* const pool = [] {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, [] { new (room) Pool; });
#endif
    return new (room) Pool;
}();

}  // namespace

const char* threads_by() { return "pool"; }
int implementation_limit() { return most_helpers + 1; }
void share_out_now(ptrdiff_t units, int threads, double nanoseconds, Body body) {
    pool->share_out(units, threads, nanoseconds, body);
}

}  // namespace nndl_fast
