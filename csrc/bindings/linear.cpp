// A last layer without its logits.
#include <optional>
#include <vector>

#include "../batch/batch.h"
#include "../network/layers.h"
#include "call.h"
#include "cost_arguments.h"

namespace nndl_fast {
namespace {

// The cost of the logits a w^T + b, and the gradients by w, b and a.
template <class E>
py::object run(const CostArguments<E>& given, const py::dtype& asked, const py::array& a, const py::array& w,
               const py::array& b, bool gradients, ptrdiff_t logit_bytes) {
    const ptrdiff_t n = a.shape(0), features = a.shape(1), classes = w.shape(0);
    LinearJob<E> job;
    job.a = {data_of<const E>(a), n, features, stride(a, 0), stride(a, 1)};
    job.w = {data_of<const E>(w), classes, features, stride(w, 0), stride(w, 1)};
    job.b = data_of<const E>(b);
    job.logit_bytes = logit_bytes;
    job.cost = given.job();
    // Read many times: another thread may change the caller's own meanwhile, and then they would be no classes.
    std::vector<int64_t> labels;
    if (given.labels()) {
        labels.assign(job.cost.labels, job.cost.labels + n);
        for (int64_t& label : labels)
            if (!is_class(label, classes) && !(job.cost.ignore && label == job.cost.ignore_index)) label = 0;
        job.cost.labels = labels.data();
    }
    if (const py::array* const y = given.targets()) job.cost.y = {data_of<const E>(y), stride(y, 0), stride(y, 1)};
    std::optional<py::array> costs = fresh(py::dtype::of<double>(), 1, &n), nabla_w, nabla_b, delta_a;
    job.cost.row_result = data_of<double>(*costs);
    if (gradients) {
        const auto made = [&](std::initializer_list<ptrdiff_t> shape, std::optional<py::array>& array) {
            array = fresh(py::dtype::of<E>(), ptrdiff_t(shape.size()), shape.begin());
            return data_of<E>(*array);
        };
        job.nabla_w = made({classes, features}, nabla_w);
        job.nabla_b = made({classes}, nabla_b);
        job.delta_a = made({n, features}, delta_a);
        job.delta_a_row = features;
    }
    Total total;
    {
        const ReleaseGil released(n * classes);
        run_linear(job);
        if (!given.one_each())
            for (ptrdiff_t i = 0; i < n; ++i) total.add(job.cost.row_result[i]);
    }
    if (!given.one_each()) costs.reset();
    std::optional<Result> none;
    const py::object cost = answer(true, costs, given.of_sum(total.value()), none, asked);
    return gradients ? py::object(py::make_tuple(cost, *nabla_w, *nabla_b, *delta_a)) : cost;
}

// `z` has the shape of the logits, and the dtype of what is returned; a, w and b are what the calling module made sure
// of.
py::object linear_log_likelihood(py::handle z, py::handle y, py::handle reduction, py::handle sample_weight,
                                 py::handle class_weight, py::handle ignore_index, py::handle smoothing, py::handle a,
                                 py::handle w, py::handle b, py::handle gradients, py::handle logit_bytes) {
    const char* const function = "linear_log_likelihood";
    const CostOptions options = cost_options(function, reduction, sample_weight, class_weight, ignore_index, smoothing);
    const py::array targets = to_array(y, {function, "y"});
    const Floats floats = to_floats(z, {function, "z"});
    const auto given = [](py::handle x) { return usable(py::reinterpret_borrow<py::array>(x)); };
    const py::array inputs = given(a), weights = given(w), biases = given(b);
    const bool wanted = gradients.ptr() == Py_True;
    const ptrdiff_t bytes = py::cast<ptrdiff_t>(logit_bytes);
    return with_type(floats, [&](auto zero) {
        return run(CostArguments<decltype(zero)>(options, floats, 1, targets), floats.asked, inputs, weights, biases,
                   wanted, bytes);
    });
}

}  // namespace

void add_linear(py::module_& module) {
    static PyMethodDef table[] = {direct<linear_log_likelihood>("linear_log_likelihood"), {}};
    add(module, table);
    module.attr("default_logit_bytes") = default_logit_bytes;
}

}  // namespace nndl_fast
