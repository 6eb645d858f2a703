// The core without Python: every instruction set gives the bits of the baseline, every layout those
// of a row alone, and all of them what a plain long double computation gives. Buffers end where the
// arrays end, so that a sanitizer sees any step beyond.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../../csrc/batch/batch.h"
#include "../../csrc/isa/dispatch.h"
#include "../../csrc/threads/threads.h"
#include "check.h"
#include "hashes.h"

using namespace nndl_fast;

namespace {

// The instruction sets that are tested: all that this machine can run, or the one that the command names.
std::vector<std::string> isas = available_isas();

template <class E>
bool same_bits(const std::vector<E>& a, const std::vector<E>& b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
        if (std::memcmp(&a[i], &b[i], sizeof(E)) && !(a[i] != a[i] && b[i] != b[i])) return false;  // NaNs are alike
    return true;
}

enum class Order { rows, columns, gaps };

// Results of every kernel for one example, row by row whatever the order of the arrays.
template <class E>
std::vector<std::vector<E>> results(const std::vector<E>& z, const std::vector<E>& t,
                                    const std::vector<int64_t>& labels, ptrdiff_t classes, Order order) {
    const ptrdiff_t n = ptrdiff_t(z.size()) / classes;
    const ptrdiff_t row = order == Order::columns ? 1 : order == Order::rows ? classes : 2 * classes + 3;
    const ptrdiff_t cls = order == Order::columns ? n : order == Order::rows ? 1 : 2;
    const auto place = [&](ptrdiff_t r, ptrdiff_t j) { return size_t(r * row + j * cls); };
    const size_t room = place(n - 1, classes - 1) + 1;
    std::vector<E> in(room), target(room), out(room);
    for (ptrdiff_t r = 0; r < n; ++r)
        for (ptrdiff_t j = 0; j < classes; ++j) {
            in[place(r, j)] = z[size_t(r * classes + j)];
            target[place(r, j)] = t[size_t(r * classes + j)];
        }
    Batch batch;
    batch.append(n, row, row, row);
    std::vector<std::vector<E>> all;
    const auto run = [&](RowKernel<E> kernel, bool with_y, bool with_out, bool with_result, auto change) {
        Job<E> job;
        job.classes = classes;
        job.z = {in.data(), 0, cls};
        if (with_y) job.y = {target.data(), 0, cls};
        if (with_out) job.out = {out.data(), 0, cls};
        std::vector<double> result(static_cast<size_t>(n));
        if (with_result) job.row_result = result.data();
        change(job);
        run_rows(kernel, job, batch);
        if (with_result) all.emplace_back(result.begin(), result.end());
        if (!with_out) return;
        std::vector<E> rows;
        for (ptrdiff_t r = 0; r < n; ++r)
            for (ptrdiff_t j = 0; j < classes; ++j) rows.push_back(out[place(r, j)]);
        all.push_back(rows);
    };
    const auto nothing = [](Job<E>&) {};
    const auto labelled = [&](Job<E>& job) { job.labels = labels.data(); };
    const auto smoothed = [&](Job<E>& job) {
        job.labels = labels.data();
        job.smoothing = 0.1;
        job.class_weight_sum = double(classes);
        job.scale = 1.0 / 3;
    };
    const Kernels<E>& k = active_kernels<E>();
    run(k.softmax, false, true, false, nothing);
    run(k.softmax, false, true, false, [](Job<E>& job) { job.c = E(0.7); });
    run(k.log_softmax, false, true, false, nothing);
    run(k.logsumexp, false, false, true, nothing);
    run(k.hard, false, true, false, [](Job<E>& job) {
        job.split_ties = true;
        job.exponentials = false;
    });
    run(k.softmax_backward, true, true, false, [](Job<E>& job) { job.exponentials = false; });
    run(k.log_likelihood, false, true, true, labelled);
    run(k.log_likelihood, false, true, true, smoothed);
    run(k.log_likelihood, false, false, true, labelled);
    run(k.log_likelihood, true, true, true, nothing);
    return all;
}

template <class E>
std::vector<E> elementwise(const std::vector<E>& z, const std::vector<E>& t) {
    std::vector<E> all;
    const Kernels<E>& k = active_kernels<E>();
    for (MapKernel<E> kernel : {k.sigmoid, k.sigmoid_prime, k.binary_cross_entropy}) {
        std::vector<E> out(z.size()), cost(z.size());
        MapJob<E> job;
        job.z = z.data();
        job.y = t.data();
        job.out = out.data();
        job.cost = cost.data();
        Batch batch;
        batch.append(ptrdiff_t(z.size()), 1, 1, 1, 1);
        all.push_back(E(run_elements(kernel, job, batch)));
        all.insert(all.end(), out.begin(), out.end());
        all.insert(all.end(), cost.begin(), cost.end());
    }
    return all;
}

template <class E>
void check_softmax(const std::vector<E>& z, const std::vector<E>& a, ptrdiff_t classes, const std::string& name) {
    for (size_t r = 0; r < z.size(); r += size_t(classes)) {
        long double top = -INFINITY, sum = 0;
        for (size_t j = r; j < r + size_t(classes); ++j) top = std::fmax(top, (long double)z[j]);
        for (size_t j = r; j < r + size_t(classes); ++j) sum += expl((long double)z[j] - top);
        for (size_t j = r; j < r + size_t(classes); ++j) {
            const long double exact = expl((long double)z[j] - top) / sum;
            const E near = E(exact), unit = std::nextafter(near, E(INFINITY)) - near;
            if (near >= 4 * std::numeric_limits<E>::min())
                check(std::fabs((long double)a[j] - exact) <= 2 * (long double)unit, name + " softmax is off");
        }
    }
}

template <class E>
void check_type(const char* type) {
    std::mt19937 random(1);
    std::normal_distribution<double> normal;
    // the last: a row that threads share out, and several segments in every layout
    for (ptrdiff_t classes : {1, 2, 10, 15, 16, 17, 63, 64, 65, 127, 128, 129, 300, 1025, 20001})
        for (ptrdiff_t n : {1, 3, 4, 15, 16, 17, 33}) {
            if (classes > 2000 && n != 1 && n != 17) continue;
            std::vector<E> z(size_t(n * classes)), t(z.size());
            std::vector<int64_t> labels;
            for (ptrdiff_t r = 0; r < n; ++r) labels.push_back(int64_t(random() % uint64_t(classes)));
            for (size_t i = 0; i < z.size(); ++i) {
                z[i] = E(normal(random) * (i / size_t(classes) % 3 == 0 ? 0.1 : 20));
                t[i] = E(std::fabs(normal(random)));
            }
            activate_isa("baseline");
            const auto expected = results(z, t, labels, classes, Order::rows);
            const auto expected_elements = elementwise(z, t);
            for (const std::string& isa : isas) {
                activate_isa(isa);
                const std::string name = isa + " " + type + " " + std::to_string(n) + " x " + std::to_string(classes);
                check_softmax(z, results(z, t, labels, classes, Order::rows)[0], classes, name);
                check(same_bits(elementwise(z, t), expected_elements), name + " elementwise");
                for (Order order : {Order::rows, Order::columns, Order::gaps})
                    for (int threads : {1, 2, 7}) {
                        set_num_threads(threads);
                        const auto got = results(z, t, labels, classes, order);
                        for (size_t i = 0; i < got.size(); ++i)
                            check(same_bits(got[i], expected[i]),
                                  name + " order " + std::to_string(int(order)) + " result " + std::to_string(i));
                    }
            }
        }
}

// What results() gives that the table of hashes has.
const std::map<std::string, size_t> hashed = {
    {"softmax", 0},  {"softmax_c", 1},   {"log_softmax", 2},  {"logsumexp", 3},     {"hard", 4},
    {"backward", 5}, {"labels_cost", 6}, {"labels_delta", 7}, {"targets_cost", 11}, {"targets_delta", 12}};

template <class E>
void check_hashes(Hashes& table, const std::string& type) {
    for (const auto& [classes, functions] : table[type]) {
        const HashedInputs<E> in(classes);
        for (const std::string& isa : isas) {
            activate_isa(isa);
            for (Order order : {Order::rows, Order::columns}) {
                const auto got = results(in.z, in.t, in.labels, classes, order);
                for (const auto& [function, hash] : functions)
                    check(digest(got[hashed.at(function)]) == hash,
                          isa + " " + type + " " + std::to_string(classes) + " " + function + " has another hash");
            }
        }
    }
}

// Several threads of the caller at once, on inputs that they share.
void check_callers() {
    const ptrdiff_t classes = 300, n = 64;
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    std::vector<float> z(size_t(n * classes)), t(z.size());
    for (size_t i = 0; i < z.size(); ++i) t[i] = std::fabs(z[i] = normal(random));
    const std::vector<int64_t> labels(size_t(n), 7);
    set_num_threads(2);
    const auto expected = results(z, t, labels, classes, Order::rows);
    const auto expected_elements = elementwise(z, t);
    std::vector<std::thread> callers;
    std::atomic<int> different{0};
    for (int caller = 0; caller < 8; ++caller)
        callers.emplace_back([&, caller] {
            for (int round = 0; round < 3; ++round) {
                const auto got = results(z, t, labels, classes, Order(caller % 3));
                for (size_t i = 0; i < got.size(); ++i) different += !same_bits(got[i], expected[i]);
                different += !same_bits(elementwise(z, t), expected_elements);
            }
        });
    for (std::thread& caller : callers) caller.join();
    check(different == 0, "eight callers at once");
}

// Widening gives every number of the format; between neighbours the nearer is taken, in the middle the even.
void check_halves(const HalfKernels& convert, const std::string& name, int mantissa, int bias) {
    const uint16_t infinity = uint16_t((2 * bias + 1) << mantissa);
    std::vector<uint16_t> halves(65536);
    for (size_t i = 0; i < halves.size(); ++i) halves[i] = uint16_t(i);
    std::vector<float> wide(halves.size());
    convert.widen(halves.data(), 1, ptrdiff_t(halves.size()), wide.data());
    const auto value = [&](int half) {  // also of infinity, as if there were one exponent more
        const int exponent = half >> mantissa, rest = half & ((1 << mantissa) - 1);
        return std::ldexp(exponent ? rest + (1 << mantissa) : rest, (exponent ? exponent : 1) - bias - mantissa);
    };
    std::vector<float> given;
    std::vector<uint16_t> expected;
    for (int sign : {0, 1}) {
        const auto expect = [&](double x, int half) {
            given.push_back(float(sign ? -x : x));
            expected.push_back(uint16_t(half | (sign << 15)));
        };
        for (int h = 0; h < infinity; ++h) {
            const double here = value(h), next = value(h + 1), middle = (here + next) / 2;
            const float got = wide[size_t(h | (sign << 15))];
            check(got == float(sign ? -here : here) && std::signbit(got) == bool(sign),
                  name + " widens " + std::to_string(h));
            expect(here, h);
            expect(std::nextafterf(float(middle), 0), h);
            if (middle < 3.4e38) {
                expect(middle, h % 2 ? h + 1 : h);
                expect(std::nextafterf(float(middle), INFINITY), h + 1);
            }
        }
        expect(INFINITY, infinity);
    }
    check(wide[infinity] == INFINITY && std::isnan(wide[size_t(infinity + 1)]) && std::isnan(wide[65535]),
          name + " widens what is not finite");
    std::vector<uint16_t> got(given.size() * 2);
    convert.narrow(given.data(), ptrdiff_t(given.size()), got.data(), 2);
    for (size_t i = 0; i < given.size(); ++i)
        check(got[2 * i] == expected[i], name + " narrows " + std::to_string(given[i]));
    for (uint32_t bits : {0x7f800001u, 0x7fc00000u, 0xffffffffu}) {
        float nan;
        std::memcpy(&nan, &bits, sizeof nan);
        convert.narrow(&nan, 1, got.data(), 1);
        check((got[0] & 0x7fff) > infinity, name + " narrows a NaN");
    }
}

}  // namespace

