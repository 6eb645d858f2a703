"""A call that raises leaves its estimator as it was, and a copy or a pickle goes on as the original does."""

import copy
import io
import pickle
import sys
import threading
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning

import nndl_fast as nf
from nndl_fast.sklearn import SoftmaxClassifier

X, Y = load_iris(return_X_y=True)
X32 = X.astype(np.float32)
MINI = {"learning_rate_init": 0.05, "random_state": 0, "batch_size": 20}


def state(model):
    """All that a later call depends on, as bytes that can be compared."""
    seen = {name: value for name, value in vars(model).items() if name not in ("network_", "_trainer")}
    network = vars(model).get("network_")
    if network is not None:
        seen |= {"rng": network.rng.bit_generator.state, "digest": network.digest(), "sizes": network.sizes}
    if vars(model).get("_trainer") is not None:
        moments, *powers = model._trainer.memory
        seen |= {
            "moments": [p.tobytes() for sides in moments for side in sides for p in side],
            "powers": powers,
        }
    return repr(seen)


def goes_on(model, calls=2):
    for _ in range(calls):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    return model.network_.digest()


class Stop(BaseException):
    """As Ctrl-C is: no ordinary exception."""


class Stopping(SoftmaxClassifier):
    """Raises in the middle of a call if it is told to."""

    stop_at = None

    def _note(self, loss):
        super()._note(loss)
        if len(self.loss_curve_) == self.stop_at:
            raise Stop


REFUSED = [
    ("partial_fit", (X * 1e300, Y), {}, "feature 0 of example 0 is inf"),
    ("partial_fit", (X * np.nan, Y), {}, "feature 0 of example 0 is nan"),
    ("partial_fit", (X, Y, None, np.full(150, 1e300)), {}, "infinity"),
    ("partial_fit", (X, Y, None, np.full(150, 1e37)), {}, "sum"),
    ("partial_fit", (X, Y, [0, 1]), {}, "classes is"),
    ("partial_fit", (X, Y + 7), {}, "y has 7"),
    ("partial_fit", (X[:, :2], Y), {}, "features"),
    ("partial_fit", (X, Y), {"learning_rate_init": 1e30}, "the loss is"),
    ("partial_fit", (X, Y), {"class_weight": {0: 1e300}}, "class_weight"),
    ("partial_fit", (X, Y), {"class_weight": "balanced"}, "balanced"),
    ("partial_fit", (X, Y), {"early_stopping": True}, "early_stopping is True"),
    ("partial_fit", (X, Y), {"momentum": -1}, "momentum is -1"),
    ("partial_fit", (X, Y), {"batch_size": 0}, "batch_size is 0"),
    ("fit", (X * np.inf, Y), {}, "feature 0 of example 0 is inf"),
    ("fit", (X[:, :2], Y * 0), {}, "one class"),
    ("fit", (X[:, :2], Y, -np.ones(150)), {}, "Negative"),
    ("fit", (X[:, :2], Y), {"learning_rate_init": 1e300}, "the loss is"),
    ("fit", (X, Y), {"learning_rate_init": 1e300, "warm_start": True}, "the loss is"),
    ("fit", (X[:100], Y[:100]), {"warm_start": True}, "warm_start"),
    ("fit", (X[:, :2] * 1e200, Y), {"solver": "lbfgs"}, "the cost is"),
    ("fit", (X, Y), {"validation_fraction": 0.001, "early_stopping": True}, "test_size"),
]


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("method, given, parameters, message", REFUSED)
def test_a_call_that_raises_changes_nothing(solver, method, given, parameters, message):
    model = SoftmaxClassifier((5,), solver=solver, **MINI)
    goes_on(model.partial_fit(X32, Y, classes=[0, 1, 2]))
    untouched = copy.deepcopy(model)
    model.set_params(**parameters)
    before = state(model)
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(*given)
    assert state(model) == before
    model.set_params(**untouched.get_params())
    assert goes_on(model) == goes_on(untouched)


