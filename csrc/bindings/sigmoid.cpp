#include <cstring>
#include <optional>

#include "../batch/batch.h"
#include "../isa/dispatch.h"
#include "array.h"
#include "call.h"
#include "cost_arguments.h"

namespace nndl_fast {
namespace {

// Of single elements: z, y, weight and out of one shape, of which all but z may be null.
template <class E>
double run(MapKernel<E> kernel, MapJob<E> job, const py::array& z, const py::array* y, const py::array* weight,
           py::array* out) {
    if (!z.size()) return 0;
    Batch batch;
    for (int d = 0; d < int(z.ndim()); ++d)
        batch.append(z.shape(d), stride(z, d), stride(y, d), stride(out, d), stride(weight, d));
    batch.simplify();
    job.z = data_of<const E>(z);
    job.y = data_of<const E>(y);
    job.weight = data_of<const E>(weight);
    job.out = data_of<E>(out);
    const ReleaseGil released(z.size());
    return run_elements<E>(kernel, job, batch);
}

template <class E>
MapJob<E> without_sums() {
    MapJob<E> job;
    job.sums = false;
    return job;
}

py::object activation(const char* function, MapKernel<float> f32, MapKernel<double> f64, py::handle z, py::handle out) {
    const Floats floats = to_floats(z, {function, "z"});
    Result result(out, floats, {&floats.array}, {function, "out"});
    if (floats.single) run<float>(f32, without_sums<float>(), floats.array, nullptr, nullptr, &result.array());
    else run<double>(f64, without_sums<double>(), floats.array, nullptr, nullptr, &result.array());
    return result.finish();
}

template <class E>
void check_targets(const py::array& y, Argument argument) {
    constexpr ptrdiff_t few = 1 << 24;  // signals are not handled meanwhile
    if ((y.flags() & py::array::c_style) && y.size() < few) {
        const E* const t = data_of<const E>(y);
        bool good = true;
        for (ptrdiff_t i = 0; i < y.size(); ++i) good &= (t[i] >= 0) & (t[i] <= 1);
        if (good) return;
    }
    for_each_element<E>(y, [&](E t, ptrdiff_t i) {
        if (!(t >= 0 && t <= 1))
            throw py::value_error(argument + " is " + text_of(double(t)) + " at element " + std::to_string(i) +
                                  "; targets must be from 0 to 1");
    });
}

// For the cost classes, which NumPy computes: activations and targets of one shape and type, and the dtype to return.
py::tuple as_targets_of(py::handle a, py::handle y, const std::string& function, const std::string& name) {
    const Argument of_a{function.c_str(), name.c_str()}, of_y{function.c_str(), "y"};
    const py::array given = to_array(a, of_a), wanted = to_array(y, of_y);
    const Floats floats = to_floats(given, of_a);
    const py::array targets = to_targets(floats, wanted, of_y);
    require_shape(targets, floats.array, of_y, name.c_str());
    return py::make_tuple(own_view(floats.array), own_view(targets), floats.asked);
}

template <class E>
double sum_of_weights(const py::array& weight, Argument argument) {
    Total total;
    for_each_element<E>(weight, [&](E w, ptrdiff_t i) {
        check_weight(argument, double(w), "element ", i);
        total.add(double(w));
    });
    return total.value();
}

template <class E>
py::object run_cross_entropy(const char* function, bool want_cost, bool want_delta, const Floats& z,
                             const py::array& given_y, Reduction reduction, py::handle weight_object, py::handle out) {
    const py::array y = to_targets(z, given_y, {function, "y"});
    require_shape(y, z.array, {function, "y"}, "z");
    check_targets<E>(y, {function, "y"});
    double divisor = double(z.array.size());
    std::optional<py::array> weight;
    if (!weight_object.is_none()) {
        const Argument argument{function, "sample_weight"};
        const py::array given = to_floats_like(z, weight_object, argument);
        require_shape(given, z.array, argument, "z");
        divisor = sum_of_weights<E>(given, argument);
        weight = given;
        if (reduction == Reduction::mean && !is_moderate<E>(divisor)) {
            weight = brought_near_one<E>(given, largest_of<E>(given));
            divisor = sum_of_weights<E>(*weight, argument);
        }
    }
    std::optional<Result> delta;
    const auto inputs = {&z.array, &y, address(weight)};
    if (want_delta) delta.emplace(out, z, inputs, Argument{function, "out"});
    MapJob<E> job;
    std::optional<py::array> costs;
    const bool one_each = reduction == Reduction::none;
    if (want_cost && one_each) {
        costs = fresh(py::dtype::of<E>(), z.array.ndim(), z.array.shape());
        job.cost = data_of<E>(*costs);
    }
    if (reduction == Reduction::mean) job.scale = share_of_mean(divisor);
    job.sums = want_cost;
    double total = run<E>(active_kernels<E>().binary_cross_entropy, job, z.array, &y, address(weight),
                          delta ? &delta->array() : nullptr);
    if (reduction == Reduction::mean) total /= divisor;
    return answer(want_cost, costs, total, delta, z.asked);
}

// Any of the two may be left out.
template <bool want_cost, bool want_delta>
py::object binary_cross_entropy(py::handle z, py::handle y, py::handle reduction, py::handle weight, py::handle out) {
    const char* const function = !want_delta ? "binary_cross_entropy_cost"
                                 : want_cost ? "binary_cross_entropy_cost_and_delta"
                                             : "binary_cross_entropy_delta";
    const Reduction how = reduction_named(reduction, function);
    const py::array given = to_array(z, {function, "z"}), targets = to_array(y, {function, "y"});
    const py::object weights = to_array_or_none(weight, {function, "sample_weight"});
    const Floats floats = to_floats(given, {function, "z"});
    const auto run = floats.single ? run_cross_entropy<float> : run_cross_entropy<double>;
    return run(function, want_cost, want_delta, floats, targets, how, weights, out);
}

py::object sigmoid(py::handle z, py::handle out) {
    return activation("sigmoid", active_kernels<float>().sigmoid, active_kernels<double>().sigmoid, z, out);
}
py::object sigmoid_prime(py::handle z, py::handle out) {
    return activation("sigmoid_prime", active_kernels<float>().sigmoid_prime, active_kernels<double>().sigmoid_prime, z,
                      out);
}
py::object activate(py::handle z, py::handle name, py::handle out) {
    const Activation which = named(name, activation_names, "activate: activation");
    return activation("activate", activation_of<float>(which), activation_of<double>(which), z, out);
}
py::object activation_backward(py::handle delta, py::handle a, py::handle name, py::handle out) {
    const char* const function = "activation_backward";
    const Activation which = named(name, activation_names, "activation_backward: activation");
    const py::array given = to_array(delta, {function, "delta"}), given_a = to_array(a, {function, "a"});
    Floats errors = to_floats(given, {function, "delta"}), activations = to_floats(given_a, {function, "a"});
    promote({&errors, &activations});
    require_shape(activations.array, errors.array, {function, "a"}, "delta");
    Result result(out, errors, {&errors.array, &activations.array}, {function, "out"});
    const auto times = [&](auto zero) {
        using E = decltype(zero);
        run<E>(times_derivative_of<E>(which), without_sums<E>(), activations.array, &errors.array, nullptr,
               &result.array());
    };
    with_type(errors, times);
    return result.finish();
}
py::object inverse_softmax(py::handle a, py::handle axis, py::handle constant) {
    const char* const function = "inverse_softmax";
    const py::object plain = plain_axis(axis, {function, "axis"});
    const double added = number(constant, {function, "constant"});
    const Floats floats = to_floats(a, {function, "a"});
    normal_axis(plain, int(floats.array.ndim()), {function, "axis"});
    Result result(py::none(), floats, {}, {function, "out"});
    const auto apply = [&](auto zero) {
        using E = decltype(zero);
        MapJob<E> job = without_sums<E>();
        job.scale = added;
        run<E>(active_kernels<E>().inverse_softmax, job, floats.array, nullptr, nullptr, &result.array());
    };
    with_type(floats, apply);
    return result.finish();
}

// Targets of the activations' shape, or integer labels of that shape without the axis, which become one-hot.
py::array targets_for(const Floats& a, const py::array& y, int axis, const char* function) {
    if (same_shape(y, a.array)) return to_targets(a, y, {function, "y"});
    const Shape rows(a.array, axis);
    if (!rows.is_of(y))
        throw py::value_error(std::string(function) + ": y has shape " + shape_of(y) + "; for a of shape " +
                              shape_of(a.array) + " it must be " + shape_of(rows) + " (labels) or that (targets)");
    if (y.dtype().kind() != 'i' && y.dtype().kind() != 'u' && y.size())  // an empty list has no type of its own
        throw py::type_error(std::string(function) + ": y has dtype " + dtype_of(y) + "; labels must be integers");
    const py::array labels = py::array(y.attr("astype")("int64", "C"));  // its own copy: nobody changes it meanwhile
    const auto* const label = data_of<const int64_t>(labels);
    const ptrdiff_t n = labels.size(), classes = a.array.shape(axis), wrong = first_wrong_label(label, n, classes);
    if (wrong != n)
        throw py::index_error(std::string(function) + ": label " + text_of(y.attr("flat")[py::int_(wrong)]) +
                              " at row " + std::to_string(wrong) + " is outside 0.." + std::to_string(classes - 1));
    py::array targets = fresh(real_dtype(a.single), a.array.ndim(), a.array.shape());
    std::memset(targets.mutable_data(), 0, size_t(targets.nbytes()));
    const auto set = [&](auto one) {
        const ptrdiff_t cls = stride(targets, axis);
        for_each_place<decltype(one)>(
            targets, axis, [&](const auto* at, ptrdiff_t i) { const_cast<decltype(one)*>(at)[label[i] * cls] = one; });
    };
    if (n && classes) with_type(a, [&](auto zero) { set(zero + 1); });
    return targets;
}

py::object cost_and_delta_from_activations(py::handle a, py::handle y, py::handle axis, py::handle reduction,
                                           py::handle out) {
    const char* const function = "cost_and_delta_from_activations";
    const Reduction how = reduction_named(reduction, function);
    if (how == Reduction::none)
        throw py::value_error(std::string(function) + ": reduction is 'none'; it must be 'mean' or 'sum'");
    const py::object plain = plain_axis(axis, {function, "axis"});
    const py::array given = to_array(a, {function, "a"}), wanted = to_array(y, {function, "y"});
    const Floats floats = to_floats(given, {function, "a"});
    const int one = class_axis(plain, floats.array, {function, "a"});
    const py::array targets = targets_for(floats, wanted, one, function);
    std::optional<Result> delta(std::in_place, out, floats,
                                std::initializer_list<const py::array*>{&floats.array, &targets},
                                Argument{function, "out"});
    const ptrdiff_t classes = floats.array.shape(one);
    const double divisor = how == Reduction::mean ? double(classes ? floats.array.size() / classes : 0) : 1;
    const auto apply = [&](auto zero) {
        using E = decltype(zero);
        MapJob<E> job;
        job.scale = share_of_mean(divisor);
        return run<E>(active_kernels<E>().log_likelihood_of_activations, job, floats.array, &targets, nullptr,
                      &delta->array());
    };
    const double total = with_type(floats, apply);
    return answer(true, std::nullopt, total / divisor, delta, floats.asked);
}

// For the cost classes: |a - y|^2 / 2, or a - y if the difference is wanted.
py::object difference(const char* function, bool wanted, py::handle a, py::handle y) {
    const py::array given = to_array(a, {function, "a"}), targets_given = to_array(y, {function, "y"});
    const Floats floats = to_floats(given, {function, "a"});
    const py::array targets = to_targets(floats, targets_given, {function, "y"});
    require_shape(targets, floats.array, {function, "y"}, "a");
    std::optional<Result> result;
    if (wanted)
        result.emplace(py::none(), floats, std::initializer_list<const py::array*>{}, Argument{function, "out"});
    const auto apply = [&](auto zero) {
        using E = decltype(zero);
        MapJob<E> job;
        job.sums = !wanted;
        return run<E>(active_kernels<E>().quadratic, job, floats.array, &targets, nullptr,
                      result ? &result->array() : nullptr);
    };
    const double total = with_type(floats, apply);
    return result ? result->finish() : py::float_(total);
}
py::object quadratic_cost(py::handle a, py::handle y) { return difference("QuadraticCost.fn", false, a, y); }
py::object cross_entropy_delta(py::handle a, py::handle y) { return difference("CrossEntropyCost.delta", true, a, y); }

}  // namespace

void add_sigmoid(py::module_& module) {
    static PyMethodDef table[] = {direct<sigmoid>("sigmoid"),
                                  direct<sigmoid_prime>("sigmoid_prime"),
                                  direct<activate>("activate"),
                                  direct<inverse_softmax>("inverse_softmax"),
                                  direct<cost_and_delta_from_activations>("cost_and_delta_from_activations"),
                                  direct<quadratic_cost>("quadratic_cost"),
                                  direct<cross_entropy_delta>("cross_entropy_delta"),
                                  direct<activation_backward>("activation_backward"),
                                  direct<binary_cross_entropy<true, false>>("binary_cross_entropy_cost"),
                                  direct<binary_cross_entropy<false, true>>("binary_cross_entropy_delta"),
                                  direct<binary_cross_entropy<true, true>>("binary_cross_entropy_cost_and_delta"),
                                  {}};
    add(module, table);
    module.def("as_targets_of", &as_targets_of);
}

}  // namespace nndl_fast
