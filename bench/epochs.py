"""Whole epochs of networks as people write them in NumPy, and of the same networks with more and more of
their lines replaced by nndl_fast: ``python bench/epochs.py FOLDER``, with MNIST's IDX files in FOLDER.

The networks are in bench/numpy_networks/. For each it prints the seconds of an epoch in plain NumPy, how many
times as fast each stage is, and what share of the epoch in plain NumPy it takes; the difference between two
shares is what one replacement saves. The stages take turns, and the results of each have been compared with
those of plain NumPy before. With ``--beside`` another process multiplies on all cores meanwhile. With
``--digests`` it trains on a little of the data instead, with each instruction set and different numbers of
threads, and fails unless all of them give the same bits."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from statistics import median
from typing import Any, NamedTuple, Protocol

import machine
import measure
import numpy as np
import summary
import two_processes
from numpy.typing import NDArray
from numpy_networks import classes, columns, recurrent, rows_adam, text, words

import nndl_fast as nf
from nndl_fast import _core

Array = NDArray[Any]

ROUNDS = 5
LEAST = 1_000  # examples or words: fewer words are not two steps of the recurrent network
THREADS = (1, 2, 7)
SAME, SIMILAR = 1e-8, 1e-2  # how far float64 may be from plain NumPy, and float32


class Network(Protocol):
    def epoch(self) -> float: ...
    @property
    def parameters(self) -> list[Array]: ...


Make = Callable[[], Network]  # an untrained network, always the same


class Subject(NamedTuple):
    """A network: its stages, its data of so many examples (or words) of MNIST, how many an epoch that is
    timed has, and how many one whose results are compared."""

    stages: tuple[Callable[..., Network], ...]
    data: Callable[[Array, Array, int], tuple[Array, ...]]
    examples: int
    few: int


def in_rows(x: Array, y: Array, n: int) -> tuple[Array, ...]:
    return x[:n].astype(np.float64), y[:n]


def in_columns(x: Array, y: Array, n: int) -> tuple[Array, ...]:
    return np.ascontiguousarray(x[:n].T, np.float64), np.eye(10)[:, y[:n]]


def a_text(x: Array, y: Array, n: int) -> tuple[Array, ...]:
    return (text.synthetic(n),)


SUBJECTS = {
    "rows, relu, Adam": Subject(rows_adam.STAGES, in_rows, 12_800, 400),
    "columns, sigmoid, gradient descent": Subject(columns.STAGES, in_columns, 25_600, 400),
    "classes, relu, momentum": Subject(classes.STAGES, in_rows, 25_600, 400),
    "recurrent, tanh, AdaGrad": Subject(recurrent.STAGES, a_text, 4_000, LEAST),
    "words, CBOW, Adam": Subject(words.STAGES, a_text, 2_500, 300),
}


def makers(subject: Subject, data: tuple[Array, ...]) -> dict[str, Make]:
    """What makes the network of each stage; the last stage once more in float32."""

    def maker(stage: Callable[..., Network], dtype: type) -> Make:
        return lambda: stage(*data, dtype=dtype)

    names = ("as written", "layer", "optimizer", "affine")
    found = {name: maker(stage, np.float64) for name, stage in zip(names, subject.stages)}
    return {**found, "float32": maker(subject.stages[-1], np.float32)}


def copies(network: Network) -> list[Array]:
    return [p.copy() for p in network.parameters]


def distance(found: list[Array], expected: list[Array], scale: list[Array]) -> float:
    """Of the array that is farthest off, by what the scale's array has."""
    norms = [
        (np.linalg.norm(f.astype(np.float64) - e), np.linalg.norm(s))
        for f, e, s in zip(found, expected, scale)
    ]
    return float(max(off / of for off, of in norms))


def compare(what: str, made: dict[str, Make]) -> None:
    """Raises unless every stage's parameters after an epoch are those of plain NumPy: float64 but for
    rounding, and float32 but for a small part of the way that they went."""
    written = made["as written"]()
    start = copies(written)
    cost, expected = written.epoch(), copies(written)
    moved = [after - before for after, before in zip(expected, start)]
    for name, make in made.items():
        network = make()
        dtypes = {p.dtype for p in network.parameters}
        found_cost, found = network.epoch(), network.parameters
        single = name == "float32"
        off, limit = distance(found, expected, moved if single else expected), SIMILAR if single else SAME
        if {p.dtype for p in found} != dtypes:
            raise AssertionError(f"{what}, {name}: the dtype is not that of the start any more")
        if not (off <= limit and abs(found_cost - cost) <= limit * cost):
            raise AssertionError(
                f"{what}, {name}: the parameters are {off:.1e} off, the cost is {found_cost}, not {cost}"
            )


