// What kernels there are, and what each is asked to do. Plain data: files of every instruction set share it.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "plan.h"

namespace nndl_fast {

// Element (row r, class j) is data[r * row + j * cls]. The matrix is absent if data is null.
template <class E>
struct MatrixView {
    E* data = nullptr;
    ptrdiff_t row = 0, cls = 0;
};

// A slice of one long row, at which several threads work. First each adds up its classes; then, with the sums of all,
// each stores its classes, and one finishes the row.
template <class E>
struct RowSlice {
    enum Task { add_up, store, finish } task;
    ptrdiff_t first, last;  // the classes of the slice; to add up, whole segments, except at the end of the row
    E near;                 // the expected maximum
    double* sums;           // two numbers for each segment: the sum, and what rounding took from it
    E maximum;              // over this slice (a result of add_up), or over all classes (store, finish)
};

// The number of classes in a segment of a row, which is added up by itself; threads share out a row by whole segments.
template <class E>
constexpr ptrdiff_t segment_classes = 64 * 8 * (64 / sizeof(E));

// How far a row's maximum, times c, may be from where it was expected, and how large either may be:
// within these bounds the expected one gives the bits that the maximum itself would have given.
constexpr float window = 10, far_away = 0x1p11f;
template <class E>
static inline bool is_valid_guess(E expected, E maximum, E c) {
    const E e = expected * c, m = maximum * c;
    return expected == maximum ||
           (__builtin_fabs(m - e) <= window && __builtin_fabs(m) <= far_away && __builtin_fabs(e) <= far_away);
}

// Conversions of n elements of a 16-bit type; the 16-bit ones are `stride` apart.
struct HalfKernels {
    void (*widen)(const uint16_t* from, ptrdiff_t stride, ptrdiff_t n, float* to) = nullptr;
    void (*narrow)(const float* from, ptrdiff_t n, uint16_t* to, ptrdiff_t stride) = nullptr;
};
// z and out, if they are of a 16-bit type. batch/run_kernel.cpp converts some rows at a time; kernels never see
// 16-bit data.
struct HalfPrecision {
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
    bool split_ties = false, log = false;  // hard only: equal maxima share the 1; store logarithms (needs split_ties)

    const int64_t* labels = nullptr;        // one per row, in range or equal to ignore_index
    const double* sample_weight = nullptr;  // one per row
    const E* class_weight = nullptr;        // one per class, contiguous
    double class_weight_sum = 0;            // their sum, or the number of classes
    double smoothing = 0;
    double scale = 1;  // of the error, not of the cost: 1 / n for the mean
    bool ignore = false;
    int64_t ignore_index = 0;

