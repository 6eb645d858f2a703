"""What a caller should not do and does: each of these once crashed, hung, was lost or was wrong."""

import numpy as np
import pytest
from programs import ended

import nndl_fast as nf
from nndl_fast import _core

X, Y = np.random.default_rng(0).standard_normal((60, 4)), np.arange(60) % 3


def network(**options):
    return nf.Network([4, 5, 3], rng=0, **{"dtype": np.float64, **options})


# Parameters that a caller sets


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_that_are_lists_become_arrays(dtype):
    net, other = network(dtype=dtype), network(dtype=dtype)
    net.weights = [w.tolist() for w in net.weights]
    net.biases = tuple(b.tolist() for b in net.biases)
    assert all(type(p) is np.ndarray and p.dtype == dtype for p in net.weights + net.biases)
    for each in (net, other):
        each.SGD((X, Y), 2, 10, 0.5)
    assert net.digest() == other.digest()


def test_parameters_are_set_together():
    net, other = network(), nf.Network([4, 5, 3], rng=1, dtype=np.float64)
    net.parameters = [b.tolist() for b in other.biases], [w.tolist() for w in other.weights]
    assert net.digest() == other.digest()
    biases, weights = net.parameters
    assert biases is net.biases and weights is net.weights


@pytest.mark.parametrize("change", ["feedforward", "SGD", "accuracy", "update_mini_batch", "backprop"])
def test_lists_that_are_changed_in_place(change):
    net = network()
    net.weights[0] = net.weights[0].tolist()
    net.biases[1] = net.biases[1].astype(">f4")
    call = {
        "feedforward": lambda: net.feedforward(X.T),
        "SGD": lambda: net.SGD((X, Y), 1, 10, 0.5),
        "accuracy": lambda: net.accuracy((X, Y)),
        "update_mini_batch": lambda: net.update_mini_batch((X, Y), 0.5, 0, 60),
        "backprop": lambda: net.backprop(X.T, Y),
    }[change]
    call()
    net.weights[1] = np.zeros((3, 4))
    with pytest.raises(ValueError, match=r"weights of layer 2 has shape \(3, 4\); it must be \(3, 5\)"):
        call()


@pytest.mark.parametrize(
    "name, value, error, message",
    [
        ("weights", [np.zeros((5, 4))], ValueError, "weights has 1 arrays; it must have 2"),
        ("weights", [np.zeros((4, 5)), np.zeros((3, 5))], ValueError, r"layer 1 has shape \(4, 5\)"),
        ("biases", [np.zeros((5, 1)), np.zeros(3)], ValueError, r"biases of layer 2 has shape \(3,\)"),
        (
            "biases",
            [np.zeros((5, 1)), np.zeros((3, 1), complex)],
            TypeError,
            "biases of layer 2 has dtype comp",
        ),
        ("weights", [np.zeros((5, 4)), "no"], TypeError, "weights of layer 2 has dtype <U2"),
        (
            "parameters",
            ([np.zeros((5, 1)), np.zeros((3, 1))], [np.zeros((5, 4))]),
            ValueError,
            "weights has 1 arrays; it must have 2",
        ),
        (
            "parameters",
            ([np.zeros((5, 1)), np.zeros(3)], [np.zeros((5, 4)), np.zeros((3, 5))]),
            ValueError,
            r"biases of layer 2 has shape \(3,\)",
        ),
    ],
)
def test_parameters_that_do_not_fit(name, value, error, message):
    net = network()
    before = net.digest()
    with pytest.raises(error, match=message):
        setattr(net, name, value)
    assert net.digest() == before


@pytest.mark.parametrize(
    "made", [_core.trainer([2, 2], "relu", "LogLikelihoodCost", True), _core.rule()], ids=["trainer", "rule"]
)
def test_a_trainer_or_a_rule_cannot_be_made_without_what_it_consists_of(made):
    kind = type(made)
    for make in (kind, lambda: kind.__new__(kind), lambda: kind.__mro__[1].__new__(kind)):
        with pytest.raises(TypeError):
            make()


# Data


@pytest.mark.parametrize(
    "bad, error, message",
    [
        (X + 0j, TypeError, "x has dtype complex128"),
        (np.ma.masked_array(X, X > 1), TypeError, "masked array"),
        (X.astype(str), TypeError, "x has dtype <U"),
        (X > 0, TypeError, "x has dtype bool"),
        ([[1.0, 2.0], [3.0]], TypeError, "no array of numbers"),
    ],
)
def test_inputs_that_are_no_real_numbers(bad, error, message):
    net = network()
    for call in (
        lambda: net.SGD((bad, Y), 1, 10, 0.5),
        lambda: net.accuracy((bad, Y)),
        lambda: net.feedforward(bad if isinstance(bad, list) else bad.T),
    ):
        with pytest.raises(error, match=message.replace("x has", "(x|a) has")):
            call()
    with pytest.raises(TypeError, match="an x of training_data"):
        net.SGD([(bad[0] if not isinstance(bad, list) else "ab", 1)], 1, 10, 0.5)


