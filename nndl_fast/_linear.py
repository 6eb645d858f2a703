"""The last layer without its logits: a block of them is made, turned into errors in place, and used up before
the next. A block is some rows with all of their classes; where those would be so few rows that reading the
weights takes longer than the products, it is some classes of many rows, whose logits are made twice: once for
the rows' sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core

Array = NDArray[Any]
How = tuple[str, Array, Any, Any, float]  # reduction, sample_weight and the rest of the cost's options

# Bytes that a call may hold beside its results: the logits of a block, and a part of a product.
LOGITS, _PART = 24 << 20, 1 << 20
# Fewer rows than _FEW in a block are slower than blocks of classes with _MANY rows (bench/NOTES.md).
_FEW, _MANY = 160, 2048


def linear_log_likelihood(
    a: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    reduction: str,
    sample_weight: ArrayLike | None,
    class_weight: ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    gradients: bool,
) -> Any:
    inputs, dtype = _core.as_floats(a, "linear_log_likelihood", "a")
    weights, biases = _layer(inputs, w, b)
    n, classes = len(inputs), len(weights)
    # Everything is checked before anything is computed, with logits that take no room.
    nowhere = np.broadcast_to(inputs.dtype.type(0), (n, classes))
    options = (class_weight, ignore_index, label_smoothing)
    divisor = _core.log_likelihood_divisor(nowhere, y, reduction, sample_weight, *options)
    # A mean is a sum with weights that are divided already, so nothing needs a multiplication afterwards.
    share = (1 / divisor if divisor else 0.0) if reduction == "mean" else 1.0
    targets, samples = np.asarray(y), None if sample_weight is None else np.asarray(sample_weight)

    nablas = [np.zeros(x.shape, x.dtype) for x in (weights, biases, inputs)] if gradients else []
    logits = LOGITS // inputs.itemsize
    at_once = max(1, logits // classes)
    by_classes = at_once < min(n, _FEW) and targets.ndim == 1 and not label_smoothing
    if by_classes:
        at_once = _MANY
    elif at_once > 16:
        at_once -= at_once % 16  # BLAS takes some rows at a time
    least = max(classes, 2 * min(n, at_once))  # a row, or a column with that of the other classes
    room = np.empty(max(least, min(logits, n * (classes + 1))), inputs.dtype)
    costs = []
    for start in range(0, n, at_once):
        rows = slice(start, min(n, start + at_once))
        weight = np.full(len(inputs[rows]), share)
        if samples is not None:
            weight *= samples[rows]
        layer = (inputs[rows], weights, biases.ravel())
        to = [nablas[0], nablas[1].ravel(), nablas[2][rows]] if gradients else []
        how: How = ("none" if reduction == "none" else "sum", weight, *options)
        block = _classes if by_classes else _rows
        with np.errstate(invalid="ignore"):  # NaN goes through as it does in the kernels
            costs.append(block(room, layer, targets[rows], how, to))

    cost = _reduced(costs, reduction, divisor, dtype)
    return (cost, *(x.astype(dtype, copy=False) for x in nablas)) if gradients else cost


def _rows(room: Array, layer: Sequence[Array], y: Array, how: How, to: list[Array]) -> Any:
    """The cost of some rows; their gradients are added."""
    a, w, _ = layer
    z = _weighted_inputs(room[: len(a) * len(w)].reshape(len(a), -1), *layer)
    if not to:
        return _core.log_likelihood_cost(z, y, -1, *how)
    cost, delta = _core.log_likelihood_cost_and_delta(z, y, -1, *how, z)
    _add_gradients(to, delta, a, w)
    return cost


def _classes(room: Array, layer: Sequence[Array], y: Array, how: How, to: list[Array]) -> Any:
    """The same in blocks of classes, for labels without smoothing.

    Of the classes outside a block the softmax of a row needs one number, the logarithm of the sum of their
    exponentials. It stands beside the block as one class more, so that the cost's own kernels do the rest.
    """
    a, w, b = layer
    reduction, weight, class_weight, ignored, _ = how
    y = y.astype(np.intp)
    counts = y != ignored
    if class_weight is not None:
        weight = weight * np.asarray(class_weight)[np.where(counts, y, 0)]
    width = max(2, min(len(room) // len(a), len(w) + 1))
    width -= width % 16 if width > 16 else 0
    blocks = [slice(k, min(len(w), k + width - 1)) for k in range(0, len(w), width - 1)]
    z = room[: len(a) * width].reshape(len(a), width)

    sums = np.empty((len(blocks), len(a)), a.dtype)
    pairs = np.full((len(a), 2), -np.inf, a.dtype)  # the label's logit, and the sum of all others
    for block, total in zip(blocks, sums):
        part = _weighted_inputs(z[:, : block.stop - block.start], a, w[block], b[block])
        (here,) = np.nonzero(counts & (block.start <= y) & (y < block.stop))
        pairs[here, 0] = part[here, y[here] - block.start]
        part[here, y[here] - block.start] = -np.inf
        total[:] = _core.logsumexp(part, -1, False)
        pairs[:, 1] = np.logaddexp(pairs[:, 1], total)
        total[here] = np.logaddexp(total[here], pairs[here, 0])
    options = (None, -1, 0.0)
    cost = _core.log_likelihood_cost(pairs, np.where(counts, 0, -1), -1, reduction, weight, *options)
    if not to:
        return cost

    after = np.full_like(sums, -np.inf)
    for k in range(len(blocks) - 1, 0, -1):
        after[k - 1] = np.logaddexp(after[k], sums[k])
    before = np.full(len(a), -np.inf, a.dtype)
    for block, total, behind in zip(blocks, sums, after):
        size = block.stop - block.start
        _weighted_inputs(z[:, :size], a, w[block], b[block])
        z[:, size] = np.logaddexp(before, behind)
        before = np.logaddexp(before, total)
        label = np.where((block.start <= y) & (y < block.stop), y - block.start, size)
        label[~counts] = -1
        part = z[:, : size + 1]
        _core.log_likelihood_delta(part, label, -1, "sum", weight, *options, part)
        _add_gradients([to[0][block], to[1][block], to[2]], part[:, :size], a, w[block])
    return cost


def _weighted_inputs(z: Array, a: Array, w: Array, b: Array) -> Array:
    np.matmul(a, w.T, out=z)
    z += b
    return z


def _add_gradients(to: list[Array], delta: Array, a: Array, w: Array) -> None:
    """(82), (81) and the error handed down."""
    _add_product(to[0], delta.T, a)
    to[1] += np.ones(len(a), a.dtype) @ delta
    _add_product(to[2], delta, w)


def _add_product(to: Array, a: Array, b: Array) -> None:
    """to += a @ b, some rows at a time."""
    at_once = max(1, _PART // max(1, b.shape[1] * b.itemsize))
    room = np.empty((min(len(to), at_once), b.shape[1]), b.dtype)
    for start in range(0, len(to), at_once):
        part = to[start : start + at_once]
        part += np.matmul(a[start : start + at_once], b, out=room[: len(part)])


def _layer(inputs: Array, w: ArrayLike, b: ArrayLike | None) -> tuple[Array, Array]:
    """The layer's parameters in the dtype of its inputs."""
    weights = np.ascontiguousarray(w, inputs.dtype)
    if inputs.ndim != 2 or weights.ndim != 2 or inputs.shape[1] != weights.shape[1]:
        raise ValueError(
            f"linear_log_likelihood: a has shape {inputs.shape} and w {weights.shape}; "
            "they must be (n, features) and (classes, features)"
        )
    biases = np.zeros(len(weights), inputs.dtype) if b is None else np.array(b, inputs.dtype)
    if biases.shape not in ((len(weights),), (len(weights), 1)):
        raise ValueError(
            f"linear_log_likelihood: b has shape {biases.shape}; for w of shape {weights.shape} it must be "
            f"({len(weights)},) or ({len(weights)}, 1)"
        )
    return weights, biases


def _reduced(costs: list[Any], reduction: str, divisor: float, dtype: np.dtype[Any]) -> Any:
    if reduction == "none":
        return np.concatenate([np.zeros(0, dtype), *costs]).astype(dtype, copy=False)
    return dtype.type(np.nan if reduction == "mean" and not divisor else sum(float(cost) for cost in costs))
