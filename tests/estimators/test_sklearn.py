"""The estimator: scikit-learn's own checks, the same minimum as its LogisticRegression, and its habits."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7")

from arrays import at_offset
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator
from threadpoolctl import threadpool_info

import nndl_fast as nf
from nndl_fast._estimators import _objective
from nndl_fast.sklearn import SoftmaxClassifier

IRIS, LABELS = load_iris(return_X_y=True)
# With less regularisation one check takes the logarithm of a probability that has become 0.
NETWORKS = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.05, "alpha": 0.1}


ESTIMATORS = [
    SoftmaxClassifier(),
    SoftmaxClassifier(**NETWORKS),
    SoftmaxClassifier(solver="adam", **NETWORKS),
    SoftmaxClassifier(solver="sgd", learning_rate_init=0.05),
]


@pytest.mark.filterwarnings("ignore")  # the checks fit to few examples, with few iterations
@pytest.mark.parametrize(
    ("estimator", "check"),
    [pair for estimator in ESTIMATORS for pair in estimator_checks_generator(estimator)],
    ids=lambda value: value.func.__name__ if hasattr(value, "func") else value.solver,
)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def objective(model, x, y, alpha, weight):
    """What both minimise, by the reference's way: sum of weighted costs, and alpha / 2 |w|^2."""
    p = np.log(model.predict_proba(x))[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return float(-(weight * p).sum() + alpha / 2 * np.square(model.coef_).sum())


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0, 1: 0.5}])
@pytest.mark.parametrize("features", [4, 2100])  # with and without the factor of the features' products
def test_the_minimum_is_that_of_logistic_regression(classes, class_weight, features):
    rng = np.random.default_rng(0)
    x, y = IRIS[LABELS < classes], LABELS[LABELS < classes]
    x = np.hstack([x, rng.standard_normal((len(x), features - 4))])
    weight = rng.random(len(y)) + 0.1
    given = {"tol": 1e-7, "max_iter": 5000, "class_weight": class_weight}
    own = SoftmaxClassifier(alpha=0.5, **given).fit(x, y, weight)
    peer = LogisticRegression(C=2, **given | {"tol": 1e-10}).fit(x, y, weight)
    np.testing.assert_allclose(own.coef_, peer.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(own.intercept_, peer.intercept_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(own.predict_proba(x), peer.predict_proba(x), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(
        own.decision_function(x), x @ own.coef_.T.squeeze() + own.intercept_, rtol=1e-9
    )
    if class_weight is None:
        np.testing.assert_allclose(own.loss_ * weight.sum(), objective(own, x, y, 0.5, weight), rtol=1e-9)


def test_the_factor_saves_steps_and_keeps_the_minimum(monkeypatch):
    x, y = load_breast_cancer(return_X_y=True)
    given = {"tol": 1e-4, "max_iter": 5000}
    fast = SoftmaxClassifier(**given).fit(x, y)
    monkeypatch.setattr(_objective, "FEATURES", 0)
    slow = SoftmaxClassifier(**given).fit(x, y)
    np.testing.assert_allclose(fast.loss_, slow.loss_, rtol=1e-4)
    assert fast.n_iter_ < slow.n_iter_ / 1.5


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("wide", [0, 4096])
@pytest.mark.parametrize("sizes", [[6, 4], [6, 5, 4], [6, 5, 7, 4]])
def test_cost_and_gradients_are_those_of_the_network(monkeypatch, hidden, wide, sizes):
    monkeypatch.setattr(_objective, "_BLOCK", 6 * 8 * 16)
    monkeypatch.setattr(_objective._core, "wide_layer", wide)
    net = nf.Network(sizes, hidden=hidden, dtype=np.float64, rng=0)
    rng = np.random.default_rng(1)
    x, y, parameters = rng.standard_normal((50, 6)), rng.integers(0, 4, 50), (net.biases, net.weights)
    for form in (x, sparse.csr_array(x)):
        sums = _objective.cost_and_gradients(parameters, hidden, form, y, np.ones(50))
        np.testing.assert_allclose(sums.cost, 50 * net.total_cost((x, y), 0), rtol=1e-12)
        nabla_b, nabla_w = net.backprop(x.T, y)
        for one, other in zip(sums.nabla_b + sums.nabla_w, nabla_b + nabla_w):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    weight = rng.integers(0, 3, 50)
    weighted = _objective.cost_and_gradients(parameters, hidden, x, y, weight.astype(float))
    repeated = np.repeat(np.arange(50), weight)
    sums = _objective.cost_and_gradients(parameters, hidden, x[repeated], y[repeated], np.ones(len(repeated)))
    np.testing.assert_allclose(weighted.cost, sums.cost, rtol=1e-12)
    for one, other in zip(weighted.nabla_b + weighted.nabla_w, sums.nabla_b + sums.nabla_w):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
@pytest.mark.parametrize("hidden", [(), 12, (12, 8)])
def test_it_learns_keeps_the_dtype_and_takes_sparse_input(solver, hidden):
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    names = np.array([f"digit {i}" for i in range(10)])[y]
    given = {"hidden_layer_sizes": hidden, "solver": solver, "max_iter": 60, "batch_size": 20, "alpha": 0.1}
    given |= {"learning_rate_init": 0.02, "random_state": 0}
    model = SoftmaxClassifier(**given).fit(x, names)
    assert model.score(x, names) > 0.93
    assert model.predict_proba(x).dtype == model.coefs_[0].dtype == np.float32
    assert [c.shape[0] for c in model.coefs_] == [64, *np.atleast_1d(np.array(hidden, int))]
    np.testing.assert_allclose(
        np.exp(model.predict_log_proba(x)), model.predict_proba(x), rtol=1e-4, atol=1e-30
    )
    assert len(model.loss_curve_) == model.n_iter_ and model.loss_curve_[-1] < model.loss_curve_[0]
    again = SoftmaxClassifier(**given).fit(sparse.csr_array(x), names)
    assert again.score(sparse.csr_matrix(x), names) > 0.93
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict_proba(x), model.predict_proba(x))
    assert model.network_.accuracy((x, y)) == round(model.score(x, names) * len(y))


def test_weights_in_mini_batches():
    x, y = make_classification(400, n_informative=5, flip_y=0.3, random_state=0)
    given = {"solver": "sgd", "learning_rate_init": 0.05, "n_iter_no_change": 300, "max_iter": 300, "tol": 0}
    given["batch_size"] = 400  # all examples: no noise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weighted = SoftmaxClassifier(class_weight={0: 1, 1: 3}, **given).fit(x, y)
        full = SoftmaxClassifier(class_weight={0: 1, 1: 3}, tol=1e-8, max_iter=500).fit(x, y)
    np.testing.assert_allclose(weighted.coef_, full.coef_, atol=1e-6)


def test_warm_start_and_partial_fit():
    model = SoftmaxClassifier(warm_start=True, tol=1e-6).fit(IRIS, LABELS)
    steps = model.n_iter_
    assert model.fit(IRIS, LABELS).n_iter_ < steps / 3
    with pytest.raises(ValueError, match="warm_start"):
        model.fit(IRIS[:100], LABELS[:100])
    model = SoftmaxClassifier((8,), solver="adam", learning_rate_init=0.05, random_state=0)
    with pytest.raises(ValueError, match="classes is None"):
        model.partial_fit(IRIS, LABELS)
    for _ in range(100):
        model.partial_fit(IRIS, LABELS, classes=[0, 1, 2])
    assert model.score(IRIS, LABELS) > 0.9 and model.n_iter_ == 100
    model = pickle.loads(pickle.dumps(model)).partial_fit(IRIS, LABELS)
    with pytest.raises(ValueError, match="y has 7"):
        model.partial_fit(IRIS, LABELS + 7)
    assert not hasattr(SoftmaxClassifier(), "partial_fit")


def test_an_estimator_is_trained_by_one_thread_at_a_time():
    """The others get an error; what they would have changed is as it was."""
    x, y = make_classification(4000, 40, random_state=0)
    model = SoftmaxClassifier((50,), solver="adam", random_state=0).partial_fit(x, y, classes=[0, 1])
    refused = []

    def train(_):
        for _ in range(20):
            try:
                model.partial_fit(x, y)
            except RuntimeError as error:
                refused.append(str(error))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(train, range(4)))
    assert set(refused) == {"partial_fit: this SoftmaxClassifier is being trained by another call"}
    assert model.n_iter_ == 1 + 80 - len(refused) == len(model.loss_curve_)
    same = SoftmaxClassifier((50,), solver="adam", random_state=0)
    for _ in range(model.n_iter_):
        same.partial_fit(x, y, classes=[0, 1])
    assert same.network_.digest() == model.network_.digest()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_set_between_calls_holds():
    x, y = make_classification(300, random_state=0)
    given = {
        "solver": "adam",
        "learning_rate_init": 0.05,
        "random_state": 0,
        "max_iter": 300,
        "batch_size": 300,
    }
    strict = SoftmaxClassifier(alpha=1000, warm_start=True, **given).fit(x, y)
    loose = strict.set_params(alpha=1e-3).fit(x, y)
    np.testing.assert_allclose(loose.loss_, SoftmaxClassifier(alpha=1e-3, **given).fit(x, y).loss_, rtol=0.01)
    other = (
        SoftmaxClassifier((4,), warm_start=True, **given).fit(x, y).set_params(activation="tanh").fit(x, y)
    )
    assert other.network_.hidden == "tanh"
    # what alpha is shared out among is the first call's, also where the model was pickled in between
    models = [SoftmaxClassifier(alpha=100, solver="sgd", momentum=0, learning_rate_init=0.1, random_state=0)]
    models[0].partial_fit(x, y, classes=[0, 1])
    models.append(pickle.loads(pickle.dumps(models[0])))
    for model in models:
        for _ in range(20):
            model.partial_fit(x[:30], y[:30])
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-12)


