// Few classes: `size` rows, transposed so that a vector holds one class of each of them, and transposed back. Class j
// of row r stands at tile[j * size + r].
//
// A register takes 16 bytes of as many rows as it holds, and is transposed within these 16 bytes. If the last classes
// of a row do not fill 16 bytes, those before them are read once more. A lane without a row has a 1 in its first class
// and zeros in the others, since a row of equal logits takes a longer way (row_sum.h).
#pragma once
#include "../layout.h"

namespace nndl_fast {
namespace {

template <class V>
NNDL_INLINE bool transposes_in_registers(ptrdiff_t cls, ptrdiff_t classes) {
    return cls == 1 && classes >= V::Register::group;
}

// Rows of their classes one after the other.
template <class E>
NNDL_INLINE void copy_rows(const E* from, ptrdiff_t from_row, E* to, ptrdiff_t to_row, int rows, ptrdiff_t classes) {
    if (from_row == classes && to_row == classes) {
        classes *= rows;
        rows = 1;
    }
    for (int r = 0; r < rows; ++r) __builtin_memcpy(to + r * to_row, from + r * from_row, size_t(classes) * sizeof(E));
}

// The rows' maxima, NaNs left out, go to `maxima`.
template <class V>
NNDL_NOINLINE void pack(const MatrixView<const typename V::Element>& from, int rows, ptrdiff_t classes,
                        typename V::Element* tile, typename V::Element* maxima) {
    using E = typename V::Element;
    using R = typename V::Register;
    constexpr int group = R::group;
    constexpr E none = -E(__builtin_inf());
    if (!transposes_in_registers<V>(from.cls, classes)) {
        if (from.row == 1)
            for (ptrdiff_t j = 0; j < classes; ++j)
                V::load(from.data + j * from.cls, rows, E(j == 0)).store(tile + j * V::size);
        else
            for (int r = 0; r < V::size; ++r)
                for (ptrdiff_t j = 0; j < classes; ++j)
                    tile[j * V::size + r] = r < rows ? element(from, r, j) : E(j == 0);
        V maximum = V::all(none);
        for (ptrdiff_t j = 0; j < classes; ++j) maximum = max(V::load(tile + j * V::size), maximum);
        return maximum.store(maxima);
    }
    if (rows < V::size) {
        E whole[V::size * few_classes];
        copy_rows(from.data, from.row, whole, classes, rows, classes);
        for (ptrdiff_t i = rows * classes; i < V::size * classes; ++i) whole[i] = 0;
        for (int r = rows; r < V::size; ++r) whole[r * classes] = 1;
        return pack<V>({whole, classes, 1}, V::size, classes, tile, maxima);
    }
    for (int top = 0; top < V::size; top += R::size) {
        R maximum = R::all(none);
        for (ptrdiff_t start = 0; start < classes; start += group) {
            const ptrdiff_t j = start + group <= classes ? start : classes - group;
            R v[group];
            for (int i = 0; i < group; ++i)
                v[i] = R::load_groups(from.data + (top + i) * from.row + j, group * from.row);
            transpose_groups(v);
            for (int i = 0; i < group; ++i) {
                v[i].store(tile + (j + i) * V::size + top);
                maximum = max(v[i], maximum);
            }
        }
        maximum.store(maxima + top);
    }
}

template <class V>
NNDL_NOINLINE void unpack(const typename V::Element* tile, int rows, ptrdiff_t classes,
                          const MatrixView<typename V::Element>& to) {
    using R = typename V::Register;
    constexpr int group = R::group;
    if (!transposes_in_registers<V>(to.cls, classes)) {
        if (to.row == 1)
            for (ptrdiff_t j = 0; j < classes; ++j) V::load(tile + j * V::size).store(to.data + j * to.cls, rows);
        else
            for (int r = 0; r < rows; ++r)
                for (ptrdiff_t j = 0; j < classes; ++j) element(to, r, j) = tile[j * V::size + r];
        return;
    }
    if (rows < V::size) {
        typename V::Element whole[V::size * few_classes];
        unpack<V>(tile, V::size, classes, {whole, classes, 1});
        return copy_rows(whole, classes, to.data, to.row, rows, classes);
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
