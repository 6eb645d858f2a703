"""What the machine allows, and how nndl_fast uses it: copies of the same array, the nearest caches, every
number of threads, every instruction set."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import limits
import measure
import numpy as np
import peers
import pytest
import summary
from results import COST_AND_DELTA, OURS_OUT, SOFTMAX

import nndl_fast as nf
from nndl_fast import _core


@pytest.mark.parametrize("operation", [SOFTMAX, COST_AND_DELTA])
@pytest.mark.parametrize(("n", "classes"), [limits.NEAREST])
def test_nearest_caches(timed: measure.Timed, operation: str, n: int, classes: int) -> None:
    """Array and result stay in the caches of one core."""
    with nf.num_threads(1):
        run_and_check(timed, operation, limits.NEAREST_CACHES, "one thread", n, classes)


@pytest.fixture(scope="session")  # calls are kept from round to round
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


def copy(z: peers.Array, pool: ThreadPoolExecutor) -> peers.Call:
    """On all threads, a part each."""
    out, threads = np.empty_like(z), nf.get_num_threads()
    parts = list(zip(*(np.array_split(array.reshape(-1), threads) for array in (out, z))))

    def call() -> peers.Array:
        done = [pool.submit(np.copyto, *part) for part in parts[1:]]
        np.copyto(*parts[0])
        for part in done:
            part.result()
        return out

    return call


@pytest.mark.parametrize(("n", "classes"), [s for s in peers.SHAPES if s[0] * s[1] >= limits.MANY])
def test_copy(timed: measure.Timed, n: int, classes: int, pool: ThreadPoolExecutor) -> None:
    z = peers.batch(n, classes).z
    np.testing.assert_array_equal(timed("limits", limits.COPY, n, classes, lambda: copy(z, pool)), z)


def np_copyto(z: peers.Array) -> peers.Call:
    """One thread and a cheap call: the faster copy of a small array."""
    out = np.empty_like(z)

    def call() -> peers.Array:
        np.copyto(out, z)
        return out

    return call


@pytest.mark.parametrize(("n", "classes"), peers.SHAPES)
def test_np_copyto(timed: measure.Timed, n: int, classes: int) -> None:
    z = peers.batch(n, classes).z
    result = timed("limits", limits.NP_COPYTO, n, classes, lambda: np_copyto(z))
    np.testing.assert_array_equal(result, z)


@pytest.mark.parametrize(("n", "classes"), [(10, 10)])
def test_np_exp(timed: measure.Timed, n: int, classes: int) -> None:
    z = peers.batch(n, classes).z
    result = timed("limits", limits.NP_EXP, n, classes, lambda: lambda: np.exp(z))
    peers.check_close(result, np.exp(z.astype(np.float64)), peers.RTOL)


def run_and_check(
    timed: measure.Timed, operation: str, varied: str, library: str, n: int, classes: int
) -> None:
    """Ours with out=, so that the page faults of a fresh result do not hide what is varied."""
    batch, name, ours = peers.batch(n, classes), f"{operation}, {varied}", OURS_OUT
    if operation == SOFTMAX:
        result = timed(name, library, n, classes, lambda: peers.SOFTMAX[ours](batch.z))
        peers.check_softmax(result, batch.a)
    else:
        result = timed(name, library, n, classes, lambda: peers.COST_AND_DELTA[ours](batch.z, batch.y))
        peers.check_cost_and_delta(result, batch)


@pytest.mark.parametrize("threads", range(1, nf.get_num_threads() + 1))
@pytest.mark.parametrize("operation", [SOFTMAX, COST_AND_DELTA])
@pytest.mark.parametrize(
    ("n", "classes"), [(60000, 10), (256, 100), (1024, 1000), (64, 128256), (1, 1000000)]
)
def test_threads(timed: measure.Timed, operation: str, threads: int, n: int, classes: int) -> None:
    with nf.num_threads(threads):
        run_and_check(timed, operation, "threads", str(threads), n, classes)


@pytest.mark.parametrize("operation", [SOFTMAX, COST_AND_DELTA])
@pytest.mark.parametrize(("n", "classes"), [(n, c) for n, *both in summary.WIDTHS for c in both])
def test_widths(timed: measure.Timed, operation: str, n: int, classes: int) -> None:
    run_and_check(timed, operation, "widths", OURS_OUT, n, classes)


LAYOUTS = {"rows": 1, "columns": 0}  # the axis of the classes
MANY_CLASSES = [(1024, 1000), (17, 5000), (256, 32000), (64, 128256)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("operation", [SOFTMAX, COST_AND_DELTA])
@pytest.mark.parametrize(("n", "classes"), MANY_CLASSES)
def test_layouts(timed: measure.Timed, operation: str, layout: str, n: int, classes: int) -> None:
    batch, axis = peers.batch(n, classes), LAYOUTS[layout]
    z = batch.z if axis else np.ascontiguousarray(batch.z.T)
    name = f"{operation}, layouts"
    if operation == SOFTMAX:
        result = timed(name, layout, n, classes, lambda: peers.SOFTMAX[OURS_OUT](z, axis=axis))
        peers.check_softmax(result if axis else result.T, batch.a)
        return
    out, call = np.empty_like(z), nf.log_likelihood_cost_and_delta
    cost, delta = timed(name, layout, n, classes, lambda: lambda: call(z, batch.y, axis, out=out))
    peers.check_cost_and_delta((cost, delta if axis else delta.T), batch)


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("operation", [SOFTMAX, COST_AND_DELTA])
@pytest.mark.parametrize(("n", "classes"), peers.SHAPES)
def test_instruction_sets(timed: measure.Timed, operation: str, isa: str, n: int, classes: int) -> None:
    with measure.instruction_set(isa):
        run_and_check(timed, operation, "instruction sets", isa, n, classes)


CALLERS = 8
MORE_THREADS = [8, 32]


@pytest.fixture(scope="session")
def many() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CALLERS) as executor:
        yield executor


@pytest.mark.parametrize("library", ["one after the other", f"{CALLERS} at once"])
@pytest.mark.parametrize(("n", "classes"), [(128, 10), (1024, 1000)])
def test_callers(timed: measure.Timed, n: int, classes: int, library: str, many: ThreadPoolExecutor) -> None:
    """So many calls from one thread of Python, and from as many."""
    batch = peers.batch(n, classes)
    call = peers.cost_and_delta_nndl_fast(batch.z, batch.y)

    def at_once() -> Any:
        return [done.result() for done in [many.submit(call) for _ in range(CALLERS)]][-1]

    def one_after_the_other() -> Any:
        return [call() for _ in range(CALLERS)][-1]

    make = at_once if library.endswith("at once") else one_after_the_other
    peers.check_cost_and_delta(timed(f"callers: {CALLERS} calls", library, n, classes, lambda: make), batch)


@pytest.mark.parametrize("threads", dict.fromkeys([nf.get_num_threads(), *MORE_THREADS]))
@pytest.mark.parametrize(("n", "classes"), [(256, 100), (1024, 1000)])
def test_more_threads(timed: measure.Timed, threads: int, n: int, classes: int) -> None:
    batch = peers.batch(n, classes)
    with nf.num_threads(threads):
        make = peers.COST_AND_DELTA[OURS_OUT]
        result = timed(
            "oversubscription: 1 call", f"{threads} threads", n, classes, lambda: make(batch.z, batch.y)
        )
    peers.check_cost_and_delta(result, batch)
