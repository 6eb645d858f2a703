// What the pool is made of: a task, which is work that is cut into pieces, the threads that do them, how its caller
// waits for them, and whether waking one of them is worth it. All times are in nanoseconds.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

#include "system.h"
#include "threads.h"

namespace nndl_fast {

// Pieces get smaller round by round: in each, every thread gets its share of half of what is left. What one holds
// who is interrupted is little then.
constexpr int most_rounds = 5;
constexpr double least_piece = 2e3;  // nanoseconds

// Nanoseconds that a caller waits before it looks whether a helper has lost its processor, and for which it sleeps at a
// time.
constexpr int64_t spin_before_handing_over = 50'000, sleep_of_a_caller = 500'000;

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
    bool has_room() const { return pieces() && seats(); }
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

class Task;

// A thread of the pool.
struct Helper {
    const Thread thread = Thread::current();
    std::atomic<bool> asleep{false};
    // The task of which it has a piece, or is about to claim one, or has just finished the last.
    std::atomic<const Task*> at{nullptr};
    std::atomic<bool> moved{false};  // to its caller's processor
    // The rest is the helper's own, or while it sleeps of whoever has claimed it.
    Place place;  // where it stays if it is not moved
    Semaphore called;
    int64_t called_at = 0;

    void stay(const Place& where) {
        if (moved.exchange(false) || where != place) where.hold(thread);
        place = where;
    }
    // Whether it could be moved. It goes back by itself, perhaps even before it is moved, or this function goes on.
    bool move_to(int processor) {
        moved.store(true);
        const bool held = Place::only(processor).hold(thread);
        moved.store(true);
        return held;
    }
    void go_back() {
        if (moved.load(std::memory_order_relaxed) && moved.exchange(false) && !place.hold(thread)) place = Place();
    }
};

// All helpers there are; they live until the process ends.
class Helpers {
public:
    static constexpr int most = 510;

    // Whether another one may be started; then add() or not_started() follows.
    bool may_start(int limit) {
        int n = started_.load(std::memory_order_relaxed);
        while (n < std::min(limit, most))
            if (started_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) return true;
        return false;
    }
    void not_started() { started_.fetch_sub(1, std::memory_order_relaxed); }
    void add(Helper* helper) { all_[count_.fetch_add(1)].store(helper); }

    // The first of which something is true, or null.
    template <class F>
    Helper* first(F is_true) const {
        for (int i = 0, n = count_.load(); i < n; ++i) {
            Helper* const helper = all_[i].load();
            if (helper && is_true(*helper)) return helper;
        }
        return nullptr;
    }

private:
    std::atomic<int> started_{0}, count_{0};
    std::atomic<Helper*> all_[most]{};
};

// What is not atomic is written by the caller before it publishes the task, and read by those who have claimed a
// piece.
class alignas(64) Task {
public:
    std::atomic<bool> taken{false};  // by a caller, which may then use it for one task after the other

    void publish(const Cut& cut, Body body) {
        cut_ = cut;
        body_ = body;
        caller_ = Thread::current();
        processor_ = this_processor();
        failed_.store(false, std::memory_order_relaxed);
        const Left next = Left(left_.load(std::memory_order_relaxed)).task(cut.pieces(), cut.threads - 1);
        left_.store(next.word(), std::memory_order_release);
    }

    // A helper claims its first piece: how many were left, or 0 if it was not let in.
    int enter(Helper& self) {
        uint64_t word = left_.load(std::memory_order_relaxed);
        if (!Left(word).has_room()) return 0;
        self.at.store(this, std::memory_order_relaxed);
        while (Left(word).has_room())
            if (exchange(word, Left(word).after_entering())) return Left(word).pieces();
        self.at.store(nullptr, std::memory_order_relaxed);
        return 0;
    }
    // And does it, and others.
    void help(Helper& self, int piece) {
        // The caller has come to this processor, and cannot go on while we are here.
        if (processor_ >= 0 && processor_ == this_processor()) self.stay(Place::beside(processor_, caller_));
        for (;;) {
            run(piece);
            uint64_t word = left_.load(std::memory_order_relaxed);
            while (!exchange(word, Left(word).pieces() ? Left(word).after_claiming() : Left(word).after_leaving())) {
            }
            piece = Left(word).pieces();
            if (piece) continue;
            if (Left(word).caller_sleeps()) somebody_left_.post();
            self.at.store(nullptr, std::memory_order_relaxed);
            return self.go_back();
        }
    }

    // The caller's part, after which the task is done. False if a piece failed.
    bool work(const Helpers& helpers) {
        uint64_t word = left_.load(std::memory_order_relaxed);
        while (Left(word).pieces())
            if (exchange(word, Left(word).after_claiming())) {
                run(Left(word).pieces());
                word = left_.load(std::memory_order_relaxed);
            }
        wait(helpers);
        return !failed_.load(std::memory_order_relaxed);
    }

private:
    std::atomic<uint64_t> left_{0};
    std::atomic<bool> failed_{false};
    Cut cut_{0, 1, 0};
    Body body_{};
    Thread caller_;
    int processor_ = -1;  // the caller's
    Semaphore somebody_left_;

