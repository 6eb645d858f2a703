"""Softmax and its relatives. :mod:`nndl_fast.functional` says what all of its functions have in common."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._runtime._errors import as_type
from .._runtime._types import Array, Axis, F


@overload
def softmax(z: NDArray[F], axis: Axis = ..., *, c: float = ..., out: Array | None = ...) -> NDArray[F]: ...
@overload
def softmax(z: ArrayLike, axis: Axis = ..., *, c: float = ..., out: Array | None = ...) -> Any: ...
def softmax(z: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None) -> Any:
    """Compute the activations of a softmax layer.

    The activations are positive, and they sum to 1 along ``axis``.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    axis : int, tuple of int or None, default=-1
        The axis, or axes, along which the classes stand. None takes the whole array.
    c : float, default=1.0
        The sharpness, greater than 0. With ``c=inf`` the result is the hard maximum, which equal maxima
        share.
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
        If ``z`` has no such axis, if ``c`` is not greater than 0, or if ``out`` is read-only or has another
        shape.
    TypeError
        If ``z`` is a bool, complex, object, string or masked array, or if ``out`` has another dtype.

    See Also
    --------
    log_softmax : Compute the logarithms of the activations.
    hardmax : Mark the first maximum alone.
    inverse_softmax : Compute weighted inputs from activations.

    Notes
    -----
    The activations are a_j = e^{c z_j} / sum_k e^{c z_k}, equations (78) and (83) of the book. They are at
    most 2 units in the last place from the true values if these are normal numbers; smaller results
    underflow gradually.

    A logit of -inf has the activation 0. A row that contains NaN or +inf, or only -inf, becomes NaN.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.softmax([2, 3, 4]).round(4)
    array([0.09  , 0.2447, 0.6652])
    >>> nf.softmax([[1000.0], [0.0]], axis=0)
    array([[1.],
           [0.]])
    """
    return _core.softmax(z, axis, c, out)


@overload
def log_softmax(
    z: NDArray[F], axis: Axis = ..., *, c: float = ..., out: Array | None = ...
) -> NDArray[F]: ...
@overload
def log_softmax(z: ArrayLike, axis: Axis = ..., *, c: float = ..., out: Array | None = ...) -> Any: ...
def log_softmax(z: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None) -> Any:
    """Compute the logarithms of the softmax activations.

    The result does not lose what ``np.log(softmax(z))`` loses if an activation rounds to 0 or 1.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    axis : int, tuple of int or None, default=-1
        The axis, or axes, along which the classes stand. None takes the whole array.
    c : float, default=1.0
        The sharpness, greater than 0, or inf.
    out : ndarray, optional
        The array that receives the result, of the result's shape and dtype. It may be ``z`` itself.

    Returns
    -------
    ndarray
        The logarithms, of the shape and dtype that :func:`softmax` returns.

    Raises
    ------
    ValueError
        If ``z`` has no such axis, if ``c`` is not greater than 0, or if ``out`` is read-only or has another
        shape.
    TypeError
        If ``z`` is a bool, complex, object, string or masked array, or if ``out`` has another dtype.

    See Also
    --------
    softmax : Compute the activations themselves.
    logsumexp : Compute the logarithm of the denominator.

    Notes
    -----
    The logarithms are computed as c (z_j - max) - ln(sum). If the largest class has nearly all of the sum,
    the sum's logarithm is computed from the other classes.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.log_softmax([0.0, -40.0])
    array([-4.24835426e-18, -4.00000000e+01])
    """
    return _core.log_softmax(z, axis, c, out)


@overload
def logsumexp(z: NDArray[F], axis: None, *, keepdims: Literal[False] = ...) -> F: ...
@overload
def logsumexp(z: NDArray[F], axis: Axis = ..., *, keepdims: Literal[True]) -> NDArray[F]: ...
@overload
def logsumexp(z: ArrayLike, axis: Axis = ..., *, keepdims: bool = ...) -> Any: ...
def logsumexp(z: ArrayLike, axis: Axis = -1, *, keepdims: bool = False) -> Any:
    """Compute the logarithm of the sum of exponentials.

    This is the logarithm of the denominator of softmax. It never overflows.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    axis : int, tuple of int or None, default=-1
        The axis, or axes, along which the exponentials are summed. None takes the whole array.
    keepdims : bool, default=False
        Whether the summed axes stay in the result, with length 1.

    Returns
    -------
    ndarray or scalar
        The logarithms, of the shape of ``z`` without ``axis``. float16, bfloat16, float32 and float64 keep
        their dtype; integers become float64.

    Raises
    ------
    ValueError
        If ``z`` has no such axis.
    TypeError
        If ``z`` is a bool, complex, object, string or masked array.

    See Also
    --------
    softmax : Compute the exponentials divided by their sum.
    log_softmax : Compute the logarithms of the softmax activations.

    Notes
    -----
    The result is ln sum_k e^{z_k}. A row that contains only -inf, or that has no classes, gives -inf; +inf
    gives +inf; NaN gives NaN.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> float(nf.logsumexp([1000.0, 1000.0]))
    1000.6931471805599
    """
    return _core.logsumexp(z, axis, keepdims)


@overload
def hardmax(z: NDArray[F], axis: Axis = ...) -> NDArray[F]: ...
@overload
def hardmax(z: ArrayLike, axis: Axis = ...) -> Any: ...
def hardmax(z: ArrayLike, axis: Axis = -1) -> Any:
    """Mark the first maximum with 1 and every other element with 0.

    If no two maxima are equal, this is the limit of softmax as its sharpness c grows to infinity.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    axis : int, tuple of int or None, default=-1
        The axis, or axes, along which the classes stand. None takes the whole array.

    Returns
    -------
    ndarray
        Zeros and ones, of the shape of ``z``. float16, bfloat16, float32 and float64 keep their dtype;
        integers become float64.

    Raises
    ------
    ValueError
        If ``z`` has no such axis.
    TypeError
        If ``z`` is a bool, complex, object, string or masked array.

    See Also
    --------
    softmax : With ``c=inf``, share the 1 among equal maxima.

    Notes
    -----
    A row that contains NaN or +inf, or only -inf, becomes NaN.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.hardmax([1.0, 3.0, 3.0])
    array([0., 1., 0.])
    """
    return _core.hardmax(z, axis)


@overload
def inverse_softmax(a: NDArray[F], axis: int = ..., *, constant: ArrayLike = ...) -> NDArray[F]: ...
@overload
def inverse_softmax(a: ArrayLike, axis: int = ..., *, constant: ArrayLike = ...) -> Any: ...
def inverse_softmax(a: ArrayLike, axis: int = -1, *, constant: ArrayLike = 0.0) -> Any:
    """Compute weighted inputs whose softmax is ``a``.

    They are determined up to a constant, which softmax does not change.

    Parameters
    ----------
    a : array_like
        Activations.
    axis : int, default=-1
        The axis along which the classes stand. The result does not depend on it.
    constant : array_like, default=0.0
        The constant C: a number, or an array that broadcasts to ``a``, such as one number per row.

    Returns
    -------
    ndarray
        Weighted inputs, of the shape of ``a``. float16, bfloat16, float32 and float64 keep their dtype;
        integers become float64.

    Raises
    ------
    ValueError
        If ``a`` has no such axis.
    TypeError
        If ``a`` is a bool, complex, object, string or masked array.

    See Also
    --------
    softmax : Compute activations from weighted inputs.

    Notes
    -----
    The weighted inputs are z_j = ln a_j + C. An activation of 0 gives -inf, a negative one NaN.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.softmax(nf.inverse_softmax([0.2, 0.3, 0.5], constant=7.0))
    array([0.2, 0.3, 0.5])
    """
    if type(constant) in (float, int):
        return _core.inverse_softmax(a, axis, constant)  # type: ignore[arg-type]
    values, dtype = _core.as_floats(a, "inverse_softmax", "a")
    added, _ = _core.as_floats(constant, "inverse_softmax", "constant")
    with np.errstate(all="ignore"):
        logarithms = np.asarray(_core.inverse_softmax(values, axis, 0.0))
        return as_type(logarithms + added.astype(values.dtype, copy=False), dtype)[()]


@overload
def softmax_jacobian(a: NDArray[F], axis: int = ...) -> NDArray[F]: ...
@overload
def softmax_jacobian(a: ArrayLike, axis: int = ...) -> Any: ...
def softmax_jacobian(a: ArrayLike, axis: int = -1) -> Any:
    """Compute the derivatives of softmax activations with respect to the weighted inputs.

    The result is n times as large as ``a`` for n classes.

    Parameters
    ----------
    a : array_like
        Activations of a softmax layer.
    axis : int, default=-1
        The axis along which the n classes stand.

    Returns
    -------
    ndarray
        The Jacobian matrices, of shape (..., n, n): the other axes of ``a``, then j, then k. float16,
        bfloat16, float32 and float64 keep their dtype; integers become float64.

    Raises
    ------
    ValueError
        If ``a`` has no such axis.
    TypeError
        If ``a`` is a bool, complex, object, string or masked array.

    See Also
    --------
    softmax_backward : Multiply by the Jacobian matrix without building it.

    Notes
    -----
    The derivatives are da_j/dz_k = a_j (1[j = k] - a_k).

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.softmax_jacobian([0.25, 0.75])
    array([[ 0.1875, -0.1875],
           [-0.1875,  0.1875]])
    """
    return _core.softmax_jacobian(a, axis)


@overload
def softmax_backward(
    a: NDArray[F], grad: ArrayLike, axis: Axis = ..., *, c: float = ..., out: Array | None = ...
) -> NDArray[F]: ...
@overload
def softmax_backward(
    a: ArrayLike, grad: ArrayLike, axis: Axis = ..., *, c: float = ..., out: Array | None = ...
) -> Any: ...
def softmax_backward(
    a: ArrayLike, grad: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None
) -> Any:
    """Compute the gradient with respect to the weighted inputs from that with respect to the activations.

    This is the backward pass of a softmax layer: the vector-Jacobian product of :func:`softmax`.

    Parameters
    ----------
    a : array_like
        Activations, ``softmax(z, c=c)``.
    grad : array_like
        The gradient with respect to ``a``, of its shape.
    axis : int, tuple of int or None, default=-1
        The axis, or axes, along which the classes stand. None takes the whole array.
    c : float, default=1.0
        The sharpness, greater than 0 and finite.
    out : ndarray, optional
        The array that receives the result, of the result's shape and dtype. It may be ``a`` or ``grad``.

    Returns
    -------
    ndarray
        The gradient with respect to the weighted inputs, of the shape of ``a``. float16, bfloat16, float32
        and float64 keep their dtype; integers become float64.

    Raises
    ------
    ValueError
        If ``a`` has no such axis, if ``grad`` has another shape than ``a``, if ``c`` is not greater than 0
        and finite, or if ``out`` is read-only or has another shape.
    TypeError
        If ``a`` or ``grad`` is a bool, complex, object, string or masked array, or if ``out`` has another
        dtype.

    See Also
    --------
    softmax_jacobian : Build the whole Jacobian matrix.
    log_likelihood_delta : Compute the gradient of the log-likelihood cost, without the activations.

    Notes
    -----
    The gradient is c a_j (g_j - sum_k g_k a_k), where g is ``grad``.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.softmax_backward([0.25, 0.75], [1.0, 0.0])
    array([ 0.1875, -0.1875])
    """
    return _core.softmax_backward(a, grad, axis, c, out)
