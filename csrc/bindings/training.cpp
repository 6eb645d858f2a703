// Networks whose parameters come from and go to NumPy arrays.
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "../floating_point.h"
#include "../labels.h"
#include "../network.h"
#include "array.h"
#include "module.h"

namespace nndl_fast {
namespace {

constexpr int contiguous_flags = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;

// The data of an array that is as it has to be: what is not is a fault of the calling module.
template <class T>
T* data_of(const py::array& array, std::vector<ptrdiff_t> shape, const char* what) {
    const bool good =
        py::isinstance<py::array_t<std::remove_const_t<T>>>(array) &&
        (array.flags() & contiguous_flags) == contiguous_flags && array.ndim() == ptrdiff_t(shape.size()) &&
        std::equal(shape.begin(), shape.end(), array.shape()) && (std::is_const_v<T> || array.writeable());
    if (!good)
        throw py::value_error(std::string("Trainer: ") + what + " has shape " + shape_of(array) + " and dtype " +
                              dtype_of(array));
    return static_cast<T*>(const_cast<void*>(array.data()));
}

template <class T>
T one_of(const std::string& name, std::initializer_list<std::pair<const char*, T>> known, const char* what) {
    for (const auto& [text, value] : known)
        if (name == text) return value;
    throw py::value_error(std::string("Trainer: ") + what + " is '" + name + "'");
}

struct Runner {
    virtual ~Runner() = default;
    virtual void use(const py::list& weights, const py::list& biases) = 0;
    virtual py::tuple parameters() const = 0;
    virtual void run(const py::array& x, const py::array& y, const py::array& order, ptrdiff_t mini_batch,
                     const Rule& rule) = 0;
    virtual py::array weighted_inputs(const py::array& x) const = 0;
};

template <class E>
class RunnerOf final : public Runner {
public:
    RunnerOf(const std::vector<ptrdiff_t>& sizes, Hidden hidden, Cost cost)
        : sizes_(sizes), takes_labels_(cost == Cost::log_likelihood), network_(sizes, hidden, cost) {}

    void use(const py::list& weights, const py::list& biases) override {
        if (weights.size() != layers() || biases.size() != layers())
            throw py::value_error("Trainer: there are " + std::to_string(layers()) + " layers");
        std::vector<py::array> kept;  // a list may give up its arrays
        std::vector<const E*> w, b;
        for (size_t i = 0; i < layers(); ++i) {
            for (const py::list& list : {weights, biases}) kept.push_back(py::cast<py::array>(list[i]));
            w.push_back(data_of<const E>(kept[2 * i], {sizes_[i + 1], sizes_[i]}, "weights"));
            b.push_back(data_of<const E>(kept[2 * i + 1], {sizes_[i + 1], 1}, "biases"));
        }
        network_.use(w, b);
        used_ = true;
    }

    // (biases, weights), new arrays
    py::tuple parameters() const override {
        check_used();
        py::list biases, weights;
        std::vector<E*> w, b;
        for (size_t i = 0; i < layers(); ++i) {
            py::array_t<E> weight({sizes_[i + 1], sizes_[i]}), bias({sizes_[i + 1], ptrdiff_t(1)});
            w.push_back(weight.mutable_data());
            b.push_back(bias.mutable_data());
            weights.append(weight);
            biases.append(bias);
        }
        network_.give(w, b);
        return py::make_tuple(biases, weights);
    }

    void run(const py::array& x, const py::array& y, const py::array& order, ptrdiff_t mini_batch,
             const Rule& rule) override {
        if (x.ndim() != 2 || order.ndim() != 1 || mini_batch < 1)
            throw py::value_error("Trainer: x has shape " + shape_of(x) + ", order " + shape_of(order) +
                                  ", mini_batch is " + std::to_string(mini_batch));
        check_used();
        const ptrdiff_t examples = x.shape(0), n = order.shape(0);
        Examples<E> given;
        given.x = data_of<const E>(x, {examples, sizes_.front()}, "x");
        given.row = sizes_.front();
        if (y.ndim() == 1 && takes_labels_) given.labels = data_of<const int64_t>(y, {examples}, "y");
        else given.targets = data_of<const E>(y, {examples, sizes_.back()}, "y");
        const int64_t* const places = data_of<const int64_t>(order, {n}, "order");
        for (ptrdiff_t i = 0; i < n; ++i)
            if (uint64_t(places[i]) >= uint64_t(examples))
                throw py::index_error("Trainer: order has " + std::to_string(places[i]));
        const ptrdiff_t wrong = given.labels ? first_wrong_label(given.labels, examples, sizes_.back()) : examples;
        if (wrong != examples)
            throw py::index_error("Trainer: label " + std::to_string(given.labels[wrong]) + " of example " +
                                  std::to_string(wrong) + " is outside 0.." + std::to_string(sizes_.back() - 1));
        const ReleaseGil released(elements_worth_the_gil);
        network_.train(given, places, n, mini_batch, rule);
    }

