"""Affine layers. :mod:`nndl_fast.functional` says what all of its functions have in common."""

from __future__ import annotations

from typing import Any, Literal

from numpy.typing import ArrayLike

from .. import _core
from .._runtime._types import Array

Activation = Literal["relu", "sigmoid", "tanh", "leaky_relu"]


def affine(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    axis: int = -1,
    activation: Activation | None = None,
    out: Array | None = None,
) -> Any:
    """Compute a layer's weighted inputs, or with an activation its output.

    Parameters
    ----------
    x : array_like
        Inputs: (..., inputs), or for ``axis=0`` (inputs, n) or (inputs,).
    w : array_like of shape (inputs, neurons), or (neurons, inputs) for ``axis=0``
        Weights, of any strides: give ``w.T`` for weights in the other layout.
    b : array_like, optional
        One bias per neuron, of shape (neurons,), (1, neurons) or, for ``axis=0``, (neurons, 1); or an array
        of the result's shape, to which the product is added. It may be ``out``.
    axis : {-1, 0}, default=-1
        Whether examples stand in rows, -1, or in columns, 0, as in the book.
    activation : {'relu', 'sigmoid', 'tanh', 'leaky_relu'}, optional
        The function of each weighted input; see :func:`activate`.
    out : ndarray, optional
        The array that receives the result, of the result's shape and dtype.

    Returns
    -------
    ndarray
        The weighted inputs x w + b, or for ``axis=0`` w x + b, or their activations: (..., neurons), or
        (neurons, n). They have the dtype that all of ``x``, ``w`` and ``b`` have, or else float64 if one of
        them is that or integer, and float32 if none is.

    Raises
    ------
    ValueError
        If shapes do not fit, if ``axis`` or ``activation`` is none of the above, or if ``out`` is read-only
        or has another shape.
    TypeError
        If an argument is a bool, complex, object, string or masked array, or if ``out`` has another dtype.

    See Also
    --------
    affine_backward : Compute the gradients.
    matmul : Compute the product alone.

    Notes
    -----
    Equation (25) of the book. Each element is one chain of fused multiply-adds that begins with the bias
    and goes through the inputs in order, so its bits depend on the numbers alone.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.affine([[1.0, 2.0]], [[1.0, -1.0], [1.0, -1.0]], [0.5, 0.5], activation="relu")
    array([[3.5, 0. ]])
    """
    return _core.affine(x, w, b, axis, activation, out)


def affine_backward(
    delta: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    *,
    axis: int = -1,
    activation: Activation | None = None,
    a: ArrayLike | None = None,
    handed_down: bool = True,
) -> tuple[Any, Any, Any]:
    """Compute a layer's gradients, and the error of the layer before it.

    Parameters
    ----------
    delta : array_like
        The error of the layer, the gradient of the cost with respect to its weighted inputs: of the shape
        that :func:`affine` returns.
    x : array_like
        The inputs that :func:`affine` was given.
    w : array_like
        The weights that it was given.
    axis : {-1, 0}, default=-1
        Whether examples stand in rows, -1, or in columns, 0.
    activation : {'relu', 'sigmoid', 'tanh', 'leaky_relu'}, optional
        The activation of the layer before, whose derivative multiplies the error that is handed down.
    a : array_like, optional
        The activations of that layer, if they are not ``x`` itself (which may be what dropout made of
        them).
    handed_down : bool, default=True
        Whether to compute the error of the layer before. The first layer has none before it; ``activation``
        is not used then.

    Returns
    -------
    nabla_w : ndarray
        The gradient of the weights, summed over the examples, of the shape and the order in memory of
        ``w``.
    nabla_b : ndarray
        The gradient of the biases: (neurons,), or (neurons, 1) for ``axis=0`` and more than one dimension.
    delta_x : ndarray or None
        The error of the layer before, of the shape of ``x``. All three have the dtype that :func:`affine`
        would return for ``delta``, ``x`` and ``w``.

    Raises
    ------
    ValueError
        As for :func:`affine`, or if ``a`` is given without an activation.
    TypeError
        As for :func:`affine`.

    See Also
    --------
    affine : Compute the output.
    activation_backward : Compute the product with the derivative alone.

    Notes
    -----
    Equations (BP2) to (BP4) of the book: for examples in columns delta x^T, the sum of delta over the
    examples, and w^T delta times the derivative. If delta is that of a mean cost, so are the gradients.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> x, w = [[3.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]
    >>> nabla_w, nabla_b, delta = nf.affine_backward([[1.0, 2.0]], x, w, activation="relu")
    >>> nabla_w
    array([[3., 6.],
           [0., 0.]])
    >>> nabla_b, delta
    (array([1., 2.]), array([[3., 0.]]))
    """
    return _core.affine_backward(delta, x, w, axis, activation, a, handed_down)


