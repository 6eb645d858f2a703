// Whether waking a helper is worth it, by what it took before. All times are in nanoseconds.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

#include "implementation.h"

namespace nndl_fast {

constexpr int64_t spin_before_sleeping = 50'000;  // of a helper that finds no work

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
