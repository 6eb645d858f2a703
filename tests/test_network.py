"""Network: a plain reference of its training, its initial parameters, and what it tells of its progress."""

import io

import numpy as np
import pytest
from networks import COSTS, assert_same_bits, one_hot, problem, trained

import nndl_fast as nf
from nndl_fast import CrossEntropyCost, LogLikelihoodCost, datasets

# A plain reference: an example at a time, float64.


def plain_sigmoid(z):
    return 1 / (1 + np.exp(-z))


def plain_delta(cost, z, y):
    if cost is LogLikelihoodCost:
        e = np.exp(z - z.max())
        return e / e.sum() - y
    a = plain_sigmoid(z)
    return a - y if cost is CrossEntropyCost else (a - y) * a * (1 - a)


def plain_gradients(biases, weights, x, y, cost):
    """(BP1) to (BP4) for one example of column vectors."""
    activations, z = [x], None
    for b, w in zip(biases, weights):
        z = w @ activations[-1] + b
        activations.append(plain_sigmoid(z))
    delta = plain_delta(cost, z, y)
    nabla_b, nabla_w = [delta], [delta @ activations[-2].T]
    for layer in range(len(weights) - 1, 0, -1):
        a = activations[layer]
        delta = (weights[layer].T @ delta) * a * (1 - a)
        nabla_b.insert(0, delta)
        nabla_w.insert(0, delta @ activations[layer - 1].T)
    return nabla_b, nabla_w


def plain_step(biases, weights, batch, eta, lmbda, n, cost):
    """network2's step: the mini-batch's mean gradient, the weights' decay by lmbda / n of the whole set."""
    sum_b, sum_w = [np.zeros_like(b) for b in biases], [np.zeros_like(w) for w in weights]
    for x, y in batch:
        nabla_b, nabla_w = plain_gradients(biases, weights, x[:, None], y[:, None], cost)
        sum_b = [s + g for s, g in zip(sum_b, nabla_b)]
        sum_w = [s + g for s, g in zip(sum_w, nabla_w)]
    m = len(batch)
    return (
        [b - eta / m * g for b, g in zip(biases, sum_b)],
        [(1 - eta * lmbda / n) * w - eta / m * g for w, g in zip(weights, sum_w)],
    )


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
@pytest.mark.parametrize("length", [1, 4])
def test_update_mini_batch_is_network2s_step(cost, length):
    x, labels = problem(length)
    net = nf.Network([4, 5, 6, 3], cost=cost, dtype=np.float64, rng=2)
    expected = plain_step(net.biases, net.weights, list(zip(x, one_hot(labels))), 0.7, 3.0, 50, cost)
    net.update_mini_batch((x, labels), 0.7, 3.0, 50)
    for p, q in zip(net.biases + net.weights, [*expected[0], *expected[1]], strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("mini_batch_size", [1, 5, 23, 100])
def test_sgd_is_network2s_with_a_short_last_mini_batch(cost, mini_batch_size):
    x, labels = problem(23)  # 23 = 4 * 5 + 3
    y = one_hot(labels)
    net = nf.Network([4, 5, 3], cost=cost, dtype=np.float64, rng=3)
    twin = nf.Network([4, 5, 3], cost=cost, dtype=np.float64, rng=3)
    biases, weights = twin.biases, twin.weights
    for _ in range(2):
        order = twin.rng.permutation(len(x))
        for start in range(0, len(x), mini_batch_size):
            batch = [(x[i], y[i]) for i in order[start : start + mini_batch_size]]
            biases, weights = plain_step(biases, weights, batch, 0.5, 0.9, len(x), cost)
    assert net.SGD((x, labels), 2, mini_batch_size, 0.5, 0.9) == ([], [], [], [])
    for p, q in zip(net.biases + net.weights, [*biases, *weights], strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-11, atol=1e-13)


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


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [23, np.int64(23), np.float64(23)], ids=["int", "int64", "float64"])
def test_the_dtype_stays_through_training(dtype, cost, n):
    dtype = np.dtype(dtype)
    for x_dtype in (np.float32, np.float64):
        x, y = problem()
        net = nf.Network([4, 5, 3], cost=cost, dtype=dtype, rng=0)
        net.SGD((x.astype(x_dtype), y), 1, 4, np.float64(0.5), np.float64(0.1))
        net.update_mini_batch((x.astype(x_dtype), one_hot(y)), np.float64(0.5), np.float64(0.1), n)
        gradients = net.backprop(x.T, y)
        assert {p.dtype for p in [*net.biases, *net.weights, *gradients[0], *gradients[1]]} == {dtype}
        assert net.feedforward(x.T).dtype == dtype


def test_digits_are_learned():
    training, validation, test = datasets.load_digits()
    net = nf.Network([64, 30, 10], rng=1)
    net.SGD(training, 30, 10, 2.0, 0.05)
    assert net.accuracy(test) >= 0.94 * len(test[1])
    assert net.accuracy(validation) >= 0.94 * len(validation[1])


@pytest.mark.parametrize("cost", COSTS)
def test_monitors_are_what_the_methods_say_after_each_epoch(cost):
    data, evaluation = problem(23), problem(11, seed=1)
    net, by_hand, given = nf.Network([4, 5, 3], cost=cost, rng=0), [], []

    def ask(epoch, values):
        by_hand.append(
            (
                epoch,
                net.total_cost(evaluation, 0.3),
                net.accuracy(evaluation),
                net.total_cost(data, 0.3),
                net.accuracy(data),
            )
        )
        given.append((epoch, *values.values()))

    lists = net.SGD(data, 3, 4, 0.5, 0.3, evaluation, True, True, True, True, callback=ask)
    assert list(zip([1, 2, 3], *lists, strict=True)) == by_hand == given
    for wanted in range(4):
        lists = net.SGD(data, 2, 4, 0.5, 0.3, evaluation, *(wanted == i for i in range(4)))
        assert [len(values) for values in lists] == [2 * (wanted == i) for i in range(4)]


def test_without_a_terminal_training_is_silent(capfd):
    nf.Network([4, 5, 3], rng=0).SGD(problem(), 2, 4, 0.5, monitor_training_cost=True)
    assert capfd.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("monitored", [False, True])
def test_a_terminal_shows_a_bar_with_cost_and_accuracy(monkeypatch, monitored):
    pytest.importorskip("tqdm")
    terminal, net = Terminal(), nf.Network([4, 5, 3], rng=0)
    monkeypatch.setattr("sys.stderr", terminal)
    net.SGD(problem(), 2, 4, 0.5, monitor_training_cost=monitored, monitor_training_accuracy=monitored)
    prefix = "training_" if monitored else ""
    last = terminal.getvalue().split("\r")[-1]
    assert "2/2" in last
    cost, accuracy = net.total_cost(problem(), 0), net.accuracy(problem())
    assert f"{prefix}cost={cost:.4f}, {prefix}accuracy={accuracy}" in last
