// For the benchmarks: what the machine can do at best, see kernels/operations/yardstick.cpp.
#include <string>

#include "../batch/elements.h"
#include "../common/floating_point.h"
#include "../isa/dispatch.h"
#include "array.h"
#include "module.h"

namespace nndl_fast {
namespace {

using Plain = py::array_t<float, py::array::c_style>;

void yardstick(const std::string& kind, const Plain& z, Plain out) {
    const Kernels<float>& kernels = active_kernels<float>();
    MapKernel<float> kernel;
    if (kind == "copy") kernel = kernels.copy;
    else if (kind == "copy_past_cache") kernel = kernels.copy_past_cache;
    else if (kind == "exp") kernel = kernels.exponentials;
    else if (kind == "fma") kernel = kernels.multiplications;
    else if (kind == "operations") kernel = kernels.operations;
    else if (kind == "cycles") kernel = kernels.cycles;
    else
        throw py::value_error("yardstick: kind is '" + kind +
                              "'; it must be 'copy', 'copy_past_cache', 'exp', 'fma', 'operations' or 'cycles'");
    if (z.size() != out.size() || !out.writeable())
        throw py::value_error("yardstick: out must be writeable and of z's size");
    MapJob<float> job;
    job.n = z.size();
    job.z = z.data();
    job.out = out.mutable_data();
    if (!job.n) return;
    const ReleaseGil released(job.n);
    run_parts(kernel, job);
}

}  // namespace

void add_yardstick(py::module_& module) {
    const auto environment = py::call_guard<DefaultFloatingPoint>();
    module.def("yardstick", &yardstick, environment, py::arg("kind"), py::arg("z").noconvert(),
               py::arg("out").noconvert());
}

}  // namespace nndl_fast
