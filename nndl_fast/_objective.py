"""What a network costs on many examples and where that falls, and L-BFGS on it (with SciPy)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from . import _backpropagation
from . import functional as f
from ._backpropagation import Parameters
from ._blas import one_thread_of_blas
from ._config import get_num_threads
from ._errors import unheard
from ._types import Array

# Bytes of a block of rows in the widest layer: small enough that the second product finds it in the cache.
_BLOCK = 1 << 21
# Examples of a part, which one thread takes, and multiplications that are worth threads.
_PART, _WORK_FOR_THREADS = 2048, 1e6
# Classes above which the last layer makes its own blocks.
_WIDE = 4096
# Features up to which the factor of their products, which is as long on each side, is worth its making.
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

    ``x`` is an array or a sparse one of SciPy's, ``y`` are labels.
    """
    wide = len(parameters[1][-1]) > _WIDE
    widest = max(w.shape[1] for w in parameters[1])
    if not wide:
        widest = max(widest, len(parameters[1][-1]))
    total = Sums(0.0, [np.zeros_like(b) for b in parameters[0]], [np.zeros_like(w) for w in parameters[1]])
    for rows in blocks(x, widest):
        part = x[rows].T
        if wide:
            dense = part if isinstance(part, np.ndarray) else part.toarray()
            total = total.plus(
                Sums(*_backpropagation.without_logits(parameters, hidden, dense, y[rows], weight[rows]))
            )
            continue
        zs, activations = _backpropagation.forward(parameters, hidden, part)
        costs, delta = f.log_likelihood_cost_and_delta(
            zs[-1], y[rows], axis=0, reduction="none", sample_weight=weight[rows], out=zs[-1]
        )
        nablas = _backpropagation.backward(parameters[1], hidden, zs, activations, delta)
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


def parts(n: int) -> list[slice]:
    """Of n examples, in a number that does not depend on the machine."""
    size = max(_PART, -(-n // 64))
    return [slice(start, min(n, start + size)) for start in range(0, n, size)]


@unheard
def products_of_features(x: Array, weight: Array) -> Array:
    """x^T x with a column of ones beside x for the biases, each example times its weight."""
    n = x.shape[1]
    total = np.zeros((n + 1, n + 1))
    for rows in parts(len(x)):
        ones = np.sqrt(weight[rows])
        part = x[rows] * ones[:, None]
        total[:n, :n] += part.T @ part
        total[n, :n] += ones @ part
        total[n, n] += ones @ ones
    total[:n, n] = total[n, :n]
    return total


def quarters(n: int) -> list[slice]:
    """Of n examples: few enough for a matrix each of the features' products."""
    return [slice(n * i // 4, n * (i + 1) // 4) for i in range(4)]


def is_bounded(sizes: list[int]) -> bool:
    """Whether the cost of such a network has the bound that :func:`factor` takes, and it is worth making."""
    return len(sizes) == 2 and sizes[0] <= FEATURES


@unheard
def factor(products: Array, total: float, alpha: float) -> Array | None:
    """The Cholesky factor of what bounds the Hessian of a layer of softmax for each of its classes:
    1/2 x^T x + alpha (Böhning, 1992). None if numbers are too large for that."""
    from scipy.linalg import LinAlgError, cholesky

    bound = products / (2 * total)
    diagonal = np.einsum("ii->i", bound)
    diagonal[:-1] += alpha / total
    # as much as float32 products are uncertain: the factor decides how fast the minimum is found, not which
    diagonal += 1e-6 * diagonal.max()
    try:
        return np.asarray(cholesky(bound, lower=True))
    except (LinAlgError, ValueError):
        return None


class Coordinates:
    """Parameters of a network as one vector, in float64, and back.

    With the factor L of a bound of the Hessian the vector is that of (w, b) L: seen from there the
    cost is nearly round, and L-BFGS takes a fraction of the steps.
    """

    def __init__(self, parameters: Parameters, lower: Array | None):
        self.shapes = [[p.shape for p in side] for side in parameters]
        self.dtype = parameters[1][0].dtype
        self.lower = lower

    def vector(self, parameters: Parameters) -> Array:
        if self.lower is not None:
            return np.asarray(self._joined(parameters) @ self.lower).ravel()
        return np.concatenate([p.ravel() for side in parameters for p in side]).astype(np.float64)

    def parameters(self, vector: Array) -> Parameters:
        if self.lower is not None:
            both = self._solve(vector.reshape(self.shapes[1][0][0], -1), "T").astype(self.dtype)
            return [np.ascontiguousarray(both[:, -1:])], [np.ascontiguousarray(both[:, :-1])]
        ends = np.cumsum([np.prod(shape) for side in self.shapes for shape in side])
        parts = iter(np.split(vector.astype(self.dtype), ends[:-1]))
        biases, weights = ([next(parts).reshape(shape) for shape in side] for side in self.shapes)
        return biases, weights

    def gradient(self, nabla: Parameters) -> Array:
        if self.lower is not None:
            return self._solve(self._joined(nabla), "N").ravel()
        return np.concatenate([p.ravel() for side in nabla for p in side]).astype(np.float64)

    @staticmethod
    def _joined(parameters: Parameters) -> Array:
        return np.hstack([parameters[1][0], parameters[0][0]]).astype(np.float64)

    def _solve(self, rows: Array, transposed: str) -> Array:
        from scipy.linalg import solve_triangular

        return np.asarray(solve_triangular(self.lower, rows.T, trans=transposed, lower=True).T)


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
    lower: Array | None,
    callback: Callable[[float], object],
) -> Minimum:
    """By L-BFGS, until no gradient of the mean cost per example is larger than tol.

    ``sums`` gives the cost of all examples and its gradients; ``total`` is the sum of their weights;
    alpha / 2 times the squares of the weights is added; ``lower`` is what :func:`factor` gave, and
    ``callback`` gets the cost after each step. ValueError if the cost is not finite.
    """
    from scipy.optimize import minimize

    coordinates = Coordinates(start, lower)
    steps, steepest = 0, np.inf

    def cost_and_gradient(vector: Array) -> tuple[float, Array]:
        nonlocal steepest
        parameters = coordinates.parameters(vector)
        cost, nabla_b, nabla_w = sums(parameters)
        squares = _backpropagation.sum_of_squares(parameters[1])
        nabla_w = [(nabla + alpha * w) / total for nabla, w in zip(nabla_w, parameters[1])]
        nabla_b = [nabla / total for nabla in nabla_b]
        steepest = max(float(np.abs(nabla).max()) for nabla in nabla_b + nabla_w)
        return (cost + 0.5 * alpha * squares) / total, coordinates.gradient((nabla_b, nabla_w))

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
