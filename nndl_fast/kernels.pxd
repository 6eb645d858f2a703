# The kernels for Cython: cimport nndl_fast.kernels. Rows of `classes` weighted inputs; element (r, j) stands
# at z[r * z_row + j * z_class]. Every function returns -1 if all went well, -2 if memory ran out
# or rows * classes is more than 2^48, and the number of the first row whose label is outside 0..classes - 1, with nothing written, if there is one.
# nndl_fast.h says more.
from libc.stdint cimport int64_t

cdef Py_ssize_t softmax_f32(
    Py_ssize_t rows, Py_ssize_t classes, const float* z, Py_ssize_t z_row, Py_ssize_t z_class,
    float* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil
cdef Py_ssize_t softmax_f64(
    Py_ssize_t rows, Py_ssize_t classes, const double* z, Py_ssize_t z_row, Py_ssize_t z_class,
    double* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil
cdef Py_ssize_t log_likelihood_cost_f32(
    Py_ssize_t rows, Py_ssize_t classes, const float* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double* costs) noexcept nogil
cdef Py_ssize_t log_likelihood_cost_f64(
    Py_ssize_t rows, Py_ssize_t classes, const double* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double* costs) noexcept nogil
cdef Py_ssize_t log_likelihood_delta_f32(
    Py_ssize_t rows, Py_ssize_t classes, const float* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double scale, float* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil
cdef Py_ssize_t log_likelihood_delta_f64(
    Py_ssize_t rows, Py_ssize_t classes, const double* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double scale, double* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil
cdef Py_ssize_t log_likelihood_cost_and_delta_f32(
    Py_ssize_t rows, Py_ssize_t classes, const float* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double scale, double* costs,
    float* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil
cdef Py_ssize_t log_likelihood_cost_and_delta_f64(
    Py_ssize_t rows, Py_ssize_t classes, const double* z, Py_ssize_t z_row, Py_ssize_t z_class,
    const int64_t* labels, double scale, double* costs,
    double* out, Py_ssize_t out_row, Py_ssize_t out_class) noexcept nogil
