// Products of matrices that stand in memory in any way, with what a layer of neurons adds to them: biases, and
// activations or their derivatives.
//
// Every element is one chain of fused multiply-adds with the depth ascending (operations/product.cpp), whichever way
// is taken here, so the bits depend on the numbers alone.
#pragma once
#include "../kernels/kernels.h"

namespace nndl_fast {

// Element (i, j) stands at data[i * row + j * column].
template <class T>
struct Matrix {
    T* data = nullptr;
    ptrdiff_t rows = 0, columns = 0, row = 0, column = 0;
    Matrix transposed() const { return {data, columns, rows, column, row}; }
    T* at(ptrdiff_t i, ptrdiff_t j) const { return data + i * row + j * column; }
};

// out = start + left right, and then a function of each element.
template <class E>
struct Multiplication {
    Matrix<const E> left, right;
    Matrix<E> out;
    // The start: one number per column of out, or per row, both contiguous; or what stands in out; or else 0.
    const E *of_columns = nullptr, *of_rows = nullptr;
    bool adds = false;
    // An activation; or, if there are activations of out's shape, the product with a derivative at these.
    MapKernel<E> then = nullptr;
    Matrix<const E> activations;
};

template <class E>
void multiply(Multiplication<E> job);

}  // namespace nndl_fast
