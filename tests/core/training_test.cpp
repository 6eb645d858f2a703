// The products and the training without Python: every element of a product is the chain of fused multiply-adds
// that its definition says, whatever the instruction set, the strides, the tiles and the threads; and networks
// that are trained have the same bits everywhere, which a committed hash says of machines that never meet.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "../../csrc/isa/dispatch.h"
#include "../../csrc/network/matrix.h"
#include "../../csrc/network/network.h"
#include "../../csrc/threads/threads.h"
#include "check.h"
#include "hashes.h"

using namespace nndl_fast;

namespace {

std::vector<std::string> isas = available_isas();

template <class E>
std::vector<E> numbers(ptrdiff_t n, uint64_t seed, double scale = 1) {
    std::vector<E> x(static_cast<size_t>(n));
    for (size_t i = 0; i < x.size(); ++i) x[i] = E((double(splitmix64(i + 1, seed) >> 11) * 0x1p-53 - 0.5) * 2 * scale);
    return x;
}

// How the operands stand.
enum class Left { rows, columns, panels };
enum class Begin { nothing, row, column, kept, as_it_is };

template <class E>
struct Matrices {
    ptrdiff_t rows, columns, depth;
    Left form;
    Begin begin;
    std::vector<E> left, right, out, start;  // as the job has them; out before the product
    std::vector<E> expected;                 // rows x columns, as they come out
    ProductJob<E> job;

    ptrdiff_t left_at(ptrdiff_t i, ptrdiff_t k) const {
        constexpr ptrdiff_t size = lanes<E>;
        return i * job.left.row + (job.left.panel ? k / size * job.left.panel + k % size : k * job.left.term);
    }
    ptrdiff_t right_at(ptrdiff_t k, ptrdiff_t j) const {
        return k * job.right.term + j / lanes<E> * job.right.panel + j % lanes<E>;
    }
    ptrdiff_t out_at(ptrdiff_t i, ptrdiff_t j) const {
        return i * job.out.row + j / lanes<E> * job.out.panel + j % lanes<E>;
    }

    // A result of rows, for which the last panel is not filled, or of whole panels.
    Matrices(ptrdiff_t m, ptrdiff_t n, ptrdiff_t d, Left f, Begin b, bool in_panels)
        : rows(m), columns(n), depth(d), form(f), begin(b) {
        constexpr ptrdiff_t size = lanes<E>;
        const ptrdiff_t panels = (columns + size - 1) / size;
        job.rows = rows;
        job.columns = columns;
        job.depth = depth;
        job.left.row = form == Left::rows ? depth + 3 : form == Left::columns ? 1 : size;
        job.left.term = form == Left::columns ? rows + 5 : 1;
        job.left.panel = form == Left::panels ? rows * size : 0;
        job.right.term = size;
        job.right.panel = depth * size;
        job.out.row = in_panels ? size : columns;
        job.out.panel = in_panels ? rows * size : size;
        left = numbers<E>(depth ? left_at(rows - 1, depth - 1) + 1 : 1, 1);
        right = numbers<E>(panels * depth * size + 1, 2);
        out = numbers<E>(in_panels ? panels * rows * size : rows * columns, 3);
        start = numbers<E>(begin == Begin::row ? rows : panels * size, 4);
        job.keep = begin == Begin::kept ? E(0.75) : begin == Begin::as_it_is ? E(1) : E(0);
        for (ptrdiff_t i = 0; i < rows; ++i)
            for (ptrdiff_t j = 0; j < columns; ++j) {
                const E before = job.keep != 0 ? job.keep * out[size_t(out_at(i, j))] : 0;
                E sum = begin == Begin::row ? start[size_t(i)] : begin == Begin::column ? start[size_t(j)] : before;
                long double exact = sum, size_of_terms = std::fabs(sum);
                for (ptrdiff_t k = 0; k < depth; ++k) {
                    const E l = left[size_t(left_at(i, k))], r = right[size_t(right_at(k, j))];
                    sum = std::fma(l, r, sum);
                    exact += (long double)l * r;
                    size_of_terms += std::fabs((long double)l * r);
                }
                expected.push_back(sum);
                const long double bound =
                    (long double)depth * std::numeric_limits<E>::epsilon() / 2 * size_of_terms * (1 + 1e-3L);
                check(std::fabs(sum - exact) <= bound, "a product is off by more than its bound");
            }
    }

