"""What a network costs on many examples and where that falls, and L-BFGS on it (with SciPy)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .. import functional as f
from .._network import _backpropagation
from .._network._backpropagation import Parameters
from .._runtime._config import get_num_threads
from .._runtime._errors import unheard
from .._runtime._types import Array
from ._blas import one_thread_of_blas
from ._coordinates import Coordinates, Moments

# Bytes of a block of rows in the widest layer: small enough that the second product finds it in the cache.
_BLOCK = 1 << 21
# Multiplications that are worth threads.
_WORK_FOR_THREADS = 1e6
# Features up to which all their products, a matrix as long on each side, are worth their making.
FEATURES = 2048


class Sums(NamedTuple):
    """Over examples, so that those of parts add up: the cost, and the gradients by layer."""

    cost: float
    nabla_b: list[Array]
    nabla_w: list[Array]

    def plus(self, other: Sums) -> Sums:
        sides = (zip(mine, theirs) for mine, theirs in ((self[1], other[1]), (self[2], other[2])))
        return Sums(self.cost + other.cost, *([a + b for a, b in side] for side in sides))


def blocks(x: Any, widest: int) -> Iterator[slice]:
    """Rows of x that are worked on at a time, in a network whose widest layer is that."""
    rows = max(16, _BLOCK // (widest * x.dtype.itemsize))
    for start in range(0, x.shape[0], rows):
        yield slice(start, min(x.shape[0], start + rows))


@unheard
def cost_and_gradients(parameters: Parameters, hidden: str, x: Any, y: Array, weight: Array) -> Sums:
    """The log-likelihood cost of examples in rows, times their weights, with its gradients.

    ``x`` is an array or a sparse one of SciPy's, ``y`` are labels. All is computed in the parameters' dtype.
    """
    dtype = parameters[1][0].dtype
    weight = weight.astype(dtype, copy=False)
    wide = len(parameters[1][-1]) >= _core.wide_layer
    widest = max(w.shape[1] for w in parameters[1])
    if not wide:
        widest = max(widest, len(parameters[1][-1]))
    total = Sums(0.0, [np.zeros_like(b) for b in parameters[0]], [np.zeros_like(w) for w in parameters[1]])
    for rows in blocks(x, widest):
        part = x[rows].astype(dtype, copy=False).T
        if wide:
            dense = part if isinstance(part, np.ndarray) else part.toarray()
            total = total.plus(
                Sums(*_backpropagation.without_logits(parameters, hidden, dense, y[rows], weight[rows]))
            )
            continue
        *values, z = _backpropagation.forward(parameters, hidden, part)
        costs, delta = f.log_likelihood_cost_and_delta(
            z, y[rows], axis=0, reduction="none", sample_weight=weight[rows], out=z
        )
        nablas = _backpropagation.backward(parameters[1], hidden, values, delta)
        total = total.plus(Sums(float(costs.sum(dtype=np.float64)), *nablas))
    return total


@unheard
def add_up(parts: Iterable[Sums]) -> Sums:
    return reduce(Sums.plus, parts)


@contextmanager
def in_threads(work: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """A map over parts, in threads if there is enough work for them, in multiplications.

    Each thread's products are its own: BLAS's threads would wait for each other at every block. Parts
    are always the same, so the number of threads changes no bit.
    """
    threads = get_num_threads() if work >= _WORK_FOR_THREADS else 1
    with one_thread_of_blas(), ThreadPoolExecutor(threads) as pool:
        try:
            pool.submit(int)
        except RuntimeError:  # once the interpreter is about to end, threads cannot be started
            threads = 1
        yield pool.map if threads > 1 else map


def quarters(n: int) -> list[slice]:
    """Of n examples: few enough for a matrix each of the features' products."""
    return [slice(n * i // 4, n * (i + 1) // 4) for i in range(4)]


def is_bounded(sizes: list[int]) -> bool:
    """Whether all products of the features bound the cost of such a network, and are worth their making."""
    return len(sizes) == 2 and sizes[0] <= FEATURES


class Minimum(NamedTuple):
    parameters: Parameters
    cost: float  # per example, with the regularisation
    steps: int
    ended_early: str  # by what, or nothing


@unheard
def minimum(
    sums: Callable[[Parameters], Sums],
    start: Parameters,
    total: float,
    alpha: float,
    tol: float,
    max_iter: int,
    seen: Moments,
    callback: Callable[[float], object],
) -> Minimum:
    """By L-BFGS, until no gradient of the mean cost per example is larger than tol, the biases being those
    of features seen from their mean.

    ``sums`` gives the cost of all examples and its gradients; ``total`` is the sum of their weights;
    alpha / 2 times the squares of the weights is added; ``seen`` are the features, and ``callback`` gets
    the cost after each step. ValueError if the cost is not finite.
    """
    from scipy.optimize import minimize

    coordinates = Coordinates(start, seen, alpha)
    steps, steepest = 0, np.inf

    def cost_and_gradient(vector: Array) -> tuple[float, Array]:
        nonlocal steepest
        parameters = coordinates.parameters(vector)
        cost, nabla_b, nabla_w = sums(parameters)
        squares = _backpropagation.sum_of_squares(parameters[1])
        nabla_w = [(nabla + alpha * w) / total for nabla, w in zip(nabla_w, parameters[1])]
        nabla_b = [nabla / total for nabla in nabla_b]
        nabla_b, nabla_w = coordinates.from_the_mean((nabla_b, nabla_w))
        steepest = max(float(np.abs(nabla).max()) for nabla in nabla_b + nabla_w)
        of_weights = 0.5 * alpha * squares if alpha else 0.0  # also if the squares are infinite
        return (cost + of_weights) / total, coordinates.gradient((nabla_b, nabla_w))

    def after_step(intermediate_result: Any) -> None:
        nonlocal steps
        steps += 1
        callback(float(intermediate_result.fun))
        if steepest <= tol:
            raise StopIteration

    # Steps end at the gradient's size, or if float64 sees no difference between costs.
    options = {"maxiter": max_iter, "maxfun": 20 * max_iter, "maxls": 50, "gtol": 0, "ftol": 64 * 2.0**-52}
    result = minimize(
        cost_and_gradient,
        coordinates.vector(start),
        jac=True,
        method="L-BFGS-B",
        callback=after_step,
        options=options,
    )
    cost = float(result.fun)
    if not np.isfinite(cost):
        raise ValueError(
            f"SoftmaxClassifier: the cost is {cost}; X or sample_weight has values that are too large to "
            "compute with"
        )
    ended = ""
    if steepest > tol:
        ended = "max_iter" if steps >= max_iter else f"the precision of {coordinates.dtype}"
    return Minimum(coordinates.parameters(result.x), cost, steps, ended)
