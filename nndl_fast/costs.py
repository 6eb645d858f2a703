"""Cost functions with the contract of the book's ``network2.py``: ``fn(a, y)`` is the cost of output
activations ``a``, ``delta(z, a, y)`` the error of the output layer. Examples stand in columns, so
the book's (10, 1) vectors are a batch of one; the cost of a batch is the sum over its columns.

Beyond that contract a cost may have what :class:`nndl_fast.Network` asks for: ``activation(z)``,
the output layer's activation (sigmoid without it); ``from_z(z, y)``, the cost computed from the
weighted inputs, which loses nothing if an activation rounds to 0 or 1; ``takes_labels = True``
if ``y`` may be integer labels; ``delta_needs_a = False`` if ``delta`` leaves ``a`` aside.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from . import functional as f
from ._runtime import _inputs
from ._runtime._errors import unheard
from ._runtime._types import Array


def _weighted_log(weight: Array, x: Array) -> Array:
    """weight * ln x, and 0 if the weight is 0, also for x = 0."""
    return np.multiply(
        weight, np.log(x), where=weight != 0, out=np.zeros(np.shape(x), np.result_type(weight, x))
    )


class LogLikelihoodCost:
    """The log-likelihood cost of a softmax layer.

    The targets ``y`` are one-hot, probabilities, or integer labels (of the shape of ``a`` without its first
    axis).

    See Also
    --------
    log_likelihood_cost : Compute the cost from weighted inputs, with more options.

    Notes
    -----
    The cost is C = -ln a_y, equation (80) of the book, with the error a - y, (84).

    In ``network2.Network``, whose output neurons are sigmoid ones, ``delta`` computes the softmax of ``z``
    itself and leaves ``a`` aside, so that the gradients are those of a softmax layer. The cost that is
    monitored there is -ln of the sigmoid activation, since ``fn`` gets no other.

    Examples
    --------
    >>> import numpy as np
    >>> import nndl_fast as nf
    >>> y = np.array([[0.0], [1.0], [0.0]])
    >>> nf.LogLikelihoodCost.delta(np.array([[2.0], [3.0], [4.0]]), None, y).round(4).ravel()
    array([ 0.09  , -0.7553,  0.6652])
    """

    takes_labels: ClassVar[bool] = True
    delta_needs_a: ClassVar[bool] = False

    @staticmethod
    @unheard
    def fn(a: ArrayLike, y: ArrayLike) -> float:
        """Compute the cost of output activations.

        Parameters
        ----------
        a : array_like of shape (n_classes, n) or (n_classes,)
            Output activations, with one example in each column.
        y : array_like
            Targets of the shape of ``a``, or integer labels of that shape without its first axis.

        Returns
        -------
        float
            The cost -sum_j y_j ln a_j, summed over the columns. A class with the target 0 counts 0, even
            if its activation is 0.

        Raises
        ------
        ValueError
            If ``y`` has neither of the two shapes.
        TypeError
            If labels are not integers.
        IndexError
            If a label is outside 0..n_classes-1.
        """
        name = "LogLikelihoodCost.fn"
        a, y = _core.as_floats(a, name, "a")[0], _core.as_array(y, name, "y")
        if y.shape == a.shape:
            a, y, _ = _core.as_targets_of(a, y, name, "a")
            return float(0 - _weighted_log(y, a).sum())
        if y.shape != a.shape[1:]:
            hint = ". Are a and y exchanged?" if y.shape[1:] == a.shape else ""
            if y.shape == (*a.shape[1:], 1):
                hint = ". Give y[:, 0] for labels in a column"
            raise ValueError(
                f"{name}: y has shape {y.shape}; for a of shape {a.shape} it must be "
                f"{a.shape[1:]} (labels) or {a.shape} (targets){hint}"
            )
        if y.dtype.kind not in "iu":
            raise TypeError(f"{name}: y has dtype {y.dtype}; labels must be integers")
        labels = np.array(y)  # another thread may change the caller's after the check
        _inputs.check_labels(labels, len(a), name)
        return float(0 - np.log(np.take_along_axis(a, labels[None], axis=0)).sum())

    @staticmethod
    def delta(z: ArrayLike, a: ArrayLike | None, y: ArrayLike) -> Array:
        """Compute the error of the output layer.

        Parameters
        ----------
        z : array_like of shape (n_classes, n) or (n_classes,)
            Weighted inputs, with one example in each column.
        a : array_like or None
            Output activations, which are not used.
        y : array_like
            Targets of the shape of ``z``, or integer labels of that shape without its first axis.

        Returns
        -------
        ndarray
            The error, softmax(z) - y, of the shape of ``z``.
        """
        return f.log_likelihood_delta(z, y, axis=0, reduction="sum")

    @staticmethod
    def activation(z: ArrayLike) -> Array:
        """Compute the output activations.

        Parameters
        ----------
        z : array_like of shape (n_classes, n) or (n_classes,)
            Weighted inputs, with one example in each column.

        Returns
        -------
        ndarray
            The softmax of each column.
        """
        return f.softmax(z, axis=0)

    @staticmethod
    def from_z(z: ArrayLike, y: ArrayLike) -> float:
        """Compute the cost from weighted inputs.

        Parameters
        ----------
        z : array_like of shape (n_classes, n) or (n_classes,)
            Weighted inputs, with one example in each column.
        y : array_like
            Targets of the shape of ``z``, or integer labels of that shape without its first axis.

        Returns
        -------
        float
            The value of ``fn(activation(z), y)`` without its rounding.
        """
        return float(f.log_likelihood_cost(z, y, axis=0, reduction="sum"))


class CrossEntropyCost:
    """The cross-entropy cost of sigmoid neurons.

    A cost that is infinite stays so (``network2`` makes it 1.8e308).

    See Also
    --------
    binary_cross_entropy_cost : Compute the cost from weighted inputs, with more options.

    Notes
    -----
    The cost is -sum (y ln a + (1 - y) ln(1 - a)), equations (57) and (63) of the book.

    Examples
    --------
    >>> import numpy as np
    >>> import nndl_fast as nf
    >>> a = np.array([[0.5], [0.5]])
    >>> nf.CrossEntropyCost.fn(a, np.array([[1.0], [0.0]]))
    1.3862943611198906
    """

    @staticmethod
    @unheard
    def fn(a: ArrayLike, y: ArrayLike) -> float:
        """Compute the cost of output activations.

        Parameters
        ----------
        a : array_like
            Output activations, with one example in each column.
        y : array_like
            Targets, of the shape of ``a``.

        Returns
        -------
        float
            The cost, summed over neurons and columns.

        Raises
        ------
        ValueError
            If ``y`` has another shape than ``a``.
        TypeError
            If ``a`` or ``y`` is no array of real numbers.
        """
        a, y, _ = _core.as_targets_of(a, y, "CrossEntropyCost.fn", "a")
        return float(0 - (_weighted_log(y, a) + _weighted_log(1 - y, 1 - a)).sum())

    @staticmethod
    def delta(z: ArrayLike, a: ArrayLike, y: ArrayLike) -> Array:
        """Compute the error of the output layer.

        Parameters
        ----------
        z : array_like
            Weighted inputs, which are not used.
        a : array_like
            Output activations, with one example in each column.
        y : array_like
            Targets, of the shape of ``a``.

        Returns
        -------
        ndarray
            The error, a - y, equation (68) of the book, of the dtype of ``a``.

        Raises
        ------
        ValueError
            If ``y`` has another shape than ``a``.
        TypeError
            If ``a`` or ``y`` is no array of real numbers.
        """
        return np.asarray(_core.cross_entropy_delta(a, y))

    @staticmethod
    def from_z(z: ArrayLike, y: ArrayLike) -> float:
        """Compute the cost from weighted inputs.

        Parameters
        ----------
        z : array_like
            Weighted inputs, with one example in each column.
        y : array_like
            Targets, of the shape of ``z``.

        Returns
        -------
        float
            The value of ``fn(sigmoid(z), y)`` without its rounding.
        """
        return float(f.binary_cross_entropy_cost(z, y, reduction="sum"))


class QuadraticCost:
    """The quadratic cost of sigmoid neurons.

    A saturated neuron learns slowly with it, since the derivative of the activation is a factor of the error.

    See Also
    --------
    CrossEntropyCost : The cost whose error does not have that factor.

    Notes
    -----
    The cost is C = ``|a - y|^2 / 2``, equation (6) of the book for one example, with the error
    (a - y) sigma'(z), (BP1).

    Examples
    --------
    >>> import numpy as np
    >>> import nndl_fast as nf
    >>> nf.QuadraticCost.fn(np.array([[0.5]]), np.array([[1.0]]))
    0.125
    """

    @staticmethod
    def fn(a: ArrayLike, y: ArrayLike) -> float:
        """Compute the cost of output activations.

        Parameters
        ----------
        a : array_like
            Output activations, with one example in each column.
        y : array_like
            Targets, of the shape of ``a``.

        Returns
        -------
        float
            Half the sum of the squared differences.

        Raises
        ------
        ValueError
            If ``y`` has another shape than ``a``.
        TypeError
            If ``a`` or ``y`` is no array of real numbers.
        """
        return _core.quadratic_cost(a, y)

    @staticmethod
    @unheard
    def delta(z: ArrayLike, a: ArrayLike, y: ArrayLike) -> Array:
        """Compute the error of the output layer.

        Parameters
        ----------
        z : array_like
            Weighted inputs, with one example in each column.
        a : array_like
            Output activations, of the shape of ``z``.
        y : array_like
            Targets, of the shape of ``z``.

        Returns
        -------
        ndarray
            The error, (a - y) sigma'(z), of the shape and dtype of ``z``.

        Raises
        ------
        ValueError
            If ``a`` or ``y`` has another shape than ``z``.
        TypeError
            If ``z``, ``a`` or ``y`` is no array of real numbers.
        """
        name = "QuadraticCost.delta"
        z, y, dtype = _core.as_targets_of(z, y, name, "z")
        a, y, _ = _core.as_targets_of(a, y, name, "a")
        return np.asarray((a - y) * f.sigmoid_prime(z), dtype)


# What a caller may write for them.
NAMES: dict[str, Any] = {
    "log-likelihood": LogLikelihoodCost,
    "cross-entropy": CrossEntropyCost,
    "quadratic": QuadraticCost,
}
# Those that have a name in files and a compiled training.
BY_NAME: dict[str, Any] = {cost.__name__: cost for cost in NAMES.values()}
