"""Log-likelihood cost and output error together, float32 and integer labels, at every shape."""

from __future__ import annotations

from typing import Any

import peers
import pytest


@pytest.mark.parametrize("peer", peers.COST_AND_DELTA)
@pytest.mark.parametrize(("n", "classes"), peers.SHAPES)
def test_cost_and_delta(benchmark: Any, installed: str, n: int, classes: int) -> None:
    benchmark.group = f"cost and delta {n} x {classes}"
    batch = peers.batch(n, classes)
    result = benchmark(peers.COST_AND_DELTA[installed](batch.z, batch.y))
    peers.check_cost_and_delta(result, batch)