@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_that_is_stopped_keeps_the_fit_before(solver, warm_start):
    model = Stopping(solver=solver, warm_start=warm_start, tol=0.01, max_iter=1000, **MINI).fit(X, Y)
    kept, before = model.network_, state(model)
    model.stop_at = 2
    before = state(model)
    with pytest.raises(Stop):
        model.set_params(alpha=0.01).fit(X, Y)
    assert state(model.set_params(alpha=1.0)) == before and model.network_ is kept
    new = Stopping(solver=solver, **MINI)
    new.stop_at = 2
    with pytest.raises(Stop):
        new.fit(X, Y)
    assert not hasattr(new, "classes_") and not hasattr(new, "n_features_in_")


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_ctrl_c_at_any_line_of_a_call_leaves_it_undone_or_done(solver):
    def trace(frame, event, _):
        nonlocal lines
        if frame.f_globals["__name__"].startswith("nndl_fast.") and event == "line":
            lines += 1
            if lines == stop_at:
                raise KeyboardInterrupt
        return trace

    model = SoftmaxClassifier((3,), solver=solver, **MINI).partial_fit(X, Y, classes=[0, 1, 2])
    model.partial_fit(X, Y)
    before, after = (copy.deepcopy(model) for _ in range(2))
    goes_on(after, 1)
    ends = {state(before): goes_on(before), state(after): goes_on(after)}
    for stop_at in range(1, 3000):
        lines, one, kept = 0, copy.deepcopy(model), sys.gettrace()
        sys.settrace(trace)
        try:
            one.partial_fit(X, Y)
            break
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(kept)
        found = state(one)
        assert found in ends
        assert stop_at % 7 or goes_on(one) == ends[found]
    assert 50 < stop_at < 2999


def test_a_warning_that_is_an_error_changes_nothing_and_names_the_callers_line():
    model = SoftmaxClassifier(max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            model.fit(X, Y)
    assert not hasattr(model, "network_")
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, Y)
    assert caught[0].filename == __file__


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, by_joblib, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["deepcopy", "joblib", "pickle"],
)
@pytest.mark.parametrize(
    "parameters", [{"solver": "adam"}, {"solver": "sgd"}, {"solver": "sgd", "momentum": 0}]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_copy_goes_on_with_the_bits_of_the_original(copied, parameters, dtype):
    for begin in ("partial_fit", "fit"):
        model = SoftmaxClassifier((5, 17), max_iter=3, **parameters, **MINI)
        if begin == "fit":
            model.fit(X.astype(dtype), Y)
        else:
            model.partial_fit(X.astype(dtype), Y, classes=[0, 1, 2])
        twin = copied(model)
        assert goes_on(model, 3) == goes_on(twin, 3)
        assert goes_on(copied(twin)) == goes_on(model)
        assert state(twin) != state(model)  # nothing is shared: the twin has gone on without the last calls


def test_a_wide_last_layer_is_copied_too():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 3)), rng.integers(0, 20, 50)
    model = SoftmaxClassifier(solver="adam", **MINI).partial_fit(x, y, classes=np.arange(4100))
    twin = pickle.loads(pickle.dumps(model))
    assert model.partial_fit(x, y).network_.digest() == twin.partial_fit(x, y).network_.digest()


def test_pickles_of_before_still_load():
    """They have no trainer, so what Adam kept begins anew."""
    model = SoftmaxClassifier(solver="adam", **MINI).partial_fit(X, Y, classes=[0, 1, 2])
    old = pickle.loads(pickle.dumps(model))
    old._trainer = None
    old = pickle.loads(pickle.dumps(old)).partial_fit(X, Y)
    assert old.n_iter_ == 2 and old.network_.digest() != model.partial_fit(X, Y).network_.digest()


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.SGD((X, Y), 1, 10, 0.1, callback=5),
        lambda net: net.SGD((X, Y), 1, 10, 0.1, evaluation_data=(X[:, :2], Y)),
        lambda net: net.SGD((X * 1e300, Y), 1, 10, 0.1),
        lambda net: net.SGD((X, Y), 1, 10, lambda epoch: np.nan),
        lambda net: net.SGD((X, Y), 1, 10, 0.1, momentum=2),
        lambda net: net.SGD((X, Y), 1, 10, 0.1, monitor_training_cost=np.ones(2)),
        lambda net: net.update_mini_batch((X, Y), 0.1, np.inf, 150),
        lambda net: net.load_state_dict({"0.weight": np.ones((3, 4)), "0.bias": np.ones(2)}),
        lambda net: setattr(net, "parameters", ([np.ones((3, 1))], [np.ones((3, 5))])),
        lambda net: setattr(net, "weights", [np.ones((3, 5))]),
        lambda net: setattr(net, "biases", ["a"]),
        lambda net: setattr(net, "classes", ["a", "a", "b"]),
        lambda net: setattr(net, "features", ["a"]),
    ],
)
def test_a_network_that_refuses_is_as_it_was(change):
    net = nf.Network([4, 3], rng=0, classes=[0, 1, 2])
    before = net.digest(), net.rng.bit_generator.state, net.classes, net.features
    with pytest.raises((ValueError, TypeError)):
        change(net)
    assert (net.digest(), net.rng.bit_generator.state, net.classes, net.features) == before