    bool exchange(uint64_t& word, Left next) {
        return left_.compare_exchange_weak(word, next.word(), std::memory_order_acq_rel, std::memory_order_relaxed);
    }
    int seats() const { return Left(left_.load(std::memory_order_acquire)).seats(); }
    bool all_are_out() const { return seats() == cut_.threads - 1; }

    // The piece that was claimed when so many were left.
    void run(int pieces_left) {
        const int piece = cut_.pieces() - pieces_left;
        const ptrdiff_t first = cut_.start(piece), last = cut_.start(piece + 1);
        if (first == last || failed_.load(std::memory_order_relaxed)) return;
        try {
            body_.run(body_.context, first, last);
        } catch (...) {  // of memory: nothing else is thrown there
            failed_.store(true, std::memory_order_relaxed);
        }
    }

    // Waits for those who have pieces. A helper that has lost its processor in a piece gets it back after a slice of
    // the scheduler, milliseconds; and since it is held off ours, that one would idle meanwhile. So it is moved here,
    // one helper at a time. Only then is this processor yielded: earlier, a thread of another process would take it for
    // a slice.
    void wait(const Helpers& helpers) {
        Helper* moved = nullptr;
        while (!all_are_out()) {
            if (somebody_leaves(moved ? std::this_thread::yield : relax)) continue;
            if (!moved || moved->at.load() != this) moved = hand_over(helpers);
            else sleep();
            if (!moved) sleep();
        }
        // It has woken us before it went back, and needs this processor to do so.
        if (moved && moved->moved.load()) Place::beside(this_processor(), Thread::current()).hold(moved->thread);
    }
    // Whether a helper does within the time before handing over.
    bool somebody_leaves(void (*pause)()) const {
        const int before = seats();
        const int64_t start = now();
        do {
            for (int i = 0; i < 8; ++i) {
                if (seats() != before || all_are_out()) return true;
                pause();
            }
        } while (now() - start < spin_before_handing_over);
        return false;
    }
    // The helper that was moved to this processor, or null.
    Helper* hand_over(const Helpers& helpers) {
        const int before = seats();
        Helper* const helper = helpers.first(
            [&](const Helper& h) { return seats() != before || (h.at.load() == this && h.thread.stands_still()); });
        return helper && seats() == before && helper->move_to(this_processor()) ? helper : nullptr;
    }
    void sleep() {
        uint64_t word = left_.load(std::memory_order_relaxed);
        while (!exchange(word, Left(word).with_sleeping_caller())) {
        }
        if (!all_are_out()) somebody_left_.wait(sleep_of_a_caller);
    }
};

constexpr int64_t spin_before_sleeping = 50'000;  // of a helper that finds no work

// Whether waking a helper is worth it, by what it took before.
class WakePrice {
public:
    // Whether a helper that has to be woken would be there in time to be of use. If not, but if one was missed in
    // calls that came one after the other, by more than waking it takes, it is woken for the next ones.
    bool is_paid_by(double nanoseconds) {
        const int64_t start = now(), price = expected(start);
        if (nanoseconds >= 2 * double(price)) return true;
        const int64_t gap = start - end_of_last_.exchange(start + int64_t(nanoseconds), std::memory_order_relaxed);
        const int64_t before = gap < spin_before_sleeping ? missed_.load(std::memory_order_relaxed) : 0;
        const int64_t missed = before + int64_t(nanoseconds / 2);
        missed_.store(missed < price ? missed : 0, std::memory_order_relaxed);
        return missed >= price;
    }

    // What it took. Steps up and down tend to the median, which a helper that had to wait for milliseconds once does
    // not move.
    void learn(int64_t latency) {
        const int64_t time = now(), price = price_.load(std::memory_order_relaxed), less = expected(time);
        const int64_t next = latency < less ? less - less / 8 : (latency < price ? less + less / 8 : price + price / 8);
        price_.store(std::min(std::max(next, least), most), std::memory_order_relaxed);
        learnt_at_.store(time, std::memory_order_relaxed);
    }

private:
    static constexpr int64_t first = 50'000, least = 5'000, most = 1'000'000, half_life = 4'000'000;
    std::atomic<int64_t> price_{first}, learnt_at_{0}, end_of_last_{0}, missed_{0};

    // What was dear while others had the processors may be cheap again.
    int64_t expected(int64_t time) const {
        const int64_t price = price_.load(std::memory_order_relaxed);
        const int64_t halvings = (time - learnt_at_.load(std::memory_order_relaxed)) / half_life;
        return std::min(price, std::max(first, price >> std::clamp<int64_t>(halvings, 0, 20)));
    }
};

}  // namespace nndl_fast
