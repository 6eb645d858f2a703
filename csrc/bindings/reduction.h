// How the costs of the examples become one, and what a weight may be.
#pragma once
#include <cmath>
#include <string>

#include "array.h"

namespace nndl_fast {

enum class Reduction { mean, sum, none };

inline Reduction reduction_named(const std::string& name, const char* function) {
    if (name == "mean") return Reduction::mean;
    if (name == "sum") return Reduction::sum;
    if (name == "none") return Reduction::none;
    throw py::value_error(std::string(function) + ": reduction is '" + name + "'; it may be 'mean', 'sum' or 'none'");
}

inline void check_weight(Argument argument, double weight, const std::string& place) {
    if (!(weight >= 0 && std::isfinite(weight)))
        throw py::value_error(argument + " is " + std::string(py::str(py::float_(weight))) + " at " + place +
                              "; weights must be finite and not negative");
}

}  // namespace nndl_fast
