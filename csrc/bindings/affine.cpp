// Affine layers of arrays: matrices in, of any strides, and products of them out.
#include <algorithm>
#include <optional>
#include <pybind11/numpy.h>

#include "../network/layers.h"
#include "array.h"
#include "call.h"

namespace nndl_fast {
namespace {

std::optional<Activation> activation_or_none(py::handle name, const char* function) {
    if (name.is_none()) return std::nullopt;
    return named(name, activation_names, std::string(function) + ": activation");
}

// Whether examples stand in columns.
bool in_columns(py::handle axis, const char* function) {
    const py::int_ index = integer(axis, {function, "axis"});
    const bool columns = index.equal(py::int_(0));
    if (!columns && !index.equal(py::int_(-1)))
        throw py::value_error(std::string(function) + ": axis is " + text_of(index) +
                              "; it must be -1 (examples in rows) or 0 (examples in columns)");
    return columns;
}

// Rows and columns of an array of one or two dimensions; one dimension is a row, or a column.
template <class T>
Matrix<T> matrix(const py::array& array, bool column) {
    T* const data = data_of<T>(array);
    const ptrdiff_t n = array.shape(0);
    if (array.ndim() == 2) return {data, n, array.shape(1), stride(array, 0), stride(array, 1)};
    if (column) return {data, n, 1, stride(array, 0), 1};
    return {data, 1, n, n, stride(array, 0)};
}

// An array of more dimensions than two as one of two: all but the last are examples.
py::array in_two(const py::array& array) {
    if (array.ndim() <= 2) return array;
    const ptrdiff_t last = array.shape(array.ndim() - 1);
    const std::vector<ptrdiff_t> shape{last ? array.size() / last : 0, last};
    return array.attr("reshape")(shape).cast<py::array>();
}

void require_moderate(const char* function, const Shape& shape) {
    double elements = 1;
    for (int d = 0; d < shape.ndim; ++d) elements *= double(shape.sizes[d]);
    if (elements > double(most_elements))
        throw py::value_error(std::string(function) + ": the result would have shape " + shape_of(shape));
}

// The shape of a layer's output, whose inputs and weights fit.
Shape shape_of_output(const char* function, const py::array& x, const py::array& w, bool columns) {
    if (w.ndim() != 2) refuse_shape({function, "w"}, w, columns ? "(neurons, inputs)" : "(inputs, neurons)");
    const int ndim = int(x.ndim()), along = columns ? 0 : ndim - 1;
    if (!ndim || (columns && ndim > 2) || x.shape(along) != w.shape(columns))
        refuse_shape(
            {function, "x"}, x,
            std::string(columns ? "(inputs, n) or (inputs,)" : "(..., inputs)") + ", for w of shape " + shape_of(w));
    Shape shape(x);
    shape.sizes[along] = w.shape(!columns);
    require_moderate(function, shape);
    return shape;
}

template <class E>
void run(const Multiplication<E>& job) {
    const ptrdiff_t most = std::max(
        {job.out.rows * job.out.columns, job.left.rows * job.left.columns, job.right.rows * job.right.columns});
    const ReleaseGil released(most);
    multiply(job);
}

// A result that is computed in one piece; the caller's array may be none.
class Whole {
public:
    Whole(py::handle out, const Shape& shape, const Floats& like, std::initializer_list<const py::array*> inputs,
          const char* function)
        : result_(out, shape, real_dtype(like.single), like.asked, inputs, {function, "out"}), array_(result_.array()) {
        if (array_.ndim() > 2 && !(array_.flags() & py::array::c_style))
            array_ = fresh(array_.dtype(), shape.ndim, shape.sizes);
    }
    py::array& array() { return array_; }
    template <class E>
    Matrix<E> matrix(bool column) {
        return nndl_fast::matrix<E>(in_two(array_), column);
    }
    py::object finish() {
        if (!array_.is(result_.array())) py::module_::import("numpy").attr("copyto")(result_.array(), array_);
        return result_.finish();
    }

private:
    Result result_;
    py::array array_;
};

py::object affine(py::handle x, py::handle w, py::handle b, py::handle axis, py::handle activation, py::handle out) {
    const char* const function = "affine";
    const bool columns = in_columns(axis, function);
    const std::optional<Activation> then = activation_or_none(activation, function);
    const py::array given_x = to_array(x, {function, "x"}), given_w = to_array(w, {function, "w"});
    std::optional<py::array> given_b;
    if (!b.is_none()) given_b = to_array(b, {function, "b"});
    Floats inputs = to_floats(given_x, {function, "x"}), weights = to_floats(given_w, {function, "w"});
    std::optional<Floats> biases;
    if (given_b) biases = to_floats(*given_b, {function, "b"});
    if (biases) promote({&inputs, &weights, &*biases});
    else promote({&inputs, &weights});

    const Shape shape = shape_of_output(function, inputs.array, weights.array, columns);
    const ptrdiff_t neurons = weights.array.shape(!columns);

    // One bias per neuron, or what each sum begins with.
    bool each = false;
    if (biases) {
        const py::array& given = biases->array;
        const bool one_each =
            Shape{neurons}.is_of(given) || (columns ? Shape{neurons, 1} : Shape{1, neurons}).is_of(given);
        each = !one_each && shape.is_of(given);
        if (!one_each && !each)
            refuse_shape({function, "b"}, given,
                         shape_of(Shape{neurons}) + ", " + shape_of(columns ? Shape{neurons, 1} : Shape{1, neurons}) +
                             " or that of the result, " + shape_of(shape));
    }
    const py::array* const starts = each ? &biases->array : nullptr;
    Whole result(out, shape, inputs, {starts, &inputs.array, &weights.array, biases ? &biases->array : nullptr},
                 function);
    if (each && !(result.array().data() == starts->data()))
        py::module_::import("numpy").attr("copyto")(result.array(), *starts);
    const py::array rows = in_two(inputs.array);
    with_type(inputs, [&](auto zero) {
        using E = decltype(zero);
        const py::array of_neurons = biases && !each ? contiguous<E>(biases->array) : py::array();
        const E* const b_data = biases && !each ? data_of<const E>(of_neurons) : nullptr;
        Multiplication<E> job;
        job.out = result.matrix<E>(columns);
        job.left = columns ? matrix<const E>(weights.array, false) : matrix<const E>(rows, false);
        job.right = columns ? matrix<const E>(rows, true) : matrix<const E>(weights.array, false);
        (columns ? job.of_rows : job.of_columns) = b_data;
        job.adds = each;
        if (then) job.then = activation_of<E>(*then);
        run(job);
    });
    return result.finish();
}

py::object affine_backward(py::handle delta, py::handle x, py::handle w, py::handle axis, py::handle activation,
                           py::handle a, py::handle handed_down) {
    const char* const function = "affine_backward";
    const bool columns = in_columns(axis, function);
    const std::optional<Activation> before = activation_or_none(activation, function);
    const int wanted = PyObject_IsTrue(handed_down.ptr());
    if (wanted < 0) throw py::error_already_set();
    const py::array given_delta = to_array(delta, {function, "delta"}), given_x = to_array(x, {function, "x"}),
                    given_w = to_array(w, {function, "w"});
    std::optional<py::array> given_a;
    if (!a.is_none()) given_a = to_array(a, {function, "a"});
    Floats errors = to_floats(given_delta, {function, "delta"}), inputs = to_floats(given_x, {function, "x"}),
           weights = to_floats(given_w, {function, "w"});
    Floats activations = given_a ? to_floats(*given_a, {function, "a"}) : inputs;
    promote({&inputs, &errors, &weights, &activations});

    const Shape of_errors = shape_of_output(function, inputs.array, weights.array, columns);
    const ptrdiff_t neurons = weights.array.shape(!columns);
    if (!of_errors.is_of(errors.array))
        refuse_shape({function, "delta"}, errors.array,
                     shape_of(of_errors) + ", for x of shape " + shape_of(inputs.array) + " and w of shape " +
                         shape_of(weights.array));
    require_shape(activations.array, inputs.array, {function, "a"}, "x");
    if (given_a && !before)
        throw py::value_error(
            "affine_backward: a is given, and activation is None: which activation it is must be said");

    const py::array rows = in_two(inputs.array), deltas = in_two(errors.array), as = in_two(activations.array);
    const py::dtype type = real_dtype(inputs.single);
    // The gradient of w stands in memory as w does: an optimizer goes through both.
    const bool turned = (given_w.flags() & py::array::f_style) && !(given_w.flags() & py::array::c_style);
    Shape of_w(weights.array), of_b{neurons}, of_x(inputs.array);
    if (turned) std::swap(of_w.sizes[0], of_w.sizes[1]);
    if (columns && inputs.array.ndim() == 2) of_b.append(1);
    py::array nabla_w = fresh(type, 2, of_w.sizes), nabla_b = fresh(type, of_b.ndim, of_b.sizes);
    std::optional<py::array> below;
    if (wanted) below = fresh(type, of_x.ndim, of_x.sizes);
    with_type(inputs, [&](auto zero) {
        using E = decltype(zero);
        const Matrix<const E> error = matrix<const E>(deltas, columns), input = matrix<const E>(rows, columns),
                              weight = matrix<const E>(weights.array, false);
        const E one = 1;
        const ptrdiff_t examples = columns ? error.columns : error.rows;
        const Matrix<const E> ones{&one, 1, examples, 0, 0};
        Multiplication<E> of_weights, of_biases, of_inputs;
        of_weights.out = matrix<E>(nabla_w, false);
        if (turned) of_weights.out = of_weights.out.transposed();
        of_weights.left = columns ? error : input.transposed();
        of_weights.right = columns ? input.transposed() : error;
        of_biases.out = {data_of<E>(nabla_b), 1, neurons, neurons, 1};
        of_biases.left = ones;
        of_biases.right = columns ? error.transposed() : error;
        run(of_weights);
        run(of_biases);
        if (!below) return;
        of_inputs.out = matrix<E>(in_two(*below), columns);
        of_inputs.left = columns ? weight.transposed() : error;
        of_inputs.right = columns ? error : weight.transposed();
        if (before) {
            of_inputs.then = times_derivative_of<E>(*before);
            of_inputs.activations = matrix<const E>(as, columns);
        }
        run(of_inputs);
    });
    const auto as_asked = [&](const py::array& array) { return cast(array, inputs.asked); };
    py::object last = py::none();
    if (below) last = as_asked(*below);
    const py::array of_weights = as_asked(nabla_w);
    return py::make_tuple(turned ? py::array(of_weights.attr("T")) : of_weights, as_asked(nabla_b), last);
}

py::object matmul(py::handle a, py::handle b, py::handle out) {
    const char* const function = "matmul";
    const py::array given_a = to_array(a, {function, "a"}), given_b = to_array(b, {function, "b"});
    Floats left = to_floats(given_a, {function, "a"}), right = to_floats(given_b, {function, "b"});
    promote({&left, &right});
    for (const auto& [floats, name] : {std::pair(&left, "a"), std::pair(&right, "b")})
        if (floats->array.ndim() != 1 && floats->array.ndim() != 2)
            refuse_shape({function, name}, floats->array, "of one dimension or two");
    const bool vector_a = left.array.ndim() == 1, vector_b = right.array.ndim() == 1;
    const ptrdiff_t depth = left.array.shape(!vector_a);
    if (right.array.shape(0) != depth)
        refuse_shape(
            {function, "b"}, right.array,
            "(" + std::to_string(depth) + (vector_b ? ",)" : ", ...)") + ", for a of shape " + shape_of(left.array));
    Shape shape;
    if (!vector_a) shape.append(left.array.shape(0));
    if (!vector_b) shape.append(right.array.shape(1));
    require_moderate(function, shape);
    Whole result(out, shape, left, {nullptr, &left.array, &right.array}, function);
    with_type(left, [&](auto zero) {
        using E = decltype(zero);
        Multiplication<E> job;
        job.left = matrix<const E>(left.array, false);
        job.right = matrix<const E>(right.array, true);
        if (shape.ndim) job.out = result.matrix<E>(vector_b);
        else job.out = {data_of<E>(result.array()), 1, 1, 1, 1};
        run(job);
    });
    return result.finish();
}

}  // namespace

void add_affine(py::module_& module) {
    static PyMethodDef table[] = {
        direct<affine>("affine"), direct<affine_backward>("affine_backward"), direct<matmul>("matmul"), {}};
    add(module, table);
}

}  // namespace nndl_fast
