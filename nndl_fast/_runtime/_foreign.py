"""Objects of other libraries in which NumPy does not see the numbers that they have.

The core asks this where it converts an argument."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._types import Array


def as_numbers(given: Any, seen: Array, name: str) -> Array:
    """Returns the numbers of pandas' nullable columns and frames, and of all else what NumPy has seen.

    A missing value is a ValueError, a sparse array or matrix of SciPy's a TypeError.
    """
    if hasattr(given, "toarray"):
        raise TypeError(f"{name} is a {type(given).__name__}; it must be dense: give its .toarray()")
    dtypes = list(given.dtypes) if hasattr(given, "columns") else [getattr(given, "dtype", None)]
    if not any(hasattr(dtype, "na_value") for dtype in dtypes):
        return seen
    plain = [getattr(dtype, "numpy_dtype", dtype) for dtype in dtypes]
    if not all(getattr(dtype, "kind", "O") in "iufb" for dtype in plain):
        return seen
    missing = np.argwhere(np.asarray(given.isna()))
    if len(missing):
        place = ", ".join(map(str, missing[0].tolist()))
        raise ValueError(f"{name} has no value at ({place}); fill or drop it")
    return np.asarray(given.to_numpy(np.result_type(*plain)))
