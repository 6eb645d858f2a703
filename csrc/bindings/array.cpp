#include "array.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <pybind11/stl.h>

#include "../isa/dispatch.h"
#include "call.h"

namespace nndl_fast {

using py::detail::npy_api;

Extent extent_of(const py::array& array) {
    Extent e{data_of<const char>(array), data_of<const char>(array)};
    if (!array.size()) return e;
    for (int d = 0; d < array.ndim(); ++d) {
        const ptrdiff_t reach = (array.shape(d) - 1) * array.strides(d);
        (reach < 0 ? e.low : e.high) += reach;
    }
    e.high += array.itemsize();
    return e;
}

bool same_view(const py::array& a, const py::array& b) {
    return a.data() == b.data() && a.itemsize() == b.itemsize() && same_shape(a, b) &&
           std::equal(a.strides(), a.strides() + a.ndim(), b.strides());
}

bool is_usable(const py::array& array) {
    const int flags = array.flags();
    const char order = array.dtype().byteorder();
    if (!(flags & npy_api::NPY_ARRAY_ALIGNED_) || (order != '=' && order != '|')) return false;
    if (flags & npy_api::NPY_ARRAY_C_CONTIGUOUS_) return true;
    const ptrdiff_t size = array.itemsize();
    return std::none_of(array.strides(), array.strides() + array.ndim(),
                        [size](ptrdiff_t stride) { return stride % size; });
}

namespace {

// Takes the exception that is set, and throws a TypeError of which it is the cause. What is no ordinary exception,
// such as KeyboardInterrupt or MemoryError, is thrown as it is.
class Cause {
public:
    Cause() {
        if (!error_.matches(PyExc_Exception) || error_.matches(PyExc_MemoryError)) throw error_;
    }
    std::string text() const { return py::str(error_.value()); }
    [[noreturn]] void type_error(const std::string& text) {
        py::raise_from(error_, PyExc_TypeError, text.c_str());
        throw py::error_already_set();
    }

private:
    py::error_already_set error_;
};

bool overlaps_itself(const py::array& array) {
    if (array.flags() & npy_api::NPY_ARRAY_C_CONTIGUOUS_) return false;
    std::vector<std::pair<ptrdiff_t, ptrdiff_t>> dims;  // stride, size
    for (int d = 0; d < array.ndim(); ++d)
        if (array.shape(d) > 1) dims.emplace_back(std::abs(array.strides(d)), array.shape(d));
    std::sort(dims.begin(), dims.end());
    ptrdiff_t reach = array.itemsize();
    for (const auto& [stride, size] : dims) {
        if (stride < reach) return true;
        reach += stride * (size - 1);
    }
    return false;
}

bool overlap(const py::array& a, const py::array& b) {
    const Extent x = extent_of(a), y = extent_of(b);
    return x.low < y.high && y.low < x.high;
}

bool is_plain(py::handle object) { return Py_TYPE(object.ptr()) == npy_api::get().PyArray_Type_; }

bool is_masked(py::handle object) {
    if (is_plain(object)) return false;
    // looked up, not imported: NumPy loads that module late, and nothing is masked before it is there
    PyObject* const module = PyDict_GetItemString(PyImport_GetModuleDict(), "numpy.ma");
    if (!module) return false;
    // of the type alone: isinstance() would ask the object, which may answer with code of its own
    const py::object masked = py::handle(module).attr("MaskedArray");
    return PyType_IsSubtype(Py_TYPE(object.ptr()), reinterpret_cast<PyTypeObject*>(masked.ptr()));
}

// Any object as an array, which may be one that the caller holds too.
py::array converted(py::handle object, Argument argument) {
    if (is_plain(object)) return py::reinterpret_borrow<py::array>(object);
    if (py::isinstance<py::array>(object)) {
        if (is_masked(object)) throw py::type_error(argument + " is a masked array; fill or compress it first");
        return object.attr("view")(py::type::of(py::array()));
    }
    const npy_api& numpy = npy_api::get();
    PyObject* const array =
        numpy.PyArray_FromAny_(object.ptr(), nullptr, 0, 0, npy_api::NPY_ARRAY_ENSUREARRAY_, nullptr);
    if (!array) {
        Cause cause;
        cause.type_error(argument + " is no array of numbers: " + text_of(py::type::of(object)) + ", " +
                         cause.text());  // which of a tensor that requires a gradient is PyTorch's own advice
    }
    const py::array result = py::reinterpret_steal<py::array>(array);
    const bool objects = result.dtype().kind() == 'O';
    // What NumPy can only see as objects may hand over its memory in another way, or have numbers all the same.
    if (objects && py::hasattr(object, "__dlpack__")) return py::module_::import("numpy").attr("from_dlpack")(object);
    if (!objects && !py::hasattr(object, "isna")) return result;  // pandas may see missing values where NumPy has NaN
    return py::module_::import("nndl_fast._runtime._foreign").attr("as_numbers")(object, result, argument + "");
}

void require_size(const py::array& array, Argument argument) {
    if (array.size() > most_elements)
        throw py::value_error(argument + " has shape " + shape_of(array) + ", more than " +
                              std::to_string(most_elements) + " elements");
}

}  // namespace

py::array own_array(py::handle object, Argument argument) {
    if (!py::isinstance<py::array>(object))
        throw py::type_error(argument + " is no NumPy array: " + text_of(py::type::of(object)));
    if (is_masked(object)) throw py::type_error(argument + " is a masked array");
    return py::reinterpret_borrow<py::array>(object);
}

void require_writable(const py::array& array, Argument argument) {
    if (!array.writeable()) throw py::value_error(argument + " is read-only");
    if (overlaps_itself(array)) throw py::value_error(argument + " has elements that share memory");
}

bool same_shape(const py::array& a, const py::array& b) {
    return a.ndim() == b.ndim() && std::equal(a.shape(), a.shape() + a.ndim(), b.shape());
}

py::array usable(const py::array& array) {
    if (is_usable(array)) return array;
    return py::array(array.attr("astype")(array.dtype().attr("newbyteorder")("=")));
}

void refuse_shape(Argument argument, const py::array& array, const std::string& wanted) {
    throw py::value_error(argument + " has shape " + shape_of(array) + "; it must be " + wanted);
}

void require_shape(const py::array& array, const py::array& like, Argument argument, const char* whose) {
    if (!same_shape(array, like))
        refuse_shape(argument, array, std::string("that of ") + whose + ", " + shape_of(like));
}

std::string shape_of(const Shape& shape) {
    return py::str(py::tuple(py::cast(std::vector<ptrdiff_t>(shape.sizes, shape.sizes + shape.ndim))));
}

namespace {

// Of new memory, or of an array's own.
py::array new_array(const py::dtype& dtype, ptrdiff_t ndim, const ptrdiff_t* shape, const ptrdiff_t* strides = nullptr,
                    const void* data = nullptr, int flags = 0) {
    const npy_api& numpy = npy_api::get();
    PyObject* const array =
        numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, py::dtype(dtype).release().ptr(), int(ndim), shape, strides,
                                    const_cast<void*>(data), flags, nullptr);
    if (!array) throw py::error_already_set();
    return py::reinterpret_steal<py::array>(array);
}

// As float32, rounded to the neighbour whose last bit is 1 if it is not exact: what is rounded to 16 bits afterwards is
// then what the number itself would have been.
float rounded_to_odd(double x) {
    const float y = float(x);
    if (double(y) == x || !std::isfinite(y)) return y;
    uint32_t bits;
    std::memcpy(&bits, &y, sizeof bits);
    if (bits & 1) return y;
    bits += std::fabs(double(y)) > std::fabs(x) ? -1 : 1;
    float odd;
    std::memcpy(&odd, &bits, sizeof odd);
    return odd;
}

// f(element, number in C order) for an array of float32 or float64.
template <class F>
void for_each_real(const py::array& array, F f) {
    if (array.itemsize() == sizeof(float)) for_each_element<float>(array, f);
    else for_each_element<double>(array, f);
}

// Apart, since most calls cast nothing and inlined it makes them slower.
[[gnu::noinline]] py::array cast_elements(const py::array& array, const py::dtype& dtype) {
    py::array result = fresh(dtype, array.ndim(), array.shape());
    // NumPy would raise or warn of overflow and underflow if its error state, which is the caller's, says so.
    const bool real = array.dtype().num() == npy_api::NPY_FLOAT_ || array.dtype().num() == npy_api::NPY_DOUBLE_;
    if (real && dtype.num() == npy_api::NPY_FLOAT_) {
        float* const to = data_of<float>(result);
        for_each_real(usable(array), [to](double x, ptrdiff_t i) { to[i] = float(x); });
    } else if (real && is_half(result)) {
        std::vector<float> floats(size_t(array.size()));
        for_each_real(usable(array), [&floats](double x, ptrdiff_t i) { floats[size_t(i)] = rounded_to_odd(x); });
        half_kernels_of(result).narrow(floats.data(), array.size(), data_of<uint16_t>(result), 1);
    } else if (npy_api::get().PyArray_CopyInto_(result.ptr(), array.ptr())) {
        throw py::error_already_set();
    }
    return result;
}

// The caller's array for a result.
py::array checked_out(py::handle out, const Shape& shape, const py::dtype& asked, Argument argument) {
    const py::array given = own_array(out, argument);
    if (!shape.is_of(given)) refuse_shape(argument, given, shape_of(shape));
    if (!given.dtype().equal(asked))
        throw py::type_error(argument + " has dtype " + dtype_of(given) + "; it must be " + text_of(py::object(asked)));
    require_writable(given, argument);
    return given;
}

}  // namespace

