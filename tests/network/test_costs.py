"""The cost classes against plain NumPy, and in a network that knows nothing of this package."""

from itertools import pairwise

import numpy as np
import pytest
from arrays import central_differences
from networks import COSTS, three_classes

import nndl_fast as nf
from nndl_fast import CrossEntropyCost, LogLikelihoodCost, QuadraticCost

SHAPES = [(1, 1), (2, 1), (3, 1), (10, 1), (2, 5), (10, 7), (33, 40)]


def plain_sigmoid(z):
    return 1 / (1 + np.exp(-z))


def plain_softmax(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def plain_activation(cost, z):
    return plain_softmax(z) if cost is LogLikelihoodCost else plain_sigmoid(z)


def plain_fn(cost, a, y):
    """(80), (63) and (6), an element after the other."""
    if cost is LogLikelihoodCost:
        return sum(-t * np.log(p) for p, t in zip(a.ravel(), y.ravel()) if t)
    if cost is CrossEntropyCost:
        return sum(-(t * np.log(p) + (1 - t) * np.log(1 - p)) for p, t in zip(a.ravel(), y.ravel()))
    return sum((p - t) ** 2 / 2 for p, t in zip(a.ravel(), y.ravel()))


def weighted_inputs(shape, seed=0):
    return 3 * np.random.default_rng(seed).standard_normal(shape)


def one_hot(labels, k):
    return np.eye(k)[:, labels]


def probabilities(shape, seed=1):
    return np.random.default_rng(seed).dirichlet(np.ones(shape[0]), shape[1]).T


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("targets", ["one-hot", "probabilities"])
def test_fn_is_the_books_formula_summed_over_the_columns(cost, shape, targets):
    """(80), (63), (6)"""
    labels = np.random.default_rng(2).integers(shape[0], size=shape[1])
    y = one_hot(labels, shape[0]) if targets == "one-hot" else probabilities(shape)
    a = plain_activation(cost, weighted_inputs(shape))
    if shape[0] == 1 and cost is CrossEntropyCost:
        y = y * 0.75  # a target of 1 alone would leave the second term untested
    result = cost.fn(a, y)
    assert type(result) is float
    assert result == pytest.approx(plain_fn(cost, a, y), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_delta_is_the_books_formula(cost, shape):
    """(84), (68), (BP1): a - y, a - y, (a - y) sigma'(z)"""
    z, y = weighted_inputs(shape), probabilities(shape)
    a = plain_activation(cost, z)
    expected = a - y
    if cost is QuadraticCost:
        expected = expected * a * (1 - a)
    result = cost.delta(z, a, y)
    assert result.shape == shape
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("cost", COSTS)
def test_delta_is_the_gradient_of_fn_by_differences(cost):
    z, y, h = weighted_inputs((4, 3)), probabilities((4, 3)), 1e-6
    numeric = np.empty_like(z)
    for place in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[place] = h
        ends = [cost.fn(plain_activation(cost, z + sign * step), y) for sign in (1, -1)]
        numeric[place] = (ends[0] - ends[1]) / (2 * h)
    np.testing.assert_allclose(cost.delta(z, plain_activation(cost, z), y), numeric, rtol=1e-7, atol=1e-8)


def test_quadratic_cost():
    """delta = (a - y) sigma'(z), (BP1); with a linear output layer a - y, no learning slowdown."""
    rng = np.random.default_rng(2)
    z, y = rng.standard_normal((3, 4)), rng.random((3, 4))
    delta = nf.QuadraticCost.delta(z, nf.sigmoid(z), y)
    np.testing.assert_allclose(delta, (nf.sigmoid(z) - y) * nf.sigmoid_prime(z), rtol=1e-15)
    numeric = central_differences(lambda z: nf.QuadraticCost.fn(nf.sigmoid(z), y), z)
    np.testing.assert_allclose(delta, numeric, atol=1e-9)
    linear = central_differences(lambda z: nf.QuadraticCost.fn(z, y), z)
    np.testing.assert_allclose(linear, z - y, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cost", COSTS)
def test_delta_keeps_the_dtype(cost, dtype):
    z, y = weighted_inputs((5, 4)).astype(dtype), probabilities((5, 4)).astype(dtype)
    assert cost.delta(z, plain_activation(cost, z), y).dtype == dtype


@pytest.mark.parametrize("shape", SHAPES)
def test_log_likelihood_labels_one_hot_and_probabilities_agree(shape):
    labels = np.random.default_rng(3).integers(shape[0], size=shape[1])
    z = weighted_inputs(shape)
    a = plain_softmax(z)
    y = one_hot(labels, shape[0])
    for integer in (np.int64, np.int32, np.uint8):
        same = labels.astype(integer)
        assert LogLikelihoodCost.fn(a, same) == pytest.approx(LogLikelihoodCost.fn(a, y), rel=1e-14)
        assert LogLikelihoodCost.from_z(z, same) == LogLikelihoodCost.from_z(z, y)
        delta = LogLikelihoodCost.delta(z, None, same)
        np.testing.assert_array_equal(delta, LogLikelihoodCost.delta(z, None, y))
    assert LogLikelihoodCost.fn(a, y.astype(np.int64)) == LogLikelihoodCost.fn(a, y)
    # The cost is linear in y, so that a mixture of two one-hot targets costs the mixture of their costs.
    other = np.roll(labels, 1)
    mixed = 0.25 * y + 0.75 * one_hot(other, shape[0])
    expected = 0.25 * LogLikelihoodCost.fn(a, labels) + 0.75 * LogLikelihoodCost.fn(a, other)
    assert LogLikelihoodCost.fn(a, mixed) == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_zero_times_ln_zero_counts_zero():
    a = np.array([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]])
    y = np.array([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]])
    assert LogLikelihoodCost.fn(a, y) == pytest.approx(np.log(2))
    assert LogLikelihoodCost.fn(a, np.array([0, 1])) == pytest.approx(np.log(2))
    assert CrossEntropyCost.fn(np.array([[0.0], [1.0]]), np.array([[0.0], [1.0]])) == 0


def test_an_infinite_cost_stays_infinite():
    a, y = np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]])
    assert LogLikelihoodCost.fn(a, y) == np.inf
    assert LogLikelihoodCost.fn(a, np.array([1])) == np.inf
    assert CrossEntropyCost.fn(a, y) == np.inf
    assert LogLikelihoodCost.from_z(np.array([[0.0], [-np.inf]]), y) == np.inf


