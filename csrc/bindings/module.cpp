#include <cstdlib>
#include <pybind11/stl.h>

#include "../isa/dispatch.h"
#include "../nndl_fast.h"
#include "../threads/threads.h"
#include "array.h"
#include "call.h"

namespace nndl_fast {

const nndl_fast_api& api();  // api.cpp

namespace {

// For what takes arrays apart from the functions: what they take, as an array.
py::array as_real(py::handle object, const std::string& function, const std::string& name) {
    const Argument argument{function.c_str(), name.c_str()};
    const py::array array = own_view(to_array(object, argument));
    require_real(array, argument);
    return array;
}

// Of any dtype: for labels, which those who take them check themselves.
py::array as_array(py::handle object, const std::string& function, const std::string& name) {
    return own_view(to_array(object, {function.c_str(), name.c_str()}));
}

// For the functions that NumPy computes: the array to compute with, and the dtype to return.
py::tuple as_floats(py::handle object, const std::string& function, const std::string& name) {
    const Floats floats = to_floats(object, {function.c_str(), name.c_str()});
    return py::make_tuple(own_view(floats.array), floats.asked);
}

}  // namespace
}  // namespace nndl_fast

namespace py = pybind11;
using namespace nndl_fast;

// By this symbol threadpoolctl tells our _core from those of others (nndl_fast/_runtime/_threadpoolctl.py).
extern "C" PYBIND11_EXPORT int nndl_fast_get_num_threads() { return get_num_threads(); }

PYBIND11_MODULE(core_of_one_interpreter, module, py::mod_gil_not_used()) {
    const char* isa = std::getenv("NNDL_FAST_ISA");
    try {
        activate_isa(isa ? isa : "");
    } catch (const std::invalid_argument& error) {
        throw py::import_error(error.what());
    }
    // What a signal's handler raised is set already.
    py::register_local_exception_translator([](std::exception_ptr thrown) {
        try {
            if (thrown) std::rethrow_exception(thrown);
        } catch (const Interrupted&) {
        }
    });
    add_affine(module);
    add_softmax(module);
    add_cost(module);
    add_linear(module);
    add_sigmoid(module);
    add_optimizer(module);
    add_network(module);

    module.def("as_array", &as_array);
    module.def("as_floats", &as_floats);
    module.def("as_real", &as_real);

    // of nndl_fast.h
    module.add_object("api", py::capsule(&api(), NNDL_FAST_API_NAME));
    module.def("isa", [] { return std::string(active_table().name); });
    module.def("isas", &available_isas);
    module.def("use_isa", &activate_isa);  // for tests: the environment variable is the public way
    module.def("threads_by", [] { return std::string(threads_by()); });
    module.def("compiler", [] { return std::string(NNDL_COMPILER); });
    // Python callers get the current number, not the remembered one.
    module.def("get_num_threads", [] { return forget_processors(), get_num_threads(); });
    module.def("thread_setting", &thread_setting);
    module.def("restore_thread_setting", &set_num_threads);
    module.def("thread_limit", [] { return forget_processors(), thread_limit(); });
    module.def("set_thread_limit", &set_thread_limit);
    module.def("processors", [] { return forget_processors(), processors(); });
    module.def("assume_processors", &assume_processors);  // for tests
    module.def("set_num_threads", [](int n) {
        if (n < 1) throw py::value_error("set_num_threads: n is " + std::to_string(n) + "; it must be at least 1");
        set_num_threads(n);
    });
}

// pybind11's initialisation asks for the main interpreter's GIL, which another interpreter's thread may hold: up to
// Python 3.11, and later for interpreters that share a GIL, it would wait for itself. NumPy does not support them.
extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) return PyInit_core_of_one_interpreter();
    PyErr_SetString(PyExc_ImportError,
                    "nndl_fast cannot be imported in a subinterpreter, as NumPy cannot: use threads or processes");
    return nullptr;
}