def seconds(network: Network) -> float:
    measure.wait_for_idle_threads()
    start = time.perf_counter()
    cost = network.epoch()
    took = time.perf_counter() - start
    if not np.isfinite(cost):
        raise AssertionError(f"the cost is {cost}")
    return took


def medians(made: dict[str, Make]) -> dict[str, float]:
    """Seconds of an epoch by stage."""
    networks = {name: make() for name, make in made.items()}
    found: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(ROUNDS + 1):  # the first warms up
        for name, network in networks.items():
            found[name].append(seconds(network))
    return {name: median(values[1:]) for name, values in found.items()}


def images(folder: str | None) -> tuple[Array, Array]:
    """MNIST's training images and labels, or as many random ones if there is no folder with it."""
    if folder := folder or os.environ.get("NNDL_FAST_MNIST"):
        x, y = nf.datasets.load_mnist(folder)[0]
        return x, y
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=30_000)
    return (rng.random((10, 784), np.float32)[y] + rng.random((len(y), 784), np.float32)) / 2, y


def run(folder: str | None = None, examples: int | None = None, beside: bool = False) -> list[dict[str, Any]]:
    """For each network its name, and seconds of an epoch by stage, alone or beside another process."""
    x, y = images(folder)
    records = []
    with two_processes.others([two_processes.MULTIPLY]) if beside else nullcontext():
        for what, subject in SUBJECTS.items():
            compare(what, makers(subject, subject.data(x, y, subject.few)))
            times = medians(makers(subject, subject.data(x, y, examples or subject.examples)))
            records.append({"network": what, "beside": beside, "seconds": times})
    return records


def table(records: list[dict[str, Any]]) -> summary.Table:
    rows = []
    for record in records:
        written, *others = record["seconds"].values()
        cells = [f"{written / took:.2f} ({took / written:.0%})" for took in others]
        beside = ", beside another process" if record["beside"] else ""
        rows.append([record["network"] + beside, f"{written:.2f}", *cells])
    stages = list(records[0]["seconds"])[1:] if records else []
    return summary.Table(
        "Whole epochs of networks in NumPy, with more and more of their lines replaced",
        "How many times as fast as the network as it was written each stage is, and what share of its time "
        "it takes. The other process multiplies matrices on all cores.",
        ["network", "as written, s", *stages],
        rows,
    )


@contextmanager
def instruction_set(name: str) -> Iterator[None]:
    before = _core.isa()
    _core.use_isa(name)
    try:
        yield
    finally:
        _core.use_isa(before)


def digest(network: Network) -> str:
    network.epoch()
    found = hashlib.sha256()
    for p in network.parameters:
        found.update(p.tobytes())
    return found.hexdigest()


def same_bits(x: Array, y: Array) -> bool:
    """Prints the digests of each network whose products, layer and optimizer are ours, and says whether each
    has one in float64 and one in float32."""
    good = True
    for what, subject in SUBJECTS.items():
        made = makers(subject, subject.data(x, y, subject.few))
        for dtype, stage in (("float64", "affine"), ("float32", "float32")):
            found: dict[str, list[str]] = {}
            for isa in _core.isas():
                for threads in THREADS:
                    with instruction_set(isa), nf.num_threads(threads):
                        found.setdefault(digest(made[stage]()), []).append(f"{isa} with {threads}")
            print(f"{what}, {dtype}:", flush=True)
            for bits, by in found.items():
                print(f"    {bits} {', '.join(by)}", flush=True)
            good = good and len(found) == 1
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="where MNIST's IDX files are; without it, random images")
    parser.add_argument(
        "--examples", type=int, metavar="N", help="so many examples or words per epoch, of each network"
    )
    parser.add_argument("--beside", action="store_true", help="beside a process that multiplies on all cores")
    parser.add_argument("--digests", action="store_true", help="only whether the bits are the same")
    given = parser.parse_args()
    if given.examples is not None and given.examples < LEAST:
        parser.error(f"--examples must be at least {LEAST}")
    if given.digests:
        if not same_bits(*images(given.folder)):
            sys.exit("the bits differ")
        return
    print(summary.markdown(table(run(given.folder, given.examples, given.beside))))


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
