"""The last layer and its cost in one. :mod:`nndl_fast.functional` says what all functions have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._runtime._errors import unheard
from .._runtime._types import Array, F, Reduction, ToAny, ToEach, ToOne

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Bytes of logits that are there at a time, unless a quarter of the weights or those of 32 examples are more.
LOGIT_BYTES = _core.default_logit_bytes


@overload
def linear_log_likelihood(
    a: NDArray[F],
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    gradients: Literal[True] = ...,
    **options: Unpack[ToOne],
) -> tuple[F, NDArray[F], NDArray[F], NDArray[F]]: ...
@overload
def linear_log_likelihood(
    a: NDArray[F],
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    gradients: Literal[True] = ...,
    **options: Unpack[ToEach],
) -> tuple[NDArray[F], NDArray[F], NDArray[F], NDArray[F]]: ...
@overload
def linear_log_likelihood(
    a: NDArray[F],
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    gradients: Literal[False],
    **options: Unpack[ToOne],
) -> F: ...
@overload
def linear_log_likelihood(
    a: NDArray[F],
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    gradients: Literal[False],
    **options: Unpack[ToEach],
) -> NDArray[F]: ...
@overload
def linear_log_likelihood(
    a: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    gradients: bool = ...,
    **options: Unpack[ToAny],
) -> Any: ...
@unheard
def linear_log_likelihood(
    a: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    gradients: bool = True,
) -> Any:
    """Compute the log-likelihood cost of a whole output layer, and its gradients.

    The weighted inputs are never in memory as a whole, so that a layer may have very many classes. Beside
    its results the function needs 32 MB, or a quarter of the bytes of ``w``, or the weighted inputs of 32
    examples, whichever is the most. With targets the last of these is twice as much.

    Parameters
    ----------
    a : array_like of shape (n, n_features)
        The activations before the layer, with one example in each row.
    w : array_like of shape (n_classes, n_features)
        The weights of the layer, which are converted to the dtype of ``a``.
    b : array_like of shape (n_classes,) or (n_classes, 1), or None
        The biases of the layer, which are converted to the dtype of ``a``.
    y : array_like of shape (n,) or (n, n_classes)
        Integer labels, or targets, as for :func:`log_likelihood_cost`.
    reduction : {'mean', 'sum', 'none'}, default='mean'
        The reduction of the cost. With ``"none"`` there is one cost per example, and the gradients are those
        of the sum of the costs.
    sample_weight : array_like of shape (n,), optional
        One weight per example, finite and not negative.
    class_weight : array_like of shape (n_classes,), optional
        One weight per class, finite and not negative.
    ignore_index : int, optional
        Examples with this label cost nothing and do not count in the mean.
    label_smoothing : float, default=0.0
        A number s from 0 to 1. The targets of n classes become (1 - s) y + s / n.
    gradients : bool, default=True
        Whether the gradients are computed. Without them the cost alone is returned.

    Returns
    -------
    cost : scalar or ndarray of shape (n,)
        The cost, equation (80) of the book; an array for ``"none"``.
    nabla_w : ndarray of shape (n_classes, n_features)
        The gradient of the cost with respect to the weights, (82).
    nabla_b : ndarray of the shape of ``b``, or (n_classes,) if ``b`` is None
        The gradient of the cost with respect to the biases, (81).
    delta_a : ndarray of shape (n, n_features)
        The gradient of the cost with respect to ``a``: the error that is handed down, before it is
        multiplied by the derivative of the activation (BP2).

    Raises
    ------
    ValueError
        If shapes do not fit, if targets or weights are negative or not finite, or if an option has another
        value than those above.
    TypeError
        If labels are not integers, or if ``a`` is a bool, complex, object, string or masked array.
    IndexError
        If a label is outside 0..n_classes-1; the message names its row.

    See Also
    --------
    log_likelihood_cost : Compute the cost from weighted inputs; it describes the options in full.

    Notes
    -----
    The weighted inputs are z = a w^T + b, some rows at a time. Labels, targets and weights are checked
    before anything is computed. The bits of the results are the same on every machine.

    Examples
    --------
    >>> import numpy as np
    >>> import nndl_fast as nf
    >>> a, w, b = np.ones((3, 2)), np.eye(4, 2), np.zeros(4)
    >>> cost, nabla_w, nabla_b, delta_a = nf.linear_log_likelihood(a, w, b, [0, 1, 3])
    >>> round(float(cost), 4), nabla_w.shape, nabla_b.round(4), delta_a.shape
    (1.3397, (4, 2), array([ 0.0322,  0.0322,  0.1345, -0.1989]), (3, 2))
    """
    inputs, dtype = _core.as_floats(a, "linear_log_likelihood", "a")
    weights, biases = _layer(inputs, w, b)
    # What labels, targets and weights are checked against: logits that take no room.
    nowhere = np.broadcast_to(inputs.dtype.type(0), (len(inputs), len(weights)))
    options = (reduction, sample_weight, class_weight, ignore_index, label_smoothing)
    results = _core.linear_log_likelihood(
        nowhere, y, *options, inputs, weights, biases.ravel(), bool(gradients), LOGIT_BYTES
    )
    if not gradients:
        return results.astype(dtype, copy=False)
    cost, nabla_w, nabla_b, delta_a = (x.astype(dtype, copy=False) for x in results)
    return cost, nabla_w, nabla_b.reshape(biases.shape), delta_a


def _layer(inputs: Array, w: ArrayLike, b: ArrayLike | None) -> tuple[Array, Array]:
    """The layer's parameters in the dtype of its inputs."""
    weights = _core.as_floats(w, "linear_log_likelihood", "w")[0].astype(inputs.dtype, copy=False)
    if inputs.ndim != 2 or weights.ndim != 2 or inputs.shape[1] != weights.shape[1]:
        raise ValueError(
            f"linear_log_likelihood: a has shape {inputs.shape} and w {weights.shape}; "
            "they must be (n, features) and (classes, features)"
        )
    if b is None:
        biases = np.zeros(len(weights), inputs.dtype)
    else:
        biases = np.array(_core.as_floats(b, "linear_log_likelihood", "b")[0], inputs.dtype, order="C")
    if biases.shape not in ((len(weights),), (len(weights), 1)):
        raise ValueError(
            f"linear_log_likelihood: b has shape {biases.shape}; for w of shape {weights.shape} it must be "
            f"({len(weights)},) or ({len(weights)}, 1)"
        )
    return weights, biases