@pytest.mark.parametrize("name", ["eta", "lmbda"])
@pytest.mark.parametrize("value, error", [(np.nan, ValueError), (np.inf, ValueError), ("x", TypeError)])
def test_rates_that_are_no_numbers(name, value, error):
    net = network()
    calls = [
        lambda: net.SGD((X, Y), 1, 10, **{"eta": 0.5, name: value}),
        lambda: net.update_mini_batch((X, Y), **{"eta": 0.5, "lmbda": 0, name: value}, n=60),
    ]
    if name == "eta":
        calls.append(lambda: net.SGD((X, Y), 1, 10, lambda epoch: value))
    else:
        calls.append(lambda: net.total_cost((X, Y), value))
    before = net.digest()
    for call in calls:
        with pytest.raises(error, match=f": {name} is"):
            call()
    assert net.digest() == before


@pytest.mark.parametrize("size", [60, 61, 2**31, 10**30])
def test_a_mini_batch_larger_than_the_data_is_the_data(size):
    net, other = network(), network()
    net.SGD((X, Y), 2, size, 0.5)
    other.SGD((X, Y), 2, 60, 0.5)
    assert net.digest() == other.digest()


@pytest.mark.parametrize("name", ["epochs", "mini_batch_size", "early_stopping_n"])
def test_numbers_that_are_no_integers(name):
    with pytest.raises(TypeError, match=f"SGD: {name} is 1.5; it must be an integer"):
        network().SGD((X, Y), **{"epochs": 1, "mini_batch_size": 10, "eta": 0.5, name: 1.5})


# Labels that another thread changes

CHANGES = """
import threading, numpy as np, nndl_fast as nf
def changed_while(y, call):
    done = False
    def change():
        while not done:
            for label in (2**40, -2**40, 0):
                y[-1000:] = label
    other = threading.Thread(target=change)
    other.start()
    try:
        for _ in range(40):
            try:
                call()
            except IndexError:
                pass
    finally:
        done = True
        other.join()
"""


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("classes", [4, 40])
@pytest.mark.parametrize(
    "options", ["", "label_smoothing=0.1", "class_weight=np.ones(classes, np.float32)", "ignore_index=-1"]
)
def test_labels_that_change_after_their_check(axis, classes, options):
    ended(
        CHANGES
        + f"""
classes = {classes}
z, y = np.zeros((60_000, classes), np.float32), np.zeros(60_000, np.int64)
z = z if {axis} == -1 else np.ascontiguousarray(z.T)
changed_while(y, lambda: nf.log_likelihood_cost_and_delta(z, y, {axis}, {options}))
"""
    )


@pytest.mark.parametrize("options", ["", "class_weight=np.ones(5000, np.float32)"])
def test_labels_that_change_in_the_last_layer(options):
    ended(
        CHANGES
        + f"""
a, w, b = np.zeros((3000, 2), np.float32), np.zeros((5000, 2), np.float32), np.zeros(5000, np.float32)
y = np.zeros(3000, np.int64)
changed_while(y, lambda: nf.linear_log_likelihood(a, w, b, y, {options}))
"""
    )


@pytest.mark.parametrize("cost", ["LogLikelihoodCost", "QuadraticCost"])
def test_labels_that_change_while_a_network_learns(cost):
    ended(
        CHANGES
        + f"""
net = nf.Network([3, 4], cost=nf.{cost}, rng=0)
x, y = np.zeros((20_000, 3), np.float32), np.zeros(20_000, np.int64)
changed_while(y, lambda: net.SGD((x, y), 1, 10, 0.1))
"""
    )


def test_arrays_that_are_not_aligned():
    net, other = network(), network()
    x, y = (np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape) for a in (X, Y))
    assert not x.flags.aligned and not y.flags.aligned
    net.SGD((x, y), 1, 10, 0.5)
    other.SGD((X, Y), 1, 10, 0.5)
    assert net.digest() == other.digest()


def test_targets_beyond_those_of_the_cross_entropy():
    net = network(cost=nf.CrossEntropyCost)
    with pytest.raises(ValueError, match=r"target 1\.5 of example 1, output 2, is outside 0\.\.1"):
        net.SGD((X[:2], [[0, 0, 1.0], [0, 0, 1.5]]), 1, 10, 0.5)


# What objects raise that are asked for numbers


class Raises:
    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error

    def __float__(self):
        raise self.error

    def __index__(self):
        raise self.error

    def __bool__(self):
        raise self.error


