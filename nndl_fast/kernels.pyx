# cython: language_level=3, freethreading_compatible=True
"""The kernels for compiled callers: ``cimport nndl_fast.kernels`` in Cython, and
``numba.extending.get_cython_function_address("nndl_fast.kernels", "softmax_f32")``. kernels.pxd has the
signatures, nndl_fast.h (in ``nndl_fast.get_include()``) what they mean."""
from cpython.pycapsule cimport PyCapsule_Import
from libc.stdint cimport int64_t

cdef extern from "nndl_fast.h":
    const char* NNDL_FAST_API_NAME
    ctypedef struct nndl_fast_api:
        Py_ssize_t (*softmax_f32)(
            Py_ssize_t, Py_ssize_t, const float*, Py_ssize_t, Py_ssize_t, float*, Py_ssize_t,
            Py_ssize_t) noexcept nogil
        Py_ssize_t (*softmax_f64)(
            Py_ssize_t, Py_ssize_t, const double*, Py_ssize_t, Py_ssize_t, double*, Py_ssize_t,
            Py_ssize_t) noexcept nogil
        Py_ssize_t (*log_likelihood_cost_f32)(
            Py_ssize_t, Py_ssize_t, const float*, Py_ssize_t, Py_ssize_t, const int64_t*, double*) noexcept nogil
        Py_ssize_t (*log_likelihood_cost_f64)(
            Py_ssize_t, Py_ssize_t, const double*, Py_ssize_t, Py_ssize_t, const int64_t*, double*) noexcept nogil
        Py_ssize_t (*log_likelihood_delta_f32)(
            Py_ssize_t, Py_ssize_t, const float*, Py_ssize_t, Py_ssize_t, const int64_t*, double,
            float*, Py_ssize_t, Py_ssize_t) noexcept nogil
        Py_ssize_t (*log_likelihood_delta_f64)(
            Py_ssize_t, Py_ssize_t, const double*, Py_ssize_t, Py_ssize_t, const int64_t*, double,
            double*, Py_ssize_t, Py_ssize_t) noexcept nogil
        Py_ssize_t (*log_likelihood_cost_and_delta_f32)(
            Py_ssize_t, Py_ssize_t, const float*, Py_ssize_t, Py_ssize_t, const int64_t*, double,
            double*, float*, Py_ssize_t, Py_ssize_t) noexcept nogil
        Py_ssize_t (*log_likelihood_cost_and_delta_f64)(
            Py_ssize_t, Py_ssize_t, const double*, Py_ssize_t, Py_ssize_t, const int64_t*, double,
            double*, double*, Py_ssize_t, Py_ssize_t) noexcept nogil

cdef const nndl_fast_api* api = <const nndl_fast_api*>PyCapsule_Import(NNDL_FAST_API_NAME, 0)

cdef Py_ssize_t softmax_f32(
    Py_ssize_t rows, Py_ssize_t classes, const float* z, Py_ssize_t z_row, Py_ssize_t z_class,
    float* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil:
    return api.softmax_f32(rows, classes, z, z_row, z_class, out, out_row, out_class)

cdef Py_ssize_t softmax_f64(
    Py_ssize_t rows, Py_ssize_t classes, const double* z, Py_ssize_t z_row, Py_ssize_t z_class,
    double* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil:
    return api.softmax_f64(rows, classes, z, z_row, z_class, out, out_row, out_class)

cdef Py_ssize_t log_likelihood_cost_f32(
    Py_ssize_t rows, Py_ssize_t classes, const float* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double* costs) noexcept nogil:
    return api.log_likelihood_cost_f32(rows, classes, z, z_row, z_class, labels, costs)

cdef Py_ssize_t log_likelihood_cost_f64(
    Py_ssize_t rows, Py_ssize_t classes, const double* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double* costs) noexcept nogil:
    return api.log_likelihood_cost_f64(rows, classes, z, z_row, z_class, labels, costs)

cdef Py_ssize_t log_likelihood_delta_f32(
    Py_ssize_t rows, Py_ssize_t classes, const float* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double scale, float* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil:
    return api.log_likelihood_delta_f32(rows, classes, z, z_row, z_class, labels, scale, out,
        out_row, out_class)

cdef Py_ssize_t log_likelihood_delta_f64(
    Py_ssize_t rows, Py_ssize_t classes, const double* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double scale, double* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil:
    return api.log_likelihood_delta_f64(rows, classes, z, z_row, z_class, labels, scale, out,
        out_row, out_class)

cdef Py_ssize_t log_likelihood_cost_and_delta_f32(
    Py_ssize_t rows, Py_ssize_t classes, const float* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double scale, double* costs,
    float* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil:
    return api.log_likelihood_cost_and_delta_f32(rows, classes, z, z_row, z_class, labels, scale,
        costs, out, out_row, out_class)

cdef Py_ssize_t log_likelihood_cost_and_delta_f64(
    Py_ssize_t rows, Py_ssize_t classes, const double* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double scale, double* costs,
    double* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil:
    return api.log_likelihood_cost_and_delta_f64(rows, classes, z, z_row, z_class, labels, scale,
        costs, out, out_row, out_class)
