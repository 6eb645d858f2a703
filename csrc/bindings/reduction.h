// How the costs of the examples become one, and what a weight may be.
#pragma once
#include <cmath>
#include <string>

#include "array.h"

namespace nndl_fast {

enum class Reduction { mean, sum, none };

inline Reduction reduction_named(py::handle name, const char* function) {
    const bool text = PyUnicode_Check(name.ptr());
    const auto is = [&](const char* known) { return text && !PyUnicode_CompareWithASCIIString(name.ptr(), known); };
    if (is("mean")) return Reduction::mean;
    if (is("sum")) return Reduction::sum;
    if (is("none")) return Reduction::none;
    const std::string message = std::string(function) + ": reduction is " + std::string(py::str(py::repr(name))) +
                                "; it may be 'mean', 'sum' or 'none'";
    if (text) throw py::value_error(message);
    throw py::type_error(message);
}

// What the mean multiplies the error by. Where nothing counts the mean is NaN, but there is no error.
inline double share_of_mean(double divisor) { return divisor == 0 ? 0 : 1 / divisor; }

// What a call returns: the cost, of one dtype; the error; or both. `costs` are those of the examples,
// where one each is asked for, and `total` is their sum otherwise, or the only one of no dimensions.
inline py::object answer(bool want_cost, const std::optional<py::array>& costs, double total, std::optional<Result>& delta,
                         const py::dtype& dtype) {
    py::object cost;
    if (want_cost) cost = costs && costs->ndim() ? py::object(cast(*costs, dtype)) : scalar_of(total, dtype);
    if (!delta) return cost;
    py::object error = delta->finish();
    return want_cost ? py::object(py::make_tuple(cost, error)) : error;
}

// A sum that keeps what rounding takes from it (Neumaier).
class Total {
public:
    void add(double x) {
        const double next = sum_ + x;
        lost_ += std::fabs(sum_) >= std::fabs(x) ? (sum_ - next) + x : (x - next) + sum_;
        sum_ = next;
    }
    double value() const { return sum_ + lost_; }

private:
    double sum_ = 0, lost_ = 0;
};

inline void check_weight(Argument argument, double weight, const char* what, ptrdiff_t index) {
    if (!(weight >= 0 && std::isfinite(weight)))
        throw py::value_error(argument + " is " + std::string(py::str(py::float_(weight))) + " at " + what +
                              std::to_string(index) + "; weights must be finite and not negative");
}

}  // namespace nndl_fast
