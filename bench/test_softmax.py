"""Softmax forward: float32, examples in rows at every shape, in columns at two; other types at two."""

from __future__ import annotations

import measure
import numpy as np
import peers
import pytest


@pytest.mark.parametrize("peer", peers.SOFTMAX)
@pytest.mark.parametrize(("n", "classes"), peers.SHAPES)
def test_rows(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    batch = peers.batch(n, classes)
    result = timed("softmax", installed, n, classes, lambda: peers.SOFTMAX[installed](batch.z))
    peers.check_softmax(result, batch.a)


@pytest.mark.parametrize("peer", [*peers.OURS, "PyTorch", "NumPy"])
@pytest.mark.parametrize(("n", "classes"), [(60000, 10), (1024, 1000)])
def test_columns(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    batch = peers.batch(n, classes)
    result = timed(
        "softmax, examples in columns",
        installed,
        n,
        classes,
        lambda: peers.SOFTMAX[installed](np.ascontiguousarray(batch.z.T), axis=0),
    )
    peers.check_softmax(result, batch.a.T)


# A unit of the type, or of float64 the errors of the reference; and the smallest float16.
TOLERANCES = {"float64": (1e-13, 0.0), "float16": (1e-3, 6e-8), "bfloat16": (8e-3, 0.0)}


@pytest.mark.parametrize("peer", [*peers.OURS, "PyTorch"])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("n", "classes"), [(1024, 1000), (256, 32000)])
def test_types(timed: measure.Timed, installed: str, dtype: str, n: int, classes: int) -> None:
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")  # whose types NumPy then knows by name
    z = peers.batch(n, classes).z.astype(dtype)
    result = timed(f"softmax, {dtype}", installed, n, classes, lambda: peers.SOFTMAX[installed](z))
    if installed == "PyTorch":
        result = result.double()  # NumPy takes no bfloat16 of it
    peers.check_close(np.asarray(result, np.float64), peers.in_float64(z)[0], *TOLERANCES[dtype])
