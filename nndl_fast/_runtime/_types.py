"""The types that the functions' signatures share."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Axis = int | tuple[int, ...] | None
Reduction = Literal["mean", "sum", "none"]
Array = NDArray[Any]

# What the overloads of functions say: an array's dtype is that of the result, anything else gives Any. An
# array without dimensions comes back as a scalar, which these types, like NumPy's own, do not tell apart.
F = TypeVar("F", np.float16, np.float32, np.float64)
One = Literal["mean", "sum"]
Each = Literal["none"]


class Options(TypedDict, total=False):
    """Of the log-likelihood cost."""

    sample_weight: ArrayLike | None
    class_weight: ArrayLike | None
    ignore_index: int | None
    label_smoothing: float


class ToOne(Options, total=False):
    """Those of a call whose cost is one number."""

    reduction: One


class ToEach(Options):
    """Those of a call that gives a cost per example."""

    reduction: Each


class ToAny(Options, total=False):
    reduction: Reduction


HIDDEN = ("sigmoid", "tanh", "relu")  # the activations of hidden layers
