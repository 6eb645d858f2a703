"""Objects that NumPy can only see as objects, and what they could be instead. The core asks this where it
converts an argument."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._types import Array


def as_numbers(given: Any, objects: Array, name: str) -> Array:
    """Returns the columns of pandas that may miss values, as float64, if none is missing; else the objects.

    A sparse array or matrix of SciPy's is a TypeError, a missing value a ValueError.
    """
    if hasattr(given, "toarray"):
        raise TypeError(f"{name} is a {type(given).__name__}; it must be dense: give its .toarray()")
    dtypes = list(given.dtypes) if hasattr(given, "columns") else [getattr(given, "dtype", None)]
    if not any(hasattr(dtype, "na_value") for dtype in dtypes):
        return objects
    if not all(getattr(dtype, "kind", "O") in "iuf" for dtype in dtypes):
        return objects
    missing = np.argwhere(np.asarray(given.isna()))
    if len(missing):
        place = ", ".join(map(str, missing[0].tolist()))
        raise ValueError(f"{name} has no value at ({place}); fill or drop it")
    return np.asarray(given.to_numpy(np.float64 if len(dtypes) > 1 else dtypes[0].numpy_dtype))
