// The floating-point environment in which everything is computed: round to nearest, subnormal numbers kept, no
// traps. A program may set another one for its thread (fesetround, torch.set_flush_denormal); a result must not
// depend on that. Threads that are started while this one holds have it as well.
#pragma once
#include <stdint.h>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <cfenv>
#endif

namespace nndl_fast {

// While it lives, the calling thread has that environment; then it has its own again.
class DefaultFloatingPoint {
public:
#if defined(__x86_64__)
    DefaultFloatingPoint() : before_(__builtin_ia32_stmxcsr()) {
        if ((before_ & ~flags) != standard) __builtin_ia32_ldmxcsr(standard);
    }
    ~DefaultFloatingPoint() {
        if ((before_ & ~flags) != standard) __builtin_ia32_ldmxcsr(before_);
    }

private:
    static constexpr uint32_t flags = 0x3f, standard = 0x1f80;  // what has happened so far; all traps masked
    uint32_t before_;
#elif defined(__aarch64__)
    DefaultFloatingPoint() {
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(before_));
        if (before_) set(0);
    }
    ~DefaultFloatingPoint() {
        if (before_) set(before_);
    }

private:
    static void set(uint64_t environment) { __asm__ __volatile__("msr fpcr, %0" : : "r"(environment) : "memory"); }
    uint64_t before_;
#else
    DefaultFloatingPoint() {
        std::fegetenv(&before_);
        std::fesetenv(FE_DFL_ENV);
    }
    ~DefaultFloatingPoint() { std::fesetenv(&before_); }

private:
    std::fenv_t before_;
#endif

public:
    DefaultFloatingPoint(const DefaultFloatingPoint&) = delete;
    DefaultFloatingPoint& operator=(const DefaultFloatingPoint&) = delete;
};

}  // namespace nndl_fast
