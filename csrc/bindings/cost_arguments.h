// Reductions, and the targets and weights of the log-likelihood cost. All are checked here before anything is written.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <type_traits>

#include "array.h"

namespace nndl_fast {

// How the costs of the examples become one.
enum class Reduction { mean, sum, none };

inline Reduction reduction_named(py::handle name, const char* function) {
    const bool text = PyUnicode_Check(name.ptr());
    const auto is = [&](const char* known) { return text && !PyUnicode_CompareWithASCIIString(name.ptr(), known); };
    if (is("mean")) return Reduction::mean;
    if (is("sum")) return Reduction::sum;
    if (is("none")) return Reduction::none;
    const std::string message =
        std::string(function) + ": reduction is " + text_of(py::repr(name)) + "; it must be 'mean', 'sum' or 'none'";
    if (text) throw py::value_error(message);
    throw py::type_error(message);
}

// What the mean multiplies the error by. If nothing counts, the mean is NaN, but there is no error.
inline double share_of_mean(double divisor) { return divisor == 0 ? 0 : 1 / divisor; }

// What a call returns: the cost, of one dtype; the error; or both. `costs`: one per example, for reduction 'none'.
// `total`: their reduction, or the one cost if there are no dimensions.
inline py::object answer(bool want_cost, const std::optional<py::array>& costs, double total,
                         std::optional<Result>& delta, const py::dtype& dtype) {
    py::object cost;
    if (want_cost) cost = costs && costs->ndim() ? py::object(cast(*costs, dtype)) : scalar_of(total, dtype);
    if (!delta) return cost;
    py::object error = delta->finish();
    return want_cost ? py::object(py::make_tuple(cost, error)) : error;
}

// A sum that keeps what rounding takes from it (Neumaier).
class Total {
public:
    void add(double x) {
        const double next = sum_ + x;
        lost_ += std::fabs(sum_) >= std::fabs(x) ? (sum_ - next) + x : (x - next) + sum_;
        sum_ = next;
    }
    // Of an infinite sum nothing finite is lost, and what was computed of it is NaN.
    double value() const { return std::isfinite(sum_) ? sum_ + lost_ : sum_; }

private:
    double sum_ = 0, lost_ = 0;
};

// Whether the error's scale can be the inverse of this sum of weights, as a number of that type.
template <class E>
bool is_moderate(double divisor) {
    constexpr double most = std::is_same_v<E, float> ? 0x1p100 : 0x1p1000;
    return divisor == 0 || (divisor >= 1 / most && divisor <= most);
}
template <class E>
E largest_of(const py::array& weights) {
    E largest = 0;
    for_each_element<E>(weights, [&](E w, ptrdiff_t) { largest = std::max(largest, w); });
    return largest;
}
// Weights times a power of 2 that brings the largest that counts near 1: if all are multiplied, the mean is the same.
template <class E>
py::array brought_near_one(const py::array& weights, E largest) {
    const int power = largest > 0 ? std::ilogb(largest) : 0;
    py::array result = fresh(py::dtype::of<E>(), weights.ndim(), weights.shape());
    E* const to = data_of<E>(result);
    for_each_element<E>(
        weights, [&](E w, ptrdiff_t i) { to[i] = std::min(std::scalbn(w, -power), std::numeric_limits<E>::max()); });
    return result;
}

inline void check_weight(Argument argument, double weight, const char* what, ptrdiff_t index) {
    if (!(weight >= 0 && std::isfinite(weight)))
        throw py::value_error(argument + " is " + text_of(weight) + " at " + what + std::to_string(index) +
                              "; weights must be finite and not negative");
}

// The indices of a batch's element as Python writes them, for messages.
inline std::string place(ptrdiff_t row, const Shape& shape) {
    if (shape.ndim == 1) return "row " + std::to_string(row);
    std::string text;
    for (int d = shape.ndim; d-- > 0; row /= shape.sizes[d])
        text = std::to_string(row % shape.sizes[d]) + (text.empty() ? "" : ", ") + text;
    return "(" + text + ")";
}

// The options of a call beside z, y and out.
struct CostOptions {
    const char* function;
    Reduction reduction;
    py::object sample_weight, class_weight;  // arrays or None
    std::optional<int64_t> ignore_index;
    std::optional<uint64_t> large_ignore_index;  // one that only unsigned labels can have
    double smoothing;
};

inline CostOptions cost_options(const char* function, py::handle reduction, py::handle sample_weight,
                                py::handle class_weight, py::handle ignore_index, py::handle smoothing) {
    const double s = number(smoothing, {function, "label_smoothing"});
    if (!(s >= 0 && s <= 1))
        throw py::value_error(std::string(function) + ": label_smoothing is " + text_of(s) +
                              "; it must be from 0 to 1");
    CostOptions options{function,
                        reduction_named(reduction, function),
                        to_array_or_none(sample_weight, {function, "sample_weight"}),
                        to_array_or_none(class_weight, {function, "class_weight"}),
                        std::nullopt,
                        std::nullopt,
                        s};
    if (!ignore_index.is_none()) {
        const py::int_ index = integer(ignore_index, {function, "ignore_index"});
        int overflow = 0;
        const long long value = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
        if (!overflow) options.ignore_index = value;
        if (overflow > 0) {
            const unsigned long long large = PyLong_AsUnsignedLongLong(index.ptr());
            if (!PyErr_Occurred()) options.large_ignore_index = large;
            PyErr_Clear();  // no label is larger
        }
    }
    return options;
}

// Targets and weights, of one floating-point type.
template <class E>
class CostArguments {
public:
    CostArguments(const CostOptions& options, const Floats& z, int axis, const py::array& y)
        : options_(options), z_(z), axis_(axis), rows_shape_(z.array, axis) {
        if (!z.array.shape(axis))
            throw py::value_error(std::string(options.function) + ": z has no classes: its shape is " +
                                  shape_of(z.array));
        take_weights();
        take_targets(y);
        check_targets_and_sum_weights();
        // A mean divides by the sum of weights. If the inverse of that is near the limits of the type, all weights are
        // scaled by powers of two, which the quotient does not show.
        if (options.reduction != Reduction::mean || is_moderate<E>(divisor_)) return;
        if (class_weight_) use_class_weight(brought_near_one<E>(*class_weight_, largest_class_weight()));
        if (sample_weight_)
            use_sample_weight(brought_near_one<double>(*sample_weight_, largest_of<double>(*sample_weight_)));
        if (targets_ && class_weight_) targets_ = brought_near_one<E>(*targets_, largest_of<E>(*targets_));
        check_targets_and_sum_weights();
    }

