/* The kernels for compiled callers: C, C++, and what calls C (nndl_fast.get_include() says where this file is).
 *
 * Rows of `classes` weighted inputs, float (_f32) or double (_f64): element (r, j) stands at
 * z[r * z_row + j * z_class], strides in elements, of any sign. `out` may be z itself, with the same strides, and
 * must not overlap it otherwise. The bits are those of the Python functions, for any strides and number of
 * threads. No Python is called, so the GIL is not needed; large work is shared out among as many threads as
 * nndl_fast.set_num_threads allows.
 *
 * Every function returns -1 if all went well, and -2 if memory ran out or rows * classes is more than 2^48. If a
 * label is outside 0..classes - 1 it returns the number of the first such row, and has written nothing.
 *
 * In an extension module:   const nndl_fast_api* nndl = nndl_fast_import();   (null, with an exception set, if
 * the package is missing or older than this header), after #include <Python.h>.
 */
#ifndef NNDL_FAST_H
#define NNDL_FAST_H
#include <stddef.h>
#include <stdint.h>

/* Raised when functions are added at the end. What is here stays as it is. */
#define NNDL_FAST_API_VERSION 1

typedef struct nndl_fast_api {
    int version;

    /* a_j = e^{z_j} / sum_k e^{z_k}: (78) */
    ptrdiff_t (*softmax_f32)(ptrdiff_t rows, ptrdiff_t classes, const float* z, ptrdiff_t z_row, ptrdiff_t z_class,
                             float* out, ptrdiff_t out_row, ptrdiff_t out_class);
    ptrdiff_t (*softmax_f64)(ptrdiff_t rows, ptrdiff_t classes, const double* z, ptrdiff_t z_row, ptrdiff_t z_class,
                             double* out, ptrdiff_t out_row, ptrdiff_t out_class);

    /* costs[r] = -ln a_y: (80) */
    ptrdiff_t (*log_likelihood_cost_f32)(ptrdiff_t rows, ptrdiff_t classes, const float* z, ptrdiff_t z_row,
                                         ptrdiff_t z_class, const int64_t* labels, double* costs);
    ptrdiff_t (*log_likelihood_cost_f64)(ptrdiff_t rows, ptrdiff_t classes, const double* z, ptrdiff_t z_row,
                                         ptrdiff_t z_class, const int64_t* labels, double* costs);

    /* out = scale (a - y): (84); scale is 1, or 1 / rows for the gradient of the mean cost */
    ptrdiff_t (*log_likelihood_delta_f32)(ptrdiff_t rows, ptrdiff_t classes, const float* z, ptrdiff_t z_row,
                                          ptrdiff_t z_class, const int64_t* labels, double scale, float* out,
                                          ptrdiff_t out_row, ptrdiff_t out_class);
    ptrdiff_t (*log_likelihood_delta_f64)(ptrdiff_t rows, ptrdiff_t classes, const double* z, ptrdiff_t z_row,
                                          ptrdiff_t z_class, const int64_t* labels, double scale, double* out,
                                          ptrdiff_t out_row, ptrdiff_t out_class);

    /* both in one pass */
    ptrdiff_t (*log_likelihood_cost_and_delta_f32)(ptrdiff_t rows, ptrdiff_t classes, const float* z, ptrdiff_t z_row,
                                                   ptrdiff_t z_class, const int64_t* labels, double scale,
                                                   double* costs, float* out, ptrdiff_t out_row, ptrdiff_t out_class);
    ptrdiff_t (*log_likelihood_cost_and_delta_f64)(ptrdiff_t rows, ptrdiff_t classes, const double* z, ptrdiff_t z_row,
                                                   ptrdiff_t z_class, const int64_t* labels, double scale,
                                                   double* costs, double* out, ptrdiff_t out_row, ptrdiff_t out_class);
} nndl_fast_api;

#define NNDL_FAST_API_NAME "nndl_fast._core.api"

#ifdef Py_PYTHON_H
static inline const nndl_fast_api* nndl_fast_import(void) {
    const nndl_fast_api* api = (const nndl_fast_api*)PyCapsule_Import(NNDL_FAST_API_NAME, 0);
    if (api && api->version < NNDL_FAST_API_VERSION) {
        PyErr_SetString(PyExc_ImportError, "nndl_fast is older than the nndl_fast.h that this module was built with");
        return NULL;
    }
    return api;
}
#endif
#endif
