"""The arguments of linear_log_likelihood: arrays of one dtype, whose shapes fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .._runtime._errors import unheard
from .._runtime._types import Array

# Bytes of logits that are there at a time, unless a quarter of the weights or those of 32 examples are more.
ROOM = _core.room_of_logits


@unheard
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
    # What labels, targets and weights are checked against: logits that take no room.
    nowhere = np.broadcast_to(inputs.dtype.type(0), (len(inputs), len(weights)))
    options = (reduction, sample_weight, class_weight, ignore_index, label_smoothing)
    results = _core.linear_log_likelihood(
        nowhere, y, *options, inputs, weights, biases.ravel(), bool(gradients), ROOM
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
