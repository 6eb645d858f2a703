// exp for x <= 0, alone and times softmax's factor, log for x >= 1, the logistic function and tanh at every float32,
// and at as many float64 (random, and around the numbers where a reduction or a rounding changes), at every instruction
// set: the largest error in units in the last place must be at most 1. `function_sweep 1000` takes every thousandth.
//
// References: glibc's double functions for float32 (below 1 unit of theirs: 2^-29 of float32's), long double for
// float64 (2^-11 of float64's, where it has 64 bits of mantissa). Below the smallest normal number the unit is the
// smallest number.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "../../csrc/isa/dispatch.h"
#include "../../csrc/math/exp.h"
#include "functions.h"
#include "splitmix64.h"

extern const FunctionTable functions_baseline, functions_avx2, functions_avx512, functions_neon;

namespace {

std::vector<FunctionTable> tables() {
    std::vector<FunctionTable> all;
    for (const std::string& isa : nndl_fast::available_isas()) {
        if (isa == "baseline") all.push_back(functions_baseline);
#if defined(NNDL_HAS_AVX2)
        if (isa == "avx2") all.push_back(functions_avx2);
#endif
#if defined(NNDL_HAS_AVX512)
        if (isa == "avx512") all.push_back(functions_avx512);
#endif
#if defined(NNDL_HAS_NEON)
        if (isa == "neon") all.push_back(functions_neon);
#endif
    }
    return all;
}

template <class W>
W logistic_reference(W x) {
    const W u = std::exp(-std::fabs(x));
    return x < 0 ? u / (1 + u) : 1 / (1 + u);
}

// The factor of exp.h, to more digits than its type has.
template <class E>
long double factor(E) {
    using K = nndl_fast::ExpConstants<E>;
    return std::exp(-(long double)K::log_per_factor_low) / K::per_factor;
}

template <class E>
struct Case {
    const char* name;
    typename Functions<E>::Function Functions<E>::* function;
    long double (*reference)(E);
};
const Case<float> single_cases[] = {
    {"exp", &Functions<float>::exp, [](float x) -> long double { return std::exp(double(x)); }},
    {"exp f", &Functions<float>::exp_times_factor, [](float x) { return std::exp((long double)x) * factor(x); }},
    {"log", &Functions<float>::log, [](float x) -> long double { return std::log(double(x)); }},
    {"logistic", &Functions<float>::logistic, [](float x) -> long double { return logistic_reference(double(x)); }},
    {"tanh", &Functions<float>::tanh, [](float x) -> long double { return std::tanh(double(x)); }}};
const Case<double> double_cases[] = {
    {"exp", &Functions<double>::exp, [](double x) { return std::exp((long double)x); }},
    {"exp f", &Functions<double>::exp_times_factor, [](double x) { return std::exp((long double)x) * factor(x); }},
    {"log", &Functions<double>::log, [](double x) { return std::log((long double)x); }},
    {"logistic", &Functions<double>::logistic, [](double x) { return logistic_reference((long double)x); }},
    {"tanh", &Functions<double>::tanh, [](double x) { return std::tanh((long double)x); }}};

struct Worst {
    double units = 0, at = 0;
};

constexpr ptrdiff_t together = 4096;

// For each table, the largest error at x[0..together).
template <class E>
void compare(const Case<E>& c, const std::vector<E>& x, const std::vector<Functions<E>>& functions,
             std::vector<Worst>& worst) {
    std::vector<long double> exact(together), unit(together);
    for (ptrdiff_t i = 0; i < together; ++i) {
        exact[i] = c.reference(x[i]);
        const E near = std::fmax(std::fabs(E(exact[i])), std::numeric_limits<E>::min());
        unit[i] = (long double)std::nextafter(near, E(INFINITY)) - near;
    }
    std::vector<E> result(together);
    for (size_t t = 0; t < functions.size(); ++t) {
        (functions[t].*c.function)(x.data(), together, result.data());
        for (ptrdiff_t i = 0; i < together; ++i) {
            const double units = double(std::fabs((long double)result[i] - exact[i]) / unit[i]);
            if (!(units <= worst[t].units)) worst[t] = {units, double(x[i])};  // a NaN too
        }
    }
}

// The k-th argument of a function's domain.
float argument(const std::string& function, uint64_t k, float) {
    const uint32_t bits = uint32_t(function == "log"                    ? 0x3f800000u + k
                                   : function.compare(0, 3, "exp") == 0 ? 0x80000000u + k
                                                                        : k);
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}
double argument(const std::string& function, uint64_t k, double) {
    const uint64_t r = splitmix64(k + 1, 0);
    const double unit = double(r >> 11) * 0x1p-53, eighth = std::log(2.0) / 8;
    const double range = function == "log" ? 0 : k % 3 ? 40 : 745;
    double x = -unit * range;
    // near a boundary of the reduction, a multiple of ln 2 / 16; very small; the last result of all
    if (k % 8 == 1) x = -std::floor(unit * 2150 * 8) * eighth / 2 * (1 + (double(r % 64) - 32) * 0x1p-52);
    if (k % 8 == 2) x = -std::ldexp(1 + unit, -int(r % 60));
    if (function.compare(0, 3, "exp") == 0) return std::fmax(x, -745.2);
    if (function == "tanh" && k % 3) x = -std::ldexp(1 + unit, 4 - int(r % 12));  // where it is neither x nor 1
    if (function == "logistic" || function == "tanh") return r & 1 ? -x : std::fmax(x, -745.2);
    if (k % 4 == 1) return 1 + std::ldexp(unit, -int(r % 52));  // near 1, where the result is small
    if (k % 4 == 2) return std::ldexp(std::sqrt(0.5) * (1 + (double(r % 64) - 32) * 0x1p-52), 1 + int(r % 1023));
    return std::ldexp(1 + unit, int(r % 1023));
}
uint64_t count_of(const std::string& function, float) {
    return function == "log" ? 0x40000000u : function.compare(0, 3, "exp") == 0 ? 0x7f800001u : 0x100000000u;
}
uint64_t count_of(const std::string&, double) { return uint64_t(1) << 28; }

template <class E, size_t N>
bool sweep(const char* type, const Case<E> (&cases)[N], const std::vector<Functions<E>>& functions, uint64_t step) {
    bool good = true;
    const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    for (const Case<E>& c : cases) {
        const uint64_t count = count_of(c.name, E()) / step, chunks = (count + together - 1) / together;
        std::vector<std::vector<Worst>> found(threads, std::vector<Worst>(functions.size()));
        std::vector<std::thread> team;
        for (unsigned me = 0; me < threads; ++me)
            team.emplace_back([&, me] {
                std::vector<E> x(together);
                for (uint64_t chunk = me; chunk < chunks; chunk += threads) {
                    for (ptrdiff_t i = 0; i < together; ++i) {
                        const uint64_t k = std::min(chunk * together + uint64_t(i), count ? count - 1 : 0) * step;
                        x[i] = argument(c.name, k, E());
                        if (x[i] != x[i]) x[i] = 0;
                    }
                    compare(c, x, functions, found[me]);
                }
            });
        for (std::thread& thread : team) thread.join();
        for (size_t t = 0; t < functions.size(); ++t) {
            Worst worst;
            for (const auto& mine : found)
                if (!(mine[t].units <= worst.units)) worst = mine[t];
            std::printf("%-8s %-8s %-9s %12llu numbers, at most %.4f units, at %a\n", tables()[t].isa, type, c.name,
                        static_cast<unsigned long long>(count), worst.units, worst.at);
            good = good && worst.units <= 1;
        }
        std::fflush(stdout);
    }
    return good;
}

}  // namespace

int main(int count, char** arguments) {
    const uint64_t step = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1;
    if (!step) return std::fputs("function_sweep [STEP]: STEP is a number from 1 on\n", stderr), EXIT_FAILURE;
    std::vector<Functions<float>> single;
    std::vector<Functions<double>> f64;
    for (const FunctionTable& table : tables()) {
        single.push_back(table.f32);
        f64.push_back(table.f64);
    }
    const bool good = sweep("float32", single_cases, single, step) & sweep("float64", double_cases, f64, step);
    if (!good) std::puts("more than 1 unit");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
