"""Backpropagation: gradients against differences of the total cost, and the forms of examples."""

import itertools

import numpy as np
import pytest
from arrays import at_offset
from networks import COSTS, one_hot, problem

import nndl_fast as nf


def test_backprop_takes_one_example_or_columns_of_them():
    x, labels = problem(4)
    net = nf.Network([4, 5, 3], dtype=np.float64, rng=1)
    together = net.backprop(x.T, one_hot(labels).T)
    single = [
        net.backprop(x[0], labels[0]),
        net.backprop(x[1][:, None], one_hot(labels)[1][:, None]),
        net.backprop(x[2], labels[2:3]),
        net.backprop(x[3], int(labels[3])),
    ]
    for part in (0, 1):
        for layer in (0, 1):
            total = sum(s[part][layer] for s in single)
            np.testing.assert_allclose(total, together[part][layer], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("sizes", [[4, 3], [4, 5, 3], [4, 5, 6, 3]], ids=str)
def test_backprop_is_the_gradient_of_the_total_cost_by_differences(cost, sizes):
    """(81), (82), and the layers before"""
    (x, labels), h = problem(5), 1e-5
    net = nf.Network(sizes, cost=cost, dtype=np.float64, rng=1)
    gradients = [g for part in net.backprop(x.T, labels) for g in part]
    for parameter, gradient in zip(net.biases + net.weights, gradients, strict=True):
        assert gradient.shape == parameter.shape
        for place in np.ndindex(parameter.shape):
            kept, ends = parameter[place], []
            for sign in (1, -1):
                parameter[place] = kept + sign * h
                ends.append(len(x) * net.total_cost((x, labels), 0))
            parameter[place] = kept
            assert gradient[place] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6, abs=1e-8)


def examples(n=53, features=7, outputs=4, dtype=np.float64):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, features)).astype(dtype), rng.integers(0, outputs, n)


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("cost", COSTS)
def test_backprop_is_the_gradient_by_differences(cost, hidden):
    x, y = examples()
    # With biases: where a weighted input is exactly 0, relu has no derivative.
    options = {"hidden": hidden, "initializer": "book", "dtype": np.float64}
    net = nf.Network([7, 5, 6, 4], cost=cost, rng=1, **options)
    nabla_b, nabla_w = net.backprop(x.T, y if cost is nf.LogLikelihoodCost else np.eye(4)[y].T)
    for p, nabla in zip(net.biases + net.weights, nabla_b + nabla_w):
        for place in itertools.islice(np.ndindex(p.shape), 0, None, 5):
            costs, before, step = [], p[place], 1e-6
            for p[place] in (before + step, before - step):
                costs.append(net.total_cost((x, y), 0) * len(x))
            p[place] = before
            assert abs((costs[0] - costs[1]) / (2 * step) - nabla[place]) < 1e-6


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n, hidden", [(200, 15), (200, 1), (1, 15)])
def test_where_arrays_lie_in_memory_changes_no_bit(cost, dtype, n, hidden):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, 40)).astype(dtype), one_hot(rng.integers(0, 3, n)).astype(dtype)
    net, found = nf.Network([20, hidden, 3], cost=cost, dtype=dtype, rng=1), []
    biases, weights = net.parameters
    for offset in (0, 1, 3, 8):
        moved = at_offset(x, offset)
        net.parameters = ([at_offset(p, offset) for p in side] for side in (biases, weights))
        for columns in (moved[:, :20].T, moved[:, ::2].T, np.asfortranarray(moved[:, 20:].T)):
            gradients = net.backprop(columns, at_offset(y, offset).T)
            found.append([g.tobytes() for side in gradients for g in side])
    for form in range(3):
        assert all(one == found[form] for one in found[form::3])


@pytest.mark.parametrize("outputs", [1, 3])
def test_booleans_of_the_targets_shape_are_one_hot(outputs):
    (x, labels), cost = problem(), nf.CrossEntropyCost if outputs == 1 else nf.LogLikelihoodCost
    targets = one_hot(labels)[:, :outputs]
    nets = [nf.Network([4, outputs], cost=cost, rng=0) for _ in range(3)]
    for net, y in zip(nets, (targets, targets.astype(bool), targets.astype(bool).tolist()), strict=True):
        net.SGD((x, y), 2, 4, 0.5)
        net.SGD([(one, np.asarray(other)[:, None]) for one, other in zip(x, y)], 1, 4, 0.5)
        assert net.digest() == nets[0].digest() and net.accuracy((x, y)) == nets[0].accuracy((x, targets))
        for one, other in zip(net.backprop(x.T, np.asarray(y).T), net.backprop(x.T, targets.T)):
            assert all(map(np.array_equal, one, other))
    for y in (labels > 0, np.ma.array(targets > 0))[outputs == 1 :]:  # (n,) are targets of a single neuron
        with pytest.raises(TypeError, match=r"bool|masked"):
            nets[0].SGD((x, y), 1, 4, 0.5)
