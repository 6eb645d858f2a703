// NumPy arrays in and out, and the checks that functions share.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <optional>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <string>
#include <vector>

#include "../batch/batch.h"
#include "../kernels/kernels.h"

namespace nndl_fast {

namespace py = pybind11;

// "softmax: z" and so on: whose argument, and which, for the messages.
struct Argument {
    const char* function;
    const char* name;
    std::string operator+(const std::string& text) const { return std::string(function) + ": " + name + text; }
};

// A shape that costs nothing to make, for what is no array yet.
struct Shape {
    int ndim = 0;
    ptrdiff_t sizes[max_dims];

    Shape() = default;
    Shape(std::initializer_list<ptrdiff_t> all) {
        for (ptrdiff_t size : all) append(size);
    }
    explicit Shape(const py::array& array, int without = -1) {
        for (int d = 0; d < int(array.ndim()); ++d)
            if (d != without) append(array.shape(d));
    }
    void append(ptrdiff_t size) { sizes[ndim++] = size; }
    bool is_of(const py::array& array) const {
        return array.ndim() == ndim && std::equal(sizes, sizes + ndim, array.shape());
    }
};

inline std::string text_of(py::handle object) { return py::str(object); }
inline std::string text_of(double x) { return py::str(py::float_(x)); }
std::string shape_of(const Shape& shape);
inline std::string shape_of(const py::array& array) { return py::str(array.attr("shape")); }
inline std::string dtype_of(const py::array& array) { return py::str(py::object(array.dtype())); }

// The elements of an array, and the stride of a dimension in elements; of no array null, and 0.
template <class T>
T* data_of(const py::array& array) {
    return static_cast<T*>(const_cast<void*>(array.data()));
}
template <class T>
T* data_of(const py::array* array) {
    return array ? data_of<T>(*array) : nullptr;
}
inline ptrdiff_t stride(const py::array& array, int d) { return array.strides(d) / array.itemsize(); }
inline ptrdiff_t stride(const py::array* array, int d) { return array ? stride(*array, d) : 0; }

// An argument as an aligned array of the machine's byte order, of float32 or float64, or of a 16-bit type
// if that is kept.
struct Floats {
    py::array array;
    // The dtype of the result: the caller's own in native byte order, float64 for integers; differs from array's if a
    // 16-bit type is not kept.
    py::dtype asked;
    bool single;  // computed in float32
};

inline py::dtype real_dtype(bool single) { return single ? py::dtype::of<float>() : py::dtype::of<double>(); }

// f(float()) or f(double()), by what is computed in.
template <class F>
auto with_type(const Floats& floats, F f) {
    return floats.single ? f(float()) : f(double());
}

// Whether the type is one of NumPy's own. Those that other packages add have letters and sizes of their own choice:
// ml_dtypes.float8_e5m2 calls itself 'f'.
inline bool is_numpys(const py::dtype& dtype) {
    constexpr int first_of_others = 256;  // NPY_USERDEF
    return dtype.num() >= 0 && dtype.num() < first_of_others;
}
// Any object as an array; masked arrays are refused, other subclasses are read as plain arrays. That may run code of
// the object, which may change the shape or the type of other arguments: a function converts all its arguments before
// it looks at any of them.
py::array to_array(py::handle object, Argument argument);
inline py::object to_array_or_none(py::handle object, Argument argument) {
    return object.is_none() ? py::object(py::none()) : py::object(to_array(object, argument));
}
// The same array, of which nobody else can set the shape or the type.
py::array own_view(const py::array& array);
Floats to_floats(py::handle object, Argument argument, bool keep_half = false);
// Whether the elements are of a 16-bit type, and how its elements are converted.
inline bool is_half(const py::array& array) { return array.itemsize() == 2; }
HalfKernels half_kernels_of(const py::array& array);
// Raises TypeError if the array's type is none that to_floats() takes.
void require_real(const py::array& array, Argument argument);
// Brings operands to one type: float32 if all of them are computed in it, else float64. Results have the type that all
// operands have, or else that one.
void promote(std::initializer_list<Floats*> operands);
// The object as an array of floats of the type that another argument has.
py::array to_floats_like(const Floats& other, py::handle object, Argument argument);
// The same of targets, which may be booleans, too.
py::array to_targets(const Floats& other, const py::array& y, Argument argument);
// A new array in C order; what it holds is undefined.
py::array fresh(const py::dtype& dtype, ptrdiff_t ndim, const ptrdiff_t* shape);
// A new array of that type, or the array itself if it has it already.
py::array cast(const py::array& array, const py::dtype& dtype);
// The array itself if it is aligned, of the machine's byte order, and has strides of whole
// elements, else a copy that is so.
py::array usable(const py::array& array);
bool is_usable(const py::array& array);
// The object, which must be an array already, since it is written to. Masks are refused.
py::array own_array(py::handle object, Argument argument);
// Raises ValueError if the array is read-only or some of its elements share memory.
void require_writable(const py::array& array, Argument argument);
// Where an array's elements lie: [low, high) in bytes.
struct Extent {
    const char *low, *high;
};
Extent extent_of(const py::array& array);
bool same_view(const py::array& a, const py::array& b);
bool same_shape(const py::array& a, const py::array& b);
// Raises ValueError, which says what shape the array may have.
[[noreturn]] void refuse_shape(Argument argument, const py::array& array, const std::string& wanted);
// The same, naming both, if the shapes differ.
void require_shape(const py::array& array, const py::array& like, Argument argument, const char* whose);

constexpr int contiguous_flags = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;

// The array as contiguous elements of T in C order: itself if it has them.
template <class T>
py::array contiguous(const py::array& array) {
    if ((array.flags() & contiguous_flags) == contiguous_flags && array.dtype().is(py::dtype::of<T>())) return array;
    return py::array_t<T, py::array::c_style | py::array::forcecast>(array);
}

// Options that are given by name.
template <class T>
using Name = std::pair<const char*, T>;

// The value that has the name; `argument` says whose name it is, for the message.
template <class T, size_t n>
T named(py::handle name, const Name<T> (&names)[n], const std::string& argument) {
    for (const auto& [text, value] : names)
        if (PyUnicode_Check(name.ptr()) && !PyUnicode_CompareWithASCIIString(name.ptr(), text)) return value;
    std::string known;
    for (const auto& [text, value] : names) known += (known.empty() ? "'" : ", '") + std::string(text) + "'";
    throw py::value_error(argument + " is " + text_of(py::repr(name)) + "; it must be one of " + known);
}

// Any number as a double, and any integer as an int.
double number(py::handle value, Argument argument);
py::int_ integer(py::handle value, Argument argument);
// The axis, or the tuple of axes, as integers that have no code of their own. None is kept.
py::object plain_axis(py::handle axis, Argument argument);
// The axis as a number from 0 to ndim - 1.
int normal_axis(py::handle axis, int ndim, Argument argument);
// The same of an array that must have one: `argument` is that array.
int class_axis(py::handle axis, const py::array& array, Argument argument);

// The axes that are taken as one, in order: a tuple's, or all of them if `axis` is None.
struct JoinedAxes {
    bool joined = false;  // not if `axis` is a single one
    std::vector<int> axes;
};
JoinedAxes joined_axes(py::handle axis, int ndim, Argument argument);

// What a call writes to: the caller's array if that is possible, else one of our own, which
// finish() converts or copies.
class Result {
public:
    // `out` may be None. Throws before anything is written if it does not fit. The inputs, of
    // which some may be null, begin with the one that `out` may be the same as.
    Result(py::handle out, const Floats& like, std::initializer_list<const py::array*> inputs, Argument argument);
    // The same for a result of that shape, which is computed as one type and returned as another.
    Result(py::handle out, const Shape& shape, const py::dtype& computed, const py::dtype& asked,
           std::initializer_list<const py::array*> inputs, Argument argument);
    py::array& array() { return array_; }
    py::object finish();  // a scalar if the array has no dimensions

private:
    py::array array_;
    py::object out_;
    py::dtype asked_;
    bool copy_back_ = false;
};

// Null if there is none.
inline const py::array* address(const std::optional<py::array>& array) { return array ? &*array : nullptr; }

// The value as a NumPy scalar.
py::object scalar_of(double value, const py::dtype& dtype);

// z, y and out (any but z may be null) seen as (outer, classes, inner): the batch, and the strides
// of the class axis into the job. Strides are in elements of each array's own size.
template <class E>
Batch view(Job<E>& job, int axis, const py::array& z, const py::array* y, py::array* out) {
    Batch batch;
    for (int d = 0; d < int(z.ndim()); ++d)
        if (d != axis) batch.append(z.shape(d), stride(z, d), stride(y, d), stride(out, d));
    job.classes = z.ndim() ? z.shape(axis) : 1;
    const auto cls = [&](const py::array* x) { return !x ? 0 : x->ndim() ? stride(x, axis) : 1; };
    job.y = {data_of<const E>(y), 0, cls(y)};
    job.z.cls = cls(&z);
    if (is_half(z)) {
        job.half = {
            half_kernels_of(z), {data_of<const uint16_t>(z), 0, cls(&z)}, {data_of<uint16_t>(out), 0, cls(out)}};
        return batch;
    }
    job.z.data = data_of<const E>(z);
    job.out = {data_of<E>(out), 0, cls(out)};
    return batch;
}

// For loops that keep the GIL: every so many elements Python handles its signals.
class SignalCheck {
public:
    void passed(ptrdiff_t elements) {
        if ((since_ += elements) < ptrdiff_t(1) << 25) return;
        since_ = 0;
        if (PyErr_CheckSignals()) throw py::error_already_set();
    }

private:
    ptrdiff_t since_ = 0;
};

// f(pointer, number in C order) for each place, whatever the strides, without a copy: each element,
// or with `axis` left out the first of each row along it.
template <class E, class F>
void for_each_place(const py::array& array, int axis, F f) {
    int dims[max_dims], n = 0;
    ptrdiff_t index[max_dims], places = 1;
    for (int d = 0; d < int(array.ndim()); ++d)
        if (d != axis) {
            index[n] = 0;
            dims[n++] = d;
            places *= array.shape(d);
        }
    const char* at = static_cast<const char*>(array.data());
    const ptrdiff_t elements = axis < 0 ? 1 : array.shape(axis);
    SignalCheck signals;
    for (ptrdiff_t i = 0; i < places; ++i) {
        signals.passed(elements);
        f(reinterpret_cast<const E*>(at), i);
        for (int k = n; k-- > 0;) {
            at += array.strides(dims[k]);
            if (++index[k] < array.shape(dims[k])) break;
            at -= array.strides(dims[k]) * array.shape(dims[k]);
            index[k] = 0;
        }
    }
}
template <class E, class F>
void for_each_element(const py::array& array, F f) {
    for_each_place<E>(array, -1, [&](const E* at, ptrdiff_t i) { f(*at, i); });
}

}  // namespace nndl_fast
