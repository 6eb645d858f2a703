#include "../simd/avx512.h"

#include "table.h"

namespace nndl_fast {
extern const Table avx512_table;
const Table avx512_table = table_of("avx512");
}  // namespace nndl_fast