def matmul(a: ArrayLike, b: ArrayLike, out: Array | None = None) -> Any:
    """Multiply two matrices, or a matrix and a vector.

    Parameters
    ----------
    a : array_like of shape (m, k) or (k,)
        The left operand, of any strides.
    b : array_like of shape (k, n) or (k,)
        The right operand, of any strides.
    out : ndarray, optional
        The array that receives the result, of the result's shape and dtype.

    Returns
    -------
    ndarray or scalar
        The product, as ``np.matmul`` shapes it: a vector has no dimension in the result. It has the dtype
        that both have, or else float64 if one of them is that or integer, and float32 if none is.

    Raises
    ------
    ValueError
        If the shapes do not fit or have more than two dimensions, or if ``out`` is read-only or has another
        shape.
    TypeError
        If an argument is a bool, complex, object, string or masked array, or if ``out`` has another dtype.

    See Also
    --------
    affine : Multiply, add biases and apply an activation.

    Notes
    -----
    Each element is one chain of fused multiply-adds in order, so its bits depend on the numbers alone: not
    on the machine, the number of threads, or the strides.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    array([3., 7.])
    """
    return _core.matmul(a, b, out)


def activate(z: ArrayLike, activation: Activation, *, out: Array | None = None) -> Any:
    """Compute the activations of neurons.

    Parameters
    ----------
    z : array_like
        Weighted inputs, of any shape and strides.
    activation : {'relu', 'sigmoid', 'tanh', 'leaky_relu'}
        max(0, z); 1 / (1 + e^-z); tanh z; or z if z > 0 and else 0.01 z.
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
        If there is no such activation, or if ``out`` is read-only or has another shape.
    TypeError
        If ``z`` is a bool, complex, object, string or masked array, or if ``out`` has another dtype.

    See Also
    --------
    affine : Compute weighted inputs and their activations.
    activation_backward : Multiply an error by the derivative.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.activate([-1.0, 2.0], "leaky_relu")
    array([-0.01,  2.  ])
    """
    return _core.activate(z, activation, out)


def activation_backward(
    delta: ArrayLike, a: ArrayLike, activation: Activation, *, out: Array | None = None
) -> Any:
    """Multiply an error by the derivative of an activation.

    Parameters
    ----------
    delta : array_like
        The gradient of the cost with respect to the activations, of any shape and strides.
    a : array_like
        The activations, of the shape of ``delta``.
    activation : {'relu', 'sigmoid', 'tanh', 'leaky_relu'}
        The activation that gave them.
    out : ndarray, optional
        The array that receives the result, of the result's shape and dtype. It may be ``delta`` itself.

    Returns
    -------
    ndarray
        The gradient with respect to the weighted inputs, of the shape of ``delta``.

    Raises
    ------
    ValueError
        If the shapes differ, if there is no such activation, or if ``out`` is read-only or has another
        shape.
    TypeError
        If an argument is a bool, complex, object, string or masked array, or if ``out`` has another dtype.

    See Also
    --------
    activate : Compute the activations.
    affine_backward : Compute an error that is handed down, times the derivative.

    Notes
    -----
    The derivative at the activation a: 1 if a > 0, else 0; a (1 - a); 1 - a^2; 1 if a > 0, else 0.01.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.activation_backward([1.0, 1.0], [0.5, 0.0], "sigmoid")
    array([0.25, 0.  ])
    """
    return _core.activation_backward(delta, a, activation, out)