@pytest.mark.parametrize("tol", [0, 0.01, 0.03, 0.1])
def test_early_stopping_keeps_the_best(monkeypatch, tol):
    x, y = load_digits(return_X_y=True)
    x, held = x / 16, []
    weight = np.random.default_rng(0).random(len(y)) + 0.1
    score = SoftmaxClassifier.score
    monkeypatch.setattr(
        SoftmaxClassifier, "score", lambda self, *given: held.append(given) or score(self, *given)
    )
    given = {"solver": "adam", "early_stopping": True, "n_iter_no_change": 4, "random_state": 0, "tol": tol}
    model = SoftmaxClassifier((30,), learning_rate_init=0.02, **given).fit(x, y, weight)
    assert model.n_iter_ < 200 and len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_) == score(model, *held[-1])
    assert len(held[0]) == 3  # their weights too
    scores, passed = model.validation_scores_, 0
    for epoch in range(1, model.n_iter_):
        passed = epoch if scores[epoch] > scores[passed] + tol else passed
    assert model.n_iter_ - 1 - passed == 4


def test_nesterov_is_what_it_says():
    given = {"solver": "sgd", "random_state": 0, "max_iter": 3, "tol": 0, "learning_rate_init": 0.01}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one, other = (
            SoftmaxClassifier(nesterovs_momentum=n, **given).fit(IRIS, LABELS).coef_ for n in (0, 1)
        )
    assert not np.allclose(one, other)


