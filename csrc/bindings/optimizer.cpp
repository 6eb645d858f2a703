// Steps of optimizers: parameters that are changed where they stand.
#include "../network/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "../isa/dispatch.h"
#include "array.h"
#include "call.h"

namespace nndl_fast {
namespace {

struct Kind {
    Optimizer optimizer;
    bool decoupled = false;
};
constexpr Name<Kind> kinds[] = {{"SGD", {Optimizer::sgd}},           {"Momentum", {Optimizer::momentum}},
                                {"Nesterov", {Optimizer::nesterov}}, {"AdaGrad", {Optimizer::adagrad}},
                                {"RMSprop", {Optimizer::rmsprop}},   {"Adam", {Optimizer::adam}},
                                {"AdamW", {Optimizer::adam, true}}};

// "Adam: lr is -1; it must be ..."
double checked(const char* function, const char* name, py::handle value, bool below_one) {
    const double x = number(value, {function, name});
    if (x >= 0 && std::isfinite(x) && (!below_one || x < 1)) return x;
    throw py::value_error(
        std::string(function) + ": " + name + " is " + text_of(value) +
        (below_one ? "; it must be at least 0 and less than 1" : "; it must be finite and at least 0"));
}

std::string numbered(const char* name, size_t i) { return std::string(name) + "[" + std::to_string(i) + "]"; }

// The items of a list or a tuple.
std::vector<py::object> items_of(py::handle sequence, const char* function, const char* name) {
    if (!PyList_Check(sequence.ptr()) && !PyTuple_Check(sequence.ptr()))
        throw py::type_error(std::string(function) + ": " + name + " is a " +
                             text_of(py::type::of(sequence).attr("__name__")) +
                             "; it must be a list, tuple or dictionary of arrays");
    std::vector<py::object> items;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.ptr()); ++i)
        items.push_back(py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(sequence.ptr(), i)));
    return items;
}

// What is kept of earlier gradients for one array of parameters.
py::array moment(const py::list& moments, size_t i, const py::array& like, const char* function, const char* name) {
    const py::object item = moments[i];
    if (!py::isinstance<py::array>(item)) throw py::type_error(std::string(function) + ": its state holds no arrays");
    const py::array array = py::reinterpret_borrow<py::array>(item);
    if (!same_shape(array, like) || !array.dtype().equal(like.dtype()) || !array.writeable() || !is_usable(array))
        throw py::value_error(std::string(function) + ": " + numbered("parameters", i) + " has shape " +
                              shape_of(like) + " and dtype " + dtype_of(like) + "; the state's " + name +
                              " for it has " + shape_of(array) + " and " + dtype_of(array));
    return array;
}

class Step {
public:
    Step(const char* function, const Rule& rule, double max_norm)
        : function_(function), rule_(rule), max_norm_(max_norm) {}

    // The arguments as arrays: the gradients first, since that may call code of theirs.
    void take(const std::vector<py::object>& parameters, const std::vector<py::object>& gradients) {
        if (parameters.size() != gradients.size())
            throw py::value_error(std::string(function_) + ": there are " + std::to_string(parameters.size()) +
                                  " parameters and " + std::to_string(gradients.size()) + " gradients");
        for (size_t i = 0; i < gradients.size(); ++i) {
            const std::string name = numbered("gradients", i);
            gradients_.push_back(to_array(gradients[i], {function_, name.c_str()}));
        }
        for (size_t i = 0; i < parameters.size(); ++i) {
            const std::string name = numbered("parameters", i), of_gradient = numbered("gradients", i);
            const Argument argument{function_, name.c_str()}, argument_of_gradient{function_, of_gradient.c_str()};
            parameters_.push_back(parameters_of(parameters[i], argument));
            const py::array& own = parameters_.back();
            const Floats like{own, own.dtype(), own.itemsize() == sizeof(float)};
            gradients_[i] = to_floats_like(like, gradients_[i], argument_of_gradient);
            require_shape(gradients_[i], own, argument_of_gradient, name.c_str());
        }
        require_apart();
    }

