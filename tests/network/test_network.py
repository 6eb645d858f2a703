"""What a Network computes: activations, predictions in rows, names of classes, cost and accuracy."""

import tracemalloc

import numpy as np
import pytest
from networks import COSTS

import nndl_fast as nf
from nndl_fast import CrossEntropyCost, QuadraticCost


def rows(n=7, features=4, seed=0):
    return np.random.default_rng(seed).standard_normal((n, features))


def problem(n=23, features=4, outputs=3):
    """Inputs in rows, and labels."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, features)), rng.integers(outputs, size=n)


def plain_sigmoid(z):
    return 1 / (1 + np.exp(-z))


# Activations


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 7)])
def test_feedforward_takes_columns(shape):
    """(25), and (78) for the output layer"""
    a = np.random.default_rng(0).standard_normal(shape)
    net = nf.Network([4, 5, 3], dtype=np.float64, rng=0)
    z = net.weights[1] @ plain_sigmoid(net.weights[0] @ a.reshape(4, -1) + net.biases[0]) + net.biases[1]
    result = net.feedforward(a)
    assert result.shape == (3, 7 if shape == (4, 7) else 1)
    np.testing.assert_allclose(result, np.exp(z) / np.exp(z).sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("cost", [CrossEntropyCost, QuadraticCost])
def test_the_output_is_sigmoid_with_the_other_costs(cost):
    net = nf.Network([4, 3], cost=cost, dtype=np.float64, rng=0)
    x = problem(6)[0].T
    expected = plain_sigmoid(net.weights[0] @ x + net.biases[0])
    np.testing.assert_allclose(net.feedforward(x), expected, rtol=1e-12)


def test_a_square_array_without_an_axis_is_a_warning_and_with_one_is_not():
    net = nf.Network([4, 3], rng=0)
    x = rows(4)
    with pytest.warns(UserWarning, match=r"shape \(4, 4\).* axis=1 for rows"):
        a = net.feedforward(x)
    np.testing.assert_array_equal(a, net.feedforward(x, axis=0))
    np.testing.assert_array_equal(net.feedforward(x, axis=1), net.predict_proba(x))
    assert not np.array_equal(a.T, net.predict_proba(x))
    nf.Network([1, 2]).feedforward([[1.0]])  # one example of one feature is no question


# Predictions


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


# Cost and accuracy


@pytest.mark.parametrize("cost", COSTS)
def test_total_cost_is_the_mean_cost_and_the_regularisation_term(cost):
    """(85): with lmbda / 2n times the sum of the squared weights"""
    x, y = problem(9)
    net = nf.Network([4, 5, 3], cost=cost, dtype=np.float64, rng=0)
    mean = sum(cost.fn(net.feedforward(row), t[:, None]) for row, t in zip(x, np.eye(3)[y])) / 9
    squares = sum(np.sum(w**2) for w in net.weights)
    assert net.total_cost((x, y), 0) == pytest.approx(mean, rel=1e-12)
    assert net.total_cost((x, y), 0.8) == pytest.approx(mean + 0.8 / 18 * squares, rel=1e-12)


@pytest.mark.parametrize("cost", COSTS)
def test_costs_and_accuracy_of_many_examples_are_those_of_their_parts(cost):
    # More examples than go through the network at a time.
    x, y = problem(10_001)
    net = nf.Network([4, 5, 3], cost=cost, dtype=np.float64, rng=0)
    parts = [(x[start : start + 1000], y[start : start + 1000]) for start in range(0, len(x), 1000)]
    assert net.accuracy((x, y)) == sum(net.accuracy(part) for part in parts)
    total = sum(net.total_cost(part, 0) * len(part[0]) for part in parts)
    assert net.total_cost((x, y), 0) * len(x) == pytest.approx(total, rel=1e-12)


def test_accuracy_counts_the_largest_activation():
    x, y = problem(50)
    net = nf.Network([4, 5, 3], rng=0)
    expected = sum(int(np.argmax(net.feedforward(row))) == label for row, label in zip(x, y))
    assert 0 < expected < 50
    assert net.accuracy((x, y)) == net.accuracy((x, np.eye(3)[y])) == expected
    assert net.accuracy(list(zip(x, y)), convert=True) == expected


def test_a_wide_network_is_judged_in_parts():
    net = nf.Network([3, 20_000], rng=0)
    data = np.random.default_rng(0).random((3000, 3), np.float32), np.arange(3000)
    tracemalloc.start()
    net.total_cost(data, 0.1)  # 240 MB of logits, and as much of activations
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


def test_the_repr_says_what_the_network_is():
    assert repr(nf.Network([784, 30, 10])) == (
        "<Network 784-30-10: hidden sigmoid, LogLikelihoodCost, float32, 23,860 parameters>"
    )
    net = nf.Network([3, 2], cost=QuadraticCost, dtype=np.float64)
    assert repr(net) == "<Network 3-2: no hidden layer, QuadraticCost, float64, 8 parameters>"
    assert net.num_parameters == sum(p.size for p in net.biases + net.weights)
