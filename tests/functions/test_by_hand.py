"""A network that is written by hand, with affine layers, a cost and an optimizer, is bit for bit what a
Network becomes by the same steps."""

import copy

import numpy as np
import pytest

import nndl_fast as nf
from nndl_fast import optimizers

SIZES, N, ETA, EPOCHS = [19, 23, 17, 5], 37, 0.05, 4
OPTIMIZERS = {"momentum": optimizers.Momentum, "nesterov": optimizers.Nesterov, "adam": optimizers.Adam}


class ByHand:
    """Examples in rows (axis=-1), or in columns as in a Network."""

    def __init__(self, net, axis):
        self.axis, self.hidden = axis, net.hidden
        self.weights = [(w.T if axis else w).copy(order="K") for w in net.weights]
        self.biases = [(b.ravel() if axis else b).copy() for b in net.biases]

    def gradients(self, x, y):
        axis, a = self.axis, [x if self.axis else x.T]
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            a.append(nf.affine(a[-1], w, b, axis=axis, activation=self.hidden))
        z = nf.affine(a[-1], self.weights[-1], self.biases[-1], axis=axis)
        _, delta = nf.log_likelihood_cost_and_delta(z, y, axis)
        nabla_w, nabla_b = [], []
        for i in reversed(range(len(a))):
            of_w, of_b, delta = nf.affine_backward(
                delta,
                a[i],
                self.weights[i],
                axis=axis,
                activation=self.hidden if i else None,
                handed_down=i > 0,
            )
            nabla_w.insert(0, of_w)
            nabla_b.insert(0, of_b)
        return nabla_w + nabla_b

    def assert_same_as(self, net):
        assert net.weights[0].dtype == self.weights[0].dtype
        for w, own in zip(net.weights, self.weights, strict=True):
            np.testing.assert_array_equal(own.T if self.axis else own, w)
        for b, own in zip(net.biases, self.biases, strict=True):
            np.testing.assert_array_equal(own.ravel(), b.ravel())


def problem(dtype):
    rng = np.random.default_rng(1)
    return rng.standard_normal((N, SIZES[0])).astype(dtype), rng.integers(0, SIZES[-1], N)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("mini_batch", [N, 8])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_steps_give_the_same_bits(isa, dtype, optimizer, mini_batch, axis):
    x, y = problem(dtype)
    for hidden in ("relu", "sigmoid", "tanh"):
        net = nf.Network(SIZES, hidden=hidden, dtype=dtype, rng=3)
        rng, own, steps = copy.deepcopy(net.rng), ByHand(net, axis), OPTIMIZERS[optimizer](ETA)
        net.SGD((x, y), EPOCHS, mini_batch, ETA, optimizer=optimizer)
        for _ in range(EPOCHS):
            order = rng.permutation(N)
            for start in range(0, N, mini_batch):
                some = order[start : start + mini_batch]
                steps.step(own.weights + own.biases, own.gradients(x[some], y[some]))
        own.assert_same_as(net)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_so_do_weights_that_decay(optimizer):
    x, y = problem(np.float32)
    net = nf.Network(SIZES, dtype=np.float32, rng=3)
    rng, own = copy.deepcopy(net.rng), ByHand(net, 0)
    of_weights, of_biases = (OPTIMIZERS[optimizer](ETA, weight_decay=decay) for decay in (0.3 / N, 0))
    net.SGD((x, y), EPOCHS, N, ETA, 0.3, optimizer=optimizer)
    for _ in range(EPOCHS):
        order = rng.permutation(N)
        nabla = own.gradients(x[order], y[order])
        of_weights.step(own.weights, nabla[:3])
        of_biases.step(own.biases, nabla[3:])
    own.assert_same_as(net)


def test_plain_descent_is_near():
    """A Network adds its steps up in the products themselves, and so in another order."""
    x, y = problem(np.float64)
    net = nf.Network(SIZES, dtype=np.float64, rng=3)
    rng, own, steps = copy.deepcopy(net.rng), ByHand(net, 0), optimizers.SGD(ETA)
    net.SGD((x, y), EPOCHS, N, ETA)
    for _ in range(EPOCHS):
        order = rng.permutation(N)
        steps.step(own.weights + own.biases, own.gradients(x[order], y[order]))
    for w, w_own in zip(net.weights + net.biases, own.weights + own.biases, strict=True):
        np.testing.assert_allclose(w_own, w, rtol=1e-12, atol=1e-14)
