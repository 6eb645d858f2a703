"""How one call is timed: beside the others of its shape, in turn, so that whatever else the machine does
meets all of them alike."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

import peers

BIG = 500_000  # elements from which every call is timed; the calls of a smaller shape are timed together
MEASUREMENT = 0.02  # seconds that calls are repeated for in a round
BIG_MEASUREMENT = 0.05  # seconds, the same for big shapes
# Seconds asleep between two looks at whether threads still spin. Linux counts the time of a thread that runs
# on another processor once per tick, and a tick may take 10 ms.
PAUSE = 0.012
LONGEST_PAUSE = 0.5  # seconds, for OpenBLAS and for threads that are told never to stop


M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h


def keep_freed_memory() -> bool:
    """Tells glibc's malloc not to give memory back to the system, and says whether it could be told.

    Otherwise it depends on the arrays of everyone measured before whether the same call finds its memory
    there or faults it in page by page, which takes up to ten times as long as the call itself.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    # The arenas of threads give memory back whatever they are told, so there is to be one for all.
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_ARENA_MAX: 1}
    return all([mallopt(*setting) for setting in settings.items()])


def wait_for_idle_threads() -> None:
    """Sleeps until the threads of the library measured before no longer spin: a fixed pause does not do, as
    OpenMP's go on for some milliseconds and ONNX Runtime's for tens, at the cost of whoever comes next."""
    deadline = time.perf_counter() + LONGEST_PAUSE
    spinning = True
    while spinning and time.perf_counter() < deadline:
        used = time.process_time()
        time.sleep(PAUSE)
        spinning = time.process_time() - used > PAUSE / 4


def seconds_of_a_call(call: peers.Call) -> float:
    wait_for_idle_threads()
    call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def discarding(call: peers.Call) -> Callable[[], None]:
    """The same without a result: giving back its memory is then part of the time, as in a user's loop."""

    def discard() -> None:
        call()

    return discard


class Prepared:
    """The calls of one shape, kept from round to round: a JAX function or an ONNX session takes longer to
    prepare than to measure. Those of the shape before are dropped, as all of them would hold gigabytes."""

    def __init__(self) -> None:
        self.shape = (0, 0)
        self.calls: dict[tuple[str, str], peers.Call] = {}
        self.repetitions: dict[tuple[str, str], int] = {}

    def call(
        self, operation: str, library: str, shape: tuple[int, int], make: Callable[[], peers.Call]
    ) -> peers.Call:
        if shape != self.shape:
            self.shape = shape
            self.calls.clear()
            self.repetitions.clear()
        key = operation, library
        if key not in self.calls:
            self.calls[key] = make()
        return self.calls[key]

    def repeated(self, operation: str, library: str) -> int:
        """How many calls make a measurement; the call has been prepared."""
        key = operation, library
        if key not in self.repetitions:
            # The best of three: a call that was held up would make every measurement after it too short.
            seconds = min(seconds_of_a_call(self.calls[key]) for _ in range(3))
            self.repetitions[key] = max(1, round((BIG_MEASUREMENT if self.big else MEASUREMENT) / seconds))
        return self.repetitions[key]

    @property
    def big(self) -> bool:
        return self.shape[0] * self.shape[1] >= BIG


class Timed:
    """Times one call of one library with pytest-benchmark, and returns its result to be checked."""

    def __init__(self, benchmark: Any, prepared: Prepared, interleaved: bool) -> None:
        self.benchmark, self.prepared, self.interleaved = benchmark, prepared, interleaved

    def __call__(
        self, operation: str, library: str, n: int, classes: int, make: Callable[[], peers.Call]
    ) -> Any:
        describe(self.benchmark, operation, library, n, classes)
        call = self.prepared.call(operation, library, (n, classes), make)
        if self.benchmark.disabled:
            return self.benchmark(call)
        if not self.interleaved:
            wait_for_idle_threads()
            return self.benchmark(call)
        repetitions = self.prepared.repeated(operation, library)
        wait_for_idle_threads()
        # The first calls wake threads and take memory from the system: a part of no measurement.
        for _ in range(max(1, repetitions // 2 if self.prepared.big else 1)):
            call()
        if self.prepared.big:
            self.benchmark.pedantic(discarding(call), rounds=repetitions)
        else:
            self.benchmark.pedantic(discarding(call) if repetitions == 1 else call, iterations=repetitions)
        return call()


def describe(benchmark: Any, operation: str, library: str, n: int, classes: int) -> None:
    """Tells the table of pytest-benchmark, and the report by its JSON, what is measured."""
    benchmark.group = f"{operation}, {n} x {classes}"
    benchmark.extra_info.update(operation=operation, library=library, n=n, classes=classes)
