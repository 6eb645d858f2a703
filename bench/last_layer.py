"""Last layers as programs have them, as nndl_fast and its peers compute them: a step (a matrix product, cost
and error, a matrix product), a layer whose logits are never held as a whole, and PyTorch's functions beside
those of the bridge. In a step the kernels meet what they meet in a program: other libraries' threads, which
have just worked and may still spin."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import peers
from peers import Array, Call
from results import PARTS

import nndl_fast as nf

# rows x features x classes
SHAPES = [(128, 100, 10), (256, 512, 100), (1024, 512, 1000), (4096, 512, 1000), (60000, 100, 10)]
FEATURES = {(n, classes): features for n, features, classes in SHAPES}


class Layer(NamedTuple):
    a: Array  # float32, (n, features)
    w: Array  # float32, (classes, features)
    y: Array  # int64, (n,)
    z: Array  # float32: a w^T
    cost: float  # mean log-likelihood cost of z
    delta: Array  # its gradient, float64
    nabla_w: Array  # delta^T a, float64


@lru_cache(maxsize=1)
def layer(n: int, features: int, classes: int) -> Layer:
    """Seeded inputs, weights and labels, with their results by plain NumPy in float64."""
    rng = np.random.default_rng([n, features, classes])
    a = rng.standard_normal((n, features), np.float32)
    w = rng.standard_normal((classes, features), np.float32) / np.float32(np.sqrt(features))
    y = rng.integers(classes, size=n)
    z = a @ w.T
    cost, delta, _ = peers.cost_and_error(z, y)
    return Layer(a, w, y, z, cost, delta, delta.T @ a)


def check(result: tuple[Any, Any], expected: Layer) -> None:
    """Takes the mean cost and the gradient of the weights."""
    cost, nabla_w = (np.asarray(part) for part in result)
    np.testing.assert_allclose(cost, expected.cost, rtol=peers.RTOL)
    scale = np.abs(expected.delta).T @ np.abs(expected.a)  # what a float32 product rounds by
    peers.check_close(nabla_w / scale, expected.nabla_w / scale, rtol=0, atol=1e-5)


def cost_and_delta_numpy(z: Array, y: Array) -> tuple[Any, Array]:
    rows = np.arange(len(y))
    z = z - z.max(axis=1, keepdims=True)
    a = np.exp(z)
    sums = a.sum(axis=1, keepdims=True)
    cost = np.mean(np.log(sums[:, 0]) - z[rows, y])
    a /= sums
    a[rows, y] -= 1
    a /= len(y)
    return cost, a


def cost_and_delta_scipy(z: Array, y: Array) -> tuple[Any, Array]:
    from scipy.special import softmax

    rows = np.arange(len(y))
    a = softmax(z, axis=1)
    cost = -np.mean(np.log(a[rows, y]))
    a[rows, y] -= 1
    a /= len(y)
    return cost, a


def in_numpy(cost_and_delta: Callable[[Array, Array], tuple[Any, Array]]) -> Callable[[Layer], Call]:
    def make(layer: Layer) -> Call:
        a, w, y = layer.a, layer.w, layer.y

        def step() -> tuple[Any, Array]:
            z = a @ w.T
            cost, delta = cost_and_delta(z, y)
            return cost, delta.T @ a

        return step

    return make


def in_pytorch(layer: Layer) -> Call:
    import torch

    a, y = torch.from_numpy(layer.a), torch.from_numpy(layer.y)
    w = torch.from_numpy(layer.w.copy()).requires_grad_()

    def step() -> tuple[Any, Any]:
        w.grad = None
        cost = torch.nn.functional.cross_entropy(a @ w.T, y)
        cost.backward()  # type: ignore[no-untyped-call]
        return cost.detach(), w.grad

    return step


def products_alone(layer: Layer) -> Call:
    a, w, delta = layer.a, layer.w, layer.delta.astype(np.float32)

    def products() -> tuple[Array, Array]:
        return a @ w.T, delta.T @ a

    return products


STEP: dict[str, Callable[[Layer], Call]] = {
    "nndl_fast": in_numpy(nf.log_likelihood_cost_and_delta),
    "NumPy": in_numpy(cost_and_delta_numpy),
    "SciPy": in_numpy(cost_and_delta_scipy),
    "PyTorch": in_pytorch,
}


class Wide(NamedTuple):
    """A layer of so many classes that its logits are the most of its memory."""

    a: Array
    w: Array
    b: Array
    y: Array


@lru_cache(maxsize=1)
def wide(n: int, features: int, classes: int) -> Wide:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((n, features), np.float32)
    w = rng.standard_normal((classes, features), np.float32) * np.float32(features**-0.5)
    return Wide(a, w, np.zeros(classes, np.float32), rng.integers(0, classes, n))


WIDE = (2048, 512, 32_000)


def wide_products(layer: Wide) -> Call:
    a, w = layer.a, layer.w
    z, nabla_w, delta_a = np.empty((len(a), len(w)), a.dtype), np.empty_like(w), np.empty_like(a)

    def call() -> None:
        np.matmul(a, w.T, out=z)
        np.matmul(z, w, out=delta_a)
        np.matmul(z.T, a, out=nabla_w)

    return call


def wide_in_pytorch(layer: Wide) -> Call:
    import torch

    return by_torch(torch.nn.functional.linear_cross_entropy, layer)


def wide_by_bridge(layer: Wide) -> Call:
    import nndl_fast.torch as bridge

    return by_torch(lambda a, w, y, linear_bias: bridge.linear_cross_entropy(a, w, y, linear_bias), layer)


def by_torch(linear_cross_entropy: Callable[..., Any], layer: Wide) -> Call:
    """The gradients come in the order of the arrays."""
    a, w, b, y = layer
    return stepping(lambda w, b, a, y: linear_cross_entropy(a, w, y, linear_bias=b), (w, b, a), y)


LAST_LAYER: dict[str, Callable[[Wide], Call]] = {
    "nndl_fast": lambda layer: lambda: nf.linear_log_likelihood(*layer),
    PARTS[1]: lambda layer: lambda: nf.linear_log_likelihood(*layer, gradients=False),
    PARTS[0]: wide_products,
    PARTS[2]: wide_by_bridge,
    "PyTorch": wide_in_pytorch,
}


@lru_cache(maxsize=1)
def results_of_wide(n: int, features: int, classes: int) -> tuple[Any, ...]:
    """The cost and the gradients of the weights, the biases and the activations, with logits."""
    a, w, b, y = wide(n, features, classes)
    z = a @ w.T + b
    cost, delta = nf.log_likelihood_cost_and_delta(z, y, out=z)
    return cost, delta.T @ a, delta.sum(axis=0), delta @ w


def check_wide(result: Any, shape: tuple[int, int, int]) -> None:
    """Takes all of these results, or the cost alone."""
    expected = results_of_wide(*shape)
    if not isinstance(result, tuple):
        np.testing.assert_allclose(result, expected[0], rtol=1e-5)
        return
    for got, true in zip(result, expected, strict=True):
        np.testing.assert_allclose(got, true, rtol=1e-3, atol=1e-5 * np.abs(true).max())


def memory(library: str) -> float:
    """MB that a call of a process of its own needs at most, above the inputs and the results (Linux)."""
    code = f"""
