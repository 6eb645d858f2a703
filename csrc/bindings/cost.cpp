// The log-likelihood cost and error: targets, weights and reductions are checked here, all of them
// before anything is written.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "../batch/rows.h"
#include "../common/labels.h"
#include "../isa/dispatch.h"
#include "../network/linear.h"
#include "array.h"
#include "call.h"
#include "module.h"
#include "reduction.h"

namespace nndl_fast {
namespace {

// The indices of a batch's element as Python writes them, for messages.
std::string place(ptrdiff_t row, const Shape& shape) {
    if (shape.ndim == 1) return "row " + std::to_string(row);
    std::string text;
    for (int d = shape.ndim; d-- > 0; row /= shape.sizes[d])
        text = std::to_string(row % shape.sizes[d]) + (text.empty() ? "" : ", ") + text;
    return "(" + text + ")";
}

// The options of a call beside z, y and out.
struct Options {
    const char* function;
    Reduction reduction;
    py::object sample_weight, class_weight;  // arrays or None
    std::optional<int64_t> ignore_index;
    std::optional<uint64_t> large_ignore_index;  // one that only unsigned labels can have
    double smoothing;
};

// All that a call works on, of one floating-point type.
template <class E>
class Call {
public:
    Call(const Options& options, const Floats& z, int axis, const py::array& y)
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

    // Any of the two may be left out.
    py::object run(bool want_cost, bool want_delta, py::handle out) {
        std::optional<Result> delta;
        // what the kernel reads must not be what it writes, or it would change after its check
        const auto inputs = {&z_.array, address(targets_), address(labels_), address(class_weight_),
                             address(sample_weight_)};
        if (want_delta) delta.emplace(out, z_, inputs, Argument{options_.function, "out"});
        std::optional<py::array> costs;
        const bool one_each = options_.reduction == Reduction::none;
        if (want_cost && one_each) costs = fresh(py::dtype::of<double>(), rows_shape_.ndim, rows_shape_.sizes);

        Job<E> job = job_;
        job.may_share = true;
        Batch batch = view(job, axis_, z_.array, address(targets_), delta ? &delta->array() : nullptr);
        const ptrdiff_t rows = batch.size();
        batch.simplify();
        if (options_.reduction == Reduction::mean) job.scale = share_of_mean(divisor_);
        if (costs) job.row_result = static_cast<double*>(costs->mutable_data());
        double total = 0;
        if (rows) {
            const ReleaseGil released(z_.array.size());
            const auto kernel = active_kernels<E>().log_likelihood;
            if (want_cost && !one_each) total = sum_rows<E>(kernel, job, batch);
            else run_rows<E>(kernel, job, batch);
        }
        if (costs && !costs->ndim()) total = *job.row_result;
        if (options_.reduction == Reduction::mean) total /= divisor_;
        return answer(want_cost, costs, total, delta, z_.asked);
    }

