"""Backpropagation: the forward pass, and the gradients of the cost (the book's BP1 to BP4), in NumPy.

Examples stand in columns. Many examples go forward in compiled code: see :func:`weighted_inputs_of`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from . import _core, _linear, costs
from . import functional as f
from ._errors import as_type, unheard
from ._types import Array

Parameters = tuple[list[Array], list[Array]]  # biases, weights


class Activation(NamedTuple):
    """The activation of hidden neurons and its derivative, both functions of the weighted inputs."""

    of: Callable[[Array], Array]
    prime: Callable[[Array], Array]


ACTIVATIONS = {
    "sigmoid": Activation(f.sigmoid, f.sigmoid_prime),
    "tanh": Activation(np.tanh, lambda z: 1 - np.square(np.tanh(z))),
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z: z > 0),
}


@unheard
def forward(parameters: Parameters, hidden: str, x: Array) -> tuple[list[Array], list[Array]]:
    """Returns the weighted inputs of each layer after the first, and the activations of all but the last."""
    zs: list[Array] = []
    activations = [for_blas(x)]
    for b, w in zip(*parameters):
        if zs:
            activations.append(ACTIVATIONS[hidden].of(zs[-1]))
        zs.append(w @ activations[-1] + b)
    return zs, activations


def weighted_inputs_of(parameters: Parameters, hidden: str) -> Callable[[Array], Array]:
    """Returns a function that takes examples in rows to the output layer's weighted inputs, (n, outputs)."""
    biases, weights = parameters
    sizes = [weights[0].shape[1], *(len(w) for w in weights)]
    network = _core.trainer(sizes, hidden, "LogLikelihoodCost", weights[0].dtype == np.float32)
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


def gradients(parameters: Parameters, hidden: str, cost: Any, x: Array, y: Array) -> Parameters:
    """Returns (nabla_b, nabla_w), summed over the columns."""
    if _is_wide(cost, len(parameters[1][-1]), x.shape[1], x.dtype):
        return without_logits(parameters, hidden, x, y)[1:]
    zs, activations = forward(parameters, hidden, x)
    output = activate_output(cost, zs[-1]) if getattr(cost, "delta_needs_a", True) else None
    delta = as_type(cost.delta(zs[-1], output, y), x.dtype)
    return backward(parameters[1], hidden, zs, activations, delta)


def _is_wide(cost: Any, outputs: int, examples: int, dtype: np.dtype[Any]) -> bool:
    """Whether the last layer's weighted inputs are too many to be held as a whole, and need not be."""
    known = getattr(cost, "delta", None) is costs.LogLikelihoodCost.delta
    return known and outputs * examples * dtype.itemsize > _linear.ROOM


@unheard
def without_logits(
    parameters: Parameters, hidden: str, x: Array, y: Array, weight: Array | None = None
) -> tuple[Any, list[Array], list[Array]]:
    """Returns (cost, nabla_b, nabla_w), summed over the columns, for a softmax layer that is wide.

    The weighted inputs of that layer are never held as a whole.
    """
    biases, weights = parameters
    zs, activations = forward((biases[:-1], weights[:-1]), hidden, x)
    a = ACTIVATIONS[hidden].of(zs[-1]) if zs else x
    cost, last_w, last_b, handed_down = f.linear_log_likelihood(
        a.T, weights[-1], biases[-1], y.T, reduction="sum", sample_weight=weight
    )
    return cost, *_below(weights[:-1], hidden, zs, activations, handed_down.T, ([last_b], [last_w]))


@unheard
def backward(
    weights: list[Array], hidden: str, zs: list[Array], activations: list[Array], delta: Array
) -> Parameters:
    """Returns (nabla_b, nabla_w), given what :func:`forward` returned and the error of the output layer."""
    last = ([delta.sum(axis=1, keepdims=True)], [delta @ activations[-1].T])
    handed_down = weights[-1].T @ delta if len(weights) > 1 else delta
    return _below(weights[:-1], hidden, zs[:-1], activations[:-1], handed_down, last)


def _below(
    weights: list[Array],
    hidden: str,
    zs: list[Array],
    activations: list[Array],
    handed_down: Array,
    above: Parameters,
) -> Parameters:
    """Returns the gradients of the hidden layers, followed by those of the layer above them."""
    nabla_b, nabla_w = above
    delta = handed_down
    for layer in range(len(weights) - 1, -1, -1):
        delta = delta * ACTIVATIONS[hidden].prime(zs[layer])
        nabla_b.append(delta.sum(axis=1, keepdims=True))
        nabla_w.append(delta @ activations[layer].T)
        if layer:
            delta = weights[layer].T @ delta
    return nabla_b[::-1], nabla_w[::-1]
