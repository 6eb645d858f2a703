// Networks whose parameters come from and go to NumPy arrays, and the rule of a step.
#include "../network/network.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <pybind11/operators.h>
#include <pybind11/stl.h>
#include <stdexcept>
#include <utility>

#include "../batch/batch.h"
#include "../common/floating_point.h"
#include "array.h"
#include "call.h"

namespace nndl_fast {
namespace {

// The data of an array that is as it has to be: what is not is a fault of the calling module.
template <class T>
T* checked_data(const py::array& array, std::vector<ptrdiff_t> shape, const char* what) {
    const bool good =
        py::isinstance<py::array_t<std::remove_const_t<T>>>(array) &&
        (array.flags() & contiguous_flags) == contiguous_flags && array.ndim() == ptrdiff_t(shape.size()) &&
        std::equal(shape.begin(), shape.end(), array.shape()) && (std::is_const_v<T> || array.writeable());
    if (!good)
        throw py::value_error(std::string("_core.Network: ") + what + " has shape " + shape_of(array) + " and dtype " +
                              dtype_of(array));
    return data_of<T>(array);
}

constexpr Name<Activation> hidden_names[] = {
    {"sigmoid", Activation::sigmoid}, {"tanh", Activation::tanh}, {"relu", Activation::relu}};
constexpr Name<Cost> cost_names[] = {{"LogLikelihoodCost", Cost::log_likelihood},
                                     {"CrossEntropyCost", Cost::cross_entropy},
                                     {"QuadraticCost", Cost::quadratic}};
constexpr Name<Optimizer> optimizer_names[] = {{"sgd", Optimizer::sgd},
                                               {"momentum", Optimizer::momentum},
                                               {"nesterov", Optimizer::nesterov},
                                               {"adam", Optimizer::adam}};

// Network.SGD hands its arguments down as they are: whether there is such a rule is checked here alone.
std::unique_ptr<Rule> make_rule(py::handle optimizer, double weight_decay, double momentum) {
    auto rule = std::make_unique<Rule>();
    rule->optimizer = named(optimizer, optimizer_names, "SGD: optimizer");
    if (!(momentum >= 0 && momentum < 1))
        throw py::value_error("SGD: momentum is " + text_of(momentum) + "; it must be at least 0 and less than 1");
    rule->weight_decay = weight_decay;
    rule->momentum = momentum;
    return rule;
}

const char* optimizer_of(const Rule& rule) {
    const auto is_its_name = [&](const auto& pair) { return pair.second == rule.optimizer; };
    return std::find_if(std::begin(optimizer_names), std::end(optimizer_names), is_its_name)->first;
}

// What Python sees of a NetworkOf<float> or NetworkOf<double>.
class CompiledNetwork {
public:
    virtual ~CompiledNetwork() = default;
    virtual void use(const py::list& weights, const py::list& biases) = 0;
    virtual py::tuple parameters() const = 0;
    virtual void use_memory(const py::list& moments, double momentum_power, double beta2_power) = 0;
    virtual py::tuple memory() const = 0;
    virtual void train(const py::array& x, const py::array& y, const py::array& order, ptrdiff_t mini_batch, Rule rule,
                       double eta, const std::optional<py::array>& weights) = 0;
    virtual py::array weighted_inputs(const py::array& x) const = 0;
};

template <class E>
class NetworkOf final : public CompiledNetwork {
public:
    NetworkOf(const std::vector<ptrdiff_t>& sizes, Activation hidden, Cost cost)
        : sizes_(sizes), takes_labels_(cost == Cost::log_likelihood), network_(sizes, hidden, cost) {}

    void use(const py::list& weights, const py::list& biases) override {
        check_idle();
        const Given given(*this, weights, biases);
        network_.use(given.weights, given.biases);
        used_ = true;
    }

    // (biases, weights), new arrays
    py::tuple parameters() const override {
        check_idle();
        check_used();
        return taken([&](const auto& w, const auto& b) { network_.give(w, b); });
    }

