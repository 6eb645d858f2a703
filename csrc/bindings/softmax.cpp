#include <algorithm>
#include <cmath>
#include <limits>
#include <pybind11/stl.h>

#include "../batch/batch.h"
#include "../isa/dispatch.h"
#include "array.h"
#include "call.h"

namespace nndl_fast {
namespace {

// c as z's type has it: infinity if it is too large, the smallest number if it would be 0
double checked_sharpness(double c, const Floats& z, const char* function) {
    if (!(c > 0))  // a NaN as well
        throw py::value_error(std::string(function) + ": c is " + text_of(c) + "; it must be finite and > 0, or inf");
    return z.single ? std::max(double(float(c)), double(std::numeric_limits<float>::denorm_min())) : c;
}

template <class E>
using Choose = RowKernel<E> Kernels<E>::*;

// Which kernel, for both types, and what it needs to know.
struct Operation {
    const char* function;
    Choose<float> f32;
    Choose<double> f64;
    double c = 1;
    bool split_ties = false, log = false;
    bool exponentials = true;

    RowKernel<float> kernel(float) const { return active_kernels<float>().*f32; }
    RowKernel<double> kernel(double) const { return active_kernels<double>().*f64; }
};

template <class E>
Job<E> job_of(const Operation& operation) {
    Job<E> job;
    job.c = E(operation.c);
    job.split_ties = operation.split_ties;
    job.log = operation.log;
    job.exponentials = operation.exponentials;
    return job;
}

template <class E>
void run(const Operation& operation, int axis, const py::array& z, const py::array* y, py::array& out) {
    Job<E> job = job_of<E>(operation);
    Batch batch = view(job, axis, z, y, &out);
    if (!z.size()) return;
    batch.simplify();
    const ReleaseGil released(z.size());
    run_rows<E>(operation.kernel(E()), job, batch);
}

// The axes, moved to the end and made one there.
py::array join_axes(const py::array& z, const std::vector<int>& axes) {
    const int kept = int(z.ndim() - axes.size());
    std::vector<int> to;
    for (size_t i = 0; i < axes.size(); ++i) to.push_back(kept + int(i));
    py::object moved = py::module_::import("numpy").attr("moveaxis")(z, axes, to);
    std::vector<ptrdiff_t> shape;
    ptrdiff_t classes = 1;
    const py::array view = moved.cast<py::array>();
    for (int d = 0; d < z.ndim(); ++d)
        if (d < kept) shape.push_back(view.shape(d));
        else classes *= view.shape(d);
    shape.push_back(classes);
    return moved.attr("reshape")(shape).cast<py::array>();
}
// join_axes() undone: what was made of z by it gets z's axes back.
py::object split_axes(const py::array& joined, const py::array& z, const std::vector<int>& axes) {
    std::vector<ptrdiff_t> shape(joined.shape(), joined.shape() + joined.ndim() - 1);
    std::vector<int> from;
    for (int axis : axes) {
        from.push_back(int(shape.size()));
        shape.push_back(z.shape(axis));
    }
    return py::module_::import("numpy").attr("moveaxis")(joined.attr("reshape")(shape), from, axes);
}

// A result of z's shape; y, if it is not null, is the second operand and has that shape too. The axis is a plain one.
py::object row_wise(const Operation& operation, const Floats& z, const py::array* y, py::handle axis, py::handle out) {
    const JoinedAxes several = joined_axes(axis, int(z.array.ndim()), {operation.function, "axis"});
    const auto run_both = [&](int one, const py::array& from, const py::array* with, py::array& to) {
        z.single ? run<float>(operation, one, from, with, to) : run<double>(operation, one, from, with, to);
    };
    if (!several.joined || z.array.ndim() == 0) {
        const int one = several.joined ? 0 : normal_axis(axis, int(z.array.ndim()), {operation.function, "axis"});
        Result result(out, z, {&z.array, y}, {operation.function, "out"});
        run_both(one, z.array, y, result.array());
        return result.finish();
    }
    // NumPy's functions are Python, in which signals are handled and threads take turns.
    const Floats own{own_view(z.array), z.asked, z.single};
    const std::optional<py::array> second = y ? std::optional(own_view(*y)) : std::nullopt;
    Result result(out, own, {&own.array, address(second)}, {operation.function, "out"});
    const py::array from = join_axes(own.array, several.axes);
    py::array with, to(from.dtype(), std::vector<ptrdiff_t>(from.shape(), from.shape() + from.ndim()));
    if (second) with = join_axes(*second, several.axes);
    run_both(int(from.ndim()) - 1, from, y ? &with : nullptr, to);
    result.array().attr("__setitem__")(py::ellipsis(), split_axes(to, own.array, several.axes));
    return result.finish();
}

// Softmax or its logarithm, of any sharpness up to infinity.
py::object sharpened(Operation operation, py::handle z, py::handle axis, py::handle c, py::handle out) {
    const py::object plain = plain_axis(axis, {operation.function, "axis"});
    const double sharpness = number(c, {operation.function, "c"});
    const Floats floats = to_floats(z, {operation.function, "z"}, true);
    operation.c = checked_sharpness(sharpness, floats, operation.function);
    if (std::isinf(operation.c)) {
        operation.f32 = &Kernels<float>::hard;
        operation.f64 = &Kernels<double>::hard;
        operation.c = 1;
        operation.split_ties = true;
        operation.exponentials = false;
    }
    return row_wise(operation, floats, nullptr, plain, out);
}
py::object softmax(py::handle z, py::handle axis, py::handle c, py::handle out) {
    return sharpened({"softmax", &Kernels<float>::softmax, &Kernels<double>::softmax}, z, axis, c, out);
}
py::object log_softmax(py::handle z, py::handle axis, py::handle c, py::handle out) {
    Operation operation{"log_softmax", &Kernels<float>::log_softmax, &Kernels<double>::log_softmax};
    operation.log = true;
    return sharpened(operation, z, axis, c, out);
}

py::object hardmax(py::handle z, py::handle axis) {
    Operation operation{"hardmax", &Kernels<float>::hard, &Kernels<double>::hard};
    operation.exponentials = false;
    const py::object plain = plain_axis(axis, {"hardmax", "axis"});
    return row_wise(operation, to_floats(z, {"hardmax", "z"}, true), nullptr, plain, py::none());
}

py::object softmax_backward(py::handle a, py::handle grad, py::handle axis, py::handle c, py::handle out) {
    const py::object plain = plain_axis(axis, {"softmax_backward", "axis"});
    const double sharpness = number(c, {"softmax_backward", "c"});
    const py::array given_a = to_array(a, {"softmax_backward", "a"});
    const py::array given_grad = to_array(grad, {"softmax_backward", "grad"});
    const Floats activations = to_floats(given_a, {"softmax_backward", "a"}, true);
    Operation operation{"softmax_backward", &Kernels<float>::softmax_backward, &Kernels<double>::softmax_backward};
    operation.exponentials = false;
    operation.c = checked_sharpness(sharpness, activations, operation.function);
    if (std::isinf(operation.c)) throw py::value_error("softmax_backward: c is inf; the hard maximum has no gradient");
    const py::array g = to_floats_like(activations, given_grad, {"softmax_backward", "grad"});
    require_shape(g, activations.array, {"softmax_backward", "grad"}, "a");
    return row_wise(operation, activations, &g, plain, out);
}

template <class E>
void run_logsumexp(const py::array& z, int axis, double* results) {
    Job<E> job;
    Batch batch = view<E>(job, axis, z, nullptr, nullptr);
    const ptrdiff_t rows = batch.size();
    if (!job.classes) {
        std::fill(results, results + rows, -INFINITY);
        return;
    }
    if (!rows) return;
    job.row_result = results;
    batch.simplify();
    const ReleaseGil released(z.size());
    run_rows<E>(active_kernels<E>().logsumexp, job, batch);
}

bool truth(py::handle value, Argument argument) {
    const PyNumberMethods* const methods = Py_TYPE(value.ptr())->tp_as_number;
    if (!methods || !methods->nb_bool)
        throw py::type_error(argument + " is " + text_of(py::repr(value)) + "; it must be True or False");
    const int truth = PyObject_IsTrue(value.ptr());
    if (truth < 0) throw py::error_already_set();
    return truth;
}

py::object logsumexp(py::handle object, py::handle given_axis, py::handle keepdims) {
    const bool keep = truth(keepdims, {"logsumexp", "keepdims"});
    const py::object axis = plain_axis(given_axis, {"logsumexp", "axis"});
    Floats z = to_floats(object, {"logsumexp", "z"}, true);
    const int ndim = int(z.array.ndim());
    JoinedAxes several = joined_axes(axis, ndim, {"logsumexp", "axis"});
    if (!ndim) several = {};
    if (!several.joined && ndim) several.axes = {normal_axis(axis, ndim, {"logsumexp", "axis"})};
    if (several.joined) z.array = own_view(z.array);  // as in row_wise()
    const py::array from = several.joined ? join_axes(z.array, several.axes) : z.array;
    const int one = several.joined ? int(from.ndim()) - 1 : ndim ? several.axes[0] : 0;
    Shape shape;
    for (int d = 0; d < ndim; ++d) {
        const bool reduced = std::find(several.axes.begin(), several.axes.end(), d) != several.axes.end();
        if (!reduced || keep) shape.append(reduced ? 1 : z.array.shape(d));
    }
    py::array results = fresh(py::dtype::of<double>(), shape.ndim, shape.sizes);
    double* const data = data_of<double>(results);
    z.single ? run_logsumexp<float>(from, one, data) : run_logsumexp<double>(from, one, data);
    return results.ndim() ? py::object(cast(results, z.asked)) : scalar_of(*data, z.asked);
}

// (..., n, n): a_j (1[j = k] - a_k)
template <class E>
void write_jacobians(const py::array& a, int axis, E* to) {
    const ptrdiff_t n = a.shape(axis), cls = stride(a, axis);
    std::vector<E> row(static_cast<size_t>(n));
    for_each_place<E>(a, axis, [&](const E* at, ptrdiff_t) {
        for (ptrdiff_t k = 0; k < n; ++k) row[size_t(k)] = at[k * cls];
        for (ptrdiff_t j = 0; j < n; ++j, to += n) {
            const E own = row[size_t(j)];
            for (ptrdiff_t k = 0; k < n; ++k) to[k] = own * (0 - row[size_t(k)]);
            to[j] = own * (1 - own);
        }
    });
}

py::object softmax_jacobian(py::handle object, py::handle axis) {
    const Argument argument{"softmax_jacobian", "a"};
    const py::object plain = plain_axis(axis, {"softmax_jacobian", "axis"});
    const Floats a = to_floats(object, argument);
    const int one = class_axis(plain, a.array, argument);
    Shape shape(a.array, one);
    const ptrdiff_t n = a.array.shape(one);
    if (n && a.array.size() > most_elements / n)
        throw py::value_error(argument + " has shape " + shape_of(a.array) + ", too much for its derivatives");
    shape.append(n);
    shape.append(n);
    py::array result = fresh(real_dtype(a.single), shape.ndim, shape.sizes);
    const py::array own = own_view(a.array);  // signals are handled meanwhile
    if (result.size())
        with_type(a, [&](auto zero) {
            using E = decltype(zero);
            write_jacobians<E>(own, one, data_of<E>(result));
        });
    return cast(result, a.asked);
}

// A path's name and reason, as plan() shows them.
struct Words {
    const char *name, *reason;
};

Words words_for(Path path) {
    switch (path) {
        case Path::tiles_in_place:
            return {"tiles in place", "rows stand side by side: a vector holds a class of each"};
        case Path::packed_tiles:
            return {"packed tiles", "few classes: rows are packed so that a vector holds a class of each"};
        case Path::slabs:
            return {"panels", "columns of some classes: all classes of some columns are packed"};
        case Path::rows:
            return {"rows", "the classes of z and of the result are contiguous"};
        case Path::copied_rows:
            return {"copied rows", "many classes that are not contiguous: some rows at a time are copied"};
        case Path::slice_of_row:
            break;  // of a part that one thread has, never of a call
    }
    return {"", ""};
}

template <class E>
py::dict plan_for(const py::array& z, int axis, py::array& out) {
    Job<E> job;
    Batch batch = view(job, axis, z, nullptr, &out);
    batch.simplify();
    const Plan plan = plan_of_rows(job, batch);
    py::dict shown;
    shown["path"] = words_for(plan.path).name;
    shown["reason"] = words_for(plan.path).reason;
    shown["rows_by_path"] = plan.rows_by_path;
    shown["path_of_the_rest"] = words_for(plan.remainder_path).name;
    shown["scratch_bytes"] = plan.scratch * ptrdiff_t(sizeof(E));
    shown["rows_per_unit"] = plan.unit;
    shown["divisible_by_classes"] = plan.divisible;
    return shown;
}

// The plan of softmax(z, axis, out=out), for whoever wants to know why it is as fast as it is: of as many of its rows
// as stand at one stride.
py::dict plan(py::handle given, py::handle axis, py::handle out) {
    const Floats z = to_floats(given, {"plan", "z"}, true);
    if (!z.array.size()) throw py::value_error("plan: z is empty");
    const int one = z.array.ndim() ? normal_axis(axis, int(z.array.ndim()), {"plan", "axis"}) : 0;
    Result result(out, z, {&z.array}, {"plan", "out"});
    return z.single ? plan_for<float>(z.array, one, result.array()) : plan_for<double>(z.array, one, result.array());
}

}  // namespace

void add_softmax(py::module_& module) {
    static PyMethodDef table[] = {direct<softmax>("softmax"),
                                  direct<log_softmax>("log_softmax"),
                                  direct<logsumexp>("logsumexp"),
                                  direct<hardmax>("hardmax"),
                                  direct<softmax_jacobian>("softmax_jacobian"),
                                  direct<softmax_backward>("softmax_backward"),
                                  {}};
    add(module, table);
    module.def("plan", &plan, py::arg("z"), py::arg("axis") = -1, py::arg("out") = py::none());
}

}  // namespace nndl_fast
