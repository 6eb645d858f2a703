"""Backpropagation: the forward pass, and the gradients of the cost (the book's BP1 to BP4).

Examples stand in columns, except in :func:`weighted_inputs_of`, which takes many of them forward in one
compiled call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import _core, costs
from .. import functional as f
from .._functions import _linear
from .._runtime._errors import as_type, unheard
from .._runtime._types import Array

Parameters = tuple[list[Array], list[Array]]  # biases, weights


@unheard
def forward(parameters: Parameters, hidden: Any, x: Any) -> list[Any]:
    """Returns x, the activations of each hidden layer, and the weighted inputs of the last.

    ``x`` is an array or a sparse one of SciPy's.
    """
    biases, weights = parameters
    values = activations(biases[:-1], weights[:-1], hidden, x)
    return [*values, _weighted_inputs(values[-1], weights[-1], biases[-1])]


def activations(biases: list[Array], weights: list[Array], hidden: Any, x: Any) -> list[Any]:
    """Returns x, and the activations of each hidden layer, which have these parameters."""
    values = [x]
    for b, w in zip(biases, weights):
        z = _weighted_inputs(values[-1], w, b)
        values.append(f.activate(z, hidden, out=z))
    return values


def _weighted_inputs(x: Any, w: Array, b: Array) -> Array:
    return np.asarray(f.affine(x, w, b, axis=0) if isinstance(x, np.ndarray) else w @ x + b)


def weighted_inputs_of(parameters: Parameters, hidden: str) -> Callable[[Array], Array]:
    """Returns a function that takes examples in rows to the output layer's weighted inputs, (n, outputs)."""
    biases, weights = parameters
    sizes = [weights[0].shape[1], *(len(w) for w in weights)]
    network = _core.network(sizes, hidden, "LogLikelihoodCost", weights[0].dtype == np.float32)
    network.use([*map(plain, weights)], [*map(plain, biases)])
    return network.weighted_inputs


def plain(array: Array, dtype: DTypeLike | None = None) -> Array:
    """Returns the array in C order and aligned, as compiled code takes it: a copy if it is not so already."""
    return np.require(array, dtype, ["C", "A"])


def for_blas(x: Any) -> Any:
    """Returns the array, or a copy if it is not aligned (as a buffer that was received may be) or not in one
    piece: NumPy does not give such an array to BLAS, but multiplies in another way that has other bits."""
    return x if not isinstance(x, np.ndarray) or (x.flags.aligned and x.flags.forc) else x.copy("K")


def activate_output(cost: Any, z: Array) -> Array:
    """Returns the activations of the output layer, whose neurons are those that go with the cost."""
    return np.asarray(getattr(cost, "activation", f.sigmoid)(z))


@unheard
def sum_of_squares(weights: list[Array]) -> float:
    """Returns the sum of the squares of all weights, which L2 regularisation multiplies by lambda / 2."""
    return sum(float(np.sum(np.square(w, dtype=np.float64))) for w in weights)


def gradients(
    parameters: Parameters, hidden: str, cost: Any, x: Array, y: Array, weight: Array | None = None
) -> Parameters:
    """Returns (nabla_b, nabla_w), summed over the columns, each of which may have a weight."""
    of_softmax = getattr(cost, "delta", None) is costs.LogLikelihoodCost.delta
    if of_softmax and len(parameters[1][-1]) * x.shape[1] * x.dtype.itemsize > _linear.LOGIT_BYTES:
        return without_logits(parameters, hidden, x, y, weight)[1:]
    *values, z = forward(parameters, hidden, x)
    output = activate_output(cost, z) if getattr(cost, "delta_needs_a", True) else None
    delta = cost.delta(z, output, y)
    if weight is not None:
        with np.errstate(all="ignore"):  # not around the cost, which is a caller's
            delta = np.asarray(delta * weight)
    return backward(parameters[1], hidden, values, as_type(delta, x.dtype))


@unheard
def without_logits(
    parameters: Parameters, hidden: Any, x: Array, y: Array, weight: Array | None = None
) -> tuple[Any, list[Array], list[Array]]:
    """Returns (cost, nabla_b, nabla_w), summed over the columns, for a softmax layer that is wide.

    The weighted inputs of that layer are never held as a whole.
    """
    biases, weights = parameters
    values = activations(biases[:-1], weights[:-1], hidden, x)
    cost, last_w, last_b, delta = f.linear_log_likelihood(
        values[-1].T, weights[-1], biases[-1], y.T, reduction="sum", sample_weight=weight
    )
    if len(weights) == 1:
        return cost, [last_b], [last_w]
    delta = f.activation_backward(delta.T, values[-1], hidden)
    nabla_b, nabla_w = backward(weights[:-1], hidden, values[:-1], delta)
    return cost, [*nabla_b, last_b], [*nabla_w, last_w]


@unheard
def backward(weights: list[Array], hidden: Any, values: list[Any], delta: Array) -> Parameters:
    """Returns (nabla_b, nabla_w), given the inputs of each layer, as :func:`forward` returns them before the
    last value, and the error of the output layer."""
    nabla_b: list[Array] = []
    nabla_w: list[Array] = []
    for w, x in zip(weights[::-1], values[::-1]):
        if isinstance(x, np.ndarray):
            of_w, of_b, delta = f.affine_backward(
                delta, x, w, axis=0, activation=hidden, handed_down=x is not values[0]
            )
        else:
            of_w, of_b = delta @ x.T, delta.sum(axis=1, keepdims=True)
        nabla_b.append(of_b)
        nabla_w.append(of_w)
    return nabla_b[::-1], nabla_w[::-1]
