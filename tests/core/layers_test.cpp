// Products of matrices that stand in memory in any way, and steps of arrays, without Python: in memory that ends where
// the arrays do, so that sanitizers see what is read beyond them.
#include "../../csrc/network/layers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "../../csrc/isa/dispatch.h"
#include "../../csrc/network/optimizer.h"
#include "../../csrc/threads/threads.h"
#include "check.h"
#include "splitmix64.h"

using namespace nndl_fast;

namespace {

uint64_t drawn_so_far = 0;
template <class E>
E number() {
    return E((double(splitmix64(++drawn_so_far, 7) >> 11) * 0x1p-53 - 0.5) * 2);
}

enum class Form { rows, columns, gaps };
constexpr Form forms[] = {Form::rows, Form::columns, Form::gaps};

// A matrix with no element more than it needs.
template <class E>
struct Stored {
    std::vector<E> memory;
    Matrix<E> matrix;

    Stored(ptrdiff_t rows, ptrdiff_t columns, Form form) {
        const ptrdiff_t row = form == Form::rows ? columns : form == Form::columns ? 1 : 3 * columns + 2;
        const ptrdiff_t column = form == Form::rows ? 1 : form == Form::columns ? rows : 3;
        const bool some = rows && columns;
        memory.resize(size_t(some ? (rows - 1) * row + (columns - 1) * column + 1 : 0));
        for (E& x : memory) x = number<E>();
        matrix = {memory.data(), rows, columns, row, column};
    }
    Matrix<const E> view() const { return {matrix.data, matrix.rows, matrix.columns, matrix.row, matrix.column}; }
};

enum class Begin { nothing, columns, rows, result };

template <class E>
void check_multiplication(ptrdiff_t m, ptrdiff_t n, ptrdiff_t depth, Form left_form, Form right_form, Form out_form,
                          Begin begin, bool derivative) {
    const Stored<E> left(m, depth, left_form), right(depth, n, right_form), a(m, n, left_form);
    Stored<E> out(m, n, out_form);
    std::vector<E> start(size_t(begin == Begin::columns ? n : begin == Begin::rows ? m : 0));
    for (E& x : start) x = number<E>();
    std::vector<E> before = out.memory, expected = out.memory;
    for (ptrdiff_t i = 0; i < m; ++i)
        for (ptrdiff_t j = 0; j < n; ++j) {
            E& sum = expected[size_t(i * out.matrix.row + j * out.matrix.column)];
            if (begin != Begin::result)
                sum = begin == Begin::nothing ? E(0) : start[size_t(begin == Begin::columns ? j : i)];
            for (ptrdiff_t k = 0; k < depth; ++k) sum = std::fma(*left.matrix.at(i, k), *right.matrix.at(k, j), sum);
            if (derivative && !(*a.matrix.at(i, j) > 0)) sum = 0;
        }
    Multiplication<E> job;
    job.left = left.view();
    job.right = right.view();
    job.out = out.matrix;
    if (begin == Begin::columns) job.of_columns = start.data();
    if (begin == Begin::rows) job.of_rows = start.data();
    job.adds = begin == Begin::result;
    if (derivative) {
        job.then = times_derivative_of<E>(Activation::relu);
        job.activations = a.view();
    }
    for (const std::string& isa : available_isas())
        for (int threads : {1, 5}) {
            activate_isa(isa);
            set_num_threads(threads);
            std::copy(before.begin(), before.end(), out.memory.begin());
            multiply(job);
            check(!std::memcmp(out.memory.data(), expected.data(), expected.size() * sizeof(E)),
                  isa + " " + std::to_string(sizeof(E)) + " bytes, " + std::to_string(m) + " x " +
                      std::to_string(depth) + " x " + std::to_string(n) + ", forms " + std::to_string(int(left_form)) +
                      std::to_string(int(right_form)) + std::to_string(int(out_form)) + ", begin " +
                      std::to_string(int(begin)) + ", threads " + std::to_string(threads));
        }
}

template <class E>
void check_multiplications() {
    const ptrdiff_t sizes[][3] = {{1, 1, 1},   {10, 30, 50}, {30, 10, 70},  {17, 49, 0},    {33, 16, 3},
                                  {1, 130, 9}, {130, 1, 9},  {40, 100, 10}, {50, 200, 600}, {300, 110, 130}};
    int turn = 0;
    for (const auto& [m, n, depth] : sizes)
        for (Form left : forms)
            for (Form right : forms)
                for (Form out : forms) {
                    // The large ones take minutes under sanitizers.
                    if (m * n * depth > 1000000 && (int(left) + int(right) + int(out)) % 3) continue;
                    const auto begin = Begin(turn++ % 4);
                    check_multiplication<E>(m, n, depth, left, right, out, begin, turn % 3 == 0);
                }
}

// A step of rows that have gaps between them is that of the same numbers in one piece, on any number of threads.
template <class E>
void check_steps(Optimizer optimizer) {
    constexpr ptrdiff_t rows = 130, columns = 90;
    Rule rule;
    rule.optimizer = optimizer;
    rule.eta = 0.1;
    rule.weight_decay = 0.01;
    rule.momentum = 0.9;
    const StepJob<E> job = step_job<E>(rule, rule.weight_decay, {0.9, 0.999});
    std::vector<std::vector<E>> plain(4, std::vector<E>(size_t(rows * columns)));
    for (auto& array : plain)
        for (E& x : array) x = std::fabs(number<E>());
    std::vector<E> expected[2];
    for (const std::string& isa : available_isas())
        for (int threads : {1, 5})
            for (ptrdiff_t gap : {0, 7}) {
                activate_isa(isa);
                set_num_threads(threads);
                const ptrdiff_t row = columns + gap;
                std::vector<std::vector<E>> given(4, std::vector<E>(size_t((rows - 1) * row + columns), E(5)));
                const auto copy = [&](int which, auto assign) {
                    for (ptrdiff_t i = 0; i < rows * columns; ++i)
                        assign(given[size_t(which)][size_t(i / columns * row + i % columns)], i);
                };
                for (int which = 0; which < 4; ++which)
                    copy(which, [&](E& x, ptrdiff_t i) { x = plain[size_t(which)][size_t(i)]; });
                StepArrays<E> arrays;
                arrays.batch.append(rows, row, row, row, row);
                arrays.batch.append(columns, 1, 1, 1, 1);
                arrays.batch.simplify();
                arrays.parameters = given[0].data();
                arrays.gradient = given[1].data();
                arrays.first = given[2].data();
                arrays.second = given[3].data();
                step_arrays<E>(job, {arrays});
                for (int which : {0, 2}) {
                    std::vector<E> now(size_t(rows * columns));
                    copy(which, [&](E x, ptrdiff_t i) { now[size_t(i)] = x; });
                    std::vector<E>& first = expected[which / 2];
                    if (first.empty()) first = now;
                    check(now == first && (which || now != plain[0]),
                          isa + " step, optimizer " + std::to_string(int(optimizer)) + ", gap " + std::to_string(gap));
                }
                check(gap == 0 || given[0][size_t(columns)] == 5, "nothing is written between the rows");
            }
}

}  // namespace

int main() {
    assume_processors(8);  // so that as many threads as are set do take part
    check_multiplications<float>();
    check_multiplications<double>();
    for (Optimizer optimizer : {Optimizer::sgd, Optimizer::momentum, Optimizer::nesterov, Optimizer::adagrad,
                                Optimizer::rmsprop, Optimizer::adam}) {
        check_steps<float>(optimizer);
        check_steps<double>(optimizer);
    }
    return summary();
}
