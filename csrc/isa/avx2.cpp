#include "../simd/avx2.h"

#include "table.h"

namespace nndl_fast {
extern const Table avx2_table;
const Table avx2_table = table_of("avx2");
}  // namespace nndl_fast
