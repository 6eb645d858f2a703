// The table of hashes that tests/tools/hashes.py makes, and the inputs that its results come from.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "splitmix64.h"

constexpr ptrdiff_t hashed_rows = 35;

template <class E>
struct HashedInputs {
    std::vector<E> z, t;
    std::vector<int64_t> labels;

    explicit HashedInputs(ptrdiff_t classes) : z(size_t(hashed_rows * classes)), t(z.size()) {
        constexpr int bits = std::numeric_limits<E>::digits, scales[] = {-20, -3, 0, 1, 4, 10, 16};
        const E nan = std::numeric_limits<E>::quiet_NaN(), infinity = std::numeric_limits<E>::infinity();
        for (size_t i = 0; i < z.size(); ++i) {
            const ptrdiff_t row = ptrdiff_t(i) / classes, j = ptrdiff_t(i) % classes;
            const int64_t x = int64_t(splitmix64(i + 1, 1) >> (64 - bits)) - (int64_t(1) << (bits - 1));
            z[i] = E(std::ldexp(double(x), 4 - bits + scales[row % 7]));
            if (row == 3 && j == 0) z[i] = nan;
            if (row == 5 && j == classes - 1) z[i] = infinity;
            if (row == 7 || (row == 9 && j % 2 == 0)) z[i] = -infinity;
            if (row == 11) z[i] = -E(0);
            t[i] = E(std::ldexp(double(splitmix64(i + 1, 2) >> (64 - bits)), -bits));
        }
        for (ptrdiff_t r = 0; r < hashed_rows; ++r)
            labels.push_back(int64_t(splitmix64(uint64_t(r) + 1, 3) % uint64_t(classes)));
    }
};

// CRC-32 of the numbers, least significant byte first; NaNs are all the same.
template <class E>
std::string digest(const std::vector<E>& numbers) {
    uint32_t crc = 0xffffffffu;
    for (E x : numbers) {
        if (x != x) x = std::numeric_limits<E>::quiet_NaN();
        uint64_t bits = 0;
        std::memcpy(&bits, &x, sizeof x);  // the machines that this is for store the least significant byte first
        for (size_t byte = 0; byte < sizeof x; ++byte) {
            crc ^= uint8_t(bits >> (8 * byte));
            for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
        }
    }
    char text[9];
    std::snprintf(text, sizeof text, "%08x", ~crc);
    return text;
}

// hashes_of(path)[type][classes][function]
using Hashes = std::map<std::string, std::map<ptrdiff_t, std::map<std::string, std::string>>>;
inline Hashes hashes_of(const std::string& path) {
    Hashes table;
    std::ifstream file(path);
    ptrdiff_t classes;
    for (std::string type, function, hash; file >> type >> classes >> function >> hash;)
        table[type][classes][function] = hash;
    return table;
}
