// Few classes: `size` rows turned so that a vector holds one class of each of them, and back.
// Class j of row r stands at tile[j * size + r].
//
// Registers take 16 bytes each of as many rows as they have room for, and are turned within those
// 16 bytes. The last of a row's classes may be taken twice, so that no 16 bytes are partly filled.
#pragma once
#include "layout.h"

namespace nndl_fast {
namespace {

template <class V>
NNDL_INLINE bool turns_in_registers(ptrdiff_t cls, int rows, ptrdiff_t classes) {
    return cls == 1 && rows == V::size && classes >= V::Register::group;
}

template <class V>
NNDL_KERNEL void pack(const Rows<const typename V::Element>& from, int rows, ptrdiff_t classes, typename V::Element* tile) {
    using R = typename V::Register;
    constexpr int group = R::group;
    if (from.row == 1) {
        for (ptrdiff_t j = 0; j < classes; ++j) V::load(from.data + j * from.cls, rows, 0).store(tile + j * V::size);
        return;
    }
    if (!turns_in_registers<V>(from.cls, rows, classes)) {
        for (int r = 0; r < V::size; ++r)
            for (ptrdiff_t j = 0; j < classes; ++j)
                tile[j * V::size + r] = r < rows ? element(from, r, j) : 0;
        return;
    }
    for (int top = 0; top < V::size; top += R::size)
        for (ptrdiff_t start = 0; start < classes; start += group) {
            const ptrdiff_t j = start + group <= classes ? start : classes - group;
            R v[group];
            for (int i = 0; i < group; ++i)
                v[i] = R::load_groups(from.data + (top + i) * from.row + j, group * from.row);
            transpose_groups(v);
            for (int i = 0; i < group; ++i) v[i].store(tile + (j + i) * V::size + top);
        }
}

template <class V>
NNDL_KERNEL void unpack(const typename V::Element* tile, int rows, ptrdiff_t classes, const Rows<typename V::Element>& to) {
    using R = typename V::Register;
    constexpr int group = R::group;
    if (to.row == 1) {
        for (ptrdiff_t j = 0; j < classes; ++j) V::load(tile + j * V::size).store(to.data + j * to.cls, rows);
        return;
    }
    if (!turns_in_registers<V>(to.cls, rows, classes)) {
        for (int r = 0; r < rows; ++r)
            for (ptrdiff_t j = 0; j < classes; ++j) element(to, r, j) = tile[j * V::size + r];
        return;
    }
    for (int top = 0; top < V::size; top += R::size)
        for (ptrdiff_t start = 0; start < classes; start += group) {
            const ptrdiff_t j = start + group <= classes ? start : classes - group;
            R v[group];
            for (int i = 0; i < group; ++i) v[i] = R::load(tile + (j + i) * V::size + top);
            transpose_groups(v);
            for (int i = 0; i < group; ++i) v[i].store_groups(to.data + (top + i) * to.row + j, group * to.row);
        }
}

}  // namespace
}  // namespace nndl_fast
