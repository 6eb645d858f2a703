// The last layer without its logits: z = a w^T + b is made for a block of rows, turned into the output error in
// place, and used up for the gradients before the next block.
//
// A block of logits has classes in rows and examples in lanes: w is then read as it stands, in order, and the cost
// and its error need no sum across lanes.
#pragma once
#include "../kernels/kernels.h"

namespace nndl_fast {

constexpr ptrdiff_t room_of_logits = 24 << 20;

template <class E>
struct LinearJob {
    ptrdiff_t n = 0, features = 0, classes = 0;
    const E* a = nullptr;  // element (r, k) at a[r * a_row + k * a_step], any strides
    ptrdiff_t a_row = 0, a_step = 1;
    const E* w = nullptr;  // element (j, k) at w[j * w_row + k * w_step], any strides
    ptrdiff_t w_row = 0, w_step = 1;
    const E* b = nullptr;  // contiguous
    // The options of the cost; labels, sample weights and row_result (which is needed) have an entry for each example,
    // and y.row and y.cls are the strides of targets. z and out are not used.
    Job<E> cost;
    E *nabla_w = nullptr, *nabla_b = nullptr;  // the gradients (82), (81), contiguous, both or none;
    E* delta_a = nullptr;                      // and with them, or not, the error handed down
    ptrdiff_t delta_a_row = 0;
    // Bytes of logits that are there at a time, or a quarter of w's if that is more: with few examples at a time, w and
    // its gradient go through memory too often. In any case they are those of 32 examples.
    ptrdiff_t room = room_of_logits;
};

// Each example's cost goes to job.cost.row_result, and the gradients if they are asked for.
template <class E>
void run_linear(const LinearJob<E>& job);

}  // namespace nndl_fast