    // What memory() returned, of a network of the same sizes.
    void use_memory(const py::list& moments, double momentum_power, double beta2_power) override {
        check_idle();
        if (moments.size() > 2) throw py::value_error("_core.Network: there are two moments at most");
        std::vector<Given> given;
        for (const py::handle moment : moments) {
            const py::tuple sides = py::cast<py::tuple>(moment);
            if (sides.size() != 2) throw py::value_error("_core.Network: a moment is (biases, weights)");
            given.emplace_back(*this, py::cast<py::list>(sides[1]), py::cast<py::list>(sides[0]));
        }
        for (size_t i = 0; i < given.size(); ++i) network_.use_moment(int(i), given[i].weights, given[i].biases);
        network_.use_powers({momentum_power, beta2_power});
    }

    // What steps depend on beside the parameters: a list of (biases, weights), new arrays, and two numbers.
    py::tuple memory() const override {
        check_idle();
        py::list moments;
        for (int i = 0; i < network_.moments(); ++i)
            moments.append(taken([&](const auto& w, const auto& b) { network_.give_moment(i, w, b); }));
        return py::make_tuple(moments, network_.powers().momentum, network_.powers().beta2);
    }

    void train(const py::array& x, const py::array& y, const py::array& order, ptrdiff_t mini_batch, Rule rule,
               double eta, const std::optional<py::array>& weights) override {
        if (x.ndim() != 2 || order.ndim() != 1 || mini_batch < 1)
            throw py::value_error("_core.Network: x has shape " + shape_of(x) + ", order " + shape_of(order) +
                                  ", mini_batch is " + std::to_string(mini_batch));
        check_used();
        const ptrdiff_t examples = x.shape(0), n = order.shape(0);
        Examples<E> given;
        given.x = checked_data<const E>(x, {examples, sizes_.front()}, "x");
        given.row = sizes_.front();
        if (y.ndim() == 1 && takes_labels_) given.labels = checked_data<const int64_t>(y, {examples}, "y");
        else given.targets = checked_data<const E>(y, {examples, sizes_.back()}, "y");
        if (weights) given.weights = checked_data<const double>(*weights, {examples}, "weights");
        const int64_t* const places = checked_data<const int64_t>(order, {n}, "order");
        for (ptrdiff_t i = 0; i < n; ++i)
            if (uint64_t(places[i]) >= uint64_t(examples))
                throw py::index_error("_core.Network: order has " + std::to_string(places[i]));
        const ptrdiff_t wrong = given.labels ? first_wrong_label(given.labels, examples, sizes_.back()) : examples;
        if (wrong != examples)
            throw py::index_error("_core.Network: label " + std::to_string(given.labels[wrong]) + " of example " +
                                  std::to_string(wrong) + " is outside 0.." + std::to_string(sizes_.back() - 1));
        rule.eta = eta;
        if (busy_.exchange(true)) refuse();
        struct Idle {
            std::atomic<bool>& busy;
            ~Idle() { busy = false; }
        } const afterwards{busy_};
        const ReleaseGil released(elements_worth_the_gil);
        network_.train(given, places, n, mini_batch, rule);
    }

    // (n, outputs) of examples in rows, of any strides
    py::array weighted_inputs(const py::array& x) const override {
        check_idle();
        check_used();
        if (x.ndim() != 2 || x.shape(1) != sizes_.front() || !py::isinstance<py::array_t<E>>(x))
            throw py::value_error("_core.Network: x has shape " + shape_of(x) + " and dtype " + dtype_of(x));
        const py::array rows = usable(x);
        py::array_t<E> z({x.shape(0), sizes_.back()});
        E* const to = z.mutable_data();
        Examples<E> given;
        given.x = data_of<const E>(rows);
        given.row = stride(rows, 0);
        given.column = stride(rows, 1);
        const ReleaseGil released(x.size());
        network_.weighted_inputs(given, x.shape(0), to);
        return std::move(z);
    }

private:
    // The data of arrays of the parameters' shapes.
    struct Given {
        Given(const NetworkOf& network, const py::list& of_weights, const py::list& of_biases) {
            const auto& sizes = network.sizes_;
            if (of_weights.size() != network.layers() || of_biases.size() != network.layers())
                throw py::value_error("_core.Network: there are " + std::to_string(network.layers()) + " layers");
            for (size_t i = 0; i < network.layers(); ++i) {
                for (const py::list& list : {of_weights, of_biases}) kept.push_back(py::cast<py::array>(list[i]));
                weights.push_back(checked_data<const E>(kept[2 * i], {sizes[i + 1], sizes[i]}, "weights"));
                biases.push_back(checked_data<const E>(kept[2 * i + 1], {sizes[i + 1], 1}, "biases"));
            }
        }
        std::vector<py::array> kept;  // a list may give up its arrays
        std::vector<const E*> weights, biases;
    };

