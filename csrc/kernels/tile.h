// Few classes: `size` rows turned so that a vector holds one class of each of them, and back.
// Class j of row r stands at tile[j * size + r].
#pragma once
#include "layout.h"

namespace nndl_fast {
namespace {

template <class V>
NNDL_KERNEL void pack(Rows<const typename V::Element> from, int rows, ptrdiff_t classes, typename V::Element* tile) {
    using R = typename V::Register;
    if (from.cls != 1) {
        for (ptrdiff_t j = 0; j < classes; ++j)
            for (int r = 0; r < V::size; ++r)
                tile[j * V::size + r] = r < rows ? from.data[r * from.row + j * from.cls] : 0;
        return;
    }
    for (int top = 0; top < V::size; top += R::size)
        for (ptrdiff_t j = 0; j < classes; j += R::size) {
            const int width = classes - j < R::size ? int(classes - j) : R::size;
            R v[R::size];
            for (int r = 0; r < R::size; ++r)
                v[r] = top + r < rows ? R::load(from.data + (top + r) * from.row + j, width, 0) : R::all(0);
            transpose(v);
            for (int i = 0; i < width; ++i) v[i].store(tile + (j + i) * V::size + top);
        }
}

template <class V>
NNDL_KERNEL void unpack(const typename V::Element* tile, int rows, ptrdiff_t classes, Rows<typename V::Element> to) {
    using R = typename V::Register;
    if (to.cls != 1) {
        for (ptrdiff_t j = 0; j < classes; ++j)
            for (int r = 0; r < rows; ++r) to.data[r * to.row + j * to.cls] = tile[j * V::size + r];
        return;
    }
    for (int top = 0; top < rows; top += R::size)
        for (ptrdiff_t j = 0; j < classes; j += R::size) {
            const int width = classes - j < R::size ? int(classes - j) : R::size;
            R v[R::size];
            for (int i = 0; i < R::size; ++i) v[i] = i < width ? R::load(tile + (j + i) * V::size + top) : R::all(0);
            transpose(v);
            for (int r = 0; r < R::size && top + r < rows; ++r)
                v[r].store(to.data + (top + r) * to.row + j, width);
        }
}

}  // namespace
}  // namespace nndl_fast
