"""The last layer without its logits: blocks of rows, whose weighted inputs are made, turned into errors in
place, and used up before the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core

Array = NDArray[Any]

# Bytes that a call may hold beside its results: the logits of a block of rows, and a part of a product. With
# fewer rows the weights are read more often than the products need.
LOGITS, _PART = 28 << 20, 1 << 20


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
    share = (1 / divisor if divisor else 0.0) if reduction == "mean" else 1.0
    targets, samples = np.asarray(y), None if sample_weight is None else np.asarray(sample_weight)

    if gradients:
        nabla_w, nabla_b, delta_a = (np.zeros(x.shape, x.dtype) for x in (weights, biases, inputs))
    costs = []
    at_once = max(1, LOGITS // (classes * inputs.itemsize))
    at_once -= at_once % 16 if at_once > 16 else 0  # BLAS takes some rows at a time
    room = np.empty((min(n, at_once), classes), inputs.dtype)
    for start in range(0, n, at_once):
        rows = slice(start, min(n, start + at_once))
        z = np.matmul(inputs[rows], weights.T, out=room[: rows.stop - start])
        z += biases.ravel()
        weight = None if samples is None else samples[rows]
        given = (z, targets[rows], -1, "none" if reduction == "none" else "sum", weight, *options)
        if not gradients:
            costs.append(_core.log_likelihood_cost(*given))
            continue
        cost, delta = _core.log_likelihood_cost_and_delta(*given, z)
        costs.append(cost)
        np.matmul(delta, weights, out=delta_a[rows])
        part = inputs[rows] * inputs.dtype.type(share)
        _add_product(nabla_w, delta.T, part)
        nabla_b.ravel()[:] += np.full(len(part), share, part.dtype) @ delta

    cost = _reduced(costs, reduction, divisor, dtype)
    if not gradients:
        return cost
    delta_a *= share
    return cost, *(x.astype(dtype, copy=False) for x in (nabla_w, nabla_b, delta_a))


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


def _add_product(to: Array, a: Array, b: Array) -> None:
    """to += a @ b, some rows at a time."""
    at_once = max(1, _PART // max(1, b.shape[1] * b.itemsize))
    room = np.empty((min(len(to), at_once), b.shape[1]), b.dtype)
    for start in range(0, len(to), at_once):
        part = to[start : start + at_once]
        part += np.matmul(a[start : start + at_once], b, out=room[: len(part)])


def _reduced(costs: list[Any], reduction: str, divisor: float, dtype: np.dtype[Any]) -> Any:
    if reduction == "none":
        return np.concatenate([np.zeros(0, dtype), *costs]).astype(dtype, copy=False)
    total = sum(float(cost) for cost in costs)
    if reduction == "mean":
        total = total / divisor if divisor else np.nan
    return dtype.type(total)
