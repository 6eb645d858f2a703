// The kernels of one instruction set, as one table. Compiled once for each of them.
#include "../kernels/kernels.h"

namespace nndl_fast {
namespace NNDL_ISA {

#define DECLARE(result, kernel, JobOf)  \
    result kernel(const JobOf<float>&); \
    result kernel(const JobOf<double>&);
NNDL_KERNELS(DECLARE)
#undef DECLARE
void widen_float16(const uint16_t*, ptrdiff_t, ptrdiff_t, float*);
void widen_bfloat16(const uint16_t*, ptrdiff_t, ptrdiff_t, float*);
void narrow_float16(const float*, ptrdiff_t, uint16_t*, ptrdiff_t);
void narrow_bfloat16(const float*, ptrdiff_t, uint16_t*, ptrdiff_t);

// An overloaded name in this list is the kernel of the member's type.
#define NAME(result, kernel, JobOf) kernel,
extern const Table table;
const Table table = {NNDL_NAME,
                     {NNDL_KERNELS(NAME)},
                     {NNDL_KERNELS(NAME)},
                     {widen_float16, narrow_float16},
                     {widen_bfloat16, narrow_bfloat16}};

#undef NAME

}  // namespace NNDL_ISA
}  // namespace nndl_fast
