"""The layer beside its peers: softmax, cost and delta, whole steps, a last layer without logits, PyTorch's
functions, and training. Each result is checked."""

from __future__ import annotations

import time

import measure
import numpy as np
import peers
import pytest
import results
import training
from last_layer import (
    BRIDGE,
    BRIDGE_SHAPES,
    FEATURES,
    LAST_LAYER,
    STEP,
    WIDE,
    check,
    check_wide,
    layer,
    memory,
    wide,
)
from results import Key

import nndl_fast as nf

Shape = pytest.mark.parametrize(("n", "classes"), peers.SHAPES)
N = 5000  # examples of an epoch


@pytest.mark.parametrize("peer", peers.SOFTMAX)
@Shape
def test_softmax(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    batch = peers.batch(n, classes)
    result = timed(results.SOFTMAX, installed, n, classes, lambda: peers.SOFTMAX[installed](batch.z))
    peers.check_softmax(result, batch.a)


@pytest.mark.parametrize("peer", [*peers.OURS, "PyTorch", "NumPy"])
@pytest.mark.parametrize(("n", "classes"), [(60000, 10), (1024, 1000)])
def test_softmax_of_columns(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    batch = peers.batch(n, classes)
    columns = np.ascontiguousarray(batch.z.T)
    operation = "softmax, examples in columns"
    result = timed(operation, installed, n, classes, lambda: peers.SOFTMAX[installed](columns, axis=0))
    peers.check_softmax(result, batch.a.T)


# A unit of the type, or of float64 the errors of the reference; and the smallest float16.
TOLERANCES = {"float64": (1e-13, 0.0), "float16": (1e-3, 6e-8), "bfloat16": (8e-3, 0.0)}


@pytest.mark.parametrize("peer", [*peers.OURS, "PyTorch"])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("n", "classes"), [(1024, 1000), (256, 32000)])
def test_softmax_of_types(timed: measure.Timed, installed: str, dtype: str, n: int, classes: int) -> None:
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")  # whose types NumPy then knows by name
    z = peers.batch(n, classes).z.astype(dtype)
    result = timed(f"softmax, {dtype}", installed, n, classes, lambda: peers.SOFTMAX[installed](z))
    if installed == "PyTorch":
        result = result.double()  # NumPy takes no bfloat16 of it
    peers.check_close(np.asarray(result, np.float64), peers.in_float64(z)[0], *TOLERANCES[dtype])


@pytest.mark.parametrize("peer", peers.COST_AND_DELTA)
@Shape
def test_cost_and_delta(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    batch = peers.batch(n, classes)
    make = peers.COST_AND_DELTA[installed]
    result = timed(results.COST_AND_DELTA, installed, n, classes, lambda: make(batch.z, batch.y))
    peers.check_cost_and_delta(result, batch)


@pytest.mark.parametrize("peer", [*peers.OURS, "PyTorch", "scikit-learn", "NumPy"])
@pytest.mark.parametrize(("n", "classes"), [(1024, 1000)])
def test_cost_and_delta_of_float64(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    batch = peers.batch(n, classes)
    make, z = peers.COST_AND_DELTA[installed], batch.z.astype(np.float64)
    result = timed("cost and delta, float64", installed, n, classes, lambda: make(z, batch.y))
    peers.check_cost_and_delta(result, batch, exact=True)


@pytest.mark.parametrize("peer", STEP)
@pytest.mark.parametrize(("n", "classes"), FEATURES)
def test_step(timed: measure.Timed, n: int, classes: int, installed: str) -> None:
    its = layer(n, FEATURES[n, classes], classes)
    check(timed(results.STEP, installed, n, classes, lambda: STEP[installed](its)), its)


def test_a_wrong_step_is_seen() -> None:
    its = layer(128, 100, 10)
    cost, nabla_w = STEP["NumPy"](its)()
    check((cost, nabla_w), its)
    nabla_w[3, 7] += 1e-3
    with pytest.raises(AssertionError):
        check((cost, nabla_w), its)


@pytest.mark.rounds(3)
@pytest.mark.parametrize("peer", LAST_LAYER)
@pytest.mark.parametrize(("n", "features", "classes"), [WIDE])
def test_last_layer(timed: measure.Timed, installed: str, n: int, features: int, classes: int) -> None:
    its = wide(n, features, classes)
    call = LAST_LAYER[installed](its)
    result = timed.long(Key(results.LAST_LAYER, n, classes, installed), call)
    if result is not None:  # the products alone are none
        check_wide(result, (n, features, classes))


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["nndl_fast", "PyTorch"])
def test_memory_of_a_last_layer(installed: str) -> None:
    needed, logits = memory(installed), WIDE[0] * WIDE[2] * 4 / 1e6
    print(f"{installed}: {needed:.0f} MB above inputs and results; the logits would be {logits:.0f}")
    assert 0 < needed < (logits / 8 if installed == "nndl_fast" else np.inf)


@pytest.mark.parametrize("peer", BRIDGE)
@pytest.mark.parametrize(("n", "classes"), BRIDGE_SHAPES)
def test_bridge_to_pytorch(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    pytest.importorskip("torch")
    batch = peers.batch(n, classes)
    result = timed(results.BRIDGE, installed, n, classes, lambda: BRIDGE[installed](batch))
    peers.check_cost_and_delta(result, batch)


def cost(weights: list[peers.Array], biases: list[peers.Array]) -> float:
    """The mean log-likelihood cost without regularisation, by plain NumPy in float64."""
    x, y = (array[:N] for array in training.images())
    a = 1 / (1 + np.exp(-(x @ weights[0].T.astype(np.float64) + biases[0].T)))
    return peers.cost_and_error(a @ weights[1].T + biases[1].T, y)[0]


@pytest.mark.rounds(5)
@pytest.mark.parametrize("peer", training.EPOCH)
@pytest.mark.parametrize(("hidden", "mini_batch"), training.NETWORKS)
def test_training(timed: measure.Timed, installed: str, hidden: int, mini_batch: int) -> None:
    """One epoch. Every round starts anew: all of them do the same work, and the cost is that of one epoch."""
    x, y = (array[:N] for array in training.images())
    name = f"training 784-{hidden}-10" + (f" by {mini_batch}" if mini_batch != training.MINI_BATCH else "")
    net = training.start(hidden)
    before = cost(net.weights, net.biases)
    parameters = timed.long(
        Key(name, N, 10, installed),
        lambda epoch: epoch(),
        setup=lambda: training.EPOCH[installed](x, y, hidden, mini_batch),
        warm_up=0 if installed == "example by example" else 1,
    )
    after = cost(*parameters())
    # scikit-learn draws its own start, so it is also held to the cost of knowing nothing.
    assert np.isfinite(after) and after < min(before, np.log(10))


@pytest.mark.rounds(5)
@pytest.mark.parametrize("peer", training.DEEP_EPOCH)
def test_deep_training(timed: measure.Timed, installed: str) -> None:
    x, y = (array[:N] for array in training.images())
    sizes = "-".join(map(str, training.DEEP))
    key = Key(f"training {sizes} by {training.DEEP_MINI_BATCH}, relu, Adam", N, 10, installed)
    reached = timed.long(key, lambda epoch: epoch(), setup=lambda: training.DEEP_EPOCH[installed](x, y))
    assert reached() < 1


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["nndl_fast", "NumPy"])
@pytest.mark.parametrize("hidden", [30, 100])
def test_whole_training(peer: str, hidden: int) -> None:
    """Thirty epochs on all of MNIST; accuracies and seconds are printed."""
    if not (folder := training.mnist()):
        pytest.skip("NNDL_FAST_MNIST names no folder with MNIST")
    data, validation, test = nf.datasets.load_mnist(folder)
    epoch, judge = training.EPOCH[peer](*data, hidden), training.start(hidden)
    history, seconds = [], 0.0
    for _ in range(30):
        start = time.perf_counter()
        parameters = epoch()
        seconds += time.perf_counter() - start
        weights, biases = parameters()
        judge.weights, judge.biases = [np.array(w) for w in weights], [np.array(b) for b in biases]
        history.append((judge.accuracy(validation) / 1e4, judge.accuracy(test) / 1e4))
    best, on_test = max(history)
    print(f"784-{hidden}-10 by {peer}: {best:.2%} on validation, {on_test:.2%} on test then, {seconds:.1f} s")
    assert best > 0.95
