// For the benchmarks: what the machine can do at best, see kernels/operations/yardstick.cpp.
#include <pybind11/stl.h>

#include <array>

#include "../batch/elements.h"
#include "../floating_point.h"
#include "../matrix.h"
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

// One product, as kernels/job.h describes it: out = keep out + left right, with the strides of each.
void product(const Plain& left, std::array<ptrdiff_t, 3> left_strides, const Plain& right,
             std::array<ptrdiff_t, 2> right_strides, Plain out, std::array<ptrdiff_t, 2> out_strides,
             std::array<ptrdiff_t, 3> sizes, float keep) {
    ProductJob<float> job;
    job.rows = sizes[0];
    job.columns = sizes[1];
    job.depth = sizes[2];
    job.left = left.data();
    job.left_row = left_strides[0];
    job.left_step = left_strides[1];
    job.left_panel = left_strides[2];
    job.right = right.data();
    job.right_step = right_strides[0];
    job.right_panel = right_strides[1];
    job.out = out.mutable_data();
    job.out_row = out_strides[0];
    job.out_panel = out_strides[1];
    job.keep = keep;
    constexpr ptrdiff_t size = lanes<float>;
    const ptrdiff_t i = job.rows - 1, j = job.columns - 1, k = job.depth - 1;
    bool in_range = i >= 0 && j >= 0 && k >= 0;
    for (ptrdiff_t x : {i, j, k, job.left_row, job.left_step, job.left_panel, job.right_step, job.right_panel,
                        job.out_row, job.out_panel})
        in_range = in_range && x >= 0 && x <= 1 << 30;
    const auto end = [&] {
        return std::array<ptrdiff_t, 3>{
            i * job.left_row +
                (job.left_panel ? k / size * job.left_panel + k % size * job.left_step : k * job.left_step),
            k * job.right_step + j / size * job.right_panel + size - 1,
            i * job.out_row + j / size * job.out_panel + j % size};
    };
    if (!in_range || end()[0] >= left.size() || end()[1] >= right.size() || end()[2] >= out.size() || !out.writeable())
        throw py::value_error("product: the sizes and strides go beyond the arrays");
    const ReleaseGil released(elements_worth_the_gil);
    run_product(job);
}

}  // namespace

void add_yardstick(py::module_& module) {
    const auto environment = py::call_guard<DefaultFloatingPoint>();
    module.def("yardstick", &yardstick, environment, py::arg("kind"), py::arg("z").noconvert(),
               py::arg("out").noconvert());
    module.def("product", &product, environment, py::arg("left").noconvert(), py::arg("left_strides"),
               py::arg("right").noconvert(), py::arg("right_strides"), py::arg("out").noconvert(),
               py::arg("out_strides"), py::arg("sizes"), py::arg("keep"));
}

}  // namespace nndl_fast
