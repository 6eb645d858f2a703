// What a kernel is asked to do, and the table of kernels that each instruction set exports.
// Plain data: this header is the one that files of every instruction set share.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace nndl_fast {

// Element (row r, class j) stands at data[r * row + j * cls]. Absent where data is null.
template <class E>
struct Rows {
    E* data = nullptr;
    ptrdiff_t row = 0, cls = 0;
};

// Some rows of a batch at constant strides. An operation reads the members that it needs.
template <class E>
struct Job {
    ptrdiff_t rows = 0, classes = 0;
    Rows<const E> z;                       // weighted inputs; for the backward pass, activations
    Rows<const E> y;                       // targets; for the backward pass, the gradient
    Rows<E> out;
    double* row_result = nullptr;          // one a row: its cost, its logsumexp
    E c = 1;                               // sharpness
    bool share = false, log = false;       // hard: what ties get; logarithms instead

    const int64_t* labels = nullptr;       // one a row, in range or equal to ignore_index
    const double* sample_weight = nullptr; // one a row
    const E* class_weight = nullptr;       // one a class, contiguous
    double class_weight_sum = 0;           // their sum, or the number of classes
    double smoothing = 0;
    double scale = 1;                      // of the error, not of the cost: 1 / n for the mean
    bool ignore = false;
    int64_t ignore_index = 0;

    bool past_cache = false;               // out is too large to be read again from the cache
    E* scratch = nullptr;                  // scratch_elements(job) of them, 64-byte aligned
};

// n contiguous elements, each an example of its own.
template <class E>
struct MapJob {
    ptrdiff_t n = 0;
    const E *z = nullptr, *y = nullptr, *weight = nullptr;
    E *out = nullptr, *cost = nullptr;     // activation or error; cost of each element
    double scale = 1;                      // of the error
};

template <class E>
using RowKernel = void (*)(const Job<E>&);
template <class E>
using MapKernel = double (*)(const MapJob<E>&);  // the sum of the costs, where there are any

template <class E>
struct Kernels {
    RowKernel<E> softmax, log_softmax, logsumexp;
    RowKernel<E> hard;              // c -> infinity
    RowKernel<E> softmax_backward;
    RowKernel<E> log_likelihood;    // cost where row_result is set, error where out is
    MapKernel<E> sigmoid, sigmoid_prime, binary_cross_entropy;
};

struct Table {
    const char* name;
    Kernels<float> f32;
    Kernels<double> f64;
};

// Up to this many classes, rows are handled a vector's width of them at a time.
constexpr ptrdiff_t few_classes = 128;
// Up to this many, twice as many rows at a time: more would not stay in the first cache.
constexpr ptrdiff_t big_tile_classes = few_classes / 2;

// Up to this many, there is room for the exponentials of two rows in the nearest caches.
constexpr ptrdiff_t short_row = 8192;

// static: files of different instruction sets must not share a copy of a function.

// Scratch areas: the exponentials of what is in hand (and the result, where that does not stand side
// by side), and copies of z and y where those do not. Each is a row, or a tile of few classes.
constexpr int scratch_areas = 3;
static constexpr ptrdiff_t scratch_area(ptrdiff_t classes) {
    return classes <= few_classes ? 16 * few_classes : (classes + 63) / 64 * 64 + 80;
}
template <class E>
static constexpr bool is_contiguous(Rows<E> x) {
    return !x.data || x.cls == 1;
}
template <class E>
static constexpr ptrdiff_t scratch_elements(const Job<E>& job) {
    const bool rows_as_they_are =
        job.classes > few_classes && is_contiguous(job.z) && is_contiguous(job.y) && is_contiguous(job.out);
    return (!rows_as_they_are ? scratch_areas : job.classes <= short_row ? 2 : 1) * scratch_area(job.classes);
}

}  // namespace nndl_fast
