"""Network for people who have no book at hand: predictions in rows, names of classes, and what goes wrong."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import nndl_fast as nf
from nndl_fast import CrossEntropyCost, LogLikelihoodCost, QuadraticCost

COSTS = [LogLikelihoodCost, CrossEntropyCost, QuadraticCost]
ROOT = Path(__file__).parents[1]


def rows(n=7, features=4, seed=0):
    return np.random.default_rng(seed).standard_normal((n, features))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("n", [0, 1, 7, 5000])
def test_predictions_in_rows_are_the_books_in_columns(cost, n):
    net = nf.Network([4, 5, 3], cost=cost, rng=0)
    x = rows(n)
    columns = net.feedforward(x.T, axis=0)
    np.testing.assert_array_equal(net.predict_proba(x), columns.T)
    np.testing.assert_array_equal(net.feedforward(x, axis=1), columns.T)
    np.testing.assert_array_equal(net.predict(x), columns.argmax(axis=0))
    assert net.predict(x).shape == (n,)


def test_a_single_neuron_tells_two_classes_apart():
    net = nf.Network([4, 1], cost=CrossEntropyCost, rng=0)
    x = rows(50)
    a = net.feedforward(x.T)[0]
    assert 0 < np.sum(a > 0.5) < 50
    np.testing.assert_array_equal(net.predict_proba(x), np.stack([1 - a, a], axis=1))
    np.testing.assert_array_equal(net.predict(x), a > 0.5)
    net.classes = ["no", "yes"]
    np.testing.assert_array_equal(net.predict(x) == "yes", a > 0.5)


def test_a_square_array_without_an_axis_is_a_warning_and_with_one_is_not():
    net = nf.Network([4, 3], rng=0)
    x = rows(4)
    with pytest.warns(UserWarning, match=r"shape \(4, 4\).* axis=1 for rows"):
        a = net.feedforward(x)
    np.testing.assert_array_equal(a, net.feedforward(x, axis=0))
    np.testing.assert_array_equal(net.feedforward(x, axis=1), net.predict_proba(x))
    assert not np.array_equal(a.T, net.predict_proba(x))
    nf.Network([1, 2]).feedforward([[1.0]])  # one example of one feature is no question


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda net: net.predict(rows().T), r"predict: x has shape \(4, 7\); .* give x\.T"),
        (lambda net: net.predict(rows()[0]), r"predict: x has shape \(4,\); .* x\[None\]"),
        (lambda net: net.predict_proba(rows(features=5)), r"shape \(7, 5\); it must be \(n, 4\)"),
        (
            lambda net: net.feedforward(rows()),
            r"feedforward: a has shape \(7, 4\); .* give x\.T, or see predict",
        ),
        (lambda net: net.feedforward(rows(), axis=2), "feedforward: axis is 2; it must be 0 or 1"),
        (lambda net: setattr(net, "classes", "ab"), "classes has 2 labels; it must have 3"),
        (lambda net: setattr(net, "classes", [1, 2, 1]), "classes has 1 more than once"),
        (lambda net: setattr(net, "features", ["a"]), "features has 1 names; it must have 4"),
    ],
)
def test_what_does_not_fit_is_told_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call(nf.Network([4, 3]))
    with pytest.raises(TypeError, match="classes has None"):
        nf.Network([4, 3], classes=["a", None, "c"])


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("what", ["predict", "predict_proba", "accuracy", "SGD", "evaluation", "pairs"])
def test_features_that_are_no_finite_numbers_are_named_and_nothing_is_trained(fault, what):
    net = nf.Network([4, 3], rng=0)
    before = net.digest()
    good, y = rows(), np.arange(7) % 3
    x = good.copy()
    x[5, 2] = fault  # 1e300 is infinite to float32
    calls = {
        "predict": lambda: net.predict(x),
        "predict_proba": lambda: net.predict_proba(x),
        "accuracy": lambda: net.accuracy((x, y)),
        "SGD": lambda: net.SGD((x, y), 1, 2, 0.1),
        "evaluation": lambda: net.SGD((good, y), 1, 2, 0.1, evaluation_data=(x, y)),
        "pairs": lambda: net.SGD(list(zip(x, y)), 1, 2, 0.1),
    }
    with pytest.raises(ValueError, match=r"feature 2 of example 5 is .*(nan|inf); features must be finite"):
        calls[what]()
    assert net.digest() == before


def test_finite_features_with_an_infinite_sum_are_taken():
    x = np.full((3, 4), 3e38)
    assert nf.Network([4, 3], rng=0).predict(x).shape == (3,)


def test_the_repr_says_what_the_network_is():
    assert repr(nf.Network([784, 30, 10])) == (
        "<Network 784-30-10: hidden sigmoid, LogLikelihoodCost, float32, 23,860 parameters>"
    )
    net = nf.Network([3, 2], cost=QuadraticCost, dtype=np.float64)
    assert repr(net) == "<Network 3-2: no hidden layer, QuadraticCost, float64, 8 parameters>"
    assert net.num_parameters == sum(p.size for p in net.biases + net.weights)


@pytest.mark.parametrize("classes", [["ham", "spam", "eggs"], [10, 20, 30], [0.5, 1.5, 2.5]])
def test_classes_are_the_labels_of_data_and_predictions_and_are_saved(tmp_path, classes):
    x, numbers = rows(30), np.arange(30) % 3
    named, plain = nf.Network([4, 5, 3], rng=1, classes=classes), nf.Network([4, 5, 3], rng=1)
    named.features = ["a", "b", "c", "d"]
    labels = np.asarray(classes)[numbers]
    named.SGD((x, labels), 3, 5, 0.5)
    plain.SGD((x, numbers), 3, 5, 0.5)
    assert named.digest() == plain.digest()
    pairs = nf.Network([4, 5, 3], rng=1, classes=classes)
    pairs.SGD(list(zip(x, labels)), 3, 5, 0.5)
    assert pairs.digest() == plain.digest()
    assert named.accuracy((x, labels)) == plain.accuracy((x, numbers)) == np.sum(named.predict(x) == labels)
    for ours, theirs in zip(named.backprop(x.T, labels)[1], plain.backprop(x.T, numbers)[1]):
        np.testing.assert_array_equal(ours, theirs)
    named.save(tmp_path / "m.npz")
    again = nf.load(tmp_path / "m.npz")
    assert (again.classes, again.features) == (classes, ["a", "b", "c", "d"])
    np.testing.assert_array_equal(again.predict(x), named.predict(x))
    plain.save(tmp_path / "m.npz")
    assert (nf.load(tmp_path / "m.npz").classes, nf.load(tmp_path / "m.npz").features) == (None, None)


def test_a_label_that_is_no_class_is_named():
    net = nf.Network([4, 3], classes=["a", "b", "c"])
    with pytest.raises(
        ValueError, match=r"training_data: y has 'z' at example 1; .* classes are 'a', 'b', 'c'"
    ):
        net.SGD((rows(2), ["a", "z"]), 1, 1, 0.1)
    net.accuracy((rows(2), np.eye(3)[:2]))  # targets need no names


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("dtype, eta", [(np.float32, 1e30), (np.float64, 1e200)])
def test_training_that_diverges_is_a_warning_with_the_epoch_and_ends(optimizer, dtype, eta):
    net = nf.Network([4, 5, 3], hidden="relu", dtype=dtype, rng=0)
    epochs = []
    with pytest.warns(RuntimeWarning, match=r"after epoch \d+\. A lower eta than 1e") as caught:
        lists = net.SGD(
            (rows(20), np.arange(20) % 3),
            2000,
            5,
            eta,
            lmbda=1.0,
            monitor_training_cost=True,
            optimizer=optimizer,
            callback=lambda epoch, values: epochs.append(epoch),
        )
    assert len(caught) == 1
    assert len(lists[2]) == epochs[-1] < 2000
    assert not all(np.isfinite(p).all() for p in net.biases + net.weights)


def test_training_that_diverges_leaves_the_best_epochs_network_where_it_is_kept():
    x, y = rows(60), np.arange(60) % 3
    net = nf.Network([4, 5, 3], hidden="relu", rng=0)
    with pytest.warns(RuntimeWarning, match="weights or biases are NaN or infinite after epoch 4"):
        rate = lambda epoch: 0.1 if epoch < 4 else 1e38  # noqa: E731
        lists = net.SGD((x, y), 9, 5, rate, lmbda=1.0, evaluation_data=(x, y), early_stopping_n=8)
    assert len(lists[1]) == 4
    assert net.accuracy((x, y)) == max(lists[1][:3])


def test_a_cost_that_is_infinite_is_a_warning_once_and_training_goes_on():
    class Infinite(QuadraticCost):
        @staticmethod
        def from_z(z, y):
            return np.inf

    net = nf.Network([4, 3], cost=Infinite, rng=0)
    with pytest.warns(RuntimeWarning, match="training_cost is inf after epoch 1") as caught:
        lists = net.SGD((rows(9), np.arange(9) % 3), 3, 5, 0.1, monitor_training_cost=True)
    assert (len(caught), len(lists[2])) == (1, 3)


def test_training_that_converges_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nf.Network([4, 3], rng=0).SGD((rows(9), np.arange(9) % 3), 3, 5, 0.1, monitor_training_cost=True)


@pytest.mark.parametrize(
    "arguments",
    [
        [
            "-c",
            "import nndl_fast as nf; print(nf.softmax([1.0, 1.0]), nf.datasets.load_digits()[2][1].shape)",
        ],
        ["-m", "nndl_fast", "--version"],
    ],
)
def test_python_in_the_source_folder_takes_the_installed_package(arguments):
    if not (ROOT / "nndl_fast" / "__init__.py").is_file():
        pytest.skip("the tests are not in the source folder")
    result = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "0.5 0.5" in result.stdout or nf.__version__ in result.stdout


def test_the_source_without_an_installed_package_says_so():
    paths = f"[{str(ROOT)!r}, *(path for path in sys.path if 'packages' not in path)]"
    code = f"import sys; sys.path = {paths}; import nndl_fast"
    if not (ROOT / "nndl_fast" / "__init__.py").is_file():
        pytest.skip("the tests are not in the source folder")
    result = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert "no nndl_fast is installed here; pip install . installs it" in result.stderr
