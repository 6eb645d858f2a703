"""Weights and biases: how they are drawn, and which ones a caller may set."""

import numpy as np
import pytest

import nndl_fast as nf

X, Y = np.random.default_rng(0).standard_normal((60, 4)), np.arange(60) % 3


def network(**options):
    return nf.Network([4, 5, 3], rng=0, **{"dtype": np.float64, **options})


def test_all_biases_are_drawn_before_all_weights():
    net, rng = nf.Network([4, 5, 3], dtype=np.float64, rng=7), np.random.default_rng(7)
    biases = [rng.standard_normal((n, 1)) for n in (5, 3)]
    weights = [rng.standard_normal(shape) / np.sqrt(shape[1]) for shape in ((5, 4), (3, 5))]
    for p, q in zip(net.biases + net.weights, biases + weights, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-15)


def test_initial_weights_have_unit_variance_or_one_over_the_inputs():
    net = nf.Network([400, 300, 200], rng=0)
    for w, n in zip(net.weights, (400, 300)):
        assert np.var(w) * n == pytest.approx(1, rel=0.03)
    net.large_weight_initializer()
    for w in net.weights:
        assert np.var(w) == pytest.approx(1, rel=0.03)
    for initializer in (net.default_weight_initializer, net.large_weight_initializer):
        initializer()
        assert np.var(net.biases[0]) == pytest.approx(1, rel=0.3)
        assert all(p.dtype == np.float32 for p in net.biases + net.weights)


@pytest.mark.parametrize(
    ("hidden", "initializer", "variances"),
    [
        ("sigmoid", "book", (1 / 400, 1 / 300)),
        ("tanh", "glorot", (2 / 700, 2 / 500)),
        ("relu", "he", (2 / 400, 2 / 300)),
    ],
)
def test_each_activation_has_its_initializer(hidden, initializer, variances):
    for of, given in ((hidden, None), ("sigmoid", initializer)):
        net = nf.Network([400, 300, 200], hidden=of, rng=0, initializer=given)
        assert net.initializer == initializer
        for w, variance in zip(net.weights, variances):
            assert np.var(w) == pytest.approx(variance, rel=0.03) and w.dtype == np.float32
        assert all((b == 0).all() for b in net.biases) == (initializer != "book")
    with pytest.raises(ValueError, match="initializer is 'xavier'; it must be one of 'book', 'glorot', 'he'"):
        nf.Network([4, 3], initializer="xavier")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_that_are_lists_become_arrays(dtype):
    net, other = network(dtype=dtype), network(dtype=dtype)
    net.weights = [w.tolist() for w in net.weights]
    net.biases = tuple(b.tolist() for b in net.biases)
    assert all(type(p) is np.ndarray and p.dtype == dtype for p in net.weights + net.biases)
    for each in (net, other):
        each.SGD((X, Y), 2, 10, 0.5)
    assert net.digest() == other.digest()


def test_parameters_are_set_together():
    net, other = network(), nf.Network([4, 5, 3], rng=1, dtype=np.float64)
    net.parameters = [b.tolist() for b in other.biases], [w.tolist() for w in other.weights]
    assert net.digest() == other.digest()
    biases, weights = net.parameters
    assert biases is net.biases and weights is net.weights


@pytest.mark.parametrize("change", ["feedforward", "SGD", "accuracy", "update_mini_batch", "backprop"])
def test_lists_that_are_changed_in_place(change):
    net = network()
    net.weights[0] = net.weights[0].tolist()
    net.biases[1] = net.biases[1].astype(">f4")
    call = {
        "feedforward": lambda: net.feedforward(X.T),
        "SGD": lambda: net.SGD((X, Y), 1, 10, 0.5),
        "accuracy": lambda: net.accuracy((X, Y)),
        "update_mini_batch": lambda: net.update_mini_batch((X, Y), 0.5, 0, 60),
        "backprop": lambda: net.backprop(X.T, Y),
    }[change]
    call()
    net.weights[1] = np.zeros((3, 4))
    with pytest.raises(ValueError, match=r"weights of layer 2 has shape \(3, 4\); it must be \(3, 5\)"):
        call()


@pytest.mark.parametrize(
    "name, value, error, message",
    [
        ("weights", [np.zeros((5, 4))], ValueError, "weights has 1 arrays; it must have 2"),
        ("weights", [np.zeros((4, 5)), np.zeros((3, 5))], ValueError, r"layer 1 has shape \(4, 5\)"),
        ("biases", [np.zeros((5, 1)), np.zeros(3)], ValueError, r"biases of layer 2 has shape \(3,\)"),
        (
            "biases",
            [np.zeros((5, 1)), np.zeros((3, 1), complex)],
            TypeError,
            "biases of layer 2 has dtype comp",
        ),
        ("weights", [np.zeros((5, 4)), "no"], TypeError, "weights of layer 2 has dtype <U2"),
        (
            "parameters",
            ([np.zeros((5, 1)), np.zeros((3, 1))], [np.zeros((5, 4))]),
            ValueError,
            "weights has 1 arrays; it must have 2",
        ),
        (
            "parameters",
            ([np.zeros((5, 1)), np.zeros(3)], [np.zeros((5, 4)), np.zeros((3, 5))]),
            ValueError,
            r"biases of layer 2 has shape \(3,\)",
        ),
    ],
)
def test_parameters_that_do_not_fit(name, value, error, message):
    net = network()
    before = net.digest()
    with pytest.raises(error, match=message):
        setattr(net, name, value)
    assert net.digest() == before
