"""Rounds in which the benchmarks of a shape take turns, a choice of shapes, and what a benchmark is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import measure
import peers
import pytest


def shape(text: str) -> tuple[int, int]:
    n, classes = (int(part) for part in text.split("x"))
    if (n, classes) not in peers.SHAPES:
        raise ValueError(text)
    return n, classes


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("nndl_fast")
    group.addoption(
        "--rounds",
        type=int,
        default=0,
        help="measure every benchmark of a shape once in each of so many rounds (bench/report.py does)",
    )
    group.addoption(
        "--shape",
        type=shape,
        action="append",
        metavar="NxCLASSES",
        help="only this shape (may be given again); without it all, and training",
    )
    group.addoption(
        "--keep-memory",
        action="store_true",
        help="malloc gives nothing back to the system, so that page faults do not depend on what ran before",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("keep_memory"):
        measure.keep_freed_memory()
    # scikit-learn's MLPClassifier says that one epoch has not converged, which is what is asked of it.
    # Its ConvergenceWarning is named by its base class, so that scikit-learn need not be installed.
    config.addinivalue_line("filterwarnings", "ignore:Stochastic Optimizer. Maximum iterations:UserWarning")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if (rounds := metafunc.config.getoption("rounds")) and "turn" in metafunc.fixturenames:
        metafunc.parametrize("turn", range(rounds))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shape by shape, and round by round within it; within a round the order of the files."""
    chosen = config.getoption("shape")
    dropped: list[pytest.Item] = []
    keyed: list[tuple[tuple[int, int], pytest.Item]] = []
    for item in items:
        callspec = getattr(item, "callspec", None)
        parameters: dict[str, Any] = callspec.params if callspec else {}
        if config.getoption("rounds") and "turn" not in parameters:
            dropped.append(item)  # a test that measures nothing
            continue
        its_shape = parameters.get("n"), parameters.get("classes")
        if chosen and its_shape not in chosen:
            dropped.append(item)
            continue
        position = peers.SHAPES.index(its_shape) if its_shape in peers.SHAPES else len(peers.SHAPES)
        keyed.append(((position, parameters.get("turn", 0)), item))
    keyed.sort(key=lambda pair: pair[0])
    items[:] = [item for _, item in keyed]
    config.hook.pytest_deselected(items=dropped)


@pytest.fixture
def turn() -> int:
    """The round; --rounds makes a parameter of it."""
    return 0


@pytest.fixture
def interleaved(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("rounds"))


@pytest.fixture
def installed(peer: str) -> str:
    """The name of the peer of this benchmark, which is skipped where the peer is missing."""
    if modules := peers.missing(peer):
        pytest.skip(f"{peer}: {' and '.join(modules)} not installed")
    return peer


@pytest.fixture(scope="session")
def prepared() -> measure.Prepared:
    return measure.Prepared()


@pytest.fixture
def timed(
    benchmark: Any, prepared: measure.Prepared, interleaved: bool, turn: int
) -> Callable[[str, str, int, int, Callable[[], peers.Call]], Any]:
    return measure.Timed(benchmark, prepared, interleaved)
