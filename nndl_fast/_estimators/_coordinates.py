"""How L-BFGS sees the parameters of a network: from where the cost is nearly round.

The cost is the same function; only the vector that stands for the parameters is another one. Without that,
features far from zero (years, say, or temperatures in kelvin) make a valley so narrow that the steps end on
its slope.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._network._backpropagation import Parameters, for_blas
from .._runtime._errors import unheard
from .._runtime._types import Array

# Examples of a part, which one thread takes.
PART = 2048
_BYTES = 8 << 20  # of a part's features, seen from their mean, that are there at a time
# Mean over spread from which the sums of float32 leave too few digits for what is left of a feature.
_FAR = 100.0


def parts(n: int) -> list[slice]:
    """Of n examples, in a number that does not depend on the machine."""
    size = max(PART, -(-n // 64))
    return [slice(start, min(n, start + size)) for start in range(0, n, size)]


class Moments(NamedTuple):
    """The means of features, and the sums of their products as seen from there, examples times weights."""

    weight: float  # of all examples
    mean: Array  # (n,)
    products: Array  # (n, n), or (n,) those of each feature with itself

    @unheard
    def plus(self, other: Moments) -> Moments:
        weight = self.weight + other.weight
        if not weight:
            return self
        apart = other.mean - self.mean
        between = np.outer(apart, apart) if self.products.ndim == 2 else apart * apart
        products = self.products + other.products + between * (self.weight * (other.weight / weight))
        return Moments(weight, self.mean + apart * (other.weight / weight), products)


@unheard
def moments(x: Any, weight: Array, whole: bool) -> Moments:
    """Of examples in rows; with all products if they are ``whole``, which sparse ones never are."""
    n = x.shape[1]
    total = Moments(0.0, np.zeros(n), np.zeros((n, n) if whole else n))
    for rows in parts(x.shape[0]):
        of = _of_dense if isinstance(x, np.ndarray) else _of_sparse
        total = total.plus(of(x[rows], weight[rows], whole))
    return total


def _of_dense(x: Array, weight: Array, whole: bool) -> Moments:
    x, total = for_blas(x), float(weight.sum(dtype=np.float64))
    near = weight @ x / x.dtype.type(total or 1)  # the mean, but for rounding
    root = np.sqrt(weight)
    off, squares = np.zeros(x.shape[1]), np.zeros((x.shape[1],) * (1 + whole))
    some = max(1, _BYTES // (x.shape[1] * x.itemsize or 1))
    for start in range(0, len(x), some):
        part = x[start : start + some] - near
        part *= root[start : start + some, None]
        off += root[start : start + some] @ part
        squares += part.T @ part if whole else np.square(part, out=part).sum(axis=0)
    off /= total or 1
    return Moments(total, near + off, squares - total * (np.outer(off, off) if whole else off * off))


def _of_sparse(x: Any, weight: Array, whole: bool) -> Moments:
    n, weight = x.shape[1], weight.astype(np.float64)
    total, place, of_each = float(weight.sum()), x.indices, np.repeat(weight, np.diff(x.indptr))
    mean = np.bincount(place, of_each * x.data, n) / (total or 1)
    of_zeros = np.maximum(total - np.bincount(place, of_each, n), 0)
    of_zeros[np.bincount(place, minlength=n) == len(weight)] = 0  # where there are none, exactly
    return Moments(
        total,
        mean,
        np.bincount(place, of_each * np.square(x.data - mean[place]), n) + of_zeros * mean * mean,
    )


class Coordinates:
    """Parameters of a network as one vector, in float64, and back.

    The first layer's weights are multiplied by a matrix L, and its biases are those of features as seen from
    their mean: w x + b = w (x - mean) + (b + w mean). L is the Cholesky factor of what bounds the Hessian of
    a layer of softmax for each of its classes, 1/2 x^T x + alpha (Böhning, 1992), each per example; or the
    root of its diagonal.
    """

    @unheard
    def __init__(self, parameters: Parameters, seen: Moments, alpha: float):
        self.shapes = [[p.shape for p in side] for side in parameters]
        self.mean, self.dtype = seen.mean, parameters[1][0].dtype
        whole, total, eps = seen.products.ndim == 2, seen.weight, float(np.finfo(self.dtype).eps)
        bound = seen.products / (2 * total)
        half_variance = np.diagonal(bound) if whole else bound
        spread, size = np.sqrt(2 * half_variance), np.abs(self.mean)
        varies = spread > 64 * eps * size  # else it is rounding, and the gradient nothing but noise
        units = np.sqrt(np.where(varies, half_variance + alpha / total, 1))
        if not (np.all(np.isfinite(units)) and units.min() > 0 and np.all(np.isfinite(bound))):
            whole, self.mean, units = False, np.zeros_like(self.mean), np.ones_like(self.mean)
        elif np.any((_FAR * spread < size) & varies):
            self.dtype = np.dtype(np.float64)
        uncertain = 1e-6 if eps > 1e-10 else 1e-12  # as much as products of float32 or float64 are
        factor = _cholesky(bound / np.outer(units, units), uncertain) if whole else None
        self.lower = units if factor is None else units[:, None] * factor

    def vector(self, parameters: Parameters) -> Array:
        biases, weights = ([p.astype(np.float64) for p in side] for side in parameters)
        biases[0] = (biases[0] + weights[0] @ self.mean[:, None]) * np.sqrt(0.5)
        weights[0] = weights[0] @ self.lower if self.lower.ndim == 2 else weights[0] * self.lower
        return np.concatenate([p.ravel() for p in biases + weights])

    def parameters(self, vector: Array) -> Parameters:
        ends = np.cumsum([np.prod(shape) for side in self.shapes for shape in side])
        given = iter(np.split(vector, ends[:-1]))
        biases, weights = ([next(given).reshape(shape) for shape in side] for side in self.shapes)
        weights[0] = self._divided(weights[0], "T")
        biases[0] = biases[0] / np.sqrt(0.5) - weights[0] @ self.mean[:, None]
        sides = ([np.ascontiguousarray(p, self.dtype) for p in side] for side in (biases, weights))
        return next(sides), next(sides)

    def from_the_mean(self, nabla: Parameters) -> Parameters:
        """The gradients where not the first biases are held, but those of features seen from their mean."""
        biases, weights = ([p.astype(np.float64) for p in side] for side in nabla)
        weights[0] -= biases[0] * self.mean
        return biases, weights

    def gradient(self, nabla: Parameters) -> Array:
        """By the vector, from what :meth:`from_the_mean` gave."""
        (first_b, *biases), (first_w, *weights) = nabla
        both = [first_b / np.sqrt(0.5), *biases, self._divided(first_w, "N"), *weights]
        return np.concatenate([p.ravel() for p in both])

    def _divided(self, rows: Array, transposed: str) -> Array:
        from scipy.linalg import solve_triangular

        if self.lower.ndim == 1:
            return rows / self.lower
        return np.asarray(solve_triangular(self.lower, rows.T, trans=transposed, lower=True).T)


def _cholesky(correlations: Array, uncertain: float) -> Array | None:
    """The factor, if it has one; it decides how fast the minimum is found, not which."""
    from scipy.linalg import LinAlgError, cholesky

    np.fill_diagonal(correlations, 1 + uncertain)
    try:
        return np.asarray(cholesky(correlations, lower=True))
    except LinAlgError:
        return None
