// Which instruction set's kernels run. One is active in the process, chosen at import (tests switch it).
#pragma once
#include <string>
#include <vector>

#include "../kernels/kernels.h"

namespace nndl_fast {

// The names of the instruction sets that this build has and this machine can run, best first.
std::vector<std::string> available_isas();

// Makes the named one active, or the best of them if the name is empty.
// Throws std::invalid_argument, naming the possible ones, if the machine lacks it.
void activate_isa(const std::string& name);

const Table& active_table();

template <class E>
const Kernels<E>& active_kernels();
template <>
inline const Kernels<float>& active_kernels<float>() {
    return active_table().f32;
}
template <>
inline const Kernels<double>& active_kernels<double>() {
    return active_table().f64;
}

}  // namespace nndl_fast
