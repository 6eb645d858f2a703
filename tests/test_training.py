"""The two ways of training against each other, and each against what the book says."""

import itertools
import signal

import numpy as np
import pytest

import nndl_fast as nf
from nndl_fast import _core, _trainers

COSTS = [nf.LogLikelihoodCost, nf.CrossEntropyCost, nf.QuadraticCost]
OPTIMIZERS = ["sgd", "momentum", "nesterov", "adam"]


def examples(n=53, features=7, outputs=4, dtype=np.float64):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, features)).astype(dtype), rng.integers(0, outputs, n)


def trained(monkeypatch, way, sizes, cost, hidden, dtype, optimizer, data, mini_batch=10, eta=0.05):
    if way == "numpy":
        monkeypatch.setattr(_trainers, "trainer_for", _trainers.NumpyTrainer)
    net = nf.Network(sizes, cost=cost, hidden=hidden, dtype=dtype, rng=3)
    trainer = {"compiled": _trainers.CompiledTrainer, "numpy": _trainers.NumpyTrainer}[way]
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
                for way in ("compiled", "numpy")
            )
            for p, q in zip(one, other):
                assert p.dtype == dtype
                np.testing.assert_allclose(p, q, rtol=0, atol=tolerance)


@pytest.fixture(params=["compiled", "numpy"])
def way(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(_trainers, "trainer_for", _trainers.NumpyTrainer)
    return request.param


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("cost", COSTS)
def test_backprop_is_the_gradient_by_differences(cost, hidden):
    x, y = examples()
    net = nf.Network([7, 5, 6, 4], cost=cost, hidden=hidden, dtype=np.float64, rng=1)
    nabla_b, nabla_w = net.backprop(x.T, y if cost is nf.LogLikelihoodCost else np.eye(4)[y].T)
    for p, nabla in zip(net.biases + net.weights, nabla_b + nabla_w):
        for place in itertools.islice(np.ndindex(p.shape), 0, None, 5):
            costs, before, step = [], p[place], 1e-6
            for p[place] in (before + step, before - step):
                costs.append(net.total_cost((x, y), 0) * len(x))
            p[place] = before
            assert abs((costs[0] - costs[1]) / (2 * step) - nabla[place]) < 1e-6


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


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer's signal here")
@pytest.mark.parametrize("features, mini_batch", [(7, 10), (150, 400), (3000, 1600)])  # up to a long step
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("seconds", [0.15, 0.2, 0.3])
def test_ctrl_c_leaves_whole_mini_batches(features, mini_batch, optimizer, seconds):
    rng = np.random.default_rng(0)
    x, y = rng.random((1600, features), np.float32), rng.integers(0, 4, 1600)
    net, other = (nf.Network([features, 700, 4], rng=2) for _ in range(2))

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, seconds)
            net.SGD((x, y), 10**6, mini_batch, 0.01, optimizer=optimizer)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    trainer, steps = _trainers.trainer_for(other, _core.rule(optimizer, momentum=0.9)), 0
    # many more steps than any machine takes in that time
    while other.digest() != net.digest() and steps < 200_000 * 7 / features:
        order = other.rng.permutation(1600)
        for start in range(0, 1600, mini_batch):
            trainer.run(x, y, order[start : start + mini_batch], mini_batch, 0.01)
            steps += 1
            if other.digest() == net.digest():
                break
    assert other.digest() == net.digest()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_digits_are_learned(way, optimizer, hidden):
    training, validation, _ = nf.datasets.load_digits()
    eta = {"sgd": 0.5, "momentum": 0.05, "nesterov": 0.05, "adam": 0.005}[optimizer]
    net = nf.Network([64, 30, 10], hidden=hidden, rng=1)
    net.SGD(training, 15, 10, eta, optimizer=optimizer)
    assert net.accuracy(validation) / len(validation[1]) > 0.93


def test_targets_that_are_no_probabilities_are_refused(way):
    x, y = examples()
    targets = np.eye(4)[y]
    targets[3, 2] = -0.5
    with pytest.raises(ValueError, match=r"target -0\.5 at row 3, class 2"):
        nf.Network([7, 4], dtype=np.float64).SGD((x, targets), 1, 10, 0.1)


@pytest.mark.parametrize("hidden", [[], [6], [6, 5]])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("targets", [False, True])
def test_a_wide_last_layer_learns_what_it_would_in_numpy(monkeypatch, hidden, optimizer, targets):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 7)), rng.integers(0, 5000, 40)
    if targets:
        y = rng.random((40, 5000))
        y /= y.sum(axis=1, keepdims=True)
    nets = [nf.Network([7, *hidden, 5000], dtype=np.float64, rng=1) for _ in range(2)]
    for net in nets:
        net.SGD((x, y), 2, 16, 0.1, lmbda=0.1, optimizer=optimizer)
        monkeypatch.setattr(_trainers, "trainer_for", _trainers.NumpyTrainer)
    for p, q in zip(*(net.biases + net.weights for net in nets)):
        np.testing.assert_allclose(p, q, rtol=0, atol=1e-11)
    z = x
    for w, b in zip(nets[0].weights, nets[0].biases):
        z = z @ w.T + b.T
        if w is not nets[0].weights[-1]:
            z = nf.sigmoid(z)
    np.testing.assert_allclose(nets[0].feedforward(x.T), nf.softmax(z).T, rtol=1e-9, atol=1e-12)


