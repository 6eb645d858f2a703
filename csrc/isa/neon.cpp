#include "../simd/neon.h"

#include "table.h"

namespace nndl_fast {
extern const Table neon_table;
const Table neon_table = table_of("neon");
}  // namespace nndl_fast
