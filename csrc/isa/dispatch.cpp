#include "dispatch.h"

#include <atomic>
#include <stdexcept>

namespace nndl_fast {

// Which of these there are is CMake's NNDL_FAST_ISAS.
namespace baseline {
extern const Table table;
}
namespace avx2 {
extern const Table table;
}
namespace avx512 {
extern const Table table;
}
namespace neon {
extern const Table table;
}

namespace {

std::vector<const Table*> runnable() {
    std::vector<const Table*> tables;
#if defined(__x86_64__)
    __builtin_cpu_init();  // at load, the runtime's own constructor may come later
#endif
#if defined(NNDL_HAS_AVX512)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        tables.push_back(&avx512::table);
#endif
#if defined(NNDL_HAS_AVX2)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&avx2::table);
#endif
#if defined(NNDL_HAS_NEON)
    tables.push_back(&neon::table);  // part of every aarch64
#endif
    tables.push_back(&baseline::table);
    return tables;
}

std::atomic<const Table*> active{runnable().front()};

}  // namespace

std::vector<std::string> available_isas() {
    std::vector<std::string> names;
    for (const Table* table : runnable()) names.push_back(table->name);
    return names;
}

void activate_isa(const std::string& name) {
    std::string possible;
    for (const Table* table : runnable()) {
        if (name.empty() || name == table->name) {
            active.store(table, std::memory_order_release);
            return;
        }
        possible += (possible.empty() ? "" : ", ") + std::string(table->name);
    }
    throw std::invalid_argument("NNDL_FAST_ISA is '" + name + "'; this machine can run " + possible);
}

const Table& active_table() { return *active.load(std::memory_order_acquire); }

}  // namespace nndl_fast
