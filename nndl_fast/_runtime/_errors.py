"""NumPy's error state (``np.seterr``) is the caller's: no arithmetic of ours raises or warns by it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from ._types import Array

P = ParamSpec("P")
R = TypeVar("R")


def unheard(function: Callable[P, R]) -> Callable[P, R]:
    """A function whose overflow, underflow and invalid operations are not reported, whatever the state is.

    It stands where NumPy computes, and not around calls of what a caller handed over: a cost class or a
    callback sees the state that its owner has set.
    """

    @wraps(function)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(all="ignore"):  # as a decorator, before NumPy 2, it is shared by threads
            return function(*args, **kwargs)

    return quiet


@unheard
def as_type(array: Any, dtype: DTypeLike) -> Array:
    """The array in that dtype; what is beyond it is infinite, or 0."""
    return np.asarray(array, dtype)
