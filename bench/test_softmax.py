"""Softmax forward in float32, examples in rows at every shape and in columns at two."""

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
