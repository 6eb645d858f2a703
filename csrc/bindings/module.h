// What each file of the bindings adds to the module.
#pragma once
#include <pybind11/pybind11.h>

namespace nndl_fast {

void add_affine(pybind11::module_& module);
void add_softmax(pybind11::module_& module);
void add_cost(pybind11::module_& module);
void add_linear(pybind11::module_& module);
void add_sigmoid(pybind11::module_& module);
void add_optimizer(pybind11::module_& module);
void add_plan(pybind11::module_& module);
void add_network(pybind11::module_& module);

}  // namespace nndl_fast
