"""How far the times are from what the machine allows, which is measured in the same run: the time of a copy
of the array, and that of the arithmetic, what the operation takes where all is in the nearest caches.

And the time of a call on p processors, from what a run measured on as many as there are:

    hand-over * log2(p) + max(work / p, memory(p))

``work`` is the arithmetic of the batch on one thread. ``memory(p)`` is the time of copying the array: one
thread's over p, but no less than what all threads of the run took, or, if memory grows with the processors,
than that times their number over p. The hand-over, of work to twice as many threads, is what 1024 x 1000
takes longer on all threads than one thread's time over their number.
"""

from __future__ import annotations

from math import log2
from typing import Any, NamedTuple

import results
from results import COST_AND_DELTA, OURS, OURS_OUT, SOFTMAX, Shape, Times, varied

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
            record: dict[str, Any] = {"shape": shape, "limit": kind}
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


MOST = 64  # processors
HAND_OVER = (1024, 1000)


class Line(NamedTuple):
    """Seconds."""

    work: float
    copy_alone: float
    copy_by_all: float
    hand_over: float
    measured: dict[int, float]  # by number of threads

    def seconds(self, processors: int, memory_grows: bool) -> float:
        most = max(self.measured)
        times_memory = max(1, processors / most) if memory_grows else 1
        memory = max(self.copy_alone / processors, self.copy_by_all / times_memory)
        return self.hand_over * log2(processors) + max(self.work / processors, memory)

    def alone(self) -> float:
        return self.seconds(1, False)


def of_times(times: Times, operation: str) -> dict[Shape, Line]:
    """For each shape that was measured by number of threads, if the run has what the model needs."""
    by_threads = {
        shape: {int(threads): seconds for threads, seconds in row.items()}
        for shape, row in varied(times, "threads").get(operation, {}).items()
    }
    each = per_element(times, operation)
    if each is None or HAND_OVER not in by_threads:
        return {}
    known = by_threads[HAND_OVER]
    most = max(known)
    hand_over = max(0.0, known[most] - known[1] / most) / log2(most) if most > 1 else 0.0
    found = {}
    for shape, measured in by_threads.items():
        alone = results.seconds(times, "limits", shape, NP_COPYTO)
        kind = limit(times, shape)
        by_all = None if kind is None else results.seconds(times, "limits", shape, kind)
        # shorter rows take more than the arithmetic of their classes
        if alone is not None and by_all is not None and shape[1] >= NEAREST[1]:
            found[shape] = Line(each * shape[0] * shape[1], alone, by_all, hand_over, measured)
    return found
