// How the costs of the examples become one, and what a weight may be.
#pragma once
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

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
                                "; it must be 'mean', 'sum' or 'none'";
    if (text) throw py::value_error(message);
    throw py::type_error(message);
}

// What the mean multiplies the error by. If nothing counts, the mean is NaN, but there is no error.
inline double share_of_mean(double divisor) { return divisor == 0 ? 0 : 1 / divisor; }

// What a call returns: the cost, of one dtype; the error; or both. `costs` are those of the examples,
// if one each is asked for, and `total` is their sum otherwise, or the only one of no dimensions.
inline py::object answer(bool want_cost, const std::optional<py::array>& costs, double total,
                         std::optional<Result>& delta, const py::dtype& dtype) {
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
    // Of an infinite sum nothing finite is lost, and what was computed of it is NaN.
    double value() const { return std::isfinite(sum_) ? sum_ + lost_ : sum_; }

private:
    double sum_ = 0, lost_ = 0;
};

// Whether the error's scale can be the inverse of this sum of weights, as a number of that type.
template <class E>
bool is_moderate(double divisor) {
    constexpr double most = std::is_same_v<E, float> ? 0x1p100 : 0x1p1000;
    return divisor == 0 || (divisor >= 1 / most && divisor <= most);
}
template <class E>
E largest_of(const py::array& weights) {
    E largest = 0;
    for_each_element<E>(weights, [&](E w, ptrdiff_t) { largest = std::max(largest, w); });
    return largest;
}
// Weights times a power of 2 that brings the largest that counts near 1: if all are multiplied, the mean is the same.
template <class E>
py::array brought_near_one(const py::array& weights, E largest) {
    const int power = largest > 0 ? std::ilogb(largest) : 0;
    py::array result = fresh(py::dtype::of<E>(), weights.ndim(), weights.shape());
    E* const to = static_cast<E*>(result.mutable_data());
    for_each_element<E>(
        weights, [&](E w, ptrdiff_t i) { to[i] = std::min(std::scalbn(w, -power), std::numeric_limits<E>::max()); });
    return result;
}

inline void check_weight(Argument argument, double weight, const char* what, ptrdiff_t index) {
    if (!(weight >= 0 && std::isfinite(weight)))
        throw py::value_error(argument + " is " + std::string(py::str(py::float_(weight))) + " at " + what +
                              std::to_string(index) + "; weights must be finite and not negative");
}

}  // namespace nndl_fast