    // (n, outputs) of examples in rows, of any strides
    py::array weighted_inputs(const py::array& x) const override {
        check_used();
        if (x.ndim() != 2 || x.shape(1) != sizes_.front() || !py::isinstance<py::array_t<E>>(x))
            throw py::value_error("Trainer: x has shape " + shape_of(x) + " and dtype " + dtype_of(x));
        const py::array rows = usable(x);
        py::array_t<E> z({x.shape(0), sizes_.back()});
        E* const to = z.mutable_data();
        Examples<E> given;
        given.x = static_cast<const E*>(rows.data());
        given.row = rows.strides(0) / ptrdiff_t(sizeof(E));
        given.step = rows.strides(1) / ptrdiff_t(sizeof(E));
        const ReleaseGil released(x.size());
        network_.weighted_inputs(given, x.shape(0), to);
        return std::move(z);
    }

private:
    size_t layers() const { return sizes_.size() - 1; }
    void check_used() const {
        if (!used_) throw py::value_error("Trainer: use() comes first");
    }

    std::vector<ptrdiff_t> sizes_;
    bool takes_labels_, used_ = false;
    Network<E> network_;
};

class Trainer {
public:
    Trainer(const std::vector<ptrdiff_t>& sizes, const std::string& hidden, const std::string& cost, bool single) {
        if (sizes.size() < 2 || *std::min_element(sizes.begin(), sizes.end()) < 1)
            throw py::value_error("Trainer: sizes must be two or more, each at least 1");
        const Hidden h = one_of<Hidden>(
            hidden, {{"sigmoid", Hidden::sigmoid}, {"tanh", Hidden::tanh}, {"relu", Hidden::relu}}, "hidden");
        const Cost c = one_of<Cost>(cost,
                                    {{"LogLikelihoodCost", Cost::log_likelihood},
                                     {"CrossEntropyCost", Cost::cross_entropy},
                                     {"QuadraticCost", Cost::quadratic}},
                                    "cost");
        if (single) runner_ = std::make_unique<RunnerOf<float>>(sizes, h, c);
        else runner_ = std::make_unique<RunnerOf<double>>(sizes, h, c);
    }
    void use(const py::list& weights, const py::list& biases) { runner_->use(weights, biases); }
    py::tuple parameters() const { return runner_->parameters(); }
    py::array weighted_inputs(const py::array& x) const { return runner_->weighted_inputs(x); }
    void run(const py::array& x, const py::array& y, const py::array& order, ptrdiff_t mini_batch,
             const std::string& rule, double eta, double shrink, double momentum) {
        using Step = StepJob<float>;
        Rule made;
        made.kind = one_of<Step::Rule>(
            rule,
            {{"sgd", Step::sgd}, {"momentum", Step::momentum}, {"nesterov", Step::nesterov}, {"adam", Step::adam}},
            "rule");
        made.eta = eta;
        made.shrink = shrink;
        made.mu = momentum;
        runner_->run(x, y, order, mini_batch, made);
    }

private:
    std::unique_ptr<Runner> runner_;
};

}  // namespace

void add_training(py::module_& module) {
    // Made by a function alone: without a __new__ there is no Trainer that is not initialised.
    const auto without_new = [](PyHeapTypeObject* type) {
        type->ht_type.tp_new = nullptr;
        type->ht_type.tp_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;
    };
    const auto environment = py::call_guard<DefaultFloatingPoint>();
    py::class_<Trainer>(module, "Trainer", py::metaclass(reinterpret_cast<PyObject*>(&PyType_Type)),
                        py::custom_type_setup(without_new))
        .def("use", &Trainer::use, environment, py::pos_only())
        .def("parameters", &Trainer::parameters)
        .def("run", &Trainer::run, environment, py::pos_only())
        .def("weighted_inputs", &Trainer::weighted_inputs, environment, py::pos_only());
    module.def("trainer",
               &std::make_unique<Trainer, const std::vector<ptrdiff_t>&, const std::string&, const std::string&, bool>);
}

}  // namespace nndl_fast
