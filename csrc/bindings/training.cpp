// Training on arrays that stay NumPy's, with the gemm of scipy.linalg.cython_blas.
#include "../training.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>

#include "array.h"
#include "module.h"

namespace nndl_fast {
namespace {

constexpr int contiguous_flags = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;

// The data of an array that is as it has to be: what is not is a fault of the calling module.
template <class T>
T* data_of(const py::array& array, std::vector<ptrdiff_t> shape, const char* what) {
    const bool good = py::isinstance<py::array_t<std::remove_const_t<T>>>(array) && (array.flags() & contiguous_flags) == contiguous_flags &&
                      array.ndim() == ptrdiff_t(shape.size()) && std::equal(shape.begin(), shape.end(), array.shape()) &&
                      (std::is_const_v<T> || array.writeable());
    if (!good) throw py::value_error(std::string("Trainer: ") + what + " has shape " + shape_of(array) + " and dtype " +
                              dtype_of(array));
    return static_cast<T*>(const_cast<void*>(array.data()));
}

// What a capsule of cython_blas says that it holds, its own names for the types left out.
template <class E>
Gemm<E> gemm_of(const py::capsule& capsule) {
    const std::string own = "__pyx_t_5scipy_6linalg_11cython_blas_", type = sizeof(E) == 4 ? "s *" : "d *";
    std::string signature = capsule.name() ? capsule.name() : "";
    for (size_t at; (at = signature.find(own)) != std::string::npos;) signature.erase(at, own.size());
    const std::string expected = "void (char *, char *, int *, int *, int *, " + type + ", " + type + ", int *, " + type +
                                 ", int *, " + type + ", " + type + ", int *)";
    if (signature != expected) throw py::value_error("Trainer: gemm is '" + signature + "', not '" + expected + "'");
    return reinterpret_cast<Gemm<E>>(capsule.get_pointer());
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
    virtual void run(const py::array& x, const py::array& y, const py::array& order, ptrdiff_t mini_batch, const Rule& rule) = 0;
};

template <class E>
class RunnerOf final : public Runner {
public:
    RunnerOf(const std::vector<ptrdiff_t>& sizes, Hidden hidden, Cost cost, const py::capsule& gemm)
        : sizes_(sizes), gemm_(gemm), takes_labels_(cost == Cost::log_likelihood), training_(sizes, hidden, cost, gemm_of<E>(gemm)) {}

    void use(const py::list& weights, const py::list& biases) override {
        const size_t layers = sizes_.size() - 1;
        if (weights.size() != layers || biases.size() != layers) throw py::value_error("Trainer: there are " + std::to_string(layers) + " layers");
        std::vector<E*> w, b;
        for (size_t i = 0; i < layers; ++i) {
            w.push_back(data_of<E>(py::cast<py::array>(weights[i]), {sizes_[i + 1], sizes_[i]}, "weights"));
            b.push_back(data_of<E>(py::cast<py::array>(biases[i]), {sizes_[i + 1], 1}, "biases"));
        }
        training_.use(w, b);
        used_ = py::make_tuple(py::tuple(weights), py::tuple(biases));
    }

    void run(const py::array& x, const py::array& y, const py::array& order, ptrdiff_t mini_batch, const Rule& rule) override {
        if (x.ndim() != 2 || order.ndim() != 1 || mini_batch < 1 || mini_batch > std::numeric_limits<int>::max())
            throw py::value_error("Trainer: x has shape " + shape_of(x) + ", order " + shape_of(order) + ", mini_batch is " +
                                  std::to_string(mini_batch));
        if (!used_) throw py::value_error("Trainer: use() comes before run()");
        const ptrdiff_t examples = x.shape(0), n = order.shape(0);
        Examples<E> given;
        given.x = data_of<const E>(x, {examples, sizes_.front()}, "x");
        if (y.ndim() == 1 && takes_labels_) given.labels = data_of<const int64_t>(y, {examples}, "y");
        else given.targets = data_of<const E>(y, {examples, sizes_.back()}, "y");
        const int64_t* const places = data_of<const int64_t>(order, {n}, "order");
        for (ptrdiff_t i = 0; i < n; ++i) {
            if (uint64_t(places[i]) >= uint64_t(examples)) throw py::index_error("Trainer: order has " + std::to_string(places[i]));
            if (given.labels && uint64_t(given.labels[places[i]]) >= uint64_t(sizes_.back()))
                throw py::index_error("Trainer: label " + std::to_string(given.labels[places[i]]) + " of example " + std::to_string(places[i]) +
                                      " is outside 0.." + std::to_string(sizes_.back() - 1));
        }
        const ReleaseGil released(elements_worth_the_gil);
        training_.run(given, places, n, mini_batch, rule);
    }

private:
    std::vector<ptrdiff_t> sizes_;
    py::capsule gemm_;
    bool takes_labels_;
    Training<E> training_;
    std::optional<py::tuple> used_;  // the arrays that are changed in place
};

class Trainer {
public:
    Trainer(const std::vector<ptrdiff_t>& sizes, const std::string& hidden, const std::string& cost, const py::capsule& gemm, bool single) {
        if (sizes.size() < 2 || *std::min_element(sizes.begin(), sizes.end()) < 1 ||
            *std::max_element(sizes.begin(), sizes.end()) > std::numeric_limits<int>::max())
            throw py::value_error("Trainer: sizes must be two or more, each at least 1 and less than 2^31");
        const Hidden h = one_of<Hidden>(hidden, {{"sigmoid", Hidden::sigmoid}, {"tanh", Hidden::tanh}, {"relu", Hidden::relu}}, "hidden");
        const Cost c = one_of<Cost>(cost, {{"LogLikelihoodCost", Cost::log_likelihood}, {"CrossEntropyCost", Cost::cross_entropy},
                                           {"QuadraticCost", Cost::quadratic}}, "cost");
        if (single) runner_ = std::make_unique<RunnerOf<float>>(sizes, h, c, gemm);
        else runner_ = std::make_unique<RunnerOf<double>>(sizes, h, c, gemm);
    }
    void use(const py::list& weights, const py::list& biases) { runner_->use(weights, biases); }
    void run(const py::array& x, const py::array& y, const py::array& order, ptrdiff_t mini_batch, const std::string& rule, double eta,
             double shrink, double momentum) {
        Rule made;
        made.kind = one_of<Rule::Kind>(rule, {{"sgd", Rule::plain}, {"momentum", Rule::momentum}, {"nesterov", Rule::nesterov},
                                              {"adam", Rule::adam}}, "rule");
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
    py::class_<Trainer>(module, "Trainer", py::metaclass(reinterpret_cast<PyObject*>(&PyType_Type)))
        .def(py::init<const std::vector<ptrdiff_t>&, const std::string&, const std::string&, const py::capsule&, bool>(), py::pos_only())
        .def("use", &Trainer::use, py::pos_only())
        .def("run", &Trainer::run, py::pos_only());
}

}  // namespace nndl_fast