@pytest.mark.filterwarnings("ignore")  # some of the fits end at max_iter
def test_early_stopping_validates_on_examples_that_weigh_something(monkeypatch):
    x, y = load_digits(return_X_y=True)
    weight = np.zeros(len(y))
    weight[::7] = 1.0
    weight[np.flatnonzero(y == 8)] = 0
    weight[np.flatnonzero(y == 8)[0]] = 1  # the only one of its class: it trains
    held, score = [], SoftmaxClassifier.score
    monkeypatch.setattr(
        SoftmaxClassifier, "score", lambda self, *given: held.append(given) or score(self, *given)
    )
    given = {"solver": "adam", "early_stopping": True, "max_iter": 20}
    model = SoftmaxClassifier(**given, **MINI).fit(x, y, weight)
    (_, labels, weights), n = held[0], np.count_nonzero(weight) - 1
    assert np.all(weights == 1) and len(labels) == -(-n // 10) and 8 not in labels
    bagged = BaggingClassifier(SoftmaxClassifier(**given, **MINI), 3, max_samples=0.1, random_state=0)
    assert np.all(np.isfinite(bagged.fit(x, y).estimators_[0].validation_scores_)) and model.n_iter_ > 1


def test_a_shallow_copy_has_a_trainer_of_its_own():
    model = SoftmaxClassifier((17,), solver="adam", **MINI).partial_fit(X, Y, classes=[0, 1, 2])
    other = copy.copy(model)
    assert other._trainer is not model._trainer and other.network_ is model.network_
    other.network_ = copy.deepcopy(model.network_)
    other._trainer.net = other.network_
    assert goes_on(other) == goes_on(model)


def test_a_compiled_network_takes_one_call_at_a_time():
    compiled = nf._core.network([40, 200, 3], "sigmoid", "LogLikelihoodCost", False)
    net = nf.Network([40, 200, 3], dtype=np.float64, rng=0)
    compiled.use(net.weights, net.biases)
    x, y = np.random.default_rng(0).standard_normal((4000, 40)), np.arange(4000) % 3
    rule, refused = nf._core.rule("adam"), []

    def disturb():
        for _ in range(10_000):
            if refused or not other.is_alive():
                break
            try:
                compiled.parameters()
            except RuntimeError as error:
                refused.append(str(error))

    other = threading.Thread(target=lambda: compiled.train(x, y, np.arange(4000).repeat(20), 10, rule, 0.01))
    other.start()
    disturb()
    other.join()
    assert refused == ["_core.Network: it is in the middle of a call"]


def test_a_cost_of_ones_own_is_trained_and_undone_too():
    class Mine(nf.LogLikelihoodCost):
        @staticmethod
        def delta(z, a, y):
            return nf.LogLikelihoodCost.delta(z, a, y)

    model = SoftmaxClassifier(solver="adam", **MINI).partial_fit(X, Y, classes=[0, 1, 2])
    model.network_.cost, model._trainer = Mine, None
    model.partial_fit(X, Y)
    before, d = state_of_numpy(model), vars(model)
    with pytest.raises(ValueError, match="feature 0"):
        model.partial_fit(X * np.nan, Y)
    assert state_of_numpy(model) == before and vars(model) is d


def state_of_numpy(model):
    states = [optimizer.state_dict() for optimizer in model._trainer.optimizers.both]
    return model.network_.digest(), [(name, a.tobytes()) for state in states for name, a in state.items()]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_features_so_small_that_weights_are_huge():
    """Their squares are infinite, but with alpha = 0 they count nothing."""
    for size in (1e-150, 1e-158, 3e-162):
        model = SoftmaxClassifier(alpha=0.0, max_iter=20).fit(X * size, Y)
        assert np.isfinite(model.loss_)