    HalfPrecision half;            // then z and out have no data of their own
    bool exponentials = true;      // whether the operation adds up exponentials: must be its Op::sums
    bool whole_tiles = false;      // columns of which the last tile has room for whole vectors
    RowSlice<E>* slice = nullptr;  // then there is one row

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
    bool sums = true;                   // whether the sum of the costs is wanted
};

// The operands of a product and its result; `size` is the number of lanes of a vector. Element (i, k) of the left one
// stands at data[i * row + k * term], or, if `panel` is set and the depth is in panels, at
// data[i * row + k / size * panel + k % size * term].
template <class E>
struct LeftOperand {
    const E* data = nullptr;
    ptrdiff_t row = 0, term = 0, panel = 0;
};
// Element (k, j) stands at data[k * term + j / size * panel + j % size].
template <class E>
struct RightOperand {
    const E* data = nullptr;
    ptrdiff_t term = 0, panel = 0;
};
// Element (i, j) stands at data[i * row + j / size * panel + j % size].
template <class E>
struct ProductResult {
    E* data = nullptr;
    ptrdiff_t row = 0, panel = 0;
};

// out = start + left right, of shape (rows, columns); `depth` is the number of terms of each sum. See
// operations/product.cpp.
template <class E>
struct ProductJob {
    ptrdiff_t rows = 0, columns = 0, depth = 0;
    LeftOperand<E> left = {};
    RightOperand<E> right = {};
    ProductResult<E> out = {};
    // The initial value of the sums: keep times the element of out; or, if keep is 0, a number per row, a number per
    // column (in whole panels), or 0.
    E keep = 0;
    bool uncached = false;  // the result is part of one that is not in the second cache
    const E *start_of_row = nullptr, *start_of_column = nullptr;
};

// A transposition: element (i, j) at from[i * row + j] goes to to[i / size * to_panel + j * to_column + i % size],
// where size is the number of lanes. `whole`: the lanes beyond the last row exist and are set to 0.
template <class E>
struct TransposeJob {
    ptrdiff_t rows = 0, columns = 0;
    const E* from = nullptr;
    ptrdiff_t row = 0;
    E* to = nullptr;
    ptrdiff_t to_column = 0, to_panel = 0;
    bool whole = false;
};

enum class Optimizer { sgd, momentum, nesterov, adagrad, rmsprop, adam };
constexpr bool keeps_first(Optimizer optimizer) { return optimizer != Optimizer::sgd; }
constexpr bool keeps_second(Optimizer optimizer) { return optimizer == Optimizer::adam; }

// What a step of gradient descent does with n parameters and their gradient; see operations/step.cpp.
template <class E>
struct StepJob {
    Optimizer optimizer = Optimizer::sgd;
    ptrdiff_t n = 0;
    E* parameters = nullptr;
    const E* gradient = nullptr;
    E *first = nullptr, *second = nullptr;  // what the optimizer keeps of earlier gradients
    E scale = 1;                            // of the gradient
    E decay = 0;                            // of the parameters: what regularisation adds is decay times them
    E eta = 0, mu = 0, one_less_mu = 0;
    E beta = 0, one_less_beta = 0, small = 0;
    E rate = 0, root = 0, shrink = 1;  // Adam's
};

// static: files of different instruction sets must not share a copy of a function.
template <class X>
static constexpr X* advanced(X* data, ptrdiff_t by) {
    return data ? data + by : nullptr;
}

// Negative labels are no classes either.
static constexpr bool is_class(int64_t label, ptrdiff_t classes) { return uint64_t(label) < uint64_t(classes); }

// So many rows of a job from `first` on.
template <class E>
static constexpr Job<E> rows_of(const Job<E>& job, ptrdiff_t first, ptrdiff_t rows) {
    Job<E> some = job;
    some.rows = rows;
    some.z.data = advanced(job.z.data, first * job.z.row);
    some.y.data = advanced(job.y.data, first * job.y.row);
    some.out.data = advanced(job.out.data, first * job.out.row);
    some.half.z.data = advanced(job.half.z.data, first * job.half.z.row);
    some.half.out.data = advanced(job.half.out.data, first * job.half.out.row);
    some.labels = advanced(job.labels, first);
    some.sample_weight = advanced(job.sample_weight, first);
    some.row_result = advanced(job.row_result, first);
    return some;
}

// KERNEL(what it returns, name, the type of its job) for each of them. Each is exported by a file in operations/.
#define NNDL_KERNELS(KERNEL)                                                                         \
    KERNEL(void, softmax, Job)                                                                       \
    KERNEL(void, log_softmax, Job)                                                                   \
    KERNEL(void, logsumexp, Job)                                                                     \
    KERNEL(void, hard, Job) /* c -> infinity */                                                      \
    KERNEL(void, softmax_backward, Job)                                                              \
    KERNEL(void, log_likelihood, Job) /* the cost if row_result is set, the error if out is */       \
    KERNEL(double, sigmoid, MapJob)   /* these return the sum of the costs, if there are any */      \
    KERNEL(double, sigmoid_prime, MapJob)                                                            \
    KERNEL(double, binary_cross_entropy, MapJob)                                                     \
    KERNEL(double, inverse_softmax, MapJob)                                                          \
    KERNEL(double, log_likelihood_of_activations, MapJob)                                            \
    KERNEL(double, quadratic, MapJob)                                                                \
    KERNEL(double, hyperbolic_tangent, MapJob)                                                       \
    KERNEL(double, rectifier, MapJob)                                                                \
    KERNEL(double, leaky_rectifier, MapJob)                                                          \
    KERNEL(double, times_sigmoid_prime, MapJob) /* y times the derivative, z being the activation */ \
    KERNEL(double, times_tanh_prime, MapJob)                                                         \
    KERNEL(double, times_relu_prime, MapJob)                                                         \
    KERNEL(double, times_leaky_relu_prime, MapJob)                                                   \
    KERNEL(void, step, StepJob)                                                                      \
    KERNEL(void, product, ProductJob)                                                                \
    KERNEL(ptrdiff_t, tile_columns, ProductJob) /* columns of the result per tile */                 \
    KERNEL(void, transpose, TransposeJob)

template <class E>
using RowKernel = void (*)(const Job<E>&);
template <class E>
using MapKernel = double (*)(const MapJob<E>&);

template <class E>
struct Kernels {
#define NNDL_MEMBER(result, kernel, JobOf) result (*kernel)(const JobOf<E>&);
    NNDL_KERNELS(NNDL_MEMBER)
#undef NNDL_MEMBER
};

struct Table {
    const char* name;
    Kernels<float> f32;
    Kernels<double> f64;
    HalfKernels float16, bfloat16;
};

}  // namespace nndl_fast
