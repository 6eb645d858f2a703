"""Sigmoid neurons. :mod:`nndl_fast.functional` says what all of its functions have in common."""

from __future__ import annotations

from typing import Any, overload

from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._runtime._types import Array, Each, F, One, Reduction


@overload
def sigmoid(z: NDArray[F], *, out: Array | None = ...) -> NDArray[F]: ...
@overload
def sigmoid(z: ArrayLike, *, out: Array | None = ...) -> Any: ...
def sigmoid(z: ArrayLike, *, out: Array | None = None) -> Any:
    """Compute the activations of sigmoid neurons.

    Each element of ``z`` is the weighted input of one neuron.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    out : ndarray, optional
        The array that receives the result, of the result's shape and dtype. It may be ``z`` itself.

    Returns
    -------
    ndarray
        The activations, of the shape of ``z``. float16, bfloat16, float32 and float64 keep their dtype;
        integers become float64.

    Raises
    ------
    ValueError
        If ``out`` is read-only or has another shape.
    TypeError
        If ``z`` is a bool, complex, object, string or masked array, or if ``out`` has another dtype.

    See Also
    --------
    sigmoid_prime : Compute the derivative.

    Notes
    -----
    The activations are 1 / (1 + e^-z), equation (3) of the book, at most 1 unit in the last place from the
    true value. NaN gives NaN.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.sigmoid([0.0, 1000.0, -1000.0])
    array([0.5, 1. , 0. ])
    """
    return _core.sigmoid(z, out)


@overload
def sigmoid_prime(z: NDArray[F], *, out: Array | None = ...) -> NDArray[F]: ...
@overload
def sigmoid_prime(z: ArrayLike, *, out: Array | None = ...) -> Any: ...
def sigmoid_prime(z: ArrayLike, *, out: Array | None = None) -> Any:
    """Compute the derivative of the activations of sigmoid neurons.

    It keeps its accuracy for large ``z``, where 1 - sigma(z) would lose it.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    out : ndarray, optional
        The array that receives the result, of the result's shape and dtype. It may be ``z`` itself.

    Returns
    -------
    ndarray
        The derivatives, of the shape of ``z``. float16, bfloat16, float32 and float64 keep their dtype;
        integers become float64.

    Raises
    ------
    ValueError
        If ``out`` is read-only or has another shape.
    TypeError
        If ``z`` is a bool, complex, object, string or masked array, or if ``out`` has another dtype.

    See Also
    --------
    sigmoid : Compute the activations.

    Notes
    -----
    The derivative is sigma(z) (1 - sigma(z)), where sigma is :func:`sigmoid`.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.sigmoid_prime([0.0, 40.0])
    array([2.50000000e-01, 4.24835426e-18])
    """
    return _core.sigmoid_prime(z, out)


@overload
def binary_cross_entropy_cost(
    z: NDArray[F], y: ArrayLike, *, reduction: One = ..., sample_weight: ArrayLike | None = ...
) -> F: ...
@overload
def binary_cross_entropy_cost(
    z: NDArray[F], y: ArrayLike, *, reduction: Each, sample_weight: ArrayLike | None = ...
) -> NDArray[F]: ...
@overload
def binary_cross_entropy_cost(
    z: ArrayLike, y: ArrayLike, *, reduction: Reduction = ..., sample_weight: ArrayLike | None = ...
) -> Any: ...
def binary_cross_entropy_cost(
    z: ArrayLike, y: ArrayLike, *, reduction: Reduction = "mean", sample_weight: ArrayLike | None = None
) -> Any:
    """Compute the cross-entropy cost of sigmoid neurons from their weighted inputs.

    Every element is an example of its own.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    y : array_like
        Targets from 0 to 1, of the shape of ``z``.
    reduction : {'mean', 'sum', 'none'}, default='mean'
        ``"mean"`` divides the sum of the costs by the number of elements, or by the sum of their weights;
        ``"sum"`` does not divide; ``"none"`` gives one cost per element.
    sample_weight : array_like, optional
        One weight per element, of the shape of ``z``, finite and not negative.

    Returns
    -------
    scalar or ndarray
        The cost; for ``"none"`` an array of the shape of ``z``. float16, bfloat16, float32 and float64 keep
        their dtype; integers become float64.

    Raises
    ------
    ValueError
        If ``y`` or ``sample_weight`` has another shape than ``z``, if a target is not from 0 to 1, if a
        weight is negative or not finite, or if ``reduction`` is none of the above.
    TypeError
        If ``z`` or ``y`` is a bool, complex, object, string or masked array.

    See Also
    --------
    binary_cross_entropy_delta : Compute the gradient of this cost.
    binary_cross_entropy_cost_and_delta : Compute both in one pass.
    log_likelihood_cost : Compute the cost of a softmax layer.

    Notes
    -----
    The cost is -(y ln a + (1 - y) ln(1 - a)), equation (57) of the book, where a is the sigmoid of z. For a
    layer of k neurons and n examples, the book's (63) is the result of ``reduction="sum"`` divided by n.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> float(nf.binary_cross_entropy_cost([0.0, 0.0], [1.0, 0.0]))
    0.6931471805599453
    """
    return _core.binary_cross_entropy_cost(z, y, reduction, sample_weight, None)


