"""What the machine allows, measured in the run, and how far from it the times are."""

from __future__ import annotations

from typing import Any

import results
from results import OURS, OURS_OUT, Shape, Times
from summary import COST_AND_DELTA, SOFTMAX, Table, microseconds, number, shape_name

COPY, COPY_PAST_CACHE, EXPONENTIALS = "copy", "copy past the cache", "exponentials"
OPERATIONS, CYCLES = "operations", "cycles"
NEAREST, NEAREST_CACHES = (64, 1000), "nearest caches"
NP_COPYTO, NP_EXP = "np.copyto", "np.exp"
FLOAT = 4  # bytes of a float32
VECTOR = 16  # float32 in 64 bytes
MANY = 500_000  # elements from which a call itself does not count beside the arithmetic


def limit(times: Times, shape: Shape, cache: int) -> str | None:
    """What a shape is held against: the faster plain copy, or, where array and result do not fit into the
    cache together, the copy with stores past it, if this build has one."""
    n, classes = shape
    found = {
        k: t for k in (COPY, NP_COPYTO, COPY_PAST_CACHE) if (t := results.seconds(times, "limits", shape, k))
    }
    past = found.pop(COPY_PAST_CACHE, None)
    if past is not None and 2 * FLOAT * n * classes > cache:
        return COPY_PAST_CACHE
    return min(found, key=lambda kind: found[kind], default=None)


def quotient(over: float | None, under: float | None) -> float | None:
    return None if over is None or under is None else over / under


def cycles_of_a_vector(seconds: float | None, cycles: float | None) -> float | None:
    """``cycles`` is the time of a cycle for each element."""
    return quotient(None if seconds is None else VECTOR * seconds, cycles)


def limits(times: Times, cache: int) -> list[dict[str, Any]]:
    """The times of nndl_fast over those of the machine's limits; the smallest shape also over np.exp."""
    found = []
    for shape in results.shapes(times, "limits"):
        for kind in (limit(times, shape, cache), NP_EXP):
            base = None if kind is None else results.seconds(times, "limits", shape, kind)
            if base is None:
                continue
            record: dict[str, Any] = {"n": shape[0], "classes": shape[1], "limit": kind, "seconds": base}
            for operation in (SOFTMAX, COST_AND_DELTA):
                ours = {name: results.seconds(times, operation, shape, name) for name in (OURS, OURS_OUT)}
                for name, value in ours.items():
                    record[f"{operation}, {name}"] = quotient(value, base)
                exponentials = results.seconds(times, "limits", shape, EXPONENTIALS)
                if shape[0] * shape[1] >= MANY:
                    record[f"{operation} / exponentials"] = quotient(ours[OURS_OUT], exponentials)
                    operations = results.seconds(times, "limits", shape, OPERATIONS)
                    floor = None if operations is None else max(base, operations)
                    record[f"{operation} / floor"] = quotient(ours[OURS_OUT], floor)
                    cycles = results.seconds(times, "limits", shape, CYCLES)
                    record[f"cycles of {operation}"] = cycles_of_a_vector(ours[OURS_OUT], cycles)
            found.append(record)
    return found


def nearest_caches(times: Times) -> dict[str, float]:
    """The cycles that a vector of 64 bytes takes where array and result stay in one core's caches; {} if they
    were not measured."""
    cycles = results.seconds(times, NEAREST_CACHES, NEAREST, CYCLES)
    found = {
        "their operations": results.seconds(times, NEAREST_CACHES, NEAREST, OPERATIONS),
        SOFTMAX: results.seconds(times, f"{SOFTMAX}, {NEAREST_CACHES}", NEAREST, "one thread"),
        COST_AND_DELTA: results.seconds(times, f"{COST_AND_DELTA}, {NEAREST_CACHES}", NEAREST, "one thread"),
    }
    counted = {name: cycles_of_a_vector(value, cycles) for name, value in found.items()}
    return {name: value for name, value in counted.items() if value is not None}


def floors_table(times: Times, cache: int) -> Table:
    names = [f"{operation} / floor" for operation in (SOFTMAX, COST_AND_DELTA)]
    names += [f"cycles of {operation}" for operation in (SOFTMAX, COST_AND_DELTA)]
    rows = []
    for record in limits(times, cache):
        if record.get(names[0]) is not None:
            shape = record["n"], record["classes"]
            floors = record["seconds"], results.seconds(times, "limits", shape, OPERATIONS)
            rows.append(
                [shape_name(shape), *map(microseconds, floors), *(number(record.get(name)) for name in names)]
            )
    near = ", ".join(f"{name} {number(value)}" for name, value in nearest_caches(times).items())
    return Table(
        "Time over the larger of two floors",
        "The memory floor is the limit named above; the arithmetic floor is the time of softmax's 21 "
        "operations on each vector, on all threads, if none waits for another. 1 would be as fast as this "
        "machine allows. A cycle is what an addition takes that waits for the one before it, on as many "
        "threads; cycles are those of a vector of 64 bytes. On one thread, in the nearest caches "
        f"({shape_name(NEAREST)}): {near or 'not measured'}.",
        ["examples x classes", "memory, µs", "arithmetic, µs", *names],
        rows,
    )


def limits_table(times: Times, cache: int) -> Table:
    ours = [f"{operation}, {name}" for operation in (SOFTMAX, COST_AND_DELTA) for name in (OURS, OURS_OUT)]
    arithmetic = [f"{operation} / exponentials" for operation in (SOFTMAX, COST_AND_DELTA)]
    rows = []
    for record in limits(times, cache):
        shape = record["n"], record["classes"]
        yardsticks = (
            results.seconds(times, "limits", shape, kind)
            for kind in (COPY, NP_COPYTO, COPY_PAST_CACHE, EXPONENTIALS)
        )
        rows.append(
            [
                shape_name(shape),
                *(microseconds(value) for value in yardsticks),
                record["limit"],
                *(number(record.get(name)) for name in [*ours, *arithmetic]),
            ]
        )
    return Table(
        "Distance to the machine's limits",
        "Times of copies of the same array (np.copyto's on one thread, the others on all), and of as many "
        "exponentials with their sum, of what stands in the nearest cache and stored nowhere; then the time "
        f"of {OURS} over the limit named, and with out= over the exponentials. 1 would be as fast as "
        "copying, or as the arithmetic alone.",
        ["examples x classes", *(f"{kind}, µs" for kind in (COPY, NP_COPYTO, COPY_PAST_CACHE, EXPONENTIALS))]
        + ["limit"]
        + [f"{name} / limit" for name in ours]
        + arithmetic,
        rows,
    )
