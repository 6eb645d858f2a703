"""Training against a plain reference and by formula, and the two ways of training against each other."""

import itertools

import numpy as np
import pytest
from networks import COSTS, OPTIMIZERS, one_hot, problem

import nndl_fast as nf
from nndl_fast import CrossEntropyCost, LogLikelihoodCost, _core
from nndl_fast._network import _trainers

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


# All mini-batches in one compiled call, and each from Python


def examples(n=53, features=7, outputs=4, dtype=np.float64):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, features)).astype(dtype), rng.integers(0, outputs, n)


def trained(monkeypatch, way, sizes, cost, hidden, dtype, optimizer, data, mini_batch=10, eta=0.05):
    if way == "python":
        monkeypatch.setattr(_trainers, "trainer_for", _trainers.PythonTrainer)
    net = nf.Network(sizes, cost=cost, hidden=hidden, dtype=dtype, rng=3)
    trainer = {"compiled": _trainers.CompiledTrainer, "python": _trainers.PythonTrainer}[way]
    assert type(_trainers.trainer_for(net, _core.rule())) is trainer
    net.SGD(data, 3, mini_batch, eta, lmbda=0.3, optimizer=optimizer)
    monkeypatch.undo()
    return net.biases + net.weights


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_both_ways_agree(monkeypatch, cost, hidden, optimizer):
    x, labels = examples()
    one_hot = np.eye(4)[labels]
    for sizes, y in itertools.product(([7, 4], [7, 6, 4], [7, 5, 3, 4]), (labels, 0.9 * one_hot + 0.025)):
        for dtype, tolerance in ((np.float32, 2e-5), (np.float64, 1e-12)):
            one, other = (
                trained(monkeypatch, way, sizes, cost, hidden, dtype, optimizer, (x, y))
                for way in ("compiled", "python")
            )
            for p, q in zip(one, other):
                assert p.dtype == dtype
                np.testing.assert_allclose(p, q, rtol=0, atol=tolerance)


@pytest.mark.parametrize("hidden", [[], [6], [6, 5]])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("targets", [False, True])
def test_a_wide_last_layer_learns_what_it_would_step_by_step(monkeypatch, hidden, optimizer, targets):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 7)), rng.integers(0, 5000, 40)
    if targets:
        y = rng.random((40, 5000))
        y /= y.sum(axis=1, keepdims=True)
    nets = [nf.Network([7, *hidden, 5000], dtype=np.float64, rng=1) for _ in range(2)]
    for net in nets:
        net.SGD((x, y), 2, 16, 0.1, lmbda=0.1, optimizer=optimizer)
        monkeypatch.setattr(_trainers, "trainer_for", _trainers.PythonTrainer)
    for p, q in zip(*(net.biases + net.weights for net in nets)):
        np.testing.assert_allclose(p, q, rtol=0, atol=1e-11)
    z = x
    for w, b in zip(nets[0].weights, nets[0].biases):
        z = z @ w.T + b.T
        if w is not nets[0].weights[-1]:
            z = nf.sigmoid(z)
    np.testing.assert_allclose(nets[0].feedforward(x.T), nf.softmax(z).T, rtol=1e-9, atol=1e-12)


