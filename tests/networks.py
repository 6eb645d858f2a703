"""Small networks and data for them: for the tests of training."""

import numpy as np

import nndl_fast as nf

COSTS = [nf.LogLikelihoodCost, nf.CrossEntropyCost, nf.QuadraticCost]


def problem(n=23, features=4, outputs=3, seed=0):
    """Inputs in rows, and labels."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, features)), rng.integers(outputs, size=n)


def one_hot(labels, outputs=3):
    return np.eye(outputs)[labels]


def rows(x, y):
    return [(a[:, None], b) for a, b in zip(x, y)]


def trained(data, dtype=np.float32, cost=nf.LogLikelihoodCost, rng=4, sizes=(4, 5, 3)):
    net = nf.Network(sizes, cost=cost, dtype=dtype, rng=rng)
    net.SGD(data, 3, 4, 0.5, 0.1)
    return net


def parameters(net):
    return [p.copy() for p in net.biases + net.weights]


def assert_same_bits(net, other):
    for p, q in zip(net.biases + net.weights, other.biases + other.weights, strict=True):
        assert p.dtype == q.dtype
        np.testing.assert_array_equal(p, q)