    // What a kernel is asked to do, but for z, the result and targets of z's shape.
    Job<E> job() const {
        Job<E> job = job_;
        if (options_.reduction == Reduction::mean) job.scale = share_of_mean(divisor_);
        return job;
    }
    // Of the examples: what is not the class axis.
    const Shape& shape() const { return rows_shape_; }
    bool one_each() const { return options_.reduction == Reduction::none; }
    // The cost of all examples, whose costs have that sum.
    double of_sum(double sum) const { return options_.reduction == Reduction::mean ? sum / divisor_ : sum; }

    // Null if there are none.
    const py::array* targets() const { return address(targets_); }
    const py::array* labels() const { return address(labels_); }
    const py::array* class_weight() const { return address(class_weight_); }
    const py::array* sample_weight() const { return address(sample_weight_); }

private:
    [[noreturn]] void refuse(const std::string& text) const {
        throw py::value_error(std::string(options_.function) + ": " + text);
    }

    void take_weights() {
        const ptrdiff_t classes = z_.array.shape(axis_);
        job_.smoothing = options_.smoothing;
        job_.class_weight_sum = double(classes);
        if (!options_.class_weight.is_none()) {
            const Argument argument{options_.function, "class_weight"};
            const py::array given = to_floats_like(z_, options_.class_weight, argument);
            if (given.ndim() != 1 || given.shape(0) != classes)
                refuse_shape(argument, given, "(" + std::to_string(classes) + ",)");
            use_class_weight(contiguous<E>(given));
            for (ptrdiff_t k = 0; k < classes; ++k) check_weight(argument, double(job_.class_weight[k]), "class ", k);
        }
        if (!options_.sample_weight.is_none()) {
            const Argument argument{options_.function, "sample_weight"};
            const Floats given = to_floats(options_.sample_weight, argument);
            if (!rows_shape_.is_of(given.array)) refuse_shape(argument, given.array, shape_of(rows_shape_));
            use_sample_weight(contiguous<double>(given.array));
            for (ptrdiff_t i = 0; i < sample_weight_->size(); ++i)
                check_weight(argument, job_.sample_weight[i], "example ", i);
        }
    }

