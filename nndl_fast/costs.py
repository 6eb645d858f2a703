"""Cost functions with the contract of the book's ``network2.py``: ``fn(a, y)`` is the cost of output
activations ``a``, ``delta(z, a, y)`` the error of the output layer. Examples stand in columns, so
the book's (10, 1) vectors are a batch of one; the cost of a batch is the sum over its columns.

Beyond that contract a cost may have what :class:`nndl_fast.Network` asks for: ``activation(z)``,
the output layer's activation (sigmoid without it); ``from_z(z, y)``, the cost computed from the
weighted inputs, which loses nothing where an activation rounds to 0 or 1; ``takes_labels = True``
where ``y`` may be integer labels; ``delta_needs_a = False`` where ``delta`` leaves ``a`` aside.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import functional as f

Array = NDArray[Any]


def _weighted_log(weight: Array, x: Array) -> Array:
    """weight * ln x, and 0 where the weight is 0, also for x = 0."""
    with np.errstate(divide="ignore"):
        return np.multiply(
            weight, np.log(x), where=weight != 0, out=np.zeros(np.shape(x), np.result_type(weight, x))
        )


class LogLikelihoodCost:
    """C = -ln a_y of a softmax layer, book (80), with the error a - y, (84).

    ``y`` is one-hot, probabilities, or integer labels (``a``'s shape without its first axis). In
    ``network2.Network``, whose output neurons are sigmoid ones, ``delta`` takes the softmax of ``z``
    itself and leaves ``a`` aside, so that the gradients are those of a softmax layer; the cost that it
    monitors there is -ln of the sigmoid activation, since ``fn`` gets no other.

    >>> import numpy as np
    >>> y = np.array([[0.0], [1.0], [0.0]])
    >>> LogLikelihoodCost.delta(np.array([[2.0], [3.0], [4.0]]), None, y).round(4).ravel()
    array([ 0.09  , -0.7553,  0.6652])
    """

    takes_labels: ClassVar[bool] = True
    delta_needs_a: ClassVar[bool] = False

    @staticmethod
    def fn(a: ArrayLike, y: ArrayLike) -> float:
        """-sum_j y_j ln a_j, summed over the columns; a class without weight counts 0 even at a_j = 0."""
        a, y = np.asarray(a), np.asarray(y)
        if y.shape == a.shape:
            return float(0 - _weighted_log(y, a).sum())
        if y.shape != a.shape[1:]:
            raise ValueError(
                f"LogLikelihoodCost.fn: y has shape {y.shape}; for a of shape {a.shape} it must be "
                f"{a.shape[1:]} (labels) or {a.shape} (targets)"
            )
        if y.dtype.kind not in "iu":
            raise TypeError(f"LogLikelihoodCost.fn: y has dtype {y.dtype}; labels must be integers")
        labels = np.array(y)  # another thread may change the caller's after the check
        outside = labels[(labels < 0) | (labels >= len(a))]
        if outside.size:
            raise IndexError(f"LogLikelihoodCost.fn: label {outside[0]} is outside 0..{len(a) - 1}")
        with np.errstate(divide="ignore"):
            return float(0 - np.log(np.take_along_axis(a, labels[None], axis=0)).sum())

    @staticmethod
    def delta(z: ArrayLike, a: ArrayLike | None, y: ArrayLike) -> Array:
        """softmax(z) - y, of ``z``'s shape. ``a`` is not used."""
        return f.log_likelihood_delta(z, y, axis=0, reduction="sum")

    @staticmethod
    def activation(z: ArrayLike) -> Array:
        """softmax of each column."""
        return f.softmax(z, axis=0)

    @staticmethod
    def from_z(z: ArrayLike, y: ArrayLike) -> float:
        """``fn(activation(z), y)`` without its rounding."""
        return float(f.log_likelihood_cost(z, y, axis=0, reduction="sum"))


class CrossEntropyCost:
    """The book's cross-entropy of sigmoid neurons, (57) and (63): -sum (y ln a + (1 - y) ln(1 - a)).

    A cost that is infinite stays so (``network2`` makes it 1.8e308).

    >>> import numpy as np
    >>> a = np.array([[0.5], [0.5]])
    >>> CrossEntropyCost.fn(a, np.array([[1.0], [0.0]]))
    1.3862943611198906
    """

    @staticmethod
    def fn(a: ArrayLike, y: ArrayLike) -> float:
        """The cost, summed over neurons and columns."""
        a, y = np.asarray(a), np.asarray(y)
        return float(0 - (_weighted_log(y, a) + _weighted_log(1 - y, 1 - a)).sum())

    @staticmethod
    def delta(z: ArrayLike, a: ArrayLike, y: ArrayLike) -> Array:
        """a - y, book (68). ``z`` is not used."""
        return np.subtract(a, y)

    @staticmethod
    def from_z(z: ArrayLike, y: ArrayLike) -> float:
        """``fn(sigmoid(z), y)`` without its rounding."""
        return float(f.binary_cross_entropy_cost(z, y, reduction="sum"))


class QuadraticCost:
    """C = ``|a - y|^2 / 2``, book (6) for one example, with the error (a - y) sigma'(z), (BP1).

    >>> import numpy as np
    >>> QuadraticCost.fn(np.array([[0.5]]), np.array([[1.0]]))
    0.125
    """

    @staticmethod
    def fn(a: ArrayLike, y: ArrayLike) -> float:
        """Half the sum of the squared differences."""
        difference = np.subtract(a, y)
        return float(0.5 * np.sum(difference * difference))

    @staticmethod
    def delta(z: ArrayLike, a: ArrayLike, y: ArrayLike) -> Array:
        """(a - y) sigma'(z), of ``z``'s shape."""
        return np.subtract(a, y) * f.sigmoid_prime(z)


# Those that have a name in files and a compiled training.
BY_NAME: dict[str, Any] = {
    cost.__name__: cost for cost in (LogLikelihoodCost, CrossEntropyCost, QuadraticCost)
}
