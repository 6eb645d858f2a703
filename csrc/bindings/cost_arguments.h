// The arguments of the log-likelihood cost: targets, weights and reductions are checked here, all of them before
// anything is written.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "../batch/batch.h"
#include "array.h"
#include "reduction.h"

namespace nndl_fast {

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
        throw py::value_error(std::string(function) + ": label_smoothing is " + std::string(py::str(py::float_(s))) +
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
        : options_(options), z_(z), axis_(axis) {
        for (int d = 0; d < z.array.ndim(); ++d)
            if (d != axis) rows_shape_.append(z.array.shape(d));
        if (!z.array.shape(axis))
            throw py::value_error(std::string(options.function) + ": z has no classes: its shape is " +
                                  shape_of(z.array));
        take_weights();
        take_targets(y);
        weigh();
        if (options.reduction != Reduction::mean || is_moderate<E>(divisor_)) return;
        if (class_weight_) use_class_weight(brought_near_one<E>(*class_weight_, largest_class_weight()));
        if (sample_weight_)
            use_sample_weight(brought_near_one<double>(*sample_weight_, largest_of<double>(*sample_weight_)));
        if (targets_ && class_weight_) targets_ = brought_near_one<E>(*targets_, largest_of<E>(*targets_));
        weigh();
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
                refuse("class_weight has shape " + shape_of(given) + "; it must be (" + std::to_string(classes) + ",)");
            use_class_weight(contiguous<E>(given));
            for (ptrdiff_t k = 0; k < classes; ++k) check_weight(argument, double(job_.class_weight[k]), "class ", k);
        }
        if (!options_.sample_weight.is_none()) {
            const Argument argument{options_.function, "sample_weight"};
            const Floats given = to_floats(options_.sample_weight, argument);
            if (!rows_shape_.is_of(given.array))
                refuse("sample_weight has shape " + shape_of(given.array) + "; it must be " + shape_of(rows_shape_));
            use_sample_weight(contiguous<double>(given.array));
            for (ptrdiff_t i = 0; i < sample_weight_->size(); ++i)
                check_weight(argument, job_.sample_weight[i], "example ", i);
        }
    }

    void use_class_weight(const py::array& weights) {
        class_weight_ = weights;
        job_.class_weight = static_cast<const E*>(class_weight_->data());
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
        job_.sample_weight = static_cast<const double*>(sample_weight_->data());
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
        const int64_t* const labels = static_cast<const int64_t*>(labels_->data());
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
    void weigh() {
        Total total;
        if (targets_) {
            const ptrdiff_t classes = targets_->shape(axis_), step = targets_->strides(axis_) / ptrdiff_t(sizeof(E));
            for_each_place<E>(*targets_, axis_, [&](const E* t, ptrdiff_t row) {
                double weight = job_.class_weight ? 0 : 1;
                bool good = true;
                for (ptrdiff_t k = 0; k < classes; ++k) {
                    const E target = t[k * step];
                    good &= target >= 0 && target <= std::numeric_limits<E>::max();
                    if (job_.class_weight) weight += double(target) * double(job_.class_weight[k]);
                }
                if (!good) refuse_target(t, step, row, classes);
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

    void refuse_target(const E* t, ptrdiff_t step, ptrdiff_t row, ptrdiff_t classes) const {
        for (ptrdiff_t k = 0; k < classes; ++k)
            if (const E target = t[k * step]; !(target >= 0 && std::isfinite(target)))
                refuse("target " + std::string(py::str(py::float_(double(target)))) + " at " + place(row, rows_shape_) +
                       ", class " + std::to_string(k) + "; targets must be finite and not negative");
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
