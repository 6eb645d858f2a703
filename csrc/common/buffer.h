// Memory that a thread or an object keeps and reuses, aligned to 64 bytes.
#pragma once
#include <algorithm>
#include <new>
#include <stddef.h>
#include <utility>

namespace nndl_fast {

class Buffer {
public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    ~Buffer() { ::operator delete(data_, alignment); }

    // Returns at least so many bytes. If there were fewer, they are new ones, and what stood in the old ones is lost.
    void* reserve(size_t bytes) {
        if (bytes > size_) {
            ::operator delete(data_, alignment);
            size_ = (bytes + 63) / 64 * 64;
            data_ = ::operator new(size_, alignment, std::nothrow);  // Windows has no std::aligned_alloc
            if (!data_) {
                size_ = 0;
                throw std::bad_alloc();
            }
        }
        return data_;
    }

    void* data() const { return data_; }
    size_t size() const { return size_; }

private:
    static constexpr std::align_val_t alignment{64};
    void* data_ = nullptr;
    size_t size_ = 0;
};

// Room for n elements.
template <class E>
E* allocate(Buffer& buffer, ptrdiff_t n) {
    return static_cast<E*>(buffer.reserve(size_t(n) * sizeof(E)));
}
// The same, of zeros if there was less room.
template <class E>
E* allocate_zeros(Buffer& buffer, ptrdiff_t n) {
    const size_t before = buffer.size();
    E* const data = allocate<E>(buffer, n);
    if (buffer.size() != before) std::fill_n(data, n, E(0));
    return data;
}

}  // namespace nndl_fast
