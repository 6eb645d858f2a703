"""How far the times are from what the machine allows, which is measured in the same run: the time of a copy
of the array, and that of the arithmetic, what the operation takes where all is in the nearest caches."""

from __future__ import annotations

from typing import Any

import results
from results import OURS, OURS_OUT, Shape, Times
from summary import COST_AND_DELTA, SOFTMAX, Table, microseconds, number, shape_name, varied

COPY, NP_COPYTO, NP_EXP = "copy", "np.copyto", "np.exp"  # the first on all threads
NEAREST, NEAREST_CACHES = (64, 1000), "nearest caches"
MANY = 500_000  # elements from which a call itself does not count beside the arithmetic


def limit(times: Times, shape: Shape) -> str | None:
    """The faster copy of an array of this shape, if one was measured."""
    found = {k: t for k in (COPY, NP_COPYTO) if (t := results.seconds(times, "limits", shape, k))}
    return min(found, key=lambda kind: found[kind], default=None)


def quotient(over: float | None, under: float | None) -> float | None:
    return None if over is None or under is None else over / under


def per_element(times: Times, operation: str) -> float | None:
    """Seconds on one thread, in the nearest caches."""
    near = results.seconds(times, f"{operation}, {NEAREST_CACHES}", NEAREST, "one thread")
    return quotient(near, NEAREST[0] * NEAREST[1])


def most_threads(times: Times) -> int:
    """With which it was measured; 0 if the times by number of threads were not."""
    counts = (row for shapes in varied(times, "threads").values() for row in shapes.values())
    return max((int(count) for row in counts for count in row), default=0)


def limits(times: Times) -> list[dict[str, Any]]:
    """The times of nndl_fast over those of the machine's limits; the smallest shape also over np.exp."""
    found = []
    for shape in results.shapes(times, "limits"):
        elements = shape[0] * shape[1]
        for kind in (limit(times, shape), NP_EXP):
            base = None if kind is None else results.seconds(times, "limits", shape, kind)
            if base is None:
                continue
            record: dict[str, Any] = {"n": shape[0], "classes": shape[1], "limit": kind, "seconds": base}
            for operation in (SOFTMAX, COST_AND_DELTA):
                ours = {name: results.seconds(times, operation, shape, name) for name in (OURS, OURS_OUT)}
                for name, value in ours.items():
                    record[f"{operation}, {name}"] = quotient(value, base)
                each, threads = per_element(times, operation), most_threads(times)
                if elements >= MANY and each is not None and threads:
                    floor = max(base, each * elements / threads)
                    record[f"{operation} / floor"] = quotient(ours[OURS_OUT], floor)
            found.append(record)
    return found


def table(times: Times) -> Table:
    ours = [f"{operation}, {name}" for operation in (SOFTMAX, COST_AND_DELTA) for name in (OURS, OURS_OUT)]
    floors = [f"{operation} / floor" for operation in (SOFTMAX, COST_AND_DELTA)]
    rows = []
    for record in limits(times):
        shape = record["n"], record["classes"]
        copies = (microseconds(results.seconds(times, "limits", shape, kind)) for kind in (COPY, NP_COPYTO))
        rows.append(
            [shape_name(shape), *copies, record["limit"]]
            + [number(record.get(name)) for name in [*ours, *floors]]
        )
    return Table(
        "Distance to the machine's limits",
        "Times of copies of the same array, on all threads and on one; then the time "
        f"of {OURS} over the limit named: 1 would be as fast as copying. The floor is the larger of that and "
        "of the arithmetic: what the operation takes on one thread in the nearest caches "
        f"({shape_name(NEAREST)}), by the number of threads; with out=.",
        ["examples x classes", f"{COPY}, µs", f"{NP_COPYTO}, µs", "limit"]
        + [f"{name} / limit" for name in ours]
        + floors,
        rows,
    )
