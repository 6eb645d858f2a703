// Functions of the module without pybind11's dispatcher, which costs as much as a small softmax:
// positional arguments as they come, a new object back.
#pragma once
#include <chrono>
#include <new>
#include <pybind11/pybind11.h>
#include <thread>
#include <utility>

#include "../common/floating_point.h"
#include "../threads/threads.h"

namespace nndl_fast {

namespace py = pybind11;

// Adds to the exception that is set what it left behind; before Python 3.11 exceptions take no notes.
inline void note_unfinished() {
    py::error_already_set error;
    if (py::hasattr(error.value(), "add_note"))
        error.value().attr("add_note")("The call was interrupted: an array that was given as out is unfinished.");
    error.restore();
}

// The exception in hand as Python's, as pybind11 turns it.
inline void raise_in_python() {
    try {
        throw;
    } catch (py::error_already_set& error) {
        error.restore();
    } catch (const py::builtin_exception& error) {
        error.set_error();
    } catch (const Interrupted&) {  // with the exception that a signal's handler raised
        note_unfinished();
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
}

template <auto function>
struct Direct;
template <class... Arguments, py::object (*function)(Arguments...)>
struct Direct<function> {
    static PyObject* call(PyObject*, PyObject* const* given, Py_ssize_t n) {
        return call(given, n, std::index_sequence_for<Arguments...>());
    }
    template <size_t... i>
    static PyObject* call(PyObject* const* given, Py_ssize_t n, std::index_sequence<i...>) {
        if (n != Py_ssize_t(sizeof...(i)))
            return PyErr_Format(PyExc_TypeError, "%d arguments are needed, %zd are given", int(sizeof...(i)), n);
        const DefaultFloatingPoint environment;
        try {
            return function(py::handle(given[i])...).release().ptr();
        } catch (...) {
            raise_in_python();
            return nullptr;
        }
    }
};

// An entry of a module's table. The function takes handles and returns an object.
template <auto function>
PyMethodDef direct(const char* name) {
    const auto call = static_cast<PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t)>(&Direct<function>::call);
    return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)), METH_FASTCALL, nullptr};
}

// The table ends with an empty entry and lives as long as the process.
inline void add(py::module_& module, PyMethodDef* table) {
    if (PyModule_AddFunctions(module.ptr(), table)) throw py::error_already_set();
}

// Below this many elements handing over the GIL costs more than it gives to others.
constexpr ptrdiff_t elements_worth_the_gil = 4096;

// Lets other threads of Python run meanwhile. In long work Python handles its signals now and then; if the handler
// raises, as it does for Ctrl-C, the work ends with Interrupted, and the exception is set.
class ReleaseGil {
public:
    explicit ReleaseGil(ptrdiff_t elements)
        : state_(elements < elements_worth_the_gil ? nullptr : PyEval_SaveThread()),
          watch_(state_ ? &handle_signals : nullptr, this) {}
    ~ReleaseGil() {
        if (state_) take_back();
    }
    ReleaseGil(const ReleaseGil&) = delete;
    ReleaseGil& operator=(const ReleaseGil&) = delete;

private:
    PyThreadState* state_;
    Watch watch_;

    void take_back() {
        // A daemon thread that comes back after the interpreter has ended is unwound by Python up to 3.13. That must
        // not reach our frames, which hold references: the thread stays here until the process ends.
        try {
            PyEval_RestoreThread(state_);
        } catch (...) {
            for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
        }
    }
    static bool handle_signals(void* self) {
        ReleaseGil& released = *static_cast<ReleaseGil*>(self);
        released.take_back();
        const bool good = !PyErr_CheckSignals();
        released.state_ = PyEval_SaveThread();
        return good;
    }
};

// What each file of the bindings adds to the module.
void add_affine(py::module_& module);
void add_softmax(py::module_& module);
void add_cost(py::module_& module);
void add_linear(py::module_& module);
void add_sigmoid(py::module_& module);
void add_optimizer(py::module_& module);
void add_network(py::module_& module);

}  // namespace nndl_fast
