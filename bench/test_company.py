"""The measurements in company, each once."""

from __future__ import annotations

import company
import numpy as np
import peers
import results
import summary

SMALL = (128, 100, 10)


def test_measurements_after_others() -> None:
    """They run, check their results, and their tables have what was asked for."""
    records = company.run(rounds=1, seconds=0.01, shapes=[SMALL])
    whole, after = summary.of_company(records, [])
    assert [row[0] for row in whole.rows] == [row[0] for row in after.rows] == ["128 x 100 x 10"]
    assert after.header[1] == "after NumPy's product" and len(after.rows[0]) == len(after.header)
    assert all(float(part) > 0 for cell in after.rows[0][1:-1] for part in cell.split(";"))
    least, most = after.rows[0][-1].split(" to ")
    assert 0 < float(least) <= float(most)


def test_turns_with_other_libraries() -> None:
    records = company.run_turns(rounds=1, turns=1, shapes=[(256, 100)], names=["NumPy's product"])
    (table,) = summary.of_company([], records)
    assert table.header == ["examples x classes", "after NumPy's product", "the other's work, slowed"]
    ((shape, ours, others),) = table.rows
    assert shape == "256 x 100" and all(float(part) > 0 for part in ours.split(";"))
    assert all(float(part) > 0 for part in others.split(" to "))


def test_peers_whose_threads_are_awake() -> None:
    times = company.beside_peers(1, [(10, 10)])
    expected = {
        (results.in_turn(operation, name), who)
        for operation, libraries in company.AWAKE.items()
        for name in libraries
        for who in (name, results.OURS)
        if not peers.missing(name)
    }
    assert {(key.operation, key.library) for key in times} == expected


def test_the_parts_of_a_turn() -> None:
    its = company.Turns(np.array([0.0, 0.002, 0.004]), np.array([2.0, 3.0, 4.0]))
    assert its.mean() == 3
    assert its.mean(0.001) == 3.5
    assert its.mean(1.0) == 3  # no call began so late