def test_a_dtype_that_is_another_object_is_the_same():
    x, y = examples()
    other = np.dtype("f8", copy=True)  # as one that was pickled is
    nets = [nf.Network([7, 4], dtype=dtype, rng=0) for dtype in (np.dtype("f8"), other)]
    for net in nets:
        net.SGD((x, y), 1, 10, 0.1)
    assert np.array_equal(*(net.weights[0] for net in nets))


def trainer(sizes=(7, 5, 4), cost="LogLikelihoodCost", hidden="sigmoid", single=False):
    return _core.trainer(list(sizes), hidden, cost, single)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: trainer(sizes=[3]), "sizes must be"),
        (lambda: trainer(sizes=[3, 0]), "sizes must be"),
        (lambda: trainer(cost="Own"), "cost is 'Own'"),
        (lambda: trainer(hidden="elu"), "hidden is 'elu'"),
    ],
)
def test_a_trainer_takes_what_it_can_use(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("optimizer", ["lbfgs", "", "SGD", None, 1])
def test_a_rule_names_the_optimizers_that_there_are(optimizer):
    message = f"optimizer is {optimizer!r}; it must be one of {', '.join(map(repr, OPTIMIZERS))}$"
    with pytest.raises(ValueError, match=message):
        _core.rule(optimizer)


def test_a_rule_is_what_it_was_made_of():
    rule = _core.rule("nesterov", weight_decay=0.25, momentum=0.5)
    assert (rule.optimizer, rule.weight_decay, rule.momentum) == ("nesterov", 0.25, 0.5)
    assert rule == _core.rule("nesterov", weight_decay=0.25, momentum=0.5)
    others = [
        _core.rule("momentum", weight_decay=0.25, momentum=0.5),
        _core.rule("nesterov", weight_decay=0.5, momentum=0.5),
        _core.rule("nesterov", weight_decay=0.25, momentum=0.75),
    ]
    assert all(rule != other for other in others)
    with pytest.raises(AttributeError):
        rule.momentum = 0.75
    for momentum in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"momentum is {momentum}"):
            _core.rule("momentum", momentum=momentum)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"x": np.zeros((9, 6))}, ValueError),
        ({"x": np.zeros((9, 7), "f4")}, ValueError),
        ({"x": np.zeros((9, 14))[:, ::2]}, ValueError),
        ({"y": np.zeros(9, "i4")}, ValueError),
        ({"y": np.zeros(8, "i8")}, ValueError),
        ({"y": np.full(9, 4)}, IndexError),
        ({"y": np.full(9, -1)}, IndexError),
        ({"y": np.zeros((9, 5))}, ValueError),
        ({"order": np.array([0, 9])}, IndexError),
        ({"order": np.array([-1])}, IndexError),
        ({"order": np.zeros(3, "i4")}, ValueError),
        ({"mini_batch": 0}, ValueError),
        ({"rule": "sgd"}, TypeError),
        ({"rule": None}, TypeError),
    ],
)
def test_a_trainer_reads_and_writes_nothing_beyond(change, error):
    made = trainer()
    arguments = {
        "x": np.ones((9, 7)),
        "y": np.zeros(9, "i8"),
        "order": np.arange(9),
        "mini_batch": 4,
        "rule": _core.rule(),
        "eta": 0.1,
    }
    with pytest.raises(ValueError, match="use"):
        made.run(*arguments.values())
    weights, biases = [np.ones((5, 7)), np.ones((4, 5))], [np.ones((5, 1)), np.ones((4, 1))]
    for wrong in ([weights[0]], [weights[0], weights[1].T], [w.astype("f4") for w in weights]):
        with pytest.raises(ValueError):
            made.use(wrong, biases)
    made.use(weights, biases)
    with pytest.raises(error):
        made.run(*(arguments | change).values())
    assert all((p == 1).all() for p in weights + biases)
    for wrong in (np.ones(7), np.ones((9, 6)), np.ones((9, 7), "f4")):
        with pytest.raises(ValueError, match="x has shape"):
            made.weighted_inputs(wrong)
    made.run(*arguments.values())
    assert all((p == 1).all() for p in weights + biases)
    assert not (made.parameters()[1][1] == 1).all()


@pytest.mark.parametrize(
    "change",
    [
        {"left": np.ones(39, "f4")},
        {"right": np.ones(63, "f4")},
        {"out": np.ones(10 * 16 - 1, "f4")},
        {"sizes": (10, 16, 0)},
        {"sizes": (-1, 16, 4)},
        {"left_strides": (5, 1, 0)},
        {"right_strides": (16, 1 << 40)},
    ],
)
def test_a_product_reads_and_writes_nothing_beyond(change):
    arguments = {
        "left": np.ones(40, "f4"),
        "left_strides": (4, 1, 0),
        "right": np.ones(4 * 32, "f4"),
        "right_strides": (16, 64),
        "out": np.zeros(10 * 16, "f4"),
        "out_strides": (16, 160),
        "sizes": (10, 16, 4),
        "keep": 0.0,
    }
    _core.product(**arguments)
    assert (arguments["out"] == 4).all()
    if "right_strides" in change:  # a second panel of columns is there to be reached
        change = change | {"sizes": (10, 32, 4), "out": np.zeros(320, "f4")}
    with pytest.raises(ValueError, match="beyond"):
        _core.product(**arguments | change)