def test_a_call_that_fails_changes_nothing():
    model = SoftmaxClassifier(solver="sgd")
    with pytest.raises(ValueError, match="y has 2"):
        model.partial_fit(IRIS, LABELS, classes=[0, 1])
    model.partial_fit(IRIS, LABELS, classes=[0, 1, 2])
    model = SoftmaxClassifier()
    with pytest.raises(ValueError, match="Negative"):
        model.fit(IRIS, LABELS, -np.ones(150))
    with pytest.raises(NotFittedError):
        model.predict(IRIS)


def test_no_step_and_no_minimum():
    flat = SoftmaxClassifier().fit([[1.0], [1.0], [-1.0], [-1.0]], [0, 1, 0, 1])
    assert flat.n_iter_ == 0 and flat.loss_curve_ == [] and flat.loss_ == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="the cost is"), np.errstate(all="ignore"):
        SoftmaxClassifier().fit(IRIS * 1e200, LABELS)
    with pytest.raises(ValueError, match=r"the loss is \w+ after iteration"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        SoftmaxClassifier(solver="sgd", learning_rate_init=1.0).fit((IRIS * 1e20).astype("f"), LABELS)
    x, y = load_wine(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="the precision of float32 came before tol"):
        SoftmaxClassifier(max_iter=5000).fit(x.astype(np.float32), y)


def test_fits_in_threads_leave_the_limits_as_they_were():
    x, y = load_digits(return_X_y=True)
    before = nf.get_num_threads(), [(i["filepath"], i["num_threads"]) for i in threadpool_info()]
    with nf.num_threads(3), ThreadPoolExecutor(3) as pool:
        list(
            pool.map(lambda n: SoftmaxClassifier(tol=1e-2).fit(x[:n], y[:n]), [300, 1500, 600, 200, 900] * 3)
        )
    assert (nf.get_num_threads(), [(i["filepath"], i["num_threads"]) for i in threadpool_info()]) == before


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    monkeypatch.setattr(_objective, "_WORK_FOR_THREADS", 0)
    x = np.random.default_rng(0).standard_normal((9000, 301), np.float32)
    y = (x[:, 0] + np.random.default_rng(1).standard_normal(9000) > 0).astype(int)
    fits = []
    for threads in (1, 2, 5):
        with nf.num_threads(threads):
            fits.append(SoftmaxClassifier(tol=1e-2).fit(x, y))
    assert all(np.array_equal(fit.coef_, fits[0].coef_) and fit.loss_ == fits[0].loss_ for fit in fits)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
@pytest.mark.parametrize("hidden", [(), (1,)])  # one neuron's products are where BLAS differs most
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_the_arrays_lie_in_memory_changes_no_bit(solver, hidden, dtype):
    x, y = load_digits(return_X_y=True)
    x, weight = (x / 16).astype(dtype), np.random.default_rng(0).random(7 * len(y))  # summed in parts
    x, y, fits = np.tile(x, (7, 1)), np.tile(y, 7), []
    for offset in (0, 1, 3, 8):
        given = [at_offset(array, offset) for array in (x, y, weight)]
        model = SoftmaxClassifier(hidden, solver=solver, tol=0.1, max_iter=3, random_state=0).fit(*given)
        fits.append((model.network_.digest(), model.loss_, model.predict_proba(given[0]).tobytes()))
    assert all(fit == fits[0] for fit in fits)


@pytest.mark.parametrize("kind", ["Int64", "Float64", "boolean", "string"])
def test_nullable_columns_and_frames_are_as_plain_ones(kind):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(IRIS, columns=list("abcd")).convert_dtypes()
    y = pandas.Series(LABELS > 0 if kind == "boolean" else LABELS).astype(kind)
    assert "Float64" in map(str, frame.dtypes)
    weight = pandas.Series(np.ones(150), dtype="Float64")
    model = SoftmaxClassifier().fit(frame, y, weight)
    plain = SoftmaxClassifier().fit(IRIS, np.asarray(y.tolist()))
    assert model.classes_.tolist() == plain.classes_.tolist()
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-6)
    holed = frame.copy()
    holed.iloc[7, 0] = pandas.NA
    for given, where in (
        ((holed, y, weight), "X: feature 0 of example 7 is nan"),
        ((frame, y.mask(y.index == 7), weight), "y has no value for example 7"),
        ((frame, y, weight.mask(weight.index == 7)), "sample_weight has no value for example 7"),
    ):
        with pytest.raises(ValueError, match=where):
            model.fit(*given)
    with pytest.raises(ValueError, match="X: feature 0 of example 7 is nan"):
        model.predict(holed)


