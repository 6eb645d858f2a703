"""Calls under NumPy's default error state and under one that raises: they must not differ."""

import warnings

import numpy as np


def _outcome(call, **state):
    with warnings.catch_warnings(), np.errstate(**state):
        warnings.simplefilter("ignore")
        try:
            return _plain(call())
        except Exception as error:
            return type(error), str(error)


def _plain(result):
    if isinstance(result, (tuple, list)):
        return [_plain(part) for part in result]
    if isinstance(result, dict):
        return {name: _plain(part) for name, part in result.items()}
    if isinstance(result, (np.ndarray, np.generic)):
        return result.dtype, result.shape, result.tobytes()
    return repr(result) if isinstance(result, float) else result


def differ(call):
    """Both outcomes if they differ, else nothing. The call begins from the same state each time."""
    expected = _outcome(call, divide="warn", over="warn", invalid="warn", under="ignore")
    got = _outcome(call, all="raise")
    return None if got == expected else (got, expected)


def scaled(x, scale, dtype=np.float64):
    """The product, which may well underflow or overflow."""
    with np.errstate(all="ignore"):
        return (x * scale).astype(dtype)
