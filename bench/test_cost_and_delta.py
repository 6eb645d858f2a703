"""Log-likelihood cost and output error together, integer labels: float32 at every shape, float64 at one."""

from __future__ import annotations

import measure
import numpy as np
import peers
import pytest


@pytest.mark.parametrize("peer", peers.COST_AND_DELTA)
@pytest.mark.parametrize(("n", "classes"), peers.SHAPES)
def test_float32(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    batch = peers.batch(n, classes)
    result = timed(
        "cost and delta",
        installed,
        n,
        classes,
        lambda: peers.COST_AND_DELTA[installed](batch.z, batch.y),
    )
    peers.check_cost_and_delta(result, batch)


@pytest.mark.parametrize("peer", [*peers.OURS, "PyTorch", "scikit-learn", "NumPy"])
@pytest.mark.parametrize(("n", "classes"), [(1024, 1000)])
def test_float64(timed: measure.Timed, installed: str, n: int, classes: int) -> None:
    batch = peers.batch(n, classes)
    result = timed(
        "cost and delta, float64",
        installed,
        n,
        classes,
        lambda: peers.COST_AND_DELTA[installed](batch.z.astype(np.float64), batch.y),
    )
    peers.check_cost_and_delta(result, batch, exact=True)
