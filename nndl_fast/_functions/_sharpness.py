"""The sharpness c of equation (83), fitted to weighted inputs and labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .._runtime import _inputs
from .._runtime._errors import unheard
from .._runtime._types import Array
from ._likelihood import log_likelihood_cost
from ._softmax import softmax

_STEPS = 200
_CLOSE = 1e-13  # relative change at which Newton's method ends


@unheard
def fit_sharpness(
    z: ArrayLike, y: ArrayLike, axis: int = -1, *, sample_weight: ArrayLike | None = None
) -> float:
    """Find the sharpness c for which softmax activations have the least log-likelihood cost.

    This is temperature scaling, of the temperature 1 / c: it makes the activations of a trained network
    probabilities that can be believed, and changes no prediction. Fit it to examples that the network
    was not trained on.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    y : array_like
        Labels or targets, as for :func:`log_likelihood_cost`.
    axis : int, default=-1
        The axis along which the classes stand.
    sample_weight : array_like, optional
        One weight per example, finite and not negative.

    Returns
    -------
    float
        The sharpness, larger than 0.

    Raises
    ------
    ValueError
        If there is no such c: the cost falls without end as c grows if every example's largest weighted
        input is that of its class, and it is least at 0 or below if the weighted inputs say nothing of the
        classes. Or if a weighted input is not finite, or if shapes do not fit.
    TypeError
        As for :func:`log_likelihood_cost`.
    IndexError
        If a label is outside 0..n-1.

    See Also
    --------
    softmax : Compute activations, with ``c``.
    Network.calibrate : Fit c, and multiply the last layer by it.

    Notes
    -----
    The mean of ln sum_k e^(c z_k) - c z_y is convex in c. Newton's method finds its minimum, in float64: the
    first derivative is the mean of (sum_j a_j z_j) - z_y, the second that of the variance of z under a.

    References
    ----------
    Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q., "On Calibration of Modern Neural Networks", ICML
    2017, arXiv:1706.04599.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> z = [[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]]  # e^4 to 1, of which one in four is wrong
    >>> c = nf.fit_sharpness(z, [0, 0, 0, 1])
    >>> nf.softmax(z[0], c=c).round(6)
    array([0.75, 0.25])
    """
    try:  # it checks everything
        log_likelihood_cost(z, y, axis, reduction="sum", sample_weight=sample_weight)
    except (ValueError, TypeError, IndexError) as error:
        message = str(error).replace(log_likelihood_cost.__name__, "fit_sharpness", 1)
        raise type(error)(message) from None
    given = np.moveaxis(_core.as_real(z, "fit_sharpness", "z").astype(np.float64), axis, -1)
    rows = given.reshape(-1, given.shape[-1])
    _inputs.check_finite(rows, "fit_sharpness: z")
    size = float(np.abs(rows).max(initial=0)) or 1.0  # so that no difference overflows
    rows = rows / size
    rows = rows - rows.max(axis=1, keepdims=True)  # which changes no activation
    targets = np.asarray(y)
    right, total = _of_targets(rows, targets, targets.ndim < given.ndim, axis)
    weight = 1.0 if sample_weight is None else np.asarray(sample_weight, np.float64).ravel()
    right, total = weight * right, weight * total
    if not np.sum(right) < 0:
        raise ValueError(
            f"fit_sharpness: of {len(rows)} examples none has a largest weighted input that is not that of "
            "its class, so the cost falls without end as c grows; more examples are needed"
        )
    if not np.sum(total * rows.mean(axis=1) - right) < 0:
        raise ValueError("fit_sharpness: the cost is least at a c of 0 or below: z says nothing of y")
    c = _minimum(rows, right, total) / size
    if not np.isfinite(c):
        raise ValueError(f"fit_sharpness: z is at most {size:g} and its sharpness beyond float64's numbers")
    return c


def _of_targets(rows: Array, y: Array, of_labels: bool, axis: int) -> tuple[Array, Array]:
    """Per example the sum of targets times weighted inputs, and that of the targets."""
    if of_labels:
        return rows[np.arange(len(rows)), y.ravel().astype(np.int64)], np.ones(len(rows))
    targets = np.moveaxis(y.astype(np.float64), axis, -1).reshape(rows.shape)
    return (targets * rows).sum(axis=1), targets.sum(axis=1)


def _minimum(rows: Array, right: Array, total: Array) -> float:
    c, least, most = 1.0, 0.0, np.inf
    for _ in range(_STEPS):
        a = softmax(rows, c=c)
        mean = (a * rows).sum(axis=1)
        slope = float(np.sum(total * mean - right))
        curvature = float(np.sum(total * (a * np.square(rows - mean[:, None])).sum(axis=1)))
        if abs(slope) <= _CLOSE * c * curvature:
            break
        least, most = (c, most) if slope < 0 else (least, c)
        following = c - slope / curvature if curvature > 0 else np.inf
        if not least < following < min(most, 8 * c):
            following = 0.5 * (least + most) if np.isfinite(most) else 8 * c
        c = following
    return c