@pytest.mark.parametrize("cost", [LogLikelihoodCost, CrossEntropyCost])
@pytest.mark.parametrize("shape", SHAPES)
def test_from_z_equals_fn_of_the_activation(cost, shape):
    z, y = weighted_inputs(shape), probabilities(shape)
    result = cost.from_z(z, y)
    assert type(result) is float
    assert result == pytest.approx(cost.fn(plain_activation(cost, z), y), rel=1e-12, abs=1e-14)


def test_from_z_keeps_what_the_activation_rounds_away():
    # sigmoid(40) and softmax([0, -40])'s first are 1 to the last bit; the cost of them is e^-40, not 0.
    small = pytest.approx(np.exp(-40), rel=1e-14, abs=0)
    assert CrossEntropyCost.from_z(np.array([[40.0]]), np.array([[1.0]])) == small
    assert LogLikelihoodCost.from_z(np.array([[0.0], [-40.0]]), np.array([0])) == small
    assert LogLikelihoodCost.from_z(np.array([[0.0], [-1000.0]]), np.array([1])) == 1000


def test_activation_is_softmax_of_each_column():
    """(78)"""
    z = weighted_inputs((5, 6))
    np.testing.assert_allclose(LogLikelihoodCost.activation(z), plain_softmax(z), rtol=1e-14)


@pytest.mark.parametrize("method", ["fn", "from_z", "delta"])
@pytest.mark.parametrize("label", [-1, 3])
def test_log_likelihood_labels_out_of_range_are_index_errors(method, label):
    a, y = plain_softmax(weighted_inputs((3, 2))), np.array([0, label])
    with pytest.raises(IndexError, match=str(label)):
        LogLikelihoodCost.delta(a, None, y) if method == "delta" else getattr(LogLikelihoodCost, method)(a, y)