@pytest.fixture(params=["compiled", "python"])
def way(request, monkeypatch):
    if request.param == "python":
        monkeypatch.setattr(_trainers, "trainer_for", _trainers.PythonTrainer)
    return request.param


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_optimizer_moves_as_its_source_says(way, optimizer):
    """Three steps on the whole batch, by formula: book (107) and (108); Kingma and Ba, algorithm 1."""
    x, y = examples()
    net = nf.Network([7, 4], dtype=np.float64, rng=1)
    w, v, s = net.weights[0].copy(), 0.0, 0.0
    b, vb, sb = net.biases[0].copy(), 0.0, 0.0
    eta, mu, shrink = 0.2, 0.8, 0.3 / len(x)

    def moved(p, g, v, s, t):
        if optimizer == "sgd":
            return p - eta * g, v, s
        if optimizer == "adam":
            v, s = mu * v + (1 - mu) * g, 0.999 * s + 0.001 * g**2
            return p - eta * (v / (1 - mu**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8), v, s
        old, v = v, mu * v - eta * g
        # Nesterov in the form of Sutskever et al.: the parameters stand where the gradient is taken
        return (p + v if optimizer == "momentum" else p + v + mu * (v - old)), v, s

    for t in (1, 2, 3):
        error = nf.softmax(x @ w.T + b.T) - np.eye(4)[y]
        g, gb = error.T @ x / len(x) + shrink * w, error.mean(0)[:, None]
        w, v, s = moved(w, g, v, s, t)
        b, vb, sb = moved(b, gb, vb, sb, t)
    net.SGD((x, y), 3, len(x), eta, lmbda=0.3, optimizer=optimizer, momentum=mu)
    np.testing.assert_allclose(net.weights[0], w, rtol=1e-10)
    np.testing.assert_allclose(net.biases[0], b, rtol=1e-10)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_digits_are_learned(way, optimizer, hidden):
    training, validation, _ = nf.datasets.load_digits()
    eta = {"sgd": 0.5, "momentum": 0.05, "nesterov": 0.05, "adam": 0.005}[optimizer]
    net = nf.Network([64, 30, 10], hidden=hidden, rng=1)
    net.SGD(training, 15, 10, eta, optimizer=optimizer)
    assert net.accuracy(validation) / len(validation[1]) > 0.93


def test_a_schedule_is_asked_for_each_epoch(way):
    asked, (x, y) = [], examples()
    one, other = (nf.Network([7, 4], rng=1) for _ in range(2))
    one.SGD((x, y), 3, 10, lambda epoch: asked.append(epoch) or 0.5 / epoch)
    for epoch in (1, 2, 3):
        other.SGD((x, y), 1, 10, 0.5 / epoch)
    assert asked == [1, 2, 3]
    assert all(map(np.array_equal, one.weights, other.weights))


def test_early_stopping_keeps_the_best(way):
    x, y = examples(200)
    net, seen = nf.Network([7, 4], rng=1), []

    def keep(epoch, values):
        seen.append((values["evaluation_accuracy"], net.weights[0]))

    lists = net.SGD((x, y), 200, 10, 3.0, evaluation_data=(x[:50], y[:50]), early_stopping_n=4, callback=keep)
    accuracies = [accuracy for accuracy, _ in seen]
    best = int(np.argmax(accuracies))
    assert lists[1] == accuracies and len(seen) == best + 5 < 200
    assert net.weights[0] is seen[best][1] and net.accuracy((x[:50], y[:50])) == max(accuracies)


def test_the_best_epoch_may_be_kept_without_early_stopping(way):
    x, y = examples(200)
    net, seen = nf.Network([7, 4], rng=1), []

    def keep(epoch, values):
        seen.append((values["evaluation_accuracy"], net.weights[0]))

    history = net.SGD((x, y), 12, 10, 3.0, evaluation_data=(x[:50], y[:50]), keep_best=True, callback=keep)
    assert len(history.evaluation_accuracy) == 12
    best = int(np.argmax(history.evaluation_accuracy))
    assert best < 11 and net.weights[0] is seen[best][1]


@pytest.mark.parametrize("n", [1, 3])
def test_the_learning_rate_is_halved_while_no_epoch_is_better(way, n):
    x, y = examples(200)
    evaluation = x[:50], y[:50]
    net, other, factors = nf.Network([7, 4], rng=1), nf.Network([7, 4], rng=1), [1.0]
    history = net.SGD((x, y), 25, 10, 3.0, evaluation_data=evaluation, halving_n=n)
    best, waiting = -1, 0
    for accuracy in history.evaluation_accuracy:
        waiting = 0 if accuracy > best else waiting + 1
        best = max(best, accuracy)
        factors.append(factors[-1] / 2 if waiting == n else factors[-1])
        waiting %= n
    assert factors[-1] < 0.5 and factors[1] == 1 and (factors[-1] == 1 / 128) == (len(factors) < 26)
    other.SGD((x, y), len(factors) - 1, 10, lambda epoch: 3.0 * factors[epoch - 1])
    assert net.digest() == other.digest()
    never_better = nf.Network([7, 4], rng=1).SGD((x, y), 99, 10, 0, evaluation_data=evaluation, halving_n=n)
    assert len(never_better.evaluation_accuracy) == 1 + 7 * n


def test_targets_that_are_no_probabilities_are_refused(way):
    x, y = examples()
    targets = np.eye(4)[y]
    targets[3, 2] = -0.5
    with pytest.raises(ValueError, match=r"target -0\.5 at row 3, class 2"):
        nf.Network([7, 4], dtype=np.float64).SGD((x, targets), 1, 10, 0.1)


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_the_same_bits_for_any_number_of_our_threads(way, hidden):
    x, y = examples(600, 40, 10, np.float32)
    nets = []
    for threads in (1, 3):
        with nf.num_threads(threads):
            net = nf.Network([40, 50, 10], hidden=hidden, rng=5)
            net.SGD((x, y), 2, 64, 0.1, optimizer="momentum")
            nets.append(net.biases + net.weights)
    assert all(p.tobytes() == q.tobytes() for p, q in zip(*nets))


# Types


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


def test_a_dtype_that_is_another_object_is_the_same():
    x, y = examples()
    other = np.dtype("f8", copy=True)  # as one that was pickled is
    nets = [nf.Network([7, 4], dtype=dtype, rng=0) for dtype in (np.dtype("f8"), other)]
    for net in nets:
        net.SGD((x, y), 1, 10, 0.1)
    assert np.array_equal(*(net.weights[0] for net in nets))