    bool agrees() {
        std::vector<E> result = out;
        ProductJob<E> now = job;
        now.left.data = left.data();
        now.right.data = right.data();
        now.out.data = result.data();
        if (begin == Begin::row) now.start_of_row = start.data();
        if (begin == Begin::column) now.start_of_column = start.data();
        run_product(now);
        for (ptrdiff_t i = 0; i < rows; ++i)
            for (ptrdiff_t j = 0; j < columns; ++j)
                if (std::memcmp(&result[size_t(out_at(i, j))], &expected[size_t(i * columns + j)], sizeof(E)))
                    return false;
        return true;
    }
};

template <class E>
void check_products(const char* type) {
    struct Size {
        ptrdiff_t rows, columns, depth;
    };
    std::vector<Size> sizes = {{1, 1, 0},     {3, 17, 0},   {70, 40, 300},  {5, 700, 33},
                               {333, 31, 10}, {2, 3, 5000}, {130, 129, 257}};
    for (ptrdiff_t rows : {1, 2, 5, 6, 7, 10, 11, 13, 16, 27})
        for (ptrdiff_t columns : {1, 15, 16, 17, 32, 47, 48, 64, 65})
            sizes.push_back({rows, columns, (rows * columns) % 19 + 1});
    for (const Size& s : sizes)
        for (Left form : {Left::rows, Left::columns, Left::panels})
            for (Begin begin : {Begin::nothing, Begin::row, Begin::column, Begin::kept, Begin::as_it_is})
                for (bool in_panels : {false, true}) {
                    Matrices<E> matrices(s.rows, s.columns, s.depth, form, begin, in_panels);
                    for (const std::string& isa : isas) {
                        activate_isa(isa);
                        for (int threads : {1, 2, 7}) {
                            set_num_threads(threads);
                            check(matrices.agrees(), isa + " " + type + " product " + std::to_string(s.rows) + " x " +
                                                         std::to_string(s.columns) + " x " + std::to_string(s.depth) +
                                                         ", form " + std::to_string(int(form)) + ", start " +
                                                         std::to_string(int(begin)));
                        }
                    }
                }
}

template <class E>
void check_transpositions(const char* type) {
    constexpr ptrdiff_t size = lanes<E>;
    for (ptrdiff_t rows : {1, 7, 8, 15, 16, 17, 40})
        for (ptrdiff_t columns : {1, 3, 4, 5, 16, 33})
            for (bool whole : {false, true})
                for (const std::string& isa : isas) {
                    activate_isa(isa);
                    const std::vector<E> from = numbers<E>(rows * (columns + 2), 5);
                    const ptrdiff_t panels = (rows + size - 1) / size, room = panels * columns * size;
                    std::vector<E> to(size_t(room), E(7));
                    TransposeJob<E> job;
                    job.rows = rows;
                    job.columns = columns;
                    job.from = from.data();
                    job.row = columns + 2;
                    job.to = to.data();
                    job.to_column = size;
                    job.to_panel = columns * size;
                    job.whole = whole;
                    active_kernels<E>().transpose(job);
                    bool good = true;
                    for (ptrdiff_t i = 0; i < panels * size; ++i)
                        for (ptrdiff_t j = 0; j < columns; ++j) {
                            const E expected = i < rows ? from[size_t(i * job.row + j)] : whole ? E(0) : E(7);
                            good = good && to[size_t(i / size * job.to_panel + j * size + i % size)] == expected;
                        }
                    check(good, isa + " " + type + " transposition " + std::to_string(rows) + " x " +
                                    std::to_string(columns));
                }
}

// The parameters of a small network after two epochs on examples that follow from their numbers.
template <class E>
std::vector<E> trained(Activation hidden, Cost cost, Optimizer optimizer, ptrdiff_t mini_batch) {
    const std::vector<ptrdiff_t> sizes = {37, 50, 18, 10};
    constexpr ptrdiff_t n = 75;
    std::vector<std::vector<E>> weights, biases;
    std::vector<const E*> given_w, given_b;
    std::vector<E*> w, b;
    for (size_t i = 0; i + 1 < sizes.size(); ++i) {
        weights.push_back(numbers<E>(sizes[i] * sizes[i + 1], 10 + i, 2 / std::sqrt(double(sizes[i]))));
        biases.push_back(numbers<E>(sizes[i + 1], 20 + i));
    }
    for (size_t i = 0; i < weights.size(); ++i) {
        given_w.push_back(weights[i].data());
        given_b.push_back(biases[i].data());
        w.push_back(weights[i].data());
        b.push_back(biases[i].data());
    }
    const std::vector<E> x = numbers<E>(n * sizes.front(), 30), targets = numbers<E>(n * sizes.back(), 31, 0.5);
    std::vector<E> probabilities;
    for (E t : targets) probabilities.push_back(t + E(0.5));
    std::vector<int64_t> labels, order;
    for (ptrdiff_t i = 0; i < n; ++i) {
        labels.push_back(int64_t(splitmix64(uint64_t(i), 32) % uint64_t(sizes.back())));
        order.push_back(i * 7 % n);
    }
    Network<E> network(sizes, hidden, cost);
    network.use(given_w, given_b);
    Examples<E> examples;
    examples.x = x.data();
    examples.row = sizes.front();
    if (cost == Cost::log_likelihood) examples.labels = labels.data();
    else examples.targets = probabilities.data();
    Rule rule;
    rule.optimizer = optimizer;
    rule.eta = optimizer == Optimizer::adam ? 0.01 : 0.25;
    rule.momentum = 0.875;
    rule.weight_decay = 0.002;
    for (int epoch = 0; epoch < 2; ++epoch) network.train(examples, order.data(), n, mini_batch, rule);
    std::vector<E> all(size_t(n * sizes.back()));
    network.weighted_inputs(examples, n, all.data());
    network.give(w, b);
    for (const auto& side : {weights, biases})
        for (const auto& parameters : side) all.insert(all.end(), parameters.begin(), parameters.end());
    return all;
}

template <class E>
void check_training(const char* type, const std::string& hash) {
    std::string digests;
    for (Activation hidden : {Activation::sigmoid, Activation::tanh, Activation::relu})
        for (Cost cost : {Cost::log_likelihood, Cost::cross_entropy, Cost::quadratic})
            for (Optimizer optimizer : {Optimizer::sgd, Optimizer::momentum, Optimizer::nesterov, Optimizer::adam})
                for (ptrdiff_t mini_batch : {10, 64}) {
                    std::string first;
                    for (const std::string& isa : isas) {
                        activate_isa(isa);
                        for (int threads : {1, 2, 7}) {
                            set_num_threads(threads);
                            const std::vector<E> all = trained<E>(hidden, cost, optimizer, mini_batch);
                            bool finite = true;
                            for (E x : all) finite = finite && std::isfinite(x);
                            check(finite, "a trained network is finite");
                            const std::string now = digest(all);
                            if (first.empty()) first = now;
                            check(now == first, isa + " " + type + " network, optimizer " +
                                                    std::to_string(int(optimizer)) + ", " + std::to_string(threads) +
                                                    " threads: other bits than at " + isas.front());
                        }
                    }
                    digests += first;
                }
    std::vector<E> letters;
    for (char c : digests) letters.push_back(E(c));
    check(digest(letters) == hash, std::string(type) + " networks have the hash " + digest(letters) + ", not " + hash);
}

// A training on the digits that tests/tools/trained.py wrote, with what comes out of it.
void check_digits(const std::string& path) {
    std::ifstream file(path);
    std::vector<ptrdiff_t> sizes(3);
    ptrdiff_t n = 0, mini_batch = 0, epochs = 0;
    Rule rule;
    file >> sizes[0] >> sizes[1] >> sizes[2] >> n >> mini_batch >> rule.eta >> rule.weight_decay >> epochs;
    const auto read = [&](auto& numbers, ptrdiff_t count) {
        numbers.resize(size_t(count));
        for (auto& x : numbers) file >> x;
    };
    std::vector<float> weights[2], biases[2], x;
    for (size_t i : {0, 1}) {
        read(weights[i], sizes[i] * sizes[i + 1]);
        read(biases[i], sizes[i + 1]);
    }
    read(x, n * sizes[0]);
    std::vector<int64_t> labels, order;
    read(labels, n);
    read(order, n * epochs);
    std::string expected;
    file >> expected;
    check(bool(file) && expected.size() == 8, path + " can be read");
    Examples<float> examples;
    examples.x = x.data();
    examples.row = sizes[0];
    examples.labels = labels.data();
    for (const std::string& isa : isas)
        for (int threads : {1, 2, 7}) {
            activate_isa(isa);
            set_num_threads(threads);
            Network<float> network(sizes, Activation::sigmoid, Cost::log_likelihood);
            network.use({weights[0].data(), weights[1].data()}, {biases[0].data(), biases[1].data()});
            for (ptrdiff_t epoch = 0; epoch < epochs; ++epoch)
                network.train(examples, order.data() + epoch * n, n, mini_batch, rule);
            std::vector<float> w[2] = {weights[0], weights[1]}, b[2] = {biases[0], biases[1]}, all;
            network.give({w[0].data(), w[1].data()}, {b[0].data(), b[1].data()});
            for (const auto& part : {w[0], b[0], w[1], b[1]}) all.insert(all.end(), part.begin(), part.end());
            check(digest(all) == expected, isa + ": the digits give a network of " + digest(all) + ", not " + expected);
        }
    std::printf("the digits are learned: %s\n", expected.c_str());
}

// A long step that is interrupted leaves nothing: after interruptions at places all along it, the network and
// its next step are as if there had been none.
void check_undone() {
    const std::vector<ptrdiff_t> sizes{1024, 1024, 16};
    const ptrdiff_t n = 8192;
    const std::vector<float> x = numbers<float>(n * sizes[0], 7);
    std::vector<int64_t> labels, order;
    for (ptrdiff_t i = 0; i < n; ++i) {
        labels.push_back(i % sizes[2]);
        order.push_back(i);
    }
    std::vector<float> weights[2], biases[2];
    for (int i = 0; i < 2; ++i) {
        weights[i] = numbers<float>(sizes[size_t(i)] * sizes[size_t(i) + 1], 8, 0.05);
        biases[i] = numbers<float>(sizes[size_t(i) + 1], 9);
    }
    Examples<float> examples;
    examples.x = x.data();
    examples.row = sizes[0];
    examples.labels = labels.data();
    activate_isa("");
    set_num_threads(2);
    for (Optimizer optimizer : {Optimizer::sgd, Optimizer::momentum, Optimizer::nesterov, Optimizer::adam}) {
        Rule rule;
        rule.optimizer = optimizer;
        rule.momentum = 0.9;
        rule.eta = 0.01;
        int interruptions = 0;
        std::string whole;
        for (bool disturbed : {false, true}) {
            Network<float> network(sizes, Activation::sigmoid, Cost::log_likelihood);
            const auto now = [&] {
                std::vector<float> w[2] = {weights[0], weights[1]}, b[2] = {biases[0], biases[1]}, all;
                network.give({w[0].data(), w[1].data()}, {b[0].data(), b[1].data()});
                for (const auto& part : {w[0], b[0], w[1], b[1]}) all.insert(all.end(), part.begin(), part.end());
                return digest(all);
            };
            network.use({weights[0].data(), weights[1].data()}, {biases[0].data(), biases[1].data()});
            network.train(examples, order.data(), 100, 100, rule);  // the optimizer has something to keep
            if (!disturbed) {
                network.train(examples, order.data(), n, n, rule);
                whole = now();
                continue;
            }
            const std::string before = now();
            // Ever later, in steps that grow: sanitizers make the step long, and it is asked every few milliseconds.
            for (int answers = 1; now() == before; answers += 1 + answers / 2) {
                int left = answers;
                const Watch watch([](void* left) { return --*static_cast<int*>(left) > 0; }, &left);
                try {
                    network.train(examples, order.data(), n, n, rule);
                } catch (const Interrupted&) {  // in the step, or after it
                    ++interruptions;
                }
            }
            check(now() == whole, "the step after interrupted ones, optimizer " + std::to_string(int(optimizer)));
        }
        check(interruptions >= 2, "a long step is interrupted: " + std::to_string(interruptions));
    }
}

}  // namespace

// [DIGITS [ISA]]: a file of tests/tools/trained.py, or ""; and one instruction set alone, or "" for the best.
int main(int count, char** arguments) {
    if (count > 2) isas = {arguments[2]};
    assume_processors(8);  // so that as many threads as are set do take part
    check_products<float>("float32");
    check_products<double>("float64");
    check_transpositions<float>("float32");
    check_transpositions<double>("float64");
    check_training<float>("float32", "cb0275b8");
    check_training<double>("float64", "96169745");
    check_undone();
    if (count > 1 && *arguments[1]) check_digits(arguments[1]);
    return summary();
}
