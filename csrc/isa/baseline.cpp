#include "../simd/baseline.h"
#include "table.h"

namespace nndl_fast {
extern const Table baseline_table;
const Table baseline_table = table_of("baseline");
}  // namespace nndl_fast