py::array fresh(const py::dtype& dtype, ptrdiff_t ndim, const ptrdiff_t* shape) {
    return new_array(dtype, ndim, shape);
}

py::array cast(const py::array& array, const py::dtype& dtype) {
    return array.dtype().equal(dtype) ? array : cast_elements(array, dtype);
}

double number(py::handle value, Argument argument) {
    const double x = PyFloat_AsDouble(value.ptr());
    if (x != -1 || !PyErr_Occurred()) return x;
    if (PyErr_ExceptionMatches(PyExc_OverflowError) && PyLong_Check(value.ptr())) {  // 10**400
        PyErr_Clear();
        return value < py::int_(0) ? -HUGE_VAL : HUGE_VAL;
    }
    Cause().type_error(argument + " is " + text_of(py::repr(value)) + "; it must be a number");
}

py::int_ integer(py::handle value, Argument argument) {
    PyObject* const index = PyNumber_Index(value.ptr());
    if (!index) Cause().type_error(argument + " is " + text_of(py::repr(value)) + "; it must be an integer");
    return py::reinterpret_steal<py::int_>(index);
}

py::array own_view(const py::array& array) {
    py::array view = new_array(array.dtype(), array.ndim(), array.shape(), array.strides(), array.data(),
                               array.flags() & npy_api::NPY_ARRAY_WRITEABLE_);
    npy_api::get().PyArray_SetBaseObject_(view.ptr(), py::array(array).release().ptr());
    return view;
}

