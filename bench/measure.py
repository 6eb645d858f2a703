"""How one call is timed: beside the others of its shape, in turn, so that whatever else the machine does
meets all of them alike."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import machine
import peers
import pytest
import results

from nndl_fast import _core

BIG = 500_000  # elements from which every call is timed; the calls of a smaller shape are timed together
MEASUREMENT = 0.02  # seconds that calls are repeated for in a round
BIG_MEASUREMENT = 0.05  # seconds, the same for big shapes
# The same beside other processes: the system favours a thread that has just slept, for a while.
MEASUREMENT_BESIDE = 0.2
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


MULTIPLY = """
import numpy as np
a, w = np.ones((1024, 512), np.float32), np.ones((512, 1000), np.float32)
z = a @ w
print("it works", flush=True)
while True:
    np.matmul(a, w, out=z)
"""
COUNT = "print('it works', flush=True)\nwhile True: pass"
# Other processes that keep all cores busy.
BESIDE = {"multiply": [MULTIPLY], "count": [COUNT] * machine.usable_processors()}


@contextmanager
def instruction_set(name: str) -> Iterator[None]:
    before = _core.isa()
    _core.use_isa(name)
    try:
        yield
    finally:
        _core.use_isa(before)


@contextmanager
def beside(programs: list[str]) -> Iterator[None]:
    """They work meanwhile."""
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for program in programs
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in started:
            process.kill()
            process.communicate()  # which closes the pipe, too


class Session:
    """What a run of pytest has measured, and the calls of one shape, kept from round to round: a JAX function
    or an ONNX session takes longer to prepare than to measure. Those of the shape before are dropped, as all
    of them would hold gigabytes."""

    def __init__(self, interleaved: bool = False, beside: bool = False) -> None:
        self.interleaved, self.beside = interleaved, beside
        self.rounds: dict[results.Key, list[float]] = {}
        self.shape = (0, 0)
        self.calls: dict[tuple[str, str], peers.Call] = {}
        self.repetitions: dict[tuple[str, str], int] = {}

    def call(
        self, operation: str, library: str, shape: results.Shape, make: Callable[[], peers.Call]
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
            whole = MEASUREMENT_BESIDE if self.beside else BIG_MEASUREMENT if self.big else MEASUREMENT
            self.repetitions[key] = max(1, round(whole / seconds))
        return self.repetitions[key]

    @property
    def big(self) -> bool:
        return self.shape[0] * self.shape[1] >= BIG

    def times(self) -> dict[results.Key, results.Time]:
        return {key: results.summary(values) for key, values in self.rounds.items()}


class Timed:
    """Times calls with pytest-benchmark, and returns the result of the last to be checked."""

    def __init__(self, benchmark: Any, session: Session) -> None:
        self.benchmark, self.session = benchmark, session

    def __call__(
        self, operation: str, library: str, n: int, classes: int, make: Callable[[], peers.Call]
    ) -> Any:
        """One library's call at one operation and shape."""
        call = self.session.call(operation, library, (n, classes), make)
        result = self.repeatedly(call, operation, library)
        self.keep(results.Key(operation, n, classes, library))
        return result

    def repeatedly(self, call: peers.Call, operation: str, library: str) -> Any:
        session, benchmark = self.session, self.benchmark
        if benchmark.disabled:
            return benchmark(call)
        if not session.interleaved:
            wait_for_idle_threads()
            return benchmark(call)
        repetitions = session.repeated(operation, library)
        wait_for_idle_threads()
        # The first calls wake threads and take memory from the system: a part of no measurement.
        for _ in range(max(1, repetitions // 2 if session.big else 1)):
            call()
        if session.big:
            benchmark.pedantic(discarding(call), rounds=repetitions)
        else:
            benchmark.pedantic(discarding(call) if repetitions == 1 else call, iterations=repetitions)
        return call()

    def long(
        self,
        key: results.Key,
        call: Callable[..., Any],
        setup: Callable[[], Any] | None = None,
        warm_up: int = 1,
    ) -> Any:
        """One that takes so long that it is measured once per round, after another that warms up. What
        ``setup`` returns is made anew for each, and given to the call."""
        if not self.benchmark.disabled:
            wait_for_idle_threads()
        arguments: dict[str, Any] = {"setup": lambda: ((setup(),), {})} if setup else {}
        result = self.benchmark.pedantic(call, rounds=1, warmup_rounds=warm_up, **arguments)
        self.keep(key)
        return result

    def keep(self, key: results.Key) -> None:
        """Tells the table of pytest-benchmark what was measured, and the report how long it took."""
        self.benchmark.group = f"{key.operation}, {key.n} x {key.classes}"
        self.benchmark.extra_info.update(key._asdict())
        if self.benchmark.stats is not None:  # None with --benchmark-disable
            seconds = getattr(self.benchmark.stats.stats, "mean" if self.session.beside else "median")
            self.session.rounds.setdefault(key, []).append(seconds)


SESSION = pytest.StashKey[Session]()  # where pytest's configuration has it
