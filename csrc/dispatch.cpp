#include "dispatch.h"

#include <stdexcept>

namespace nndl_fast {

extern const Table baseline_table;
#if defined(__x86_64__)
extern const Table avx2_table, avx512_table;
#elif defined(__aarch64__)
extern const Table neon_table;
#endif

namespace {

std::vector<const Table*> runnable() {
    std::vector<const Table*> tables;
#if defined(__x86_64__)
    __builtin_cpu_init();  // at load, the runtime's own constructor may come later
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        tables.push_back(&avx512_table);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&avx2_table);
#elif defined(__aarch64__)
    tables.push_back(&neon_table);  // part of every aarch64
#endif
    tables.push_back(&baseline_table);
    return tables;
}

const Table* active = runnable().front();

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
            active = table;
            return;
        }
        possible += (possible.empty() ? "" : ", ") + std::string(table->name);
    }
    throw std::invalid_argument("NNDL_FAST_ISA is '" + name + "'; this machine can run " + possible);
}

const Table& active_table() { return *active; }

}  // namespace nndl_fast