py::array to_array(py::handle object, Argument argument) {
    py::array array = converted(object, argument);
    // A view costs an eighth of the smallest call, in which nothing else runs once its arguments are converted.
    if (array.size() < elements_worth_the_gil && is_numpys(array.dtype())) return array;
    return own_view(array);
}

Floats to_floats(py::handle object, Argument argument, bool keep_half) {
    py::array array = to_array(object, argument);
    const py::dtype dtype = array.dtype();
    const char kind = dtype.kind();
    const ptrdiff_t size = dtype.itemsize();
    if (kind == 'f' && (size == 4 || size == 8) && is_numpys(dtype)) {
        require_size(array, argument);
        const py::dtype native = size == 4 ? py::dtype::of<float>() : py::dtype::of<double>();
        return {usable(array), native, size == 4};
    }
    require_real(array, argument);
    if (kind == 'i' || kind == 'u') return {cast(array, py::dtype::of<double>()), py::dtype::of<double>(), false};
    return {keep_half ? usable(array) : cast(array, py::dtype::of<float>()),
            dtype.attr("newbyteorder")("=").cast<py::dtype>(), true};
}

void require_real(const py::array& array, Argument argument) {
    const char kind = array.dtype().kind();
    require_size(array, argument);
    if (is_numpys(array.dtype()) ? (kind == 'f' && array.itemsize() <= 8) || kind == 'i' || kind == 'u'
                                 : dtype_of(array) == "bfloat16")
        return;
    throw py::type_error(argument + " has dtype " + dtype_of(array) +
                         (is_numpys(array.dtype())
                              ? "; it must be float16, bfloat16, float32, float64 or an integer type"
                              : ", which is neither NumPy's nor bfloat16: give its astype(np.float32)"));
}

HalfKernels half_kernels_of(const py::array& array) {
    return array.dtype().kind() == 'f' ? active_table().float16 : active_table().bfloat16;
}

void promote(std::initializer_list<Floats*> operands) {
    const py::dtype first = (*operands.begin())->asked;
    bool single = true, same = true;
    for (const Floats* floats : operands) {
        single = single && floats->single;
        same = same && (floats->asked.is(first) || floats->asked.equal(first));
    }
    const py::dtype computed = real_dtype(single);
    for (Floats* floats : operands) {
        if (floats->single != single) floats->array = cast(floats->array, computed);
        floats->single = single;
        if (!same) floats->asked = computed;
    }
}

