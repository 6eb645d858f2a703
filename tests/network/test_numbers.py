"""Numbers in data and arguments of a Network: which arrays, rates and sizes are none that it can use."""

import numpy as np
import pytest

import nndl_fast as nf

X, Y = np.random.default_rng(0).standard_normal((60, 4)), np.arange(60) % 3


def network(**options):
    return nf.Network([4, 5, 3], rng=0, **{"dtype": np.float64, **options})


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


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("what", ["predict", "predict_proba", "accuracy", "SGD", "evaluation", "pairs"])
def test_features_that_are_no_finite_numbers_are_named_and_nothing_is_trained(fault, what):
    net = nf.Network([4, 3], rng=0)
    before = net.digest()
    good, y = np.random.default_rng(0).standard_normal((7, 4)), np.arange(7) % 3
    x = good.copy()
    x[5, 2] = fault  # 1e300 is infinite to float32
    calls = {
        "predict": lambda: net.predict(x),
        "predict_proba": lambda: net.predict_proba(x),
        "accuracy": lambda: net.accuracy((x, y)),
        "SGD": lambda: net.SGD((x, y), 1, 2, 0.1),
        "evaluation": lambda: net.SGD((good, y), 1, 2, 0.1, evaluation_data=(x, y)),
        "pairs": lambda: net.SGD(list(zip(x, y)), 1, 2, 0.1),
    }
    with pytest.raises(ValueError, match=r"feature 2 of example 5 is .*(nan|inf); features must be finite"):
        calls[what]()
    assert net.digest() == before


def test_finite_features_with_an_infinite_sum_are_taken():
    x = np.full((3, 4), 3e38)
    assert nf.Network([4, 3], rng=0).predict(x).shape == (3,)


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


@pytest.mark.parametrize("name", ["eta", "lmbda"])
@pytest.mark.parametrize(
    "value, error",
    [
        *((value, ValueError) for value in (np.nan, np.inf, -0.5, 10**400)),
        *((value, TypeError) for value in ("x", "0.5", b"1", 1j, None)),
    ],
)
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


@pytest.mark.parametrize("name", ["epochs", "mini_batch_size", "early_stopping_n", "halving_n"])
def test_numbers_that_are_no_integers(name):
    with pytest.raises(TypeError, match=f"SGD: {name} is 1.5; it must be an integer"):
        network().SGD((X, Y), **{"epochs": 1, "mini_batch_size": 10, "eta": 0.5, name: 1.5})


def test_booleans_are_the_targets_of_a_single_neuron_and_no_labels():
    y = X[:, 0] > 0
    one, other = (nf.Network([X.shape[1], 1], cost="cross-entropy", rng=0) for _ in range(2))
    one.SGD((X, y), 1, 10, 0.5)
    other.SGD((X, y.astype(int)), 1, 10, 0.5)
    assert one.digest() == other.digest() and one.accuracy((X, y)) == other.accuracy((X, y.astype(int)))
    with pytest.raises(TypeError, match="y has dtype bool; labels must be integers"):
        network().SGD((X, y), 1, 10, 0.5)