int main(int count, char** arguments) {
    std::printf("instruction sets:");
    if (count > 2) isas = {arguments[2]};
    for (const std::string& isa : isas) std::printf(" %s", isa.c_str());
    std::printf("; threads by %s\n", threads_by());
    assume_processors(8);  // so that as many threads as are set do take part
    check_type<float>("float32");
    check_type<double>("float64");
    for (const std::string& isa : isas) {
        activate_isa(isa);
        check_halves(active_table().float16, isa + " float16", 10, 15);
        check_halves(active_table().bfloat16, isa + " bfloat16", 7, 127);
    }
    set_num_threads(2);
    Hashes hashes = hashes_of(count > 1 ? arguments[1] : "hashes.txt");
    check(hashes.size() == 2, "core_test HASHES [INSTRUCTION SET]: the table of hashes is read");
    check_hashes<float>(hashes, "float32");
    check_hashes<double>(hashes, "float64");
    for (const std::string& isa : isas) {
        activate_isa(isa);
        check_callers();
    }
    bool refused = false;
    try {
        activate_isa("mmx");
    } catch (const std::exception& error) {
        refused = std::string(error.what()).find("baseline") != std::string::npos;
    }
    check(refused, "an unknown instruction set is refused, and the possible ones are named");
    return summary();
}
