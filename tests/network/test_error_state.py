"""NumPy's error state is the caller's: networks do the same under np.seterr(all="raise"), and their costs and
callbacks see what has been set."""

from functools import partial

import commands
import numpy as np
import pytest
from networks import COSTS, OPTIMIZERS, problem
from states import differ, scaled

import nndl_fast as nf


class OwnCost:
    """The quadratic cost as a class of the user's own, for which training runs in NumPy."""

    fn = staticmethod(nf.QuadraticCost.fn)

    @staticmethod
    def delta(z, a, y):
        return nf.QuadraticCost.delta(z, a, y)


def scales(dtype):
    """Features that vanish in products, and whose products overflow."""
    return [1.0, 1e-42, 5e-324] + ([1e300, 1e160] if dtype == np.float64 else [1e36, 1e60])


def trained(cost, hidden, dtype, scale, optimizer, eta=0.5):
    net = nf.Network([4, 5, 3], cost=cost, hidden=hidden, dtype=dtype, rng=1)
    x, y = problem()
    targets = np.eye(3)[y]
    training = scaled(x, scale), targets
    lists = net.SGD(training, 2, 5, eta, 0.1, (x, targets), True, True, True, True, optimizer=optimizer)
    net.update_mini_batch(training, 1e-30, 1e-300, 10)
    return net.biases, net.weights, lists


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cost", [*COSTS, OwnCost])
def test_training(cost, dtype):
    rules = [("sigmoid", "sgd"), *zip(("tanh", "relu", "sigmoid"), OPTIMIZERS[1:])]
    for hidden, optimizer in rules:
        for scale in scales(dtype):
            for eta in (0.5, 1e-40, 1e30):
                assert not differ(partial(trained, cost, hidden, dtype, scale, optimizer, eta))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cost", [*COSTS, OwnCost])
def test_a_trained_network(cost, dtype):
    x, y = problem()
    targets = np.eye(3)[y]
    for size in (1, 1e-20, 1e-160, 1e30):
        net = nf.Network([4, 5, 3], cost=cost, dtype=dtype, rng=1)
        set_parameters = partial(setattr, net, "parameters")
        large = [b * size for b in net.biases], [w.astype(np.float64) * size for w in net.weights]
        assert not differ(partial(set_parameters, large))
        for scale in scales(dtype):
            some = scaled(x, scale)
            for call in (
                partial(net.predict, some),
                partial(net.predict_proba, some),
                partial(net.feedforward, some.T),
                partial(net.feedforward, some, axis=1),
                partial(net.feedforward, np.where(some > 0, some, -np.inf).T),
                partial(net.accuracy, (some, targets)),
                partial(net.total_cost, (some, targets), 0.1),
                partial(net.backprop, some.T, targets.T),
            ):
                assert not differ(call)


def test_commands(tmp_path):
    x, y = problem(60)
    table = tmp_path / "table.csv"
    for scale in (1e-200, 1e200):
        np.savetxt(table, np.column_stack([scaled(x, scale), y]), fmt=["%.17g"] * 4 + ["%d"])

        def outputs():
            model = tmp_path / "model.npz"
            results = [
                commands.run("train", table, "--output", model, "--epochs", 2, "--seed", 1),
                commands.run("evaluate", model, table),
                commands.run("info"),
            ]
            return [(result.exit_code, type(result.exception)) for result in results]

        assert not differ(outputs)


def test_costs_and_callbacks_see_the_callers_state():
    seen = []

    class Watching(OwnCost):
        @staticmethod
        def delta(z, a, y):
            seen.append(np.geterr())
            return nf.QuadraticCost.delta(z, a, y)

        @staticmethod
        def fn(a, y):
            seen.append(np.geterr())
            return 0.0

        @staticmethod
        def activation(z):
            seen.append(np.geterr())
            return nf.sigmoid(z)

    net, (x, y) = nf.Network([4, 3], cost=Watching, rng=0), problem()
    data = x, np.eye(3)[y]

    def pairs():
        seen.append(np.geterr())
        yield from zip(*data)

    def rate(epoch):
        seen.append(np.geterr())
        return 0.1

    with np.errstate(divide="raise", over="print", under="warn", invalid="ignore"):
        state = np.geterr()
        net.SGD(data, 1, 5, rate, monitor_training_cost=True, callback=lambda *_: seen.append(np.geterr()))
        net.predict(x)
        net.backprop(x.T, data[1].T)
        net.total_cost(pairs(), 0.1)
        assert np.geterr() == state
    assert len(seen) > 8 and all(one == state for one in seen)