    // The same of the logits a w^T + b, of which z has the shape alone: the cost, and the gradients by w, b and a.
    py::object run_linear(const py::array& a, const py::array& w, const py::array& b, bool gradients, ptrdiff_t room) {
        const ptrdiff_t n = a.shape(0), features = a.shape(1), classes = w.shape(0);
        const auto step = [](const py::array& x, int d) { return ptrdiff_t(x.strides(d)) / ptrdiff_t(sizeof(E)); };
        // Read many times: another thread may change the caller's own meanwhile, and then they would be no classes.
        std::vector<int64_t> labels;
        LinearJob<E> job;
        job.n = n;
        job.features = features;
        job.classes = classes;
        job.a = static_cast<const E*>(a.data());
        job.a_row = step(a, 0);
        job.a_step = step(a, 1);
        job.w = static_cast<const E*>(w.data());
        job.w_row = step(w, 0);
        job.w_step = step(w, 1);
        job.b = static_cast<const E*>(b.data());
        job.cost = job_;
        if (job_.labels) {
            labels.assign(job_.labels, job_.labels + n);
            for (int64_t& label : labels)
                if (!is_class(label) && !(job_.ignore && label == job_.ignore_index)) label = 0;
            job.cost.labels = labels.data();
        }
        job.room = room;
        if (options_.reduction == Reduction::mean) job.cost.scale = share_of_mean(divisor_);
        if (targets_) job.cost.y = {static_cast<const E*>(targets_->data()), step(*targets_, 0), step(*targets_, 1)};
        std::optional<py::array> costs = fresh(py::dtype::of<double>(), 1, &n), nabla_w, nabla_b, delta_a;
        job.cost.row_result = static_cast<double*>(costs->mutable_data());
        if (gradients) {
            const auto made = [&](std::initializer_list<ptrdiff_t> shape, std::optional<py::array>& array) {
                array = fresh(py::dtype::of<E>(), ptrdiff_t(shape.size()), shape.begin());
                return static_cast<E*>(array->mutable_data());
            };
            job.nabla_w = made({classes, features}, nabla_w);
            job.nabla_b = made({classes}, nabla_b);
            job.delta_a = made({n, features}, delta_a);
            job.delta_a_row = features;
        }
        Total total;
        {
            const ReleaseGil released(n * classes);
            nndl_fast::run_linear(job);
            if (options_.reduction != Reduction::none)
                for (ptrdiff_t i = 0; i < n; ++i) total.add(job.cost.row_result[i]);
        }
        if (options_.reduction != Reduction::none) costs.reset();
        const double value = options_.reduction == Reduction::mean ? total.value() / divisor_ : total.value();
        std::optional<Result> none;
        const py::object cost = answer(true, costs, value, none, z_.asked);
        return gradients ? py::object(py::make_tuple(cost, *nabla_w, *nabla_b, *delta_a)) : cost;
    }

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
                total.add(weight * sample_weight(row));
            });
        } else if (job_.ignore || job_.class_weight || job_.sample_weight) {
            for (ptrdiff_t i = 0; i < labels_->size(); ++i) {
                const int64_t label = job_.labels[i];
                if (job_.ignore && label == job_.ignore_index) continue;
                // checked, but another thread may have changed it since
                total.add((job_.class_weight && is_class(label) ? double(job_.class_weight[label]) : 1) *
                          sample_weight(i));
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
    double sample_weight(ptrdiff_t row) const { return job_.sample_weight ? job_.sample_weight[row] : 1; }

    const Options& options_;
    const Floats& z_;
    int axis_;
    Shape rows_shape_;
    std::optional<py::array> class_weight_, sample_weight_, labels_, targets_;
    Job<E> job_;
    double divisor_ = 1;  // of the mean: the weights of the rows that count
};

Options options_of(const char* function, py::handle reduction, py::handle sample_weight, py::handle class_weight,
                   py::handle ignore_index, py::handle smoothing) {
    const double s = number(smoothing, {function, "label_smoothing"});
    if (!(s >= 0 && s <= 1))
        throw py::value_error(std::string(function) + ": label_smoothing is " + std::string(py::str(py::float_(s))) +
                              "; it must be from 0 to 1");
    Options options{function,
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

template <bool want_cost, bool want_delta>
py::object log_likelihood(py::handle z, py::handle y, py::handle axis, py::handle reduction, py::handle sample_weight,
                          py::handle class_weight, py::handle ignore_index, py::handle smoothing, py::handle out) {
    const char* const function = !want_delta ? "log_likelihood_cost"
                                 : want_cost ? "log_likelihood_cost_and_delta"
                                             : "log_likelihood_delta";
    const Options options = options_of(function, reduction, sample_weight, class_weight, ignore_index, smoothing);
    const py::object plain = plain_axis(axis, {function, "axis"});
    const py::array logits = to_array(z, {function, "z"}), targets = to_array(y, {function, "y"});
    const Floats floats = to_floats(logits, {function, "z"}, true);
    if (!floats.array.ndim()) throw py::value_error(std::string(function) + ": z has no class axis: it is a scalar");
    const int one = normal_axis(plain, int(floats.array.ndim()), {function, "axis"});
    if (floats.single) return Call<float>(options, floats, one, targets).run(want_cost, want_delta, out);
    return Call<double>(options, floats, one, targets).run(want_cost, want_delta, out);
}

// `z` has the shape of the logits, and the dtype of what is returned; a, w and b are what the calling module made sure
// of.
py::object linear_log_likelihood(py::handle z, py::handle y, py::handle reduction, py::handle sample_weight,
                                 py::handle class_weight, py::handle ignore_index, py::handle smoothing, py::handle a,
                                 py::handle w, py::handle b, py::handle gradients, py::handle room) {
    const char* const function = "linear_log_likelihood";
    const Options options = options_of(function, reduction, sample_weight, class_weight, ignore_index, smoothing);
    const py::array targets = to_array(y, {function, "y"});
    const Floats floats = to_floats(z, {function, "z"});
    const auto given = [](py::handle x) { return usable(py::reinterpret_borrow<py::array>(x)); };
    const py::array inputs = given(a), weights = given(w), biases = given(b);
    const bool wanted = gradients.ptr() == Py_True;
    const ptrdiff_t bytes = py::cast<ptrdiff_t>(room);
    if (floats.single)
        return Call<float>(options, floats, 1, targets).run_linear(inputs, weights, biases, wanted, bytes);
    return Call<double>(options, floats, 1, targets).run_linear(inputs, weights, biases, wanted, bytes);
}

}  // namespace

void add_cost(py::module_& module) {
    static PyMethodDef table[] = {direct<log_likelihood<true, false>>("log_likelihood_cost"),
                                  direct<log_likelihood<false, true>>("log_likelihood_delta"),
                                  direct<log_likelihood<true, true>>("log_likelihood_cost_and_delta"),
                                  direct<linear_log_likelihood>("linear_log_likelihood"),
                                  {}};
    add(module, table);
}

}  // namespace nndl_fast