    // `state` is [powers, first moments, second moments]. Before the first step the moments are empty lists.
    void use_state(const py::list& state) {
        if (state.size() != 3) throw py::value_error(std::string(function_) + ": its state is not one of an optimizer");
        powers_ = py::cast<py::array>(state[0]);
        if (!py::isinstance<py::array_t<double>>(powers_) || powers_.ndim() != 1 || powers_.shape(0) != 2 ||
            !powers_.writeable() || !(powers_.flags() & py::array::c_style))
            throw py::value_error(std::string(function_) + ": its state is not one of an optimizer");
        const bool wanted[] = {keeps_first(rule_.optimizer), keeps_second(rule_.optimizer)};
        py::list begun[2];  // all of them, before one of the lists is filled
        for (int which = 0; which < 2; ++which)
            for (const py::array& own : parameters_)
                if (wanted[which] && py::cast<py::list>(state[which + 1]).empty())
                    begun[which].append(py::module_::import("numpy").attr("zeros_like")(own, py::none(), "K", false));
        for (int which = 0; which < 2; ++which) {
            if (!wanted[which]) continue;
            const py::list moments = py::cast<py::list>(state[which + 1]);
            // Another thread may have begun meanwhile.
            if (moments.empty() && PyList_SetSlice(moments.ptr(), 0, 0, begun[which].ptr()))
                throw py::error_already_set();
            if (moments.size() != parameters_.size())
                throw py::value_error(std::string(function_) + ": there are " + std::to_string(parameters_.size()) +
                                      " parameters; in its earlier steps there were " + std::to_string(moments.size()));
            for (size_t i = 0; i < parameters_.size(); ++i)
                moments_[which].push_back(moment(moments, i, parameters_[i], function_, which ? "second" : "first"));
        }
    }

    void run() {
        if (parameters_.empty()) return;
        const std::vector<StepArrays<float>> single = arrays<float>();
        const std::vector<StepArrays<double>> both = arrays<double>();
        double* const powers = data_of<double>(powers_);
        const Powers now{powers[0] * rule_.momentum, powers[1] * rule_.beta2};
        ptrdiff_t elements = 0;
        for (const py::array& own : parameters_) elements += own.size();
        {
            const ReleaseGil released(elements);
            const Watch nobody(nullptr, nullptr);  // the step is done as a whole
            double clip = 1;
            if (max_norm_ > 0) {
                const double norm = std::sqrt(sum_of_squares(single) + sum_of_squares(both));
                clip = max_norm_ / (norm + 1e-6);
                if (clip > 1) clip = 1;
            }
            run_type(single, now, clip);
            run_type(both, now, clip);
            powers[0] = now.momentum;
            powers[1] = now.beta2;
        }
    }

private:
    py::array parameters_of(const py::object& object, Argument argument) const {
        const py::array array = own_array(object, argument);
        const int type = array.dtype().num();
        if (type != py::detail::npy_api::NPY_FLOAT_ && type != py::detail::npy_api::NPY_DOUBLE_)
            throw py::type_error(argument + " has dtype " + dtype_of(array) + "; it must be float32 or float64");
        if (!is_usable(array))
            throw py::value_error(argument + " is not aligned in memory, or of another machine's byte order");
        require_writable(array, argument);
        return array.size() < elements_worth_the_gil ? array : own_view(array);
    }

    // No two arrays of parameters may share elements; a gradient that shares some with parameters not its own, or not
    // in the same places, is copied.
    void require_apart() {
        std::vector<size_t> order(parameters_.size());
        std::iota(order.begin(), order.end(), size_t(0));
        std::vector<Extent> extents;
        for (const py::array& own : parameters_) extents.push_back(extent_of(own));
        std::sort(order.begin(), order.end(),
                  [&](size_t i, size_t j) { return std::less<const char*>()(extents[i].low, extents[j].low); });
        std::vector<size_t> reaching;  // those before that end beyond the beginning of this one
        for (const size_t i : order) {
            const auto ends_before = [&](size_t other) { return extents[other].high <= extents[i].low; };
            reaching.erase(std::remove_if(reaching.begin(), reaching.end(), ends_before), reaching.end());
            for (const size_t other : reaching)
                if (parameters_[i].size() &&
                    py::module_::import("numpy").attr("shares_memory")(parameters_[i], parameters_[other]).cast<bool>())
                    throw py::value_error(std::string(function_) + ": " + numbered("parameters", std::min(i, other)) +
                                          " and " + numbered("parameters", std::max(i, other)) + " share memory");
            reaching.push_back(i);
        }
        for (size_t i = 0; i < gradients_.size(); ++i) {
            const Extent gradient = extent_of(gradients_[i]);
            bool copies = false;
            for (size_t j = 0; j < parameters_.size() && !copies; ++j)
                copies = gradient.low < extents[j].high && extents[j].low < gradient.high &&
                         !(i == j && same_view(gradients_[i], parameters_[i]));
            if (copies) gradients_[i] = py::array(gradients_[i].attr("copy")());
        }
    }

