// The table of nndl_fast.h.
#pragma once
#include "nndl_fast.h"

namespace nndl_fast {

const nndl_fast_api& api();

}  // namespace nndl_fast