def test_in_the_tools_of_scikit_learn():
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier())
    assert cross_val_score(pipeline, IRIS, LABELS).mean() > 0.94
    search = GridSearchCV(pipeline, {"softmaxclassifier__alpha": [1e-3, 1, 1e3]}, n_jobs=2).fit(IRIS, LABELS)
    assert search.best_params_["softmaxclassifier__alpha"] < 1e3 and search.best_score_ > 0.94


def test_what_it_says(capsys):
    with pytest.warns(ConvergenceWarning, match="max_iter came before tol") as caught:
        SoftmaxClassifier(max_iter=2, verbose=True).fit(IRIS, LABELS)
    assert caught[0].filename == __file__  # the caller's line
    assert capsys.readouterr().out.startswith("Iteration 1, loss = ")
    with pytest.raises(NotFittedError):
        SoftmaxClassifier().predict(IRIS)
    with pytest.raises(AttributeError, match="coefs_"):
        _ = SoftmaxClassifier((4,), tol=0.1).fit(IRIS, LABELS).coef_
    with pytest.raises(ValueError, match="y has one class"):
        SoftmaxClassifier().fit(IRIS, np.zeros(150))
    with pytest.raises(ValueError, match=r"non-zero|0 for every example"):
        SoftmaxClassifier().fit(IRIS, LABELS, np.zeros(150))
    with pytest.raises(ValueError, match=r"class_weight is \{0: -1"):
        SoftmaxClassifier(class_weight={0: -1.0, 1: 1.0, 2: 1.0}).fit(IRIS, LABELS)
    with pytest.raises(ValueError, match="class_weight is 'balanced'"):
        balanced = SoftmaxClassifier(class_weight="balanced", solver="sgd")
        balanced.partial_fit(IRIS, LABELS, classes=[0, 1, 2])


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_layer_sizes": (0,)},
        {"hidden_layer_sizes": 2.5},
        {"activation": "sin"},
        {"solver": "newton"},
        {"alpha": -1},
        {"alpha": None},
        {"activation": ["relu"]},
        {"batch_size": 0},
        {"learning_rate_init": 0},
        {"momentum": 1},
        {"max_iter": 0},
        {"tol": -1},
        {"validation_fraction": 1},
        {"n_iter_no_change": 0},
    ],
)
def test_a_wrong_parameter_is_named(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError) as error:
        SoftmaxClassifier(**wrong).fit(IRIS, LABELS)
    assert f"{name} is {value!r}; it must be" in str(error.value)


@pytest.mark.parametrize(
    "name, value", [("alpha", 10**400), ("learning_rate_init", "0.5"), ("momentum", 10**400)]
)
def test_numbers_that_are_no_floats_are_named(name, value):
    with pytest.raises(ValueError, match=f"SoftmaxClassifier: {name} is .*; it must be"):
        SoftmaxClassifier(solver="adam", **{name: value}).fit([[0.0], [1.0]], [0, 1])


def test_a_batch_of_any_size_is_at_most_the_data():
    x, y = np.random.default_rng(0).standard_normal((20, 3)), np.arange(20) % 2
    large, all_of_it = (SoftmaxClassifier(solver="adam", batch_size=n, random_state=0) for n in (2**70, 20))
    for model in (large, all_of_it):
        model.partial_fit(x, y, classes=[0, 1])
    assert large.network_.digest() == all_of_it.network_.digest()
