// Columns of many classes. The next class of a column may stand a page away, where neither the first
// cache nor the machine's prefetching help. So a panel of some tiles that stand side by side is copied
// class by class and worked at in the copy; meanwhile the panel before it is stored, and the next copied.
#pragma once
#include "../layout.h"

namespace nndl_fast {
namespace {

template <class V, class Pending>
struct Panel {
    using E = typename V::Element;
    ptrdiff_t row = 0, rows = 0;  // the first, and how many
    E* buffer = nullptr;
    ptrdiff_t classes = 0;
    Pending pending[panel_tiles];

    NNDL_INLINE E* at(int tile, ptrdiff_t j) const { return buffer + (tile * classes + j) * V::size; }
    NNDL_INLINE Strided<E> column(int tile) const { return {at(tile, 0), V::size}; }
    // The number of tiles; the last may be partly filled.
    NNDL_INLINE int tiles() const { return int((rows + V::size - 1) / V::size); }
    NNDL_INLINE ptrdiff_t row_of(int tile) const { return row + tile * V::size; }
    NNDL_INLINE int rows_of(int tile) const {
        const ptrdiff_t left = rows - tile * V::size;
        return left < V::size ? int(left) : V::size;
    }
    NNDL_INLINE bool full() const { return rows == panel_tiles * V::size; }
};

template <class Op, class V, class Pending>
class PanelMover {
    using E = typename V::Element;
    using P = Panel<V, Pending>;

public:
    NNDL_INLINE PanelMover(const Op& op, const Job<E>& job, const P& previous, P& next, int tiles)
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
        if (next_.full()) copy<panel_tiles>(end, panel_tiles);
        else copy<1>(end, next_.tiles());
        if (Op::stores)
            with_store_path<Op::slowest>(path_, [&](auto tag) NNDL_LAMBDA {
                if (previous_.full()) store<tag.path, panel_tiles>(end, panel_tiles);
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
                        Together > 1 ? V::load(from + t * V::size) : V::load(from, rows, E(j == 0));  // as in tile.h
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
                    const V v = op_.template value<path>(previous_.pending[first + t], rows, Step<true>{j, V::size}, z,
                                                         y, buffer);
                    Together > 1 ? v.store(to + t * V::size) : v.store(to, rows.count);
                }
        }
    }
};

}  // namespace
}  // namespace nndl_fast
