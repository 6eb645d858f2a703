"""The time of a call on p processors, from what a run measured on as many as there are:

    hand-over * log2(p) + max(work / p, memory(p))

``work`` is what the vectors of the batch take on one thread where everything is in its nearest caches.
``memory(p)`` is the time of copying the array: one thread's over p, but no less than what all threads of the
run took, or, if memory grows with the processors, than that times their number over p. The hand-over, of work
to twice as many threads, is what 1024 x 1000 takes longer on all threads than one thread's time over their
number.
"""

from __future__ import annotations

from math import log2
from typing import NamedTuple

import floors
import results
from results import Shape, Times
from summary import varied

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
    each = floors.per_element(times, operation)
    if each is None or HAND_OVER not in by_threads:
        return {}
    known = by_threads[HAND_OVER]
    most = max(known)
    hand_over = max(0.0, known[most] - known[1] / most) / log2(most) if most > 1 else 0.0
    found = {}
    for shape, measured in by_threads.items():
        alone = results.seconds(times, "limits", shape, floors.NP_COPYTO)
        kind = floors.limit(times, shape)
        by_all = None if kind is None else results.seconds(times, "limits", shape, kind)
        # shorter rows take more than the arithmetic of their classes
        if alone is not None and by_all is not None and shape[1] >= floors.NEAREST[1]:
            found[shape] = Line(each * shape[0] * shape[1], alone, by_all, hand_over, measured)
    return found
