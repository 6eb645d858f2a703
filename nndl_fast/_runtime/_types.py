"""The types that the functions' signatures share."""

from __future__ import annotations

from typing import Any, Literal

from numpy.typing import NDArray

Axis = int | tuple[int, ...] | None
Reduction = Literal["mean", "sum", "none"]
Array = NDArray[Any]

HIDDEN = ("sigmoid", "tanh", "relu")  # the activations of hidden layers