    // Dimensions in the order of the parameters' strides, so that memory is gone through as it stands.
    template <class E>
    std::vector<StepArrays<E>> arrays() const {
        std::vector<StepArrays<E>> result;
        result.reserve(parameters_.size());
        for (size_t i = 0; i < parameters_.size(); ++i) {
            const py::array& own = parameters_[i];
            if (own.itemsize() != sizeof(E)) continue;
            std::array<int, max_dims> dims{};
            std::iota(dims.begin(), dims.begin() + own.ndim(), 0);
            std::stable_sort(dims.begin(), dims.begin() + own.ndim(),
                             [&](int d, int e) { return std::abs(own.strides(d)) > std::abs(own.strides(e)); });
            const py::array* const kept[] = {moments_[0].empty() ? nullptr : &moments_[0][i],
                                             moments_[1].empty() ? nullptr : &moments_[1][i]};
            StepArrays<E>& one = result.emplace_back();
            for (int at = 0; at < int(own.ndim()); ++at) {
                const int d = dims[size_t(at)];
                one.batch.append(own.shape(d), stride(gradients_[i], d), stride(kept[0], d), stride(own, d),
                                 stride(kept[1], d));
            }
            one.batch.simplify();
            one.parameters = data_of<E>(own);
            one.gradient = data_of<E>(gradients_[i]);
            one.first = data_of<E>(kept[0]);
            one.second = data_of<E>(kept[1]);
        }
        return result;
    }

    template <class E>
    void run_type(const std::vector<StepArrays<E>>& arrays, Powers powers, double clip) const {
        if (arrays.empty()) return;
        StepJob<E> job = step_job<E>(rule_, rule_.weight_decay, powers);
        job.scale = E((rule_.optimizer == Optimizer::sgd ? -rule_.eta : 1) * clip);
        step_arrays(job, arrays);
    }

    const char* function_;
    Rule rule_;
    double max_norm_;
    std::vector<py::array> parameters_, gradients_, moments_[2];
    py::array powers_;
};

py::object step(py::handle name, py::handle lr, py::handle momentum, py::handle beta2, py::handle epsilon,
                py::handle weight_decay, py::handle max_norm, py::handle parameters, py::handle gradients,
                py::handle state) {
    const Kind kind = named(name, kinds, "optimizer");
    const char* const function = PyUnicode_AsUTF8(name.ptr());
    const bool adam = kind.optimizer == Optimizer::adam;
    Rule rule;
    rule.optimizer = kind.optimizer;
    rule.decoupled = kind.decoupled;
    rule.eta = checked(function, "lr", lr, false);
    rule.momentum = checked(function, adam ? "betas[0]" : "momentum", momentum, true);
    rule.beta2 = checked(function, adam ? "betas[1]" : "alpha", beta2, true);
    rule.epsilon = checked(function, "eps", epsilon, false);
    rule.weight_decay = checked(function, "weight_decay", weight_decay, false);
    double most = 0;
    if (!max_norm.is_none()) {
        most = number(max_norm, {function, "max_norm"});
        if (!(most > 0))
            throw py::value_error(std::string(function) + ": max_norm is " + text_of(max_norm) +
                                  "; it must be None or more than 0");
    }
    Step whole(function, rule, most);
    whole.take(items_of(parameters, function, "parameters"), items_of(gradients, function, "gradients"));
    whole.use_state(py::cast<py::list>(state));
    whole.run();
    return py::none();
}

}  // namespace

void add_optimizer(py::module_& module) {
    static PyMethodDef table[] = {direct<step>("step"), {}};
    add(module, table);
}

}  // namespace nndl_fast
