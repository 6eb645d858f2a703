"""How good a network is: its cost and its correct answers on examples, which go through it in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .._runtime._types import Array
from ._backpropagation import activate_output, sum_of_squares, weighted_inputs_of
from ._layers import Layers

# Makes the function that takes examples in rows to the last layer's weighted inputs: a trainer has one in
# which the parameters stand already.
Forward = Callable[[], Callable[[Array], Array]]

# Columns, and bytes of the widest layer, that go through the network at a time where nothing is learned.
_COLUMNS, _BYTES = 4096, 32 << 20


def weighted_inputs(
    net: Layers, rows: Array, forward: Forward | None = None
) -> Iterator[tuple[slice, Array]]:
    """Some examples at a time, and in columns the last layer's weighted inputs."""
    of_rows = forward() if forward else weighted_inputs_of(net.parameters, net.hidden)
    at_once = max(1, min(_COLUMNS, _BYTES // (max(net.sizes) * net.dtype.itemsize)))
    for start in range(0, len(rows), at_once):
        part = slice(start, start + at_once)
        yield part, of_rows(rows[part]).T


def judge(
    net: Layers, x: Array, y: Array, lmbda: float | None, forward: Forward | None = None
) -> tuple[float, int]:
    """The cost per example, regularisation included (0 where lmbda is None), and the correct answers."""
    from_z = getattr(net.cost, "from_z", None)
    cost, correct = 0.0, 0
    for part, z in weighted_inputs(net, x, forward):
        a = activate_output(net.cost, z)
        correct += _count_correct(a, y[part].T)
        if lmbda is not None:
            cost += float(from_z(z, y[part].T) if from_z else net.cost.fn(a, y[part].T))
    if lmbda is None:
        return 0.0, correct
    return (cost + 0.5 * lmbda * sum_of_squares(net.weights)) / len(x), correct


def _count_correct(a: Array, y: Array) -> int:
    """Columns of activations that say what y, labels or columns of targets, says."""
    if len(a) == 1:
        return int(np.sum((a > 0.5) == (y > 0.5)))
    return int(np.sum(a.argmax(axis=0) == (y if y.ndim == 1 else y.argmax(axis=0))))