@pytest.mark.parametrize("method", ["fn", "from_z", "delta"])
@pytest.mark.parametrize(
    "y",
    [np.array([1]), np.int64(1), np.array([0, 1, 0]), np.zeros((2, 4))],
    ids=["one label", "scalar", "a label for each class", "other shape"],
)
def test_log_likelihood_y_of_a_shape_that_does_not_fit_is_a_value_error(method, y):
    a = plain_softmax(weighted_inputs((3, 4)))
    with pytest.raises(ValueError):
        LogLikelihoodCost.delta(a, None, y) if method == "delta" else getattr(LogLikelihoodCost, method)(a, y)


def test_what_log_likelihood_advises():
    a, y = plain_softmax(weighted_inputs((3, 4))), np.array([1, 0, 2, 2])
    for wrong, error, message in (
        ((y, a), ValueError, r"a of shape \(4,\).*Are a and y exchanged\?"),
        ((a, y[:, None]), ValueError, r"y has shape \(4, 1\).*Give y\[:, 0\]"),
        ((a, y + 1), IndexError, "Labels count from 0: give y - 1"),
        ((a, np.zeros((2, 4))), ValueError, r"\(targets\)$"),
    ):
        with pytest.raises(error, match=message):
            LogLikelihoodCost.fn(*wrong)


class ForeignNetwork:
    """What a cost class meets in network2: examples one by one, column vectors, sigmoid output neurons."""

    def __init__(self, sizes, cost):
        rng = np.random.default_rng(5)
        self.cost = cost
        self.biases = [rng.standard_normal((n, 1)) for n in sizes[1:]]
        self.weights = [rng.standard_normal((n, k)) / np.sqrt(k) for k, n in pairwise(sizes)]

    def layers(self, x):
        zs, activations = [], [x]
        for b, w in zip(self.biases, self.weights):
            zs.append(np.dot(w, activations[-1]) + b)
            activations.append(plain_sigmoid(zs[-1]))
        return zs, activations

    def gradients(self, x, y):
        zs, activations = self.layers(x)
        delta = (self.cost).delta(zs[-1], activations[-1], y)
        nabla_b, nabla_w = [delta], [np.dot(delta, activations[-2].T)]
        for layer in range(len(zs) - 2, -1, -1):
            s = activations[layer + 1]
            delta = np.dot(self.weights[layer + 1].T, delta) * s * (1 - s)
            nabla_b.insert(0, delta)
            nabla_w.insert(0, np.dot(delta, activations[layer].T))
        return nabla_b, nabla_w

    def train(self, data, epochs, eta):
        for _ in range(epochs):
            for x, y in data:
                nabla_b, nabla_w = self.gradients(x, y)
                self.biases = [b - eta * nb for b, nb in zip(self.biases, nabla_b)]
                self.weights = [w - eta * nw for w, nw in zip(self.weights, nabla_w)]

    def outputs(self, data):
        """Weighted inputs and activations of the last layer, an example at a time."""
        layers = [self.layers(x) for x, _ in data]
        return [(zs[-1], activations[-1]) for zs, activations in layers]


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("as_instance", [False, True], ids=["class", "instance"])
def test_training_in_a_foreign_network_lowers_the_cost(cost, as_instance):
    data = three_classes()
    net = ForeignNetwork([2, 6, 3], cost() if as_instance else cost)

    def cost_now():
        # A log-likelihood delta trains softmax neurons, whatever activations the network itself computes.
        return sum(
            net.cost.fn(plain_softmax(z) if cost is LogLikelihoodCost else a, y)
            for (z, a), (_, y) in zip(net.outputs(data), data)
        )

    before = cost_now()
    net.train(data, 60, 0.5)
    assert cost_now() < before / 4
    assert all(int(a.argmax()) == int(y.argmax()) for (_, a), (_, y) in zip(net.outputs(data), data))


def test_in_a_foreign_network_log_likelihood_has_the_gradients_of_a_softmax_layer():
    """(81), (82), by central differences of -ln softmax(z)_y"""
    (x, y), h = three_classes()[1], 1e-6
    net = ForeignNetwork([2, 4, 3], LogLikelihoodCost)
    nabla_b, nabla_w = net.gradients(x, y)

    def softmax_cost():
        return -np.log(plain_softmax(net.layers(x)[0][-1])[y == 1].item())

    for parameters, gradients in ((net.biases, nabla_b), (net.weights, nabla_w)):
        for parameter, gradient in zip(parameters, gradients):
            for place in np.ndindex(parameter.shape):
                kept = parameter[place]
                parameter[place] = kept + h
                above = softmax_cost()
                parameter[place] = kept - h
                below = softmax_cost()
                parameter[place] = kept
                assert gradient[place] == pytest.approx((above - below) / (2 * h), rel=1e-6, abs=1e-9)


