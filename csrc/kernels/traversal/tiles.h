// Rows that are copied so that a vector holds one class of each of them: tiles, and slabs of tiles side by side.
#pragma once
#include "../layout.h"

namespace nndl_fast {
namespace {

// Few classes: `size` rows, transposed so that a vector holds one class of each of them, and transposed back. Class j
// of row r stands at tile[j * size + r].
//
// A register takes 16 bytes of as many rows as it holds, and is transposed within these 16 bytes. If the last classes
// of a row do not fill 16 bytes, those before them are read once more. A lane without a row has a 1 in its first class
// and zeros in the others, since a row of equal logits takes a longer way (row_sum.h).

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

// Columns of many classes. The next class of a column may stand a page away, where neither the first
// cache nor the machine's prefetching help. So a slab of some tiles that stand side by side is copied
// class by class and worked at in the copy; meanwhile the slab before it is stored, and the next copied.

template <class V, class Pending>
struct Slab {
    using E = typename V::Element;
    ptrdiff_t row = 0, rows = 0;  // the first, and how many
    E* buffer = nullptr;
    ptrdiff_t classes = 0;
    Pending pending[slab_tiles];

    NNDL_INLINE E* at(int tile, ptrdiff_t j) const { return buffer + (tile * classes + j) * V::size; }
    NNDL_INLINE Strided<E> column(int tile) const { return {at(tile, 0), V::size}; }
    // The number of tiles; the last may be partly filled.
    NNDL_INLINE int tiles() const { return int((rows + V::size - 1) / V::size); }
    NNDL_INLINE ptrdiff_t row_of(int tile) const { return row + tile * V::size; }
    NNDL_INLINE int rows_of(int tile) const {
        const ptrdiff_t left = rows - tile * V::size;
        return left < V::size ? int(left) : V::size;
    }
    NNDL_INLINE bool full() const { return rows == slab_tiles * V::size; }
};

template <class Op, class V, class Pending>
class SlabMover {
    using E = typename V::Element;
    using P = Slab<V, Pending>;

public:
    NNDL_INLINE SlabMover(const Op& op, const Job<E>& job, const P& previous, P& next, int tiles)
        : op_(op), job_(job), previous_(previous), next_(next), tiles_(tiles) {
        for (int t = 0; t < previous.tiles(); ++t)
            if (path_ < previous.pending[t].path) path_ = previous.pending[t].path;
    }
    // `tile` of those in hand is begun.
    NNDL_INLINE void begin(int tile) { tile_ = tile; }
    // Its classes up to j are done.
    NNDL_INLINE void store_until(ptrdiff_t j) {
        const ptrdiff_t end = (tile_ * job_.classes + j) / tiles_;
        if (done_ < end) move(end);
    }
    NNDL_NOINLINE void move(ptrdiff_t end) {
        if (next_.full()) copy<slab_tiles>(end, slab_tiles);
        else copy<1>(end, next_.tiles());
        if (Op::stores)
            with_store_path<Op::slowest>(path_, [&](auto tag) NNDL_LAMBDA {
                if (previous_.full()) store<tag.path, slab_tiles>(end, slab_tiles);
                else store<tag.path, 1>(end, previous_.tiles());
            });
        done_ = end;
    }

private:
    const Op& op_;
    const Job<E>& job_;
    const P& previous_;
    P& next_;
    const int tiles_;
    StorePath path_ = StorePath::fast;
    int tile_ = 0;
    ptrdiff_t done_ = 0;

    // Copies `Together` tiles of each class at a time, a number that the compiler then knows.
    template <int Together>
    NNDL_INLINE void copy(ptrdiff_t end, int tiles) const {
        const ptrdiff_t cls = job_.z.cls, size = job_.classes * V::size;
        for (int first = 0; first < tiles; first += Together) {
            const E* from = job_.z.data + next_.row_of(first) + done_ * cls;
            E* to = next_.at(first, done_);
            const int rows = next_.rows_of(first);
            for (ptrdiff_t j = done_; j < end; ++j, from += cls, to += V::size)
                for (int t = 0; t < Together; ++t) {
                    const V z =
                        Together > 1 ? V::load(from + t * V::size) : V::load(from, rows, E(j == 0));  // as in pack()
                    z.store(to + t * size);
                }
        }
    }
    template <StorePath path, int Together>
    NNDL_INLINE void store(ptrdiff_t end, int tiles) const {
        for (int first = 0; first < tiles; first += Together) {
            E* to = job_.out.data + previous_.row_of(first) + done_ * job_.out.cls;
            const ColumnLayout<V> rows{job_.classes, previous_.rows_of(first)};
            for (ptrdiff_t j = done_; j < end; ++j, to += job_.out.cls)
                for (int t = 0; t < Together; ++t) {
                    const Strided<E> buffer = previous_.column(first + t);
                    const Strided<const E> z = {buffer.data, buffer.stride},
                                           y = {job_.y.data ? job_.y.data + previous_.row_of(first + t) : nullptr,
                                                job_.y.cls};
                    const V v = op_.template value<path>(previous_.pending[first + t], rows, Chunk<true>{j, V::size}, z,
                                                         y, buffer);
                    Together > 1 ? v.store(to + t * V::size) : v.store(to, rows.count);
                }
        }
    }
};

}  // namespace
}  // namespace nndl_fast
