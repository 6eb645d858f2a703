"""Small networks and data for them: for the tests of training."""

import numpy as np

import nndl_fast as nf

COSTS = [nf.LogLikelihoodCost, nf.CrossEntropyCost, nf.QuadraticCost]
OPTIMIZERS = ["sgd", "momentum", "nesterov", "adam"]

# What each network is after three epochs on the digits, on every machine. There are more of them for machines
# without Python, in tests/core/training_test.cpp.
TRAINED = {
    ("f4", "sigmoid", "sgd", 10): "31d5b2745cc92ff2",
    ("f4", "tanh", "nesterov", 10): "7e02939469d18573",
    ("f4", "relu", "adam", 100): "ced972774e282dfe",
    ("f8", "sigmoid", "momentum", 10): "20a366ec46c2209c",
    ("f8", "tanh", "adam", 100): "198f3c0dc61121f2",
}


def problem(n=23, features=4, outputs=3, seed=0):
    """Inputs in rows, and labels."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, features)), rng.integers(outputs, size=n)


def three_classes():
    """30 points around three corners, as the book's pairs of column vectors."""
    rng = np.random.default_rng(6)
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    points = [corners[i % 3] + 0.1 * rng.standard_normal(2) for i in range(30)]
    return [(point[:, None], np.eye(3)[:, [i % 3]]) for i, point in enumerate(points)]


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