@overload
def binary_cross_entropy_delta(
    z: NDArray[F],
    y: ArrayLike,
    *,
    reduction: Reduction = ...,
    sample_weight: ArrayLike | None = ...,
    out: Array | None = ...,
) -> NDArray[F]: ...
@overload
def binary_cross_entropy_delta(
    z: ArrayLike,
    y: ArrayLike,
    *,
    reduction: Reduction = ...,
    sample_weight: ArrayLike | None = ...,
    out: Array | None = ...,
) -> Any: ...
def binary_cross_entropy_delta(
    z: ArrayLike,
    y: ArrayLike,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    out: Array | None = None,
) -> Any:
    """Compute the output error of sigmoid neurons with the cross-entropy cost.

    The error is the gradient, with respect to ``z``, of :func:`binary_cross_entropy_cost` with the same
    arguments.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    y : array_like
        Targets from 0 to 1, of the shape of ``z``.
    reduction : {'mean', 'sum', 'none'}, default='mean'
        The reduction of the cost. ``"sum"`` and ``"none"`` give the same error.
    sample_weight : array_like, optional
        One weight per element, of the shape of ``z``, finite and not negative.
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
        As for :func:`binary_cross_entropy_cost`, or if ``out`` is read-only or has another shape.
    TypeError
        As for :func:`binary_cross_entropy_cost`, or if ``out`` has another dtype.

    See Also
    --------
    binary_cross_entropy_cost : Compute the cost.
    binary_cross_entropy_cost_and_delta : Compute both in one pass.

    Notes
    -----
    The error is sigma(z) - y, equation (68) of the book, where sigma is :func:`sigmoid`. For ``"mean"`` it
    is divided by the number of elements, or by the sum of their weights.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.binary_cross_entropy_delta([0.0, 40.0], [1.0, 1.0], reduction="sum")
    array([-5.00000000e-01, -4.24835426e-18])
    """
    return _core.binary_cross_entropy_delta(z, y, reduction, sample_weight, out)


@overload
def binary_cross_entropy_cost_and_delta(
    z: NDArray[F],
    y: ArrayLike,
    *,
    reduction: One = ...,
    sample_weight: ArrayLike | None = ...,
    out: Array | None = ...,
) -> tuple[F, NDArray[F]]: ...
@overload
def binary_cross_entropy_cost_and_delta(
    z: NDArray[F],
    y: ArrayLike,
    *,
    reduction: Each,
    sample_weight: ArrayLike | None = ...,
    out: Array | None = ...,
) -> tuple[NDArray[F], NDArray[F]]: ...
@overload
def binary_cross_entropy_cost_and_delta(
    z: ArrayLike,
    y: ArrayLike,
    *,
    reduction: Reduction = ...,
    sample_weight: ArrayLike | None = ...,
    out: Array | None = ...,
) -> tuple[Any, Any]: ...
def binary_cross_entropy_cost_and_delta(
    z: ArrayLike,
    y: ArrayLike,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    out: Array | None = None,
) -> tuple[Any, Any]:
    """Compute the cross-entropy cost of sigmoid neurons and the output error in one pass.

    The results have the same bits as those of :func:`binary_cross_entropy_cost` and
    :func:`binary_cross_entropy_delta`.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    y : array_like
        Targets from 0 to 1, of the shape of ``z``.
    reduction : {'mean', 'sum', 'none'}, default='mean'
        The reduction of the cost.
    sample_weight : array_like, optional
        One weight per element, of the shape of ``z``, finite and not negative.
    out : ndarray, optional
        The array that receives the error, of its shape and dtype. It may be ``z`` itself.

    Returns
    -------
    cost : scalar or ndarray
        The cost, equation (57) of the book; for ``"none"`` an array of the shape of ``z``.
    delta : ndarray
        The error, equation (68), of the shape of ``z``; it is ``out`` if that is given.

    Raises
    ------
    ValueError
        As for :func:`binary_cross_entropy_cost`, or if ``out`` is read-only or has another shape.
    TypeError
        As for :func:`binary_cross_entropy_cost`, or if ``out`` has another dtype.

    See Also
    --------
    binary_cross_entropy_cost : Compute the cost alone.
    binary_cross_entropy_delta : Compute the error alone.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> cost, delta = nf.binary_cross_entropy_cost_and_delta([0.0], [1.0])
    >>> float(cost), delta
    (0.6931471805599453, array([-0.5]))
    """
    return _core.binary_cross_entropy_cost_and_delta(z, y, reduction, sample_weight, out)
