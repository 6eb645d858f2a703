// Columns of many classes. The next class of a column may stand a page away, where neither the first
// cache nor the machine's prefetching help. So a panel of some tiles that stand side by side is copied
// class by class and worked at in the copy; meanwhile the panel before it is stored, and the next copied.
#pragma once
#include "layout.h"

namespace nndl_fast {
namespace {

template <class V, class Pending>
struct Panel {
    using E = typename V::Element;
    ptrdiff_t row = 0, rows = 0;  // the first, and how many
    E* room = nullptr;
    ptrdiff_t classes = 0;
    Pending pending[panel_tiles];

    NNDL_INLINE E* at(int tile, ptrdiff_t j) const { return room + (tile * classes + j) * V::size; }
    NNDL_INLINE Column<E> column(int tile) const { return {at(tile, 0), V::size}; }
    // of which the last may be partly filled
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
    NNDL_INLINE PanelMover(const Op& op, const Job<E>& job, const P& before, P& next, int tiles)
        : op_(op), job_(job), before_(before), next_(next), tiles_(tiles) {
        for (int t = 0; t < before.tiles(); ++t)
            if (way_ < before.pending[t].way) way_ = before.pending[t].way;
    }
    // `tile` of those in hand is begun.
    NNDL_INLINE void begin(int tile) { tile_ = tile; }
    // Its classes up to j are done.
    NNDL_INLINE void until(ptrdiff_t j) {
        const ptrdiff_t end = (tile_ * job_.classes + j) / tiles_;
        if (done_ < end) move(end);
    }
    NNDL_KERNEL void move(ptrdiff_t end) {
        if (next_.full()) copy<panel_tiles>(end, panel_tiles);
        else copy<1>(end, next_.tiles());
        in_way(way_, [&](auto in) NNDL_LAMBDA {
            if (before_.full()) store<in.way, panel_tiles>(end, panel_tiles);
            else store<in.way, 1>(end, before_.tiles());
        });
        done_ = end;
    }

private:
    const Op& op_;
    const Job<E>& job_;
    const P& before_;
    P& next_;
    const int tiles_;
    Way way_ = Way::quick;
    int tile_ = 0;
    ptrdiff_t done_ = 0;

    // Of each class `Together` tiles at a time, whose number the compiler then knows.
    template <int Together>
    NNDL_INLINE void copy(ptrdiff_t end, int tiles) const {
        const ptrdiff_t cls = job_.z.cls, size = job_.classes * V::size;
        for (int first = 0; first < tiles; first += Together) {
            const E* from = job_.z.data + next_.row_of(first) + done_ * cls;
            E* to = next_.at(first, done_);
            const int rows = next_.rows_of(first);
            for (ptrdiff_t j = done_; j < end; ++j, from += cls, to += V::size)
                for (int t = 0; t < Together; ++t) {
                    const V z = Together > 1 ? V::load(from + t * V::size) : V::load(from, rows, E(j == 0));  // as in tile.h
                    z.store(to + t * size);
                }
        }
    }
    template <Way W, int Together>
    NNDL_INLINE void store(ptrdiff_t end, int tiles) const {
        for (int first = 0; first < tiles; first += Together) {
            E* to = job_.out.data + before_.row_of(first) + done_ * job_.out.cls;
            const Down<V> rows{job_.classes, before_.rows_of(first)};
            for (ptrdiff_t j = done_; j < end; ++j, to += job_.out.cls)
                for (int t = 0; t < Together; ++t) {
                    const Column<E> room = before_.column(first + t);
                    const Column<const E> z = {room.data, room.stride},
                                          y = {job_.y.data ? job_.y.data + before_.row_of(first + t) : nullptr, job_.y.cls};
                    const V v = op_.template value<W>(before_.pending[first + t], rows, Step<true>{j, V::size}, z, y, room);
                    Together > 1 ? v.store(to + t * V::size) : v.store(to, rows.rows);
                }
        }
    }
};

}  // namespace
}  // namespace nndl_fast
