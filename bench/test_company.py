"""Whole steps of a network, and the measurements in company, each once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import company
import numpy as np
import peers
import pytest
import results
import steps
import summary
import turns

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


def test_turns_with_other_libraries() -> None:
    records = turns.run(rounds=1, turns=1, shapes=[(256, 100)], names=["NumPy's product"])
    nothing, product = turns.table(records).rows
    assert nothing[:2] == ["256 x 100", "nothing"] and nothing[-1] == ""
    assert product[:2] == ["256 x 100", "NumPy's product"]
    assert all(float(cell) > 0 for cell in product[3:])


def test_peers_whose_threads_are_awake() -> None:
    times = turns.beside_peers(1, [(10, 10)])
    expected = {
        (summary.in_turn(operation, name), who)
        for operation, libraries in turns.AWAKE.items()
        for name in libraries
        for who in (name, results.OURS)
        if name != results.OURS and not peers.missing(name)
    }
    assert {(key.operation, key.library) for key in times} == expected


def test_the_parts_of_a_turn() -> None:
    its = turns.Turns(np.array([0.0, 0.002, 0.004]), np.array([2.0, 3.0, 4.0]))
    assert its.mean() == 3
    assert its.mean(0.001) == 3.5 and its.mean(0, 0.003) == 2.5
    assert its.mean(1.0) == 3  # no call began so late


def test_a_wrong_step_is_seen() -> None:
    layer = steps.layer(*SMALL)
    cost, nabla_w = steps.STEP["NumPy"](layer)()
    steps.check((cost, nabla_w), layer)
    nabla_w[3, 7] += 1e-3
    with pytest.raises(AssertionError):
        steps.check((cost, nabla_w), layer)
