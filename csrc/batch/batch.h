// The examples of a batch, whatever their number of dimensions and their strides.
#pragma once
#include <algorithm>
#include <cstddef>

namespace nndl_fast {

constexpr int max_dims = 64;

// Strides of 0 make batches of any size, and buffers are some hundred times as large as a row: more elements than that
// are refused, and no size wraps around.
constexpr ptrdiff_t most_elements = ptrdiff_t(1) << (sizeof(ptrdiff_t) == 8 ? 48 : 24);

// The dimensions of a batch, all but the class axis, and for each operand its strides in elements.
struct Batch {
    enum Operand { z, y, out, weight, operands };
    int dims = 0;
    ptrdiff_t shape[max_dims];
    ptrdiff_t stride[operands][max_dims];

    ptrdiff_t size() const;
    void append(ptrdiff_t n, ptrdiff_t z_stride, ptrdiff_t y_stride, ptrdiff_t out_stride, ptrdiff_t weight_stride = 0);
    void simplify();  // joins dimensions that every operand steps through as if they were one
};

// A walk through a batch in C order, a run of the last dimension at a time. The batch must not be empty.
class Walk {
public:
    Walk(const Batch& batch, ptrdiff_t position) : batch_(batch) {
        for (int d = batch.dims - 1; d >= 0; --d) {
            index_[d] = position % batch.shape[d];
            position /= batch.shape[d];
        }
    }
    ptrdiff_t run(ptrdiff_t at_most) const {
        return batch_.dims ? std::min(at_most, batch_.shape[batch_.dims - 1] - index_[batch_.dims - 1]) : 1;
    }
    ptrdiff_t offset(Batch::Operand operand) const {
        ptrdiff_t sum = 0;
        for (int d = 0; d < batch_.dims; ++d) sum += index_[d] * batch_.stride[operand][d];
        return sum;
    }
    ptrdiff_t step(Batch::Operand operand) const { return batch_.dims ? batch_.stride[operand][batch_.dims - 1] : 0; }
    void advance(ptrdiff_t n) {
        for (int d = batch_.dims - 1; d >= 0; --d) {
            index_[d] += d == batch_.dims - 1 ? n : 1;
            if (index_[d] < batch_.shape[d]) return;
            index_[d] = 0;
        }
    }

private:
    const Batch& batch_;
    ptrdiff_t index_[max_dims];
};

// f(offset, i) for elements begin to begin + n of an operand, i counting from 0.
template <class F>
void for_each_offset(const Batch& batch, Batch::Operand operand, ptrdiff_t begin, ptrdiff_t n, F f) {
    Walk walk(batch, begin);
    for (ptrdiff_t done = 0; done < n;) {
        const ptrdiff_t run = walk.run(n - done), offset = walk.offset(operand), step = walk.step(operand);
        for (ptrdiff_t i = 0; i < run; ++i) f(offset + i * step, done + i);
        walk.advance(run);
        done += run;
    }
}

}  // namespace nndl_fast
