// Options that are given by name.
#pragma once
#include <pybind11/pybind11.h>
#include <string>
#include <utility>

#include "../network/layers.h"

namespace nndl_fast {

namespace py = pybind11;

template <class T>
using Name = std::pair<const char*, T>;

// The value that has the name; `argument` says whose name it is, for the message.
template <class T, size_t n>
T named(py::handle name, const Name<T> (&names)[n], const std::string& argument) {
    for (const auto& [text, value] : names)
        if (PyUnicode_Check(name.ptr()) && !PyUnicode_CompareWithASCIIString(name.ptr(), text)) return value;
    std::string known;
    for (const auto& [text, value] : names) known += (known.empty() ? "'" : ", '") + std::string(text) + "'";
    throw py::value_error(argument + " is " + std::string(py::repr(name)) + "; it must be one of " + known);
}

constexpr Name<Activation> activation_names[] = {{"relu", Activation::relu},
                                                 {"sigmoid", Activation::sigmoid},
                                                 {"tanh", Activation::tanh},
                                                 {"leaky_relu", Activation::leaky_relu}};

}  // namespace nndl_fast
