"""A step of a network's last layer as people write it: a matrix product, cost and error, a matrix product.
The kernels meet here what they meet in a program: other libraries' threads, which have just worked and may
still spin."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import peers
from peers import Array, Call

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
    delta, shifted, sums = peers.in_float64(z)
    rows = np.arange(n)
    cost = float(np.mean(np.log(sums[:, 0]) - shifted[rows, y]))
    delta[rows, y] -= 1
    delta /= n
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