def test_the_sigmoid_activations_a_foreign_network_hands_over_change_nothing():
    z, y = weighted_inputs((3, 1)), np.array([[0.0], [1.0], [0.0]])
    delta = LogLikelihoodCost.delta(z, plain_sigmoid(z), y)
    np.testing.assert_array_equal(delta, LogLikelihoodCost.delta(z, None, y))
    np.testing.assert_allclose(delta, plain_softmax(z) - y, rtol=1e-13)


METHODS = [
    (CrossEntropyCost, "fn"),
    (CrossEntropyCost, "delta"),
    (CrossEntropyCost, "from_z"),
    (QuadraticCost, "fn"),
    (QuadraticCost, "delta"),
    (LogLikelihoodCost, "fn"),
    (LogLikelihoodCost, "delta"),
    (LogLikelihoodCost, "from_z"),
]


def of(cost, method, a, y):
    return getattr(cost, method)(*([a, a, y] if method == "delta" else [a, y]))


@pytest.mark.parametrize("cost, method", METHODS)
@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 3), (3, 2), (), (1,)])
def test_targets_of_another_shape_are_refused_though_numpy_would_broadcast(cost, method, shape):
    if cost is LogLikelihoodCost and shape == (1,):
        return  # labels
    with pytest.raises(ValueError, match=r"shape \((3,|1, 3|3, 3|3, 2|1,)?\)"):
        of(cost, method, np.full((3, 1), 0.5), np.full(shape, 1))
    with pytest.raises(ValueError, match="shape"):
        QuadraticCost.delta(np.zeros((3, 1)), np.zeros((3, 2)), np.zeros((3, 2)))


@pytest.mark.parametrize("cost, method", METHODS)
def test_what_is_no_array_of_real_numbers_is_refused(cost, method):
    good = np.full((3, 1), 0.5)
    for bad in (
        good + 0j,
        np.ma.masked_array(good, [[True], [False], [False]]),
        good.astype(str),
        np.array([[None], [0], [1]]),
    ):
        with pytest.raises(TypeError, match=r"[azy] (has dtype|is a masked array)"):
            of(cost, method, bad, good)
        with pytest.raises(TypeError, match=r"y (has dtype|is a masked array)"):
            of(cost, method, good, bad)


@pytest.mark.parametrize("cost, method", METHODS)
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8])
def test_one_hot_targets_of_any_integer_type(cost, method, dtype):
    a = np.random.default_rng(0).uniform(0.1, 0.9, (3, 4)).astype(np.float32)
    y = np.eye(3)[:, [0, 2, 1, 1]]
    np.testing.assert_array_equal(of(cost, method, a, y.astype(dtype)), of(cost, method, a, y))


def test_costs_by_name_and_as_instances(tmp_path):
    data = three_classes()
    names = {
        "log-likelihood": LogLikelihoodCost,
        "cross-entropy": CrossEntropyCost,
        "quadratic": QuadraticCost,
    }
    for name, cost in names.items():
        nets = [nf.Network([2, 3], cost=c, rng=0) for c in (cost, name, cost())]
        for net in nets:
            net.SGD(data, 1, 10, 0.5)
            assert "Cost" in repr(net) and "object at" not in repr(net)
            net.save(tmp_path / "net.npz")
            assert nf.load(tmp_path / "net.npz").cost is nf.load(tmp_path / "net.npz", cost=name).cost is cost
            np.testing.assert_array_equal(net.weights[0], nets[0].weights[0])


@pytest.mark.parametrize("cost", [None, 5, max, "entropy", "LogLikelihoodCost", object(), np.zeros(3)])
def test_what_is_no_cost_is_refused_at_once(cost, tmp_path):
    with pytest.raises(
        (TypeError, ValueError), match=r"Network: cost is .*'log-likelihood', 'cross-entropy'"
    ):
        nf.Network([4, 3], cost=cost)
    if cost is not None:
        nf.Network([4, 3]).save(tmp_path / "net.npz")
        with pytest.raises((TypeError, ValueError), match="Network: cost is"):
            nf.load(tmp_path / "net.npz", cost=cost)