    // (biases, weights), new arrays that write(weights, biases) fills
    template <class F>
    py::tuple taken(F write) const {
        py::list biases, weights;
        std::vector<E*> w, b;
        for (size_t i = 0; i < layers(); ++i) {
            py::array_t<E> weight({sizes_[i + 1], sizes_[i]}), bias({sizes_[i + 1], ptrdiff_t(1)});
            w.push_back(weight.mutable_data());
            b.push_back(bias.mutable_data());
            weights.append(weight);
            biases.append(bias);
        }
        write(w, b);
        return py::make_tuple(biases, weights);
    }

    size_t layers() const { return sizes_.size() - 1; }
    // train() gives up the GIL, and changes what all of these read.
    void check_idle() const {
        if (busy_) refuse();
    }
    [[noreturn]] static void refuse() { throw std::runtime_error("_core.Network: it is in the middle of a call"); }
    void check_used() const {
        if (!used_) throw py::value_error("_core.Network: use() comes first");
    }

    std::vector<ptrdiff_t> sizes_;
    bool takes_labels_, used_ = false;
    std::atomic<bool> busy_ = false;
    Network<E> network_;
};

std::unique_ptr<CompiledNetwork> make_network(const std::vector<ptrdiff_t>& sizes, py::handle hidden, py::handle cost,
                                              bool single) {
    if (sizes.size() < 2 || *std::min_element(sizes.begin(), sizes.end()) < 1)
        throw py::value_error("_core.Network: sizes must be two or more, each at least 1");
    const Activation h = named(hidden, hidden_names, "_core.Network: hidden");
    const Cost c = named(cost, cost_names, "_core.Network: cost");
    if (single) return std::make_unique<NetworkOf<float>>(sizes, h, c);
    return std::make_unique<NetworkOf<double>>(sizes, h, c);
}

}  // namespace

void add_network(py::module_& module) {
    // Made by functions alone: without a __new__ there is no object that is not initialised.
    const auto without_new = py::custom_type_setup([](PyHeapTypeObject* type) {
        type->ht_type.tp_new = nullptr;
        type->ht_type.tp_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;
    });
    const py::metaclass type(reinterpret_cast<PyObject*>(&PyType_Type));
    const auto environment = py::call_guard<DefaultFloatingPoint>();
    py::class_<Rule>(module, "Rule", type, without_new)
        .def_property_readonly("optimizer", &optimizer_of)
        .def_readonly("weight_decay", &Rule::weight_decay)
        .def_readonly("momentum", &Rule::momentum)
        .def_readonly("beta2", &Rule::beta2)
        .def_readonly("epsilon", &Rule::epsilon)
        .def(py::self == py::self);
    module.def("rule", &make_rule, py::arg("optimizer") = "sgd", py::kw_only(), py::arg("weight_decay") = 0.0,
               py::arg("momentum") = 0.0);
    py::class_<CompiledNetwork>(module, "Network", type, without_new)
        .def("use", &CompiledNetwork::use, environment, py::pos_only())
        .def("parameters", &CompiledNetwork::parameters)
        .def("use_memory", &CompiledNetwork::use_memory, environment, py::pos_only())
        .def("memory", &CompiledNetwork::memory)
        .def("train", &CompiledNetwork::train, environment, py::arg("x"), py::arg("y"), py::arg("order"),
             py::arg("mini_batch"), py::arg("rule"), py::arg("eta"), py::arg("weights") = py::none(), py::pos_only())
        .def("weighted_inputs", &CompiledNetwork::weighted_inputs, environment, py::pos_only());
    module.def("network", &make_network);
    module.attr("wide_layer") = wide_layer;
}

}  // namespace nndl_fast
