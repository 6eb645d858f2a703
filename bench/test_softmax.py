"""Softmax forward in float32, examples in rows at every shape and in columns at two."""

from __future__ import annotations

from typing import Any

import numpy as np
import peers
import pytest


@pytest.mark.parametrize("peer", peers.SOFTMAX)
@pytest.mark.parametrize(("n", "classes"), peers.SHAPES)
def test_rows(benchmark: Any, installed: str, n: int, classes: int) -> None:
    benchmark.group = f"softmax {n} x {classes}"
    batch = peers.batch(n, classes)
    peers.check_softmax(benchmark(peers.SOFTMAX[installed](batch.z)), batch.a)


@pytest.mark.parametrize("peer", ["nndl_fast", "NumPy", "PyTorch"])
@pytest.mark.parametrize(("n", "classes"), [(60000, 10), (1024, 1000)])
def test_columns(benchmark: Any, installed: str, n: int, classes: int) -> None:
    benchmark.group = f"softmax {n} x {classes}, examples in columns"
    batch = peers.batch(n, classes)
    columns = np.ascontiguousarray(batch.z.T)
    peers.check_softmax(benchmark(peers.SOFTMAX[installed](columns, axis=0)), batch.a.T)
