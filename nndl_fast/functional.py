"""The functions of the output layer.

Common to all: ``z`` are weighted inputs, of any shape and strides; the classes stand along ``axis``
(``axis=-1``: examples in rows; ``axis=0``: examples in columns, as in the book). float32 and float64
are computed and returned as they are, float16 and bfloat16 are computed in float32 and returned as
they came, integers become float64. A bool, complex, object, string or masked array is a
``TypeError``. ``out`` may be ``z`` itself; what does not fit it is a ``ValueError`` or ``TypeError``
before anything is written. The bits of a result depend on the example alone: not on the machine,
the number of threads, the rest of the batch, the strides, or the thread's rounding mode.

Signals are handled about 16 times a second in a long call. If a handler raises, as for Ctrl-C, the call
ends with that exception, and an array that was given as ``out`` is unfinished. Labels, targets and
inputs may not be changed by another thread during a call: the result is then any, but nothing outside
of the arrays is read or written.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core, _linear

Axis = int | tuple[int, ...] | None
Reduction = Literal["mean", "sum", "none"]
Array = NDArray[Any]


def softmax(z: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None) -> Any:
    """Activations of a softmax layer: a_j = e^{c z_j} / sum_k e^{c z_k}, book (78) and (83).

    Positive, and 1 in sum along ``axis`` (an integer, a tuple of them, or None for the whole array).
    At most 2 units in the last place from the true value where that is a normal number; smaller
    results underflow gradually. ``c`` is the sharpness, > 0; with
    ``c=inf`` it is the hard maximum, shared by equal maxima. A row with a NaN or +inf, or all -inf,
    is NaN; a logit of -inf has the activation 0.

    Returns an array of ``z``'s shape. Raises ``ValueError`` for a ``c`` that is not > 0.

    >>> softmax([2, 3, 4]).round(4)
    array([0.09  , 0.2447, 0.6652])
    >>> softmax([[1000.0], [0.0]], axis=0)
    array([[1.],
           [0.]])
    """
    return _core.softmax(z, axis, c, out)


def log_softmax(z: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None) -> Any:
    """Logarithms of the softmax activations, without the loss that taking them afterwards has.

    Computed as c (z_j - max) - ln(sum), the sum's logarithm from the classes other than the largest
    where that one has nearly everything. Arguments and errors as for :func:`softmax`.

    >>> log_softmax([0.0, -40.0])
    array([-4.24835426e-18, -4.00000000e+01])
    """
    return _core.log_softmax(z, axis, c, out)


def logsumexp(z: ArrayLike, axis: Axis = -1, *, keepdims: bool = False) -> Any:
    """ln sum_k e^{z_k} along ``axis``, which overflows nowhere: the logarithm of softmax's denominator.

    Returns ``z``'s shape without ``axis`` (with ``keepdims``: 1 there). All -inf, or no classes,
    gives -inf; +inf gives +inf; NaN gives NaN.

    >>> float(logsumexp([1000.0, 1000.0]))
    1000.6931471805599
    """
    return _core.logsumexp(z, axis, keepdims)


def hardmax(z: ArrayLike, axis: Axis = -1) -> Any:
    """1 at the first maximum along ``axis``, 0 elsewhere: softmax's limit for c -> infinity.

    Where maxima are equal, ``softmax(z, c=inf)`` shares the 1 among them, and this does not.

    >>> hardmax([1.0, 3.0, 3.0])
    array([0., 1., 0.])
    """
    return _core.hardmax(z, axis)


def inverse_softmax(a: ArrayLike, axis: int = -1, *, constant: ArrayLike = 0.0) -> Any:
    """Weighted inputs whose softmax is ``a``: z_j = ln a_j + C, determined up to the constant C.

    ``constant`` is C: a number, or an array that broadcasts to ``a``, such as one per row. An
    activation of 0 gives -inf, a negative one NaN. ``axis`` is where the classes stand; the
    result does not depend on it. The logarithm is NumPy's, whose last bit may differ between machines.

    >>> softmax(inverse_softmax([0.2, 0.3, 0.5], constant=7.0))
    array([0.2, 0.3, 0.5])
    """
    values, dtype = _core.as_floats(a, "inverse_softmax", "a")
    np.moveaxis(np.atleast_1d(values), axis, 0)  # raises where there is no such axis
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(values)
    return (logarithms + np.asarray(constant, values.dtype)).astype(dtype, copy=False)[()]


def softmax_jacobian(a: ArrayLike, axis: int = -1) -> Any:
    """da_j/dz_k = a_j (1[j = k] - a_k) for softmax activations ``a``.

    Returns shape (..., n, n): ``a``'s other axes, then j, then k. It is n times as large as ``a``;
    :func:`softmax_backward` multiplies by it without building it.

    >>> softmax_jacobian([0.25, 0.75])
    array([[ 0.1875, -0.1875],
           [-0.1875,  0.1875]])
    """
    values, dtype = _core.as_floats(a, "softmax_jacobian", "a")
    rows = np.moveaxis(values, axis, -1)
    identity = np.eye(rows.shape[-1], dtype=rows.dtype)
    return (rows[..., :, None] * (identity - rows[..., None, :])).astype(dtype, copy=False)


def softmax_backward(
    a: ArrayLike, grad: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None
) -> Any:
    """The gradient with respect to z, from activations ``a = softmax(z, c=c)`` and the gradient ``grad``
    with respect to them: c a_j (g_j - sum_k g_k a_k). ``grad`` has the shape of ``a``; finite ``c`` only.

    >>> softmax_backward([0.25, 0.75], [1.0, 0.0])
    array([ 0.1875, -0.1875])
    """
    return _core.softmax_backward(a, grad, axis, c, out)


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
    """The log-likelihood cost C = -ln a_y of a softmax layer, book (80), from its weighted inputs.

    Parameters
    ----------
    z
        Weighted inputs, classes along ``axis``.
    y
        Integer labels, of ``z``'s shape without ``axis``; or targets of ``z``'s shape (one-hot or
        probabilities, finite and not negative, taken as they are where they do not sum to 1; then
        the cost is -sum_k y_k ln a_k). Labels that are not integers are a ``TypeError``; one outside
        0..n-1 is an ``IndexError`` that names its row.
    reduction
        ``"mean"`` divides the sum by the weights of the examples that count (their number where
        there are no weights), ``"sum"`` does not divide, ``"none"`` gives one cost per example.
    sample_weight
        One weight per example, finite and not negative.
    class_weight
        One weight per class, finite and not negative. In the mean an example counts with
        sum_k w_k y_k of its targets before smoothing, times its sample weight. (PyTorch does so
        for labels, and divides by the number of examples where targets are given.)
    ignore_index
        Examples with this label cost nothing and count in no mean.
    label_smoothing
        s in [0, 1]: the targets become (1 - s) y + s / n.

    Notes
    -----
    Returns a scalar, or the examples' shape for ``"none"``. The logarithm is taken of the sum that
    leaves the largest class out where that one has nearly everything, so small costs are as
    accurate as large ones: float32 within 4 units in the last place, float64 within 6. The mean of
    no examples is NaN. No classes is a ``ValueError``.

    >>> float(log_likelihood_cost([2.0, 3.0, 4.0], 1))
    1.4076059644443804
    >>> log_likelihood_cost([[0.0, 0.0], [0.0, 0.0]], [0, 1], reduction="none")
    array([0.69314718, 0.69314718])
    """
    return _core.log_likelihood_cost(
        z, y, axis, reduction, sample_weight, class_weight, ignore_index, label_smoothing
    )


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
    """The output error delta = a - y of softmax with the log-likelihood cost, book (84): the gradient of
    :func:`log_likelihood_cost` with the same arguments with respect to ``z``.

    So it is a - y for ``"sum"`` and ``"none"``, and (a - y) / n for ``"mean"``. It is also the
    gradient with respect to the biases (81); times the activations before, to the weights (82).
    Examples that are ignored have exactly 0, and so has a mean's every example where all weigh nothing.
    Returns ``z``'s shape.

    >>> log_likelihood_delta([2.0, 3.0, 4.0], 1).round(4)
    array([ 0.09  , -0.7553,  0.6652])
    """
    return _core.log_likelihood_delta(
        z, y, axis, reduction, sample_weight, class_weight, ignore_index, label_smoothing, out
    )


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
    """:func:`log_likelihood_cost` and :func:`log_likelihood_delta` in one pass, the same bits: (80), (84).

    Returns (cost, delta); delta is in ``out`` where that is given.

    >>> cost, delta = log_likelihood_cost_and_delta([[2.0, 3.0, 4.0]], [1])
    >>> float(cost), delta.round(4)
    (1.4076059644443804, array([[ 0.09  , -0.7553,  0.6652]]))
    """
    return _core.log_likelihood_cost_and_delta(
        z, y, axis, reduction, sample_weight, class_weight, ignore_index, label_smoothing, out
    )


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
    """A whole output layer, z = a w^T + b with softmax and the log-likelihood cost (80), and its gradients,
    without z ever being there as a whole: for layers with very many classes.

    ``a`` are the activations before the layer, (n, features), an example in each row; ``w`` its weights,
    (classes, features); ``b`` its biases, (classes,) or (classes, 1), or None; ``y`` and the options
    as for :func:`log_likelihood_cost`. ``w`` and ``b`` are taken in the dtype of ``a``.

    Returns (cost, nabla_w, nabla_b, delta_a): the cost, its gradients with respect to the weights
    (82) and the biases (81), and with respect to ``a``, which is the error that is handed down
    before it is multiplied by the activation's derivative (BP2). With ``"none"`` the cost is one an
    example and the gradients are those of their sum. ``gradients=False``: the cost alone.

    Beside the results it needs 32 MB. The bits are the same on every machine. ValueError where
    shapes do not fit; labels, targets and weights are checked as the cost checks them, before
    anything is computed.

    >>> import numpy as np
    >>> a, w, b = np.ones((3, 2)), np.eye(4, 2), np.zeros(4)
    >>> cost, nabla_w, nabla_b, delta_a = linear_log_likelihood(a, w, b, [0, 1, 3])
    >>> round(float(cost), 4), nabla_w.shape, nabla_b.round(4), delta_a.shape
    (1.3397, (4, 2), array([ 0.0322,  0.0322,  0.1345, -0.1989]), (3, 2))
    """
    return _linear.linear_log_likelihood(
        a, w, b, y, reduction, sample_weight, class_weight, ignore_index, label_smoothing, gradients
    )


def sigmoid(z: ArrayLike, *, out: Array | None = None) -> Any:
    """The activation of a sigmoid neuron, 1 / (1 + e^-z), book (3). At most 1 unit in the last place off.

    >>> sigmoid([0.0, 1000.0, -1000.0])
    array([0.5, 1. , 0. ])
    """
    return _core.sigmoid(z, out)


def sigmoid_prime(z: ArrayLike, *, out: Array | None = None) -> Any:
    """The derivative of :func:`sigmoid`: sigma(z) (1 - sigma(z)), without the loss of 1 - sigma for large z.

    >>> sigmoid_prime([0.0, 40.0])
    array([2.50000000e-01, 4.24835426e-18])
    """
    return _core.sigmoid_prime(z, out)


def binary_cross_entropy_cost(
    z: ArrayLike, y: ArrayLike, *, reduction: Reduction = "mean", sample_weight: ArrayLike | None = None
) -> Any:
    """The book's cross-entropy (57) of sigmoid neurons, -(y ln a + (1 - y) ln(1 - a)), from ``z``.

    Every element is an example of its own: ``y`` (from 0 to 1) and ``sample_weight`` have ``z``'s
    shape, ``"mean"`` divides by the number of elements or the sum of their weights. A layer of k
    neurons with n examples has the book's (63) as ``reduction="sum"`` over n.

    >>> float(binary_cross_entropy_cost([0.0, 0.0], [1.0, 0.0]))
    0.6931471805599453
    """
    return _core.binary_cross_entropy_cost(z, y, reduction, sample_weight)


def binary_cross_entropy_delta(
    z: ArrayLike,
    y: ArrayLike,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    out: Array | None = None,
) -> Any:
    """The gradient of :func:`binary_cross_entropy_cost`: sigma(z) - y, book (68), divided for ``"mean"``.

    >>> binary_cross_entropy_delta([0.0, 40.0], [1.0, 1.0], reduction="sum")
    array([-5.00000000e-01, -4.24835426e-18])
    """
    return _core.binary_cross_entropy_delta(z, y, reduction, sample_weight, out)


def binary_cross_entropy_cost_and_delta(
    z: ArrayLike,
    y: ArrayLike,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    out: Array | None = None,
) -> tuple[Any, Any]:
    """:func:`binary_cross_entropy_cost` and :func:`binary_cross_entropy_delta` in one pass, the same bits.

    >>> cost, delta = binary_cross_entropy_cost_and_delta([0.0], [1.0])
    >>> float(cost), delta
    (0.6931471805599453, array([-0.5]))
    """
    return _core.binary_cross_entropy_cost_and_delta(z, y, reduction, sample_weight, out)
