"""Whole steps of a network, and the measurements in company, each once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import company
import pytest
import steps
import summary

SMALL = (128, 100, 10)


@pytest.mark.parametrize("peer", steps.STEP)
@pytest.mark.parametrize(("n", "classes"), steps.FEATURES)
def test_step(timed: Callable[..., Any], turn: int, n: int, classes: int, peer: str, installed: str) -> None:
    layer = steps.layer(n, steps.FEATURES[n, classes], classes)
    steps.check(timed(summary.STEP, peer, n, classes, lambda: steps.STEP[peer](layer)), layer)


def test_measurements_in_company() -> None:
    """They run, check their results, and their tables have what was asked for."""
    records = company.run(rounds=1, seconds=0.01, shapes=[SMALL])
    whole, beside, alone = company.tables(records)
    assert [row[0] for row in whole.rows] == [row[0] for row in alone.rows] == ["128 x 100 x 10"]
    assert [row[1] for row in beside.rows][:1] == ["NumPy's product"]
    assert all(float(row[3]) > 0 and float(row[-1]) > 0 for row in beside.rows)


def test_a_wrong_step_is_seen() -> None:
    layer = steps.layer(*SMALL)
    cost, nabla_w = steps.STEP["NumPy"](layer)()
    steps.check((cost, nabla_w), layer)
    nabla_w[3, 7] += 1e-3
    with pytest.raises(AssertionError):
        steps.check((cost, nabla_w), layer)