    void use_class_weight(const py::array& weights) {
        class_weight_ = weights;
        job_.class_weight = data_of<const E>(*class_weight_);
        job_.class_weight_sum = std::accumulate(job_.class_weight, job_.class_weight + weights.size(), 0.0);
    }
    // The largest weight of a class that counts: of any class if there are targets, else of those with a label.
    E largest_class_weight() const {
        if (targets_ || job_.smoothing > 0) return largest_of<E>(*class_weight_);
        E largest = 0;
        for (ptrdiff_t i = 0; i < labels_->size(); ++i)
            if (const int64_t label = job_.labels[i]; is_class(label))
                largest = std::max(largest, job_.class_weight[label]);
        return largest;
    }
    void use_sample_weight(const py::array& weights) {
        sample_weight_ = weights;
        job_.sample_weight = data_of<const double>(*sample_weight_);
    }

    void take_targets(const py::array& y) {
        const Argument argument{options_.function, "y"};
        if (rows_shape_.is_of(y)) {
            const char kind = y.dtype().kind();
            if (kind != 'i' && kind != 'u' && y.size())  // an empty list has no type of its own
                throw py::type_error(argument + " has dtype " + dtype_of(y) + "; labels must be integers" +
                                     (is_numpys(y.dtype()) ? "" : " of NumPy's: give its astype(np.int64)"));
            take_labels(usable(y));
        } else if (same_shape(y, z_.array)) {
            take_full_targets(to_targets(z_, y, argument));
        } else {
            refuse("y has shape " + shape_of(y) + "; for z of shape " + shape_of(z_.array) + " it must be " +
                   shape_of(rows_shape_) + " (labels) or " + shape_of(z_.array) + " (targets)" + advice(y));
        }
    }

    // For the commonest reasons why y does not fit.
    std::string advice(const py::array& y) const {
        const int rows = rows_shape_.ndim, last = int(y.ndim()) - 1;
        if (last == rows && y.shape(last) == 1 && std::equal(y.shape(), y.shape() + rows, rows_shape_.sizes))
            return ". Give y[..., 0] for labels in a column";
        if (last == z_.array.ndim() && (std::equal(y.shape(), y.shape() + last, z_.array.shape()) ||
                                        std::equal(y.shape() + 1, y.shape() + last + 1, z_.array.shape())))
            return ". Are z and y exchanged?";
        return "";
    }

    void take_labels(const py::array& y) {
        const ptrdiff_t classes = z_.array.shape(axis_);
        std::optional<int64_t> ignore_index = options_.ignore_index;
        if (y.dtype().kind() == 'u' && y.dtype().itemsize() == 8) {
            check_unsigned(y, classes);
            if (options_.large_ignore_index)
                ignore_index = int64_t(*options_.large_ignore_index);  // as such labels are signed
        }
        labels_ = contiguous<int64_t>(y);
        const int64_t* const labels = data_of<const int64_t>(*labels_);
        job_.labels = labels;
        job_.ignore = ignore_index.has_value();
        job_.ignore_index = ignore_index.value_or(0);
        const ptrdiff_t rows = labels_->size();
        const ptrdiff_t wrong = first_wrong_label(labels, rows, classes, ignore_index);
        if (wrong == rows) return;
        const auto [least, most] = std::minmax_element(labels, labels + rows);
        const bool from_one = *least == 1 && *most == classes;
        refuse_label(std::to_string(labels[wrong]), wrong, classes,
                     from_one ? ". Labels count from 0: give y - 1" : "");
    }