py::array to_floats_like(const Floats& other, py::handle object, Argument argument) {
    const Floats floats = to_floats(object, argument);
    if (floats.single == other.single) return floats.array;
    return cast(floats.array, real_dtype(other.single));
}

py::array to_targets(const Floats& other, const py::array& y, Argument argument) {
    if (y.dtype().kind() != 'b') return to_floats_like(other, y, argument);
    return cast(y, real_dtype(other.single));
}

int normal_axis(py::handle axis, int ndim, Argument argument) {
    const py::int_ index = integer(axis, argument);
    long value = PyLong_AsLong(index.ptr());
    if (value == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        value = std::max(ndim, 1);  // far outside
    }
    const int dims = std::max(ndim, 1);  // a scalar is taken as one class
    if (value < -dims || value >= dims) {
        const std::string text =
            argument + " is " + text_of(index) + ", outside the " + std::to_string(ndim) + " dimensions of the array";
        const py::object type = py::module_::import("numpy.exceptions").attr("AxisError");
        PyErr_SetObject(type.ptr(), py::str(text).ptr());
        throw py::error_already_set();
    }
    return int(value < 0 ? value + dims : value);
}

int class_axis(py::handle axis, const py::array& array, Argument argument) {
    if (!array.ndim()) throw py::value_error(argument + " has no class axis: it is a scalar");
    return normal_axis(axis, int(array.ndim()), {argument.function, "axis"});
}

py::object plain_axis(py::handle axis, Argument argument) {
    if (PyLong_CheckExact(axis.ptr()) || axis.is_none()) return py::reinterpret_borrow<py::object>(axis);
    if (!PyTuple_Check(axis.ptr())) return integer(axis, argument);
    py::list axes;
    for (py::handle one : py::reinterpret_borrow<py::tuple>(axis)) axes.append(integer(one, argument));
    return py::tuple(axes);
}

JoinedAxes joined_axes(py::handle axis, int ndim, Argument argument) {
    JoinedAxes result;
    if (axis.is_none()) {
        result.joined = true;
        for (int d = 0; d < ndim; ++d) result.axes.push_back(d);
    } else if (PyTuple_Check(axis.ptr())) {
        result.joined = true;
        for (py::handle one : py::reinterpret_borrow<py::tuple>(axis))
            result.axes.push_back(normal_axis(one, ndim, argument));
        std::sort(result.axes.begin(), result.axes.end());
        if (std::adjacent_find(result.axes.begin(), result.axes.end()) != result.axes.end())
            throw py::value_error(argument + " names an axis twice");
    }
    return result;
}

Result::Result(py::handle out, const Shape& shape, const py::dtype& computed, const py::dtype& asked,
               std::initializer_list<const py::array*> inputs, Argument argument)
    : array_(out.is_none() ? fresh(computed, shape.ndim, shape.sizes) : checked_out(out, shape, asked, argument)),
      asked_(asked) {
    if (out.is_none()) return;
    out_ = array_;
    copy_back_ = !array_.dtype().equal(computed) || !is_usable(array_);
    for (const py::array* input : inputs)
        if (input && overlap(array_, *input)) copy_back_ |= input != *inputs.begin() || !same_view(array_, *input);
    if (copy_back_) array_ = fresh(computed, shape.ndim, shape.sizes);
}

Result::Result(py::handle out, const Floats& like, std::initializer_list<const py::array*> inputs, Argument argument)
    : Result(out, Shape(like.array), is_half(like.array) ? like.asked : real_dtype(like.single), like.asked, inputs,
             argument) {}

py::object Result::finish() {
    if (copy_back_) {
        py::module_::import("numpy").attr("copyto")(out_, cast(array_, asked_));
        return out_;
    }
    if (out_) return out_;
    array_ = cast(array_, asked_);
    return array_.ndim() ? py::object(array_) : py::object(array_[py::tuple()]);
}

py::object scalar_of(double value, const py::dtype& dtype) {
    float narrow = float(value);
    void* const data = dtype.num() == npy_api::NPY_DOUBLE_  ? static_cast<void*>(&value)
                       : dtype.num() == npy_api::NPY_FLOAT_ ? &narrow
                                                            : nullptr;
    if (!data) return cast(py::array(py::dtype::of<double>(), std::vector<ptrdiff_t>{}, &value), dtype)[py::tuple()];
    PyObject* const scalar = npy_api::get().PyArray_Scalar_(data, dtype.ptr(), nullptr);
    if (!scalar) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(scalar);
}

}  // namespace nndl_fast
