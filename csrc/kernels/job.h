// What a kernel is asked to do. Plain data: files of every instruction set share it.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "plan.h"

namespace nndl_fast {

// Element (row r, class j) stands at data[r * row + j * cls]. Absent where data is null.
template <class E>
struct MatrixView {
    E* data = nullptr;
    ptrdiff_t row = 0, cls = 0;
};

// A slice of long rows, which several threads work at: of one row, or of columns. First each adds up its classes,
// of all rows or of some, then, with the sums of all, each stores its classes, and one finishes the rows.
template <class E>
struct RowSlice {
    enum Task { add_up, store, finish } task;
    ptrdiff_t first, last;  // classes; of add_up whole segments, but for the rows' end
    const E* near;          // where each row's maximum is expected
    double* sums;           // of add_up: of each segment a number for every row, and another one for every row
    ptrdiff_t rows;         // of all slices: how far these are apart
    E* maxima;              // of these classes, one for each row; for the other tasks, of all
};

// Conversions of n elements of a 16-bit type; the 16-bit ones are `stride` apart.
struct HalfKernels {
    void (*widen)(const uint16_t* from, ptrdiff_t stride, ptrdiff_t n, float* to) = nullptr;
    void (*narrow)(const float* from, ptrdiff_t n, uint16_t* to, ptrdiff_t stride) = nullptr;
};
// z and out where they are of a 16-bit type. What runs the kernels converts some rows at a time.
struct Halves {
    HalfKernels convert;
    MatrixView<const uint16_t> z;
    MatrixView<uint16_t> out;
    explicit operator bool() const { return convert.widen; }
};

// Some rows of a batch at constant strides. An operation reads the members that it needs.
template <class E>
struct Job {
    ptrdiff_t rows = 0, classes = 0;
    MatrixView<const E> z;  // weighted inputs; for the backward pass, activations
    MatrixView<const E> y;  // targets; for the backward pass, the gradient
    MatrixView<E> out;
    double* row_result = nullptr;          // one per row: its cost, its logsumexp
    E c = 1;                               // sharpness
    bool split_ties = false, log = false;  // hard: what ties get; logarithms instead

    const int64_t* labels = nullptr;        // one per row, in range or equal to ignore_index
    const double* sample_weight = nullptr;  // one per row
    const E* class_weight = nullptr;        // one per class, contiguous
    double class_weight_sum = 0;            // their sum, or the number of classes
    double smoothing = 0;
    double scale = 1;  // of the error, not of the cost: 1 / n for the mean
    bool ignore = false;
    int64_t ignore_index = 0;

    Halves halves;                 // then z and out have no data of their own
    bool exponentials = true;      // whether the operation adds up exponentials
    bool may_share = false;        // whether threads may divide the classes of long rows among them
    RowSlice<E>* slice = nullptr;  // then there is one row, or they are columns

    Plan plan;             // plan_of(job); this and scratch are set by run_kernel()
    E* scratch = nullptr;  // plan.scratch elements, 64-byte aligned
};

// n contiguous elements, each an example of its own.
template <class E>
struct MapJob {
    ptrdiff_t n = 0;
    const E *z = nullptr, *y = nullptr, *weight = nullptr;
    E *out = nullptr, *cost = nullptr;  // activation or error; cost of each element
    double scale = 1;                   // of the error
};

// out = start + left right: `rows` x `columns`, of so many steps. See operations/product.cpp.
template <class E>
struct ProductJob {
    ptrdiff_t rows = 0, columns = 0, depth = 0;
    // Element (i, k) of the left operand stands at left[i * left_row + k * left_step], or, where it has panels of
    // depth, at left[i * left_row + k / size * left_panel + k % size * left_step].
    const E* left = nullptr;
    ptrdiff_t left_row = 0, left_step = 0, left_panel = 0;
    // Element (k, j) of the right operand stands at right[k * right_step + j / size * right_panel + j % size].
    const E* right = nullptr;
    ptrdiff_t right_step = 0, right_panel = 0;
    // Element (i, j) of the result stands at out[i * out_row + j / size * out_panel + j % size].
    E* out = nullptr;
    ptrdiff_t out_row = 0, out_panel = 0;
    // What the sums start with: what stands in out, times keep; or, where keep is 0, a number for each row, or one
    // for each column (of whole panels), or 0.
    E keep = 0;
    const E *start_of_row = nullptr, *start_of_column = nullptr;
};

// A matrix whose rows become lanes. See operations/product.cpp.
template <class E>
struct TurnJob {
    ptrdiff_t rows = 0, columns = 0;
    const E* from = nullptr;
    ptrdiff_t row = 0;
    E* to = nullptr;
    ptrdiff_t to_step = 0, to_panel = 0;
    bool whole = false;
};

enum class Optimizer { sgd, momentum, nesterov, adam };

// What a step of gradient descent does with n parameters and the gradient of the mean cost; see operations/step.cpp.
template <class E>
struct StepJob {
    Optimizer optimizer = Optimizer::sgd;
    ptrdiff_t n = 0;
    E *parameters = nullptr, *gradient = nullptr;  // both whole vectors
    E *first = nullptr, *second = nullptr;         // what the optimizer keeps of earlier gradients
    E decay = 0;                                   // of the parameters: what regularisation adds is decay times them
    E eta = 0, mu = 0, one_less_mu = 0;
    E beta = 0, one_less_beta = 0, rate = 0, root = 0, small = 0;  // Adam's
};

// static: files of different instruction sets must not share a copy of a function.
template <class X>
static constexpr X* moved(X* data, ptrdiff_t by) {
    return data ? data + by : nullptr;
}

}  // namespace nndl_fast