import re, sys
sys.path[:0] = {sys.path!r}
import last_layer
def status(field):
    return int(re.search(field + r":\\s*(\\d+)", open("/proc/self/status").read()).group(1)) * 1024
given = last_layer.wide(*{WIDE!r})
make = last_layer.LAST_LAYER[{library!r}]
make(last_layer.wide.__wrapped__(16, 16, 16))()  # what is loaded and kept by the first call
call = make(given)
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
before = status("VmRSS")
results = call()
print(status("VmHWM") - before - sum(x.nbytes for x in results))
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(result.stdout) / 1e6


BRIDGE_SHAPES = [(128, 10), (256, 100), (1024, 1000), (256, 32_000)]


def stepping(function: Callable[..., Any], arrays: Iterable[Array], y: Array) -> Call:
    """The cost of a function of PyTorch's tensors, and the gradients of the arrays."""
    import torch

    leaves, labels = [torch.from_numpy(array).requires_grad_() for array in arrays], torch.from_numpy(y)

    def call() -> tuple[Array, ...]:
        for leaf in leaves:
            leaf.grad = None
        cost = function(*leaves, labels)
        cost.backward()
        return cost.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)

    return call


def by_bridge(batch: peers.Batch) -> Call:
    import nndl_fast.torch as bridge

    return stepping(bridge.cross_entropy, [batch.z], batch.y)


def without_bridge(batch: peers.Batch) -> Call:
    import torch

    return stepping(torch.nn.functional.cross_entropy, [batch.z], batch.y)


BRIDGE = {"nndl_fast": by_bridge, "PyTorch": without_bridge}
