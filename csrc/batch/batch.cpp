#include "batch.h"

namespace nndl_fast {

ptrdiff_t Batch::size() const {
    ptrdiff_t n = 1;
    for (int d = 0; d < dims; ++d) n *= shape[d];
    return n;
}

void Batch::append(ptrdiff_t n, ptrdiff_t z_stride, ptrdiff_t y_stride, ptrdiff_t out_stride, ptrdiff_t weight_stride) {
    shape[dims] = n;
    stride[z][dims] = z_stride;
    stride[y][dims] = y_stride;
    stride[out][dims] = out_stride;
    stride[weight][dims] = weight_stride;
    ++dims;
}

void Batch::simplify() {
    int kept = 0;
    for (int d = 0; d < dims; ++d) {
        if (shape[d] == 1) continue;
        bool joins = kept > 0;
        for (int k = 0; joins && k < operands; ++k) joins = stride[k][kept - 1] == stride[k][d] * shape[d];
        const int to = joins ? kept - 1 : kept++;
        shape[to] = joins ? shape[to] * shape[d] : shape[d];
        for (int k = 0; k < operands; ++k) stride[k][to] = stride[k][d];
    }
    dims = kept;
}

}  // namespace nndl_fast