ASKED = {
    "z": lambda thing: nf.softmax(thing),
    "c": lambda thing: nf.softmax([1.0], c=thing),
    "axis": lambda thing: nf.softmax([1.0], thing),
    "y": lambda thing: nf.log_likelihood_cost([[1.0]], thing),
    "sample_weight": lambda thing: nf.log_likelihood_cost([[1.0]], [0], sample_weight=thing),
    "class_weight": lambda thing: nf.log_likelihood_cost([[1.0]], [0], class_weight=thing),
    "ignore_index": lambda thing: nf.log_likelihood_cost([[1.0]], [0], ignore_index=thing),
    "label_smoothing": lambda thing: nf.log_likelihood_cost([[1.0]], [0], label_smoothing=thing),
    "a of": lambda thing: network().feedforward(thing),
    "eta": lambda thing: network().SGD((X, Y), 1, 10, thing),
    "epochs": lambda thing: network().SGD((X, Y), thing, 10, 0.5),
    "x": lambda thing: network().accuracy((thing, Y)),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_is_no_ordinary_exception_goes_through(name, error):
    with pytest.raises(error, match="mine"):
        ASKED[name](Raises(error("mine")))


@pytest.mark.parametrize(
    "name, error", [(name, TypeError) for name in ASKED] + [("z", RuntimeError), ("x", ValueError)]
)
def test_other_exceptions_are_the_cause(name, error):
    with pytest.raises(TypeError, match=name.split()[0]) as caught:
        ASKED[name](Raises(error("use .detach()")))
    assert isinstance(caught.value.__cause__, error) and "use .detach()" in str(caught.value.__cause__)


def test_the_truth_of_an_object_may_raise():
    with pytest.raises(RuntimeError, match="mine"):
        nf.logsumexp([1.0], keepdims=Raises(RuntimeError("mine")))


# Weights far from 1, and labels beyond 2**63


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight", [1e-309, 1e-320, 1e308])
def test_the_mean_is_the_same_whatever_all_weights_are_multiplied_by(dtype, weight):
    z, y = X[:, :3].astype(dtype), Y
    times = np.where(np.arange(60) % 2, weight, weight / 2)
    expected = nf.log_likelihood_cost_and_delta(z, y, sample_weight=np.where(np.arange(60) % 2, 1, 0.5))
    # numbers as small as 1e-320 have four digits
    rtol = 1e-3 if weight < 1e-310 else 1e-6 if dtype == np.float32 else 1e-12
    for given in (times, times.tolist()):
        for one, other in zip(nf.log_likelihood_cost_and_delta(z, y, sample_weight=given), expected):
            np.testing.assert_allclose(one, other, rtol=rtol)
    assert np.isinf(nf.log_likelihood_cost(z, y, sample_weight=[1e308] * 60, reduction="sum"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("targets", [False, True])
def test_the_same_of_class_weights(dtype, targets):
    z, y, least = X[:, :3].astype(dtype), Y, float(np.finfo(dtype).tiny)
    y = np.eye(3, dtype=dtype)[y] if targets else y
    expected = nf.log_likelihood_cost_and_delta(z, y, class_weight=np.array([1, 2, 4], dtype))
    for unit in (least, least / 64, float(np.finfo(dtype).max) / 4):
        got = nf.log_likelihood_cost_and_delta(z, y, class_weight=np.array([1, 2, 4], dtype) * dtype(unit))
        for one, other in zip(got, expected):
            np.testing.assert_allclose(one, other, rtol=1e-5 if dtype == np.float32 else 1e-12)
    # the largest weight is that of a class that nobody has
    other = np.zeros(60, int)
    got = nf.log_likelihood_cost_and_delta(z, other, class_weight=np.array([least / 64, 1, 1], dtype))
    for one, two in zip(got, nf.log_likelihood_cost_and_delta(z, other)):
        np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_of_elements(dtype):
    z, y, info = X[:, 0].astype(dtype), (Y > 0).astype(dtype), np.finfo(dtype)
    expected = nf.binary_cross_entropy_cost_and_delta(z, y)
    for weight in (float(info.tiny) / 16, float(info.max)):
        got = nf.binary_cross_entropy_cost_and_delta(z, y, sample_weight=np.full(60, weight, dtype))
        for one, other in zip(got, expected):
            np.testing.assert_allclose(one, other, rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_an_ignore_index_that_only_unsigned_labels_can_have():
    z, largest = np.zeros((2, 3)), 2**64 - 1
    y = np.array([1, largest], np.uint64)
    expected = nf.log_likelihood_cost_and_delta(z, np.array([1, -1]), ignore_index=-1)
    for one, other in zip(nf.log_likelihood_cost_and_delta(z, y, ignore_index=largest), expected):
        np.testing.assert_array_equal(one, other)
    for ignored in (-1, 2**64 - 2, 2**64, 10**30):
        with pytest.raises(IndexError, match=f"label {largest} at row 1"):
            nf.log_likelihood_cost(z, y, ignore_index=ignored)
    with pytest.raises(IndexError, match="label -1"):
        nf.log_likelihood_cost(z, np.array([1, -1]), ignore_index=largest)
    with pytest.raises(ValueError, match="ignore_index goes with labels"):
        nf.log_likelihood_cost(z, z, ignore_index=largest)
