"""The log-likelihood cost. :mod:`nndl_fast.functional` says what all of its functions have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._runtime._types import Array, F, Reduction, ToAny, ToEach, ToOne

if TYPE_CHECKING:
    from typing_extensions import Unpack


@overload
def log_likelihood_cost(z: NDArray[F], y: ArrayLike, axis: int = ..., **options: Unpack[ToOne]) -> F: ...
@overload
def log_likelihood_cost(
    z: NDArray[F], y: ArrayLike, axis: int = ..., **options: Unpack[ToEach]
) -> NDArray[F]: ...
@overload
def log_likelihood_cost(z: ArrayLike, y: ArrayLike, axis: int = ..., **options: Unpack[ToAny]) -> Any: ...
def log_likelihood_cost(
    z: ArrayLike,
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Any:
    """Compute the log-likelihood cost of a softmax layer from its weighted inputs.

    The cost is also known as cross-entropy or log loss.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    y : array_like
        Integer labels, of the shape of ``z`` without ``axis``; or targets of the shape of ``z``, which are
        one-hot (booleans, too) or probabilities. Targets must be finite and not negative, and are taken as
        they are if they do not sum to 1.
    axis : int, default=-1
        The axis along which the classes stand.
    reduction : {'mean', 'sum', 'none'}, default='mean'
        ``"mean"`` divides the sum of the costs by the weights of the examples that count, which is their
        number if there are no weights; ``"sum"`` does not divide; ``"none"`` gives one cost per example.
    sample_weight : array_like, optional
        One weight per example, finite and not negative.
    class_weight : array_like of shape (n_classes,), optional
        One weight per class, finite and not negative.
    ignore_index : int, optional
        Examples with this label cost nothing and do not count in the mean.
    label_smoothing : float, default=0.0
        A number s from 0 to 1. The targets of n classes become (1 - s) y + s / n.

    Returns
    -------
    scalar or ndarray
        The cost; for ``"none"`` an array of the examples' shape. float16, bfloat16, float32 and float64
        keep their dtype; integers become float64.

    Raises
    ------
    ValueError
        If there are no classes, if shapes do not fit, if targets or weights are negative or not finite, or
        if an option has another value than those above.
    TypeError
        If labels are not integers, or if ``z`` is a bool, complex, object, string or masked array.
    IndexError
        If a label is outside 0..n-1; the message names its row.

    See Also
    --------
    log_likelihood_delta : Compute the gradient of this cost.
    log_likelihood_cost_and_delta : Compute both in one pass.
    linear_log_likelihood : Compute the cost of a layer whose weighted inputs do not fit in memory.

    Notes
    -----
    With labels the cost of an example is C = -ln a_y, equation (80) of the book, where a is the softmax of
    z; with targets it is -sum_k y_k ln a_k. If the largest class has nearly all of the sum in the
    denominator of softmax, the sum's logarithm is computed from the other classes. So small costs are as
    accurate as large ones: float32 within 4 units in the last place, float64 within 6. The mean of no
    examples is NaN.

    With class weights w, an example counts in the mean with sum_k w_k y_k of its targets before smoothing,
    times its sample weight. (PyTorch does so for labels, but if targets are given, it divides by the number
    of examples.)

    Examples
    --------
    >>> import nndl_fast as nf
    >>> float(nf.log_likelihood_cost([2.0, 3.0, 4.0], 1))
    1.4076059644443804
    >>> nf.log_likelihood_cost([[0.0, 0.0], [0.0, 0.0]], [0, 1], reduction="none")
    array([0.69314718, 0.69314718])
    """
    return _core.log_likelihood_cost(
        z, y, axis, reduction, sample_weight, class_weight, ignore_index, label_smoothing, None
    )


@overload
def log_likelihood_delta(
    z: NDArray[F], y: ArrayLike, axis: int = ..., *, out: Array | None = ..., **options: Unpack[ToAny]
) -> NDArray[F]: ...
@overload
def log_likelihood_delta(
    z: ArrayLike, y: ArrayLike, axis: int = ..., *, out: Array | None = ..., **options: Unpack[ToAny]
) -> Any: ...
def log_likelihood_delta(
    z: ArrayLike,
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
) -> Any:
    """Compute the output error of a softmax layer with the log-likelihood cost.

    The error is the gradient, with respect to ``z``, of :func:`log_likelihood_cost` with the same
    arguments.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    y : array_like
        Integer labels, of the shape of ``z`` without ``axis``, or targets of the shape of ``z``.
    axis : int, default=-1
        The axis along which the classes stand.
    reduction : {'mean', 'sum', 'none'}, default='mean'
        The reduction of the cost. ``"sum"`` and ``"none"`` give the same error.
    sample_weight : array_like, optional
        One weight per example, finite and not negative.
    class_weight : array_like of shape (n_classes,), optional
        One weight per class, finite and not negative.
    ignore_index : int, optional
        Examples with this label have an error of exactly 0.
    label_smoothing : float, default=0.0
        A number s from 0 to 1. The targets of n classes become (1 - s) y + s / n.
    out : ndarray, optional
        The array that receives the result, of the result's shape and dtype. It may be ``z`` itself.

    Returns
    -------
    ndarray
        The error, of the shape of ``z``. float16, bfloat16, float32 and float64 keep their dtype; integers
        become float64.

    Raises
    ------
    ValueError
        As for :func:`log_likelihood_cost`, or if ``out`` is read-only or has another shape.
    TypeError
        As for :func:`log_likelihood_cost`, or if ``out`` has another dtype.
    IndexError
        If a label is outside 0..n-1; the message names its row.

    See Also
    --------
    log_likelihood_cost : Compute the cost; it describes the arguments in full.
    log_likelihood_cost_and_delta : Compute both in one pass.

    Notes
    -----
    The error is delta = a - y, equation (84) of the book, for ``"sum"`` and ``"none"``, and (a - y) / n for
    ``"mean"``, where a is the softmax of z. It is also the gradient with respect to the biases (81);
    multiplied by the activations of the layer before, it is the gradient with respect to the weights (82).
    If all examples have the weight 0, the error of a mean is exactly 0.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.log_likelihood_delta([2.0, 3.0, 4.0], 1).round(4)
    array([ 0.09  , -0.7553,  0.6652])
    """
    return _core.log_likelihood_delta(
        z, y, axis, reduction, sample_weight, class_weight, ignore_index, label_smoothing, out
    )


@overload
def log_likelihood_cost_and_delta(
    z: NDArray[F], y: ArrayLike, axis: int = ..., *, out: Array | None = ..., **options: Unpack[ToOne]
) -> tuple[F, NDArray[F]]: ...
@overload
def log_likelihood_cost_and_delta(
    z: NDArray[F], y: ArrayLike, axis: int = ..., *, out: Array | None = ..., **options: Unpack[ToEach]
) -> tuple[NDArray[F], NDArray[F]]: ...
@overload
def log_likelihood_cost_and_delta(
    z: ArrayLike, y: ArrayLike, axis: int = ..., *, out: Array | None = ..., **options: Unpack[ToAny]
) -> tuple[Any, Any]: ...
def log_likelihood_cost_and_delta(
    z: ArrayLike,
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
) -> tuple[Any, Any]:
    """Compute the log-likelihood cost and the output error in one pass.

    The results have the same bits as those of :func:`log_likelihood_cost` and
    :func:`log_likelihood_delta`.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    y : array_like
        Integer labels, of the shape of ``z`` without ``axis``, or targets of the shape of ``z``.
    axis : int, default=-1
        The axis along which the classes stand.
    reduction : {'mean', 'sum', 'none'}, default='mean'
        The reduction of the cost.
    sample_weight : array_like, optional
        One weight per example, finite and not negative.
    class_weight : array_like of shape (n_classes,), optional
        One weight per class, finite and not negative.
    ignore_index : int, optional
        Examples with this label cost nothing, do not count in the mean, and have an error of exactly 0.
    label_smoothing : float, default=0.0
        A number s from 0 to 1. The targets of n classes become (1 - s) y + s / n.
    out : ndarray, optional
        The array that receives the error, of its shape and dtype. It may be ``z`` itself.

    Returns
    -------
    cost : scalar or ndarray
        The cost, equation (80) of the book; for ``"none"`` an array of the examples' shape.
    delta : ndarray
        The error, equation (84), of the shape of ``z``; it is ``out`` if that is given.

    Raises
    ------
    ValueError
        As for :func:`log_likelihood_cost`, or if ``out`` is read-only or has another shape.
    TypeError
        As for :func:`log_likelihood_cost`, or if ``out`` has another dtype.
    IndexError
        If a label is outside 0..n-1; the message names its row.

    See Also
    --------
    log_likelihood_cost : Compute the cost alone; it describes the arguments in full.
    log_likelihood_delta : Compute the error alone.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> cost, delta = nf.log_likelihood_cost_and_delta([[2.0, 3.0, 4.0]], [1])
    >>> float(cost), delta.round(4)
    (1.4076059644443804, array([[ 0.09  , -0.7553,  0.6652]]))
    """
    return _core.log_likelihood_cost_and_delta(
        z, y, axis, reduction, sample_weight, class_weight, ignore_index, label_smoothing, out
    )


def cost_and_delta_from_activations(
    a: ArrayLike,
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    out: Array | None = None,
) -> tuple[Any, Any]:
    """Compute the log-likelihood cost and the output error from activations that are there already.

    From weighted inputs, :func:`log_likelihood_cost_and_delta` loses less: the logarithm of an activation
    that has rounded to 0 is infinite.

    Parameters
    ----------
    a : array_like
        Activations of a softmax layer.
    y : array_like
        Integer labels of the shape of ``a`` without ``axis``, or targets of the shape of ``a``.
    axis : int, default=-1
        The axis along which the classes stand.
    reduction : {'mean', 'sum'}, default='mean'
        Whether the costs of the examples are divided by their number, or added up.
    out : ndarray, optional
        The array that receives the error, of its shape and dtype. It may be ``a`` itself.

    Returns
    -------
    cost : scalar
        The cost, -sum_j y_j ln a_j, equation (80) of the book; a target of 0 counts 0, whatever a_j is.
    delta : ndarray
        The error a - y, equation (84), divided by the number of examples for ``"mean"``. It is ``out`` if
        that is given.

    Raises
    ------
    ValueError
        If ``y`` has neither of the two shapes, if ``reduction`` is none of the above, or if ``out`` is
        read-only or has another shape.
    TypeError
        If labels are not integers, if ``a`` is a bool, complex, object, string or masked array, or if ``out``
        has another dtype.
    IndexError
        If a label is outside 0..n_classes-1.

    See Also
    --------
    log_likelihood_cost_and_delta : Compute both from weighted inputs.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> cost, delta = nf.cost_and_delta_from_activations([[0.25, 0.75]], [1])
    >>> round(float(cost), 4), delta
    (0.2877, array([[ 0.25, -0.25]]))
    """
    return _core.cost_and_delta_from_activations(a, y, axis, reduction, out)
