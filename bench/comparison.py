"""The tables that compare a report with an earlier one."""

from __future__ import annotations

from statistics import geometric_mean

import results
import summary


def tables(found: list[results.Change]) -> list[summary.Table]:
    ours, others = (
        [c for c in found if results.is_ours(c.key)],
        [c for c in found if not results.is_ours(c.key)],
    )
    title = "Against the other report"
    drift = found[0].drift if found else 0.0
    header = [
        "operation",
        "examples x classes",
        "library",
        "old, µs",
        "new, µs",
        "new / old",
        "noise",
        "verdict",
    ]

    def cells(change: results.Change) -> list[str]:
        key, old, new = change.key, change.old.seconds, change.new.seconds
        place = [
            key.operation,
            summary.shape_name(key.shape),
            key.library,
            summary.microseconds(old),
            summary.microseconds(new),
        ]
        return [*place, f"{change.ratio:.2f}", f"{change.noise:.1%}", change.verdict]

    def with_control(change: results.Change) -> list[str]:
        control = "" if change.control is None else f"{change.control:.2f}"
        return [*cells(change)[:-1], control, change.verdict]

    means = []
    for operation in dict.fromkeys(c.key.operation for c in found):
        row = [operation]
        for group in (ours, others):
            its = [c.ratio for c in group if c.key.operation == operation]
            row.append(f"{geometric_mean(its):.2f}" if its else "")
        means.append(row)
    return [
        summary.Table(
            f"{title}: geometric means",
            "New over old; the second column is the control: what the same peers and limits did.",
            ["operation", results.OURS, "peers and limits"],
            means,
        ),
        summary.Table(
            f"{title}: {results.OURS}",
            "A regression, or faster, is what exceeds the noise: that within both runs together, or, where "
            f"it is more, the drift between them, below {drift:.1%} for nine in ten times of the peers and "
            "limits. The control is the geometric mean of the peers at the same operation and shape.",
            [*header[:-1], "control", "verdict"],
            [with_control(c) for c in ours],
        ),
        summary.Table(f"{title}: peers and limits", "The control.", header, [cells(c) for c in others]),
    ]
