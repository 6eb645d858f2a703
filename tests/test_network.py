"""Network: gradients, a plain reference of its training, the forms of data, errors and interruptions."""

import io
import sys

import numpy as np
import pytest

import nndl_fast as nf
from nndl_fast import CrossEntropyCost, LogLikelihoodCost, QuadraticCost, datasets

COSTS = [LogLikelihoodCost, CrossEntropyCost, QuadraticCost]


def problem(n=23, features=4, outputs=3, seed=0):
    """Inputs in rows, and labels."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, features)), rng.integers(outputs, size=n)


def one_hot(labels, outputs=3):
    return np.eye(outputs)[labels]


def parameters(net):
    return [p.copy() for p in net.biases + net.weights]


def assert_same_bits(net, other):
    for p, q in zip(net.biases + net.weights, other.biases + other.weights, strict=True):
        assert p.dtype == q.dtype
        np.testing.assert_array_equal(p, q)


def assert_parameters(net, expected):
    for p, q in zip(net.biases + net.weights, expected, strict=True):
        np.testing.assert_array_equal(p, q)


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


def trained(data, dtype=np.float32, cost=LogLikelihoodCost, rng=4, sizes=(4, 5, 3)):
    net = nf.Network(sizes, cost=cost, dtype=dtype, rng=rng)
    net.SGD(data, 3, 4, 0.5, 0.1)
    return net


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


def rows(x, y):
    return [(a[:, None], b) for a, b in zip(x, y)]


def column_targets(labels):
    return [t[:, None] for t in one_hot(labels)]


FORMS = {
    "pair with labels": lambda x, y: (x, y),
    "pair with small labels": lambda x, y: (x, y.astype(np.uint8)),
    "pair of lists": lambda x, y: (x.tolist(), y.tolist()),
    "pair with one-hot": lambda x, y: (x, one_hot(y)),
    "pair with integer one-hot": lambda x, y: (x, one_hot(y).astype(int)),
    "pair with columns in memory": lambda x, y: (np.asfortranarray(x), np.asfortranarray(one_hot(y))),
    "list with column targets": lambda x, y: rows(x, column_targets(y)),
    "list with integer y": lambda x, y: rows(x, [int(label) for label in y]),
    "list with vectors": lambda x, y: list(zip(x, one_hot(y))),
    "tuple of pairs": lambda x, y: tuple(rows(x, y)),
    "zip": lambda x, y: zip(x[:, :, None], column_targets(y)),
    "zip with labels": lambda x, y: zip(x, y),
    "generator": lambda x, y: (pair for pair in rows(x, y)),
}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_data_changes_no_bit(form, cost):
    x, y = problem()
    net, reference = trained(FORMS[form](x, y), cost=cost), trained((x, y), cost=cost)
    assert_same_bits(net, reference)
    assert net.accuracy(FORMS[form](x, y)) == reference.accuracy((x, y))
    assert net.total_cost(FORMS[form](x, y), 0.5) == reference.total_cost((x, y), 0.5)
    net.update_mini_batch(FORMS[form](x, y), 0.5, 0.1, 100)
    reference.update_mini_batch((x, y), 0.5, 0.1, 100)
    assert_same_bits(net, reference)


def test_evaluation_data_that_can_be_read_once_serves_every_epoch():
    x, y = problem()
    lists = [
        nf.Network([4, 5, 3], rng=4).SGD((x, y), 3, 4, 0.5, 0.0, evaluation, True, True)
        for evaluation in (zip(x, y), (x, y))
    ]
    assert lists[0] == lists[1]
    assert len(lists[0][0]) == 3


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


X, Y = problem(6)
WRONG = [  # data, error, and what its message names
    ((X[:, :3], Y), ValueError, "3 features.*4 inputs"),
    ((X[0], Y), ValueError, r"\(4,\)"),
    ((X, Y[:5]), ValueError, r"y has shape \(5,\)"),
    ((X, one_hot(Y, 4)), ValueError, r"y has shape \(6, 4\)"),
    (rows(X[:, :3], Y), ValueError, "example 0 has 3 "),
    ([*rows(X, Y), (X[0], [0, 1, 0])], ValueError, "some y are labels and some are vectors"),
    ([(X[0], 1, 2)], (TypeError, ValueError), "NAME.*pairs"),
    ((X, np.array([0, 1, 2, 3, 0, 0])), IndexError, "label 3 of example 3 is outside 0..2"),
    ((X, np.array([0, 1, 2, 0, -1, 0])), IndexError, "label -1 of example 4 is outside 0..2"),
    ((X, Y.astype(float)), TypeError, "float64.*integers"),
    ((X[:0], Y[:0]), ValueError, "empty"),
    ([], ValueError, "empty"),
    (zip(), ValueError, "empty"),
    (5, TypeError, "pairs"),
    ([1, 2], TypeError, "pairs"),
]


@pytest.mark.parametrize("argument", ["training_data", "evaluation_data", "data", "mini_batch"])
@pytest.mark.parametrize("data, error, message", WRONG, ids=[message for _, _, message in WRONG])
def test_wrong_data_is_an_error_that_names_the_argument_and_changes_nothing(argument, data, error, message):
    net = nf.Network([4, 5, 3], rng=0)
    before = parameters(net)
    call = {
        "training_data": lambda: net.SGD(data, 1, 2, 0.5),
        "data": lambda: net.accuracy(data),
        "evaluation_data": lambda: net.SGD((X, Y), 1, 2, 0.5, 0, data, True),
        "mini_batch": lambda: net.update_mini_batch(data, 0.5, 0, 6),
    }[argument]
    with pytest.raises(error, match=message.replace("NAME", argument)) as caught:
        call()
    assert argument in str(caught.value)
    assert_parameters(net, before)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda net: net.SGD((X, Y), 1, 2, 0.5, monitor_evaluation_cost=True), "evaluation_data is None"),
        (lambda net: net.SGD((X, Y), 1, 2, 0.5, monitor_evaluation_accuracy=True), "evaluation_data is None"),
        (lambda net: net.SGD((X, Y), 1, 0, 0.5), "mini_batch_size is 0"),
        (lambda net: net.SGD((X, Y), -1, 1, 0.5), "epochs is -1"),
        (lambda net: net.feedforward(X), r"feedforward: a has shape \(6, 4\)"),
        (lambda net: net.backprop(X, Y), "backprop: x has shape"),
        (lambda net: net.backprop(X.T, Y[:2]), "backprop: y has shape"),
        (lambda net: nf.Network([3]), "sizes"),
        (lambda net: nf.Network([3, 0]), "sizes"),
        (lambda net: nf.Network([2.5, 1]), "sizes"),
        (lambda net: nf.Network([3, 2], dtype="f2"), "float16"),
        (lambda net: nf.Network([3, 2], hidden="elu"), "hidden is 'elu'; it must be one of 'sigmoid'"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, optimizer="lbfgs"), "optimizer is 'lbfgs'.*'adam'"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, momentum=1), "momentum is 1"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, early_stopping_n=-1), "early_stopping_n is -1"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, early_stopping_n=2), "evaluation_data is None"),
    ],
)
def test_wrong_arguments_are_value_errors_that_name_them(call, message):
    with pytest.raises(ValueError, match=message):
        call(nf.Network([4, 5, 3], rng=0))


def test_ctrl_c_in_the_callback_leaves_a_whole_network(tmp_path):
    def stop(epoch, values):
        if epoch == 2:
            raise KeyboardInterrupt

    net, whole = nf.Network([4, 5, 3], rng=4), nf.Network([4, 5, 3], rng=4)
    with pytest.raises(KeyboardInterrupt):
        net.SGD(problem(), 5, 4, 0.5, callback=stop)
    whole.SGD(problem(), 2, 4, 0.5)
    assert_same_bits(net, whole)
    net.save(tmp_path / "net")
    assert_same_bits(nf.load(tmp_path / "net"), whole)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("k", [1, 3, 8])  # 6 mini-batches are an epoch: the eighth is in the second
def test_an_exception_in_the_kth_mini_batch_leaves_the_parameters_of_the_one_before(tmp_path, k, error):
    seen = []

    class Breaking(CrossEntropyCost):
        @staticmethod
        def delta(z, a, y):
            seen.append(parameters(net))
            if len(seen) == k:
                raise error
            return a - y

    class Whole(CrossEntropyCost):  # with a method of its own, so that it takes the same way
        @staticmethod
        def delta(z, a, y):
            return a - y

    net, whole = (nf.Network([4, 5, 3], cost=cost, rng=4) for cost in (Breaking, Whole))
    with pytest.raises(error):
        net.SGD(problem(), 5, 4, 0.5)
    x, y = problem()
    orders = whole.rng.permutation(23), whole.rng.permutation(23)
    batches = [order[start : start + 4] for order in orders for start in range(0, 23, 4)]
    for batch in batches[: k - 1]:
        whole.update_mini_batch((x[batch], y[batch]), 0.5, 0.0, 23)
    assert_same_bits(net, whole)
    net.save(tmp_path / "net")
    assert_same_bits(nf.load(tmp_path / "net", cost=CrossEntropyCost), whole)


def test_ctrl_c_at_any_line_of_a_step_leaves_it_undone_or_done():
    def trace(frame, event, _):
        if frame.f_globals["__name__"] == "nndl_fast.network" and event == "line":
            lines.append(frame.f_lineno)
            if len(lines) == stop_at:
                raise KeyboardInterrupt
        return trace

    before, after = (nf.Network([4, 5, 3], rng=4) for _ in range(2))
    after.update_mini_batch(problem(), 0.5, 0.1, 23)
    for stop_at in range(1, 1000):  # noqa: B007 (trace uses it)
        lines, net, kept = [], nf.Network([4, 5, 3], rng=4), sys.gettrace()
        sys.settrace(trace)
        try:
            net.update_mini_batch(problem(), 0.5, 0.1, 23)
            break
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(kept)
        assert_same_bits(net, before if net.biases[0].tobytes() == before.biases[0].tobytes() else after)
    assert 5 < stop_at < 999  # it was stopped at some lines, and came through at last


def test_training_replaces_the_arrays_and_changes_none_in_place():
    net = nf.Network([4, 5, 3], rng=0)
    arrays, copies = net.biases + net.weights, parameters(net)
    net.SGD(problem(), 1, 4, 0.5)
    assert all(np.array_equal(p, q) for p, q in zip(arrays, copies))
    assert not any(np.array_equal(p, q) for p, q in zip(net.weights, copies[2:]))


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
