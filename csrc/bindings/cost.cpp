// The log-likelihood cost and its error.
#include <optional>

#include "../batch/batch.h"
#include "../isa/dispatch.h"
#include "call.h"
#include "cost_arguments.h"

namespace nndl_fast {
namespace {

// Any of the two may be left out.
template <class E>
py::object run(const CostArguments<E>& given, const char* function, const Floats& z, int axis, bool want_cost,
               bool want_delta, py::handle out) {
    std::optional<Result> delta;
    // what the kernel reads must not be what it writes, or it would change after its check
    const auto inputs = {&z.array, given.targets(), given.labels(), given.class_weight(), given.sample_weight()};
    if (want_delta) delta.emplace(out, z, inputs, Argument{function, "out"});
    std::optional<py::array> costs;
    if (want_cost && given.one_each()) costs = fresh(py::dtype::of<double>(), given.shape().ndim, given.shape().sizes);

    Job<E> job = given.job();
    Batch batch = view(job, axis, z.array, given.targets(), delta ? &delta->array() : nullptr);
    const ptrdiff_t rows = batch.size();
    batch.simplify();
    if (costs) job.row_result = data_of<double>(*costs);
    double total = 0;
    if (rows) {
        const ReleaseGil released(z.array.size());
        const auto kernel = active_kernels<E>().log_likelihood;
        if (want_cost && !given.one_each()) total = sum_rows<E>(kernel, job, batch);
        else run_rows<E>(kernel, job, batch);
    }
    if (costs && !costs->ndim()) total = *job.row_result;
    return answer(want_cost, costs, given.of_sum(total), delta, z.asked);
}

template <bool want_cost, bool want_delta>
py::object log_likelihood(py::handle z, py::handle y, py::handle axis, py::handle reduction, py::handle sample_weight,
                          py::handle class_weight, py::handle ignore_index, py::handle smoothing, py::handle out) {
    const char* const function = !want_delta ? "log_likelihood_cost"
                                 : want_cost ? "log_likelihood_cost_and_delta"
                                             : "log_likelihood_delta";
    const CostOptions options = cost_options(function, reduction, sample_weight, class_weight, ignore_index, smoothing);
    const py::object plain = plain_axis(axis, {function, "axis"});
    const py::array logits = to_array(z, {function, "z"}), targets = to_array(y, {function, "y"});
    const Floats floats = to_floats(logits, {function, "z"}, true);
    const int one = class_axis(plain, floats.array, {function, "z"});
    return with_type(floats, [&](auto zero) {
        return run(CostArguments<decltype(zero)>(options, floats, one, targets), function, floats, one, want_cost,
                   want_delta, out);
    });
}

}  // namespace

void add_cost(py::module_& module) {
    static PyMethodDef table[] = {direct<log_likelihood<true, false>>("log_likelihood_cost"),
                                  direct<log_likelihood<false, true>>("log_likelihood_delta"),
                                  direct<log_likelihood<true, true>>("log_likelihood_cost_and_delta"),
                                  {}};
    add(module, table);
}

}  // namespace nndl_fast
