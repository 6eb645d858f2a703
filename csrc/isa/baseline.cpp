// Arrays of lanes live in memory anyway: calls keep this file small.
#define NNDL_INLINE inline
#define NNDL_LAMBDA
#include "../simd/baseline.h"

#include "table.h"

namespace nndl_fast {
extern const Table baseline_table;
const Table baseline_table = table_of("baseline");
}  // namespace nndl_fast
