"""Log-likelihood cost and output error together, integer labels: float32 at every shape, float64 at one."""

from __future__ import annotations

import measure
import numpy as np
import peers
import pytest


def measure_and_check(
    timed: measure.Timed, operation: str, dtype: type, library: str, n: int, classes: int
) -> None:
    batch = peers.batch(n, classes)
    result = timed(
        operation,
        library,
        n,
        classes,
        lambda: peers.COST_AND_DELTA[library](batch.z.astype(dtype, copy=False), batch.y),
    )
    peers.check_cost_and_delta(result, batch, exact=dtype is np.float64)


@pytest.mark.parametrize("peer", peers.COST_AND_DELTA)
@pytest.mark.parametrize(("n", "classes"), peers.SHAPES)
def test_float32(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    measure_and_check(timed, "cost and delta", np.float32, installed, n, classes)


@pytest.mark.parametrize("peer", [*peers.OURS, "PyTorch", "scikit-learn", "NumPy"])
@pytest.mark.parametrize(("n", "classes"), [(1024, 1000)])
def test_float64(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    measure_and_check(timed, "cost and delta, float64", np.float64, installed, n, classes)