    // The divisor of the mean: the weights of the rows that count. Targets are checked on the way.
    void check_targets_and_sum_weights() {
        Total total;
        if (targets_) {
            const ptrdiff_t classes = targets_->shape(axis_), cls = stride(*targets_, axis_);
            for_each_place<E>(*targets_, axis_, [&](const E* t, ptrdiff_t row) {
                double weight = job_.class_weight ? 0 : 1;
                bool good = true;
                for (ptrdiff_t k = 0; k < classes; ++k) {
                    const E target = t[k * cls];
                    good &= target >= 0 && target <= std::numeric_limits<E>::max();
                    if (job_.class_weight) weight += double(target) * double(job_.class_weight[k]);
                }
                if (!good) refuse_target(t, cls, row, classes);
                total.add(weight * weight_of(row));
            });
        } else if (job_.ignore || job_.class_weight || job_.sample_weight) {
            for (ptrdiff_t i = 0; i < labels_->size(); ++i) {
                const int64_t label = job_.labels[i];
                if (job_.ignore && label == job_.ignore_index) continue;
                // checked, but another thread may have changed it since
                total.add((job_.class_weight && is_class(label) ? double(job_.class_weight[label]) : 1) * weight_of(i));
            }
        } else {
            total.add(double(labels_->size()));
        }
        divisor_ = total.value();
    }

    // Such a label might look negative, or even be ignored, once it is signed.
    void check_unsigned(const py::array& y, ptrdiff_t classes) const {
        const py::array_t<uint64_t, py::array::c_style | py::array::forcecast> labels(y);
        for (ptrdiff_t i = 0; i < labels.size(); ++i) {
            const uint64_t label = labels.data()[i];
            if (label > uint64_t(INT64_MAX) && label != options_.large_ignore_index)
                refuse_label(std::to_string(label), i, classes);
        }
    }
    [[noreturn]] void refuse_label(const std::string& label, ptrdiff_t row, ptrdiff_t classes,
                                   const char* advice = "") const {
        throw py::index_error(std::string(options_.function) + ": label " + label + " at " + place(row, rows_shape_) +
                              " is outside 0.." + std::to_string(classes - 1) + advice);
    }

    void take_full_targets(const py::array& y) {
        if (options_.ignore_index || options_.large_ignore_index)
            refuse("ignore_index goes with labels, and y holds targets of z's shape");
        targets_ = y;
    }

    void refuse_target(const E* t, ptrdiff_t cls, ptrdiff_t row, ptrdiff_t classes) const {
        for (ptrdiff_t k = 0; k < classes; ++k)
            if (const E target = t[k * cls]; !(target >= 0 && std::isfinite(target)))
                refuse("target " + text_of(double(target)) + " at " + place(row, rows_shape_) + ", class " +
                       std::to_string(k) + "; targets must be finite and not negative");
    }

    bool is_class(int64_t label) const { return nndl_fast::is_class(label, z_.array.shape(axis_)); }
    double weight_of(ptrdiff_t row) const { return job_.sample_weight ? job_.sample_weight[row] : 1; }

    const CostOptions& options_;
    const Floats& z_;
    int axis_;
    Shape rows_shape_;
    std::optional<py::array> class_weight_, sample_weight_, labels_, targets_;
    Job<E> job_;
    double divisor_ = 1;  // of the mean: the weights of the rows that count
};

}  // namespace nndl_fast
