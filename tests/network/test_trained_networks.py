"""What a trained network is: the same bits from the same seed, on every machine, and a good one."""

import numpy as np
import pytest
from networks import COSTS, TRAINED, assert_same_bits, problem, three_classes, trained

import nndl_fast as nf
from nndl_fast import CrossEntropyCost, QuadraticCost, datasets


@pytest.mark.usefixtures("many_processors")
@pytest.mark.parametrize(("options", "digest"), TRAINED.items())
def test_a_trained_network_is_the_same_everywhere(every_isa, options, digest):
    dtype, hidden, optimizer, mini_batch = options
    training, _, test = nf.datasets.load_digits()
    judged = set()
    for count in (1, 2, 7):
        with nf.num_threads(count):
            net = nf.Network([64, 30, 10], hidden=hidden, dtype=dtype, rng=0)
            eta = {"sgd": 0.5, "adam": 0.005}.get(optimizer, 0.02)
            net.SGD(training, 3, mini_batch, eta, lmbda=0.1, optimizer=optimizer)
            assert net.digest() == digest
            judged.add((net.total_cost(test, 0.1), net.feedforward(test[0].T).tobytes()))
    assert len(judged) == 1 and net.accuracy(test) > 0.8 * len(test[1])


class Own(nf.CrossEntropyCost):
    """A cost that compiled code does not know, of one's own."""

    @staticmethod
    def delta(z, a, y):
        return a - y


@pytest.mark.usefixtures("many_processors")
@pytest.mark.parametrize(
    ("dtype", "hidden", "digest"),
    [
        (np.float32, "sigmoid", "d4b7a8f06a6e38ce"),
        (np.float32, "relu", "31bb3897b1d75e2e"),
        (np.float64, "tanh", "8ecf514ce10c55e9"),
        (np.float64, "relu", "f90d9593c91b005c"),
    ],
)
def test_so_is_one_with_a_cost_of_ones_own_and_its_gradients(every_isa, dtype, hidden, digest):
    x, labels = nf.datasets.load_digits()[0]
    found, eta = set(), 0.05 if hidden == "relu" else 0.5
    for count in (1, 2, 7):
        with nf.num_threads(count):
            net = nf.Network([64, 30, 10], cost=Own, hidden=hidden, dtype=dtype, rng=0)
            net.SGD((x[:300], labels[:300]), 2, 10, eta, lmbda=0.1, optimizer="nesterov")
            net.biases, net.weights = net.backprop(x.T, np.eye(10)[labels].T)
            found.add(net.digest())
    assert found == {digest}


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    data = problem()
    assert_same_bits(trained(data), trained(data))
    assert_same_bits(trained(data), trained(data, rng=np.random.default_rng(4)))
    assert not np.array_equal(trained(data).weights[0], trained(data, rng=5).weights[0])


def test_the_number_of_threads_changes_no_bit():
    # Large enough for more than one thread to be worth it: a cost over all examples at once.
    rng, nets, costs = np.random.default_rng(0), [], []
    data = rng.standard_normal((2000, 20)), rng.integers(100, size=2000)
    for threads in (1, 2):
        with nf.num_threads(threads):
            nets.append(nf.Network([20, 30, 100], rng=4))
            costs.append(nets[-1].SGD(data, 1, 1000, 0.5, monitor_training_cost=True))
    assert_same_bits(*nets)
    assert costs[0] == costs[1]


def test_digits_are_learned():
    training, validation, test = datasets.load_digits()
    net = nf.Network([64, 30, 10], rng=1)
    net.SGD(training, 30, 10, 2.0, 0.05)
    assert net.accuracy(test) >= 0.94 * len(test[1])
    assert net.accuracy(validation) >= 0.94 * len(validation[1])


@pytest.mark.parametrize("cost", COSTS)
def test_three_classes_are_learned(cost):
    rng = np.random.default_rng(1)
    y = np.arange(90) % 3
    x = np.eye(3)[y] + 0.1 * rng.standard_normal((90, 3))
    net = nf.Network([3, 8, 3], cost=cost, rng=0)
    net.SGD((x, y), 40, 5, 2.0)
    assert net.accuracy((x, y)) == 90
    assert net.feedforward(x.T).shape == (3, 90)


@pytest.mark.parametrize("cost", [CrossEntropyCost, QuadraticCost])
@pytest.mark.parametrize("form", ["labels", "column", "floats", "list"])
def test_one_output_neuron_is_learned(cost, form):
    x = np.random.default_rng(1).standard_normal((100, 2))
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    forms = {"labels": (x, y), "column": (x, y[:, None]), "floats": (x, y + 0.0), "list": list(zip(x, y))}
    data = forms[form]
    net = nf.Network([2, 4, 1], cost=cost, rng=0)
    net.SGD(data, 40, 5, 2.0)
    assert net.accuracy(data) >= 95
    assert net.accuracy((x, 1 - y)) <= 5


class OwnCost:
    """network2's contract and no more: a cubic cost of sigmoid neurons."""

    @staticmethod
    def fn(a, y):
        return np.sum(np.abs(a - y) ** 3) / 3

    @staticmethod
    def delta(z, a, y):
        return (a - y) * np.abs(a - y) * a * (1 - a)


def test_a_cost_class_of_ones_own_needs_only_fn_and_delta():
    data = three_classes()
    x, y = np.hstack([x for x, _ in data]), np.hstack([y for _, y in data])
    net = nf.Network([2, 6, 3], cost=OwnCost, dtype=np.float64, rng=0)
    assert net.total_cost(data, 0) == pytest.approx(OwnCost.fn(net.feedforward(x), y) / 30)
    costs = net.SGD(data, 100, 5, 5.0, monitor_training_cost=True)[2]
    assert costs[-1] < costs[0] / 4
