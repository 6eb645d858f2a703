// Random numbers that follow from their place, so that every test and every language has the same ones.
#pragma once
#include <cstdint>

// The count-th number of the generator splitmix64 (Steele, Lea and Flood, 2014), which begins where the seed says.
inline uint64_t splitmix64(uint64_t count, uint64_t seed) {
    uint64_t x = (count + (seed << 32)) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}
