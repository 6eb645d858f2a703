"""Rounds in which the benchmarks of a shape take turns, a choice of shapes, and what a benchmark is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import machine
import measure
import peers
import pytest
import summary


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
        help="measure every benchmark of a shape once in each of so many rounds, and print the ratios",
    )
    group.addoption(
        "--shape",
        type=shape,
        action="append",
        metavar="NxCLASSES",
        help="only this shape (may be given again); without it all, and training",
    )
    group.addoption(
        "--beside",
        choices=measure.BESIDE,
        help="keep all cores busy in other processes meanwhile; rounds then count by their means",
    )
    group.addoption(
        "--keep-memory",
        action="store_true",
        help="malloc gives nothing back to the system, so that page faults do not depend on what ran before",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes minutes; left out unless asked for (-m slow)")
    config.addinivalue_line("markers", "rounds(most): at most so many rounds, since one takes long")
    if config.getoption("keep_memory"):
        measure.keep_freed_memory()
    # scikit-learn's estimators say that they have not converged, which is not asked of them.
    # Its ConvergenceWarning is named by its base class, so that scikit-learn need not be installed.
    config.addinivalue_line("filterwarnings", "ignore:Stochastic Optimizer. Maximum iterations:UserWarning")
    rounds, beside = config.getoption("rounds"), config.getoption("beside")
    config.stash[measure.SESSION] = measure.Session(bool(rounds), beside is not None)


def pytest_report_header() -> str:
    found = ", ".join(f"{name}={value}" for name, value in machine.settings().items())
    return f"set in the environment, and changing how fast libraries are: {found or 'nothing'}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if (rounds := metafunc.config.getoption("rounds")) and "turn" in metafunc.fixturenames:
        most = metafunc.definition.get_closest_marker("rounds")
        metafunc.parametrize("turn", range(min(rounds, *most.args) if most else rounds))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shape by shape, and round by round within it; within a round the order of the files."""
    chosen = config.getoption("shape")
    dropped: list[pytest.Item] = []
    places: dict[Any, int] = {shape: i for i, shape in enumerate(peers.SHAPES)}
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
        # What takes turns: everything of a shape; a test of other shapes; or whoever does the same as others.
        place: Any = its_shape
        if None in its_shape:
            what = (str(value) for name, value in parameters.items() if name not in ("turn", "peer"))
            place = item.nodeid.partition("[")[0], *what
        elif its_shape not in peers.SHAPES:
            place = item.nodeid.partition("[")[0]
        position = places.setdefault(place, len(places))
        keyed.append(((position, parameters.get("turn", 0)), item))
    keyed.sort(key=lambda pair: pair[0])
    items[:] = [item for _, item in keyed]
    config.hook.pytest_deselected(items=dropped)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.getoption("rounds") and config.get_verbosity() >= 0:
        for table in summary.of(config.stash[measure.SESSION].times()):
            terminalreporter.write_line(summary.markdown(table))


@pytest.fixture(scope="session", autouse=True)
def busy(request: pytest.FixtureRequest) -> Iterator[None]:
    with measure.beside(measure.BESIDE.get(request.config.getoption("beside"), [])):
        yield


@pytest.fixture
def turn() -> int:
    """The round; --rounds makes a parameter of it."""
    return 0


@pytest.fixture
def installed(peer: str) -> str:
    """The name of the peer of this benchmark, which is skipped where the peer is missing."""
    if modules := peers.missing(peer):
        pytest.skip(f"{peer}: {' and '.join(modules)} not installed")
    return peer


@pytest.fixture
def timed(benchmark: Any, request: pytest.FixtureRequest, turn: int) -> measure.Timed:
    return measure.Timed(benchmark, request.config.stash[measure.SESSION])
