"""Whole epochs of networks as people write them in NumPy, and of the same networks with more and more of
their lines replaced by nndl_fast. The networks are in numpy_networks/; the stages take turns. The results of
each are those of plain NumPy, and if all is ours, the bits are the same on every instruction set and number
of threads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, Protocol

import measure
import numpy as np
import pytest
import training
from numpy_networks import classes, columns, recurrent, rows_adam, text, words
from results import WRITTEN, Key
from training import Array

import nndl_fast as nf
from nndl_fast import _core

LEAST = 1_000  # words: fewer are not two steps of the recurrent network
THREADS = (1, 2, 7)
SAME, SIMILAR = 1e-8, 1e-2  # how far float64 may be from plain NumPy, and float32


class Network(Protocol):
    def epoch(self) -> float: ...
    @property
    def parameters(self) -> list[Array]: ...


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


STAGES = (WRITTEN, "layer", "optimizer", "affine", "float32")  # the last is the one before it in float32


@lru_cache(maxsize=2)
def data(what: str, whole: bool) -> tuple[Array, ...]:
    subject = SUBJECTS[what]
    return subject.data(*training.images(), subject.examples if whole else subject.few)


def network(what: str, stage: str, whole: bool = False) -> Network:
    """An untrained one, always the same."""
    stages, single = SUBJECTS[what].stages, stage == "float32"
    make = stages[-1] if single else stages[STAGES.index(stage)]
    return make(*data(what, whole), dtype=np.float32 if single else np.float64)


def copies(network: Network) -> list[Array]:
    return [p.copy() for p in network.parameters]


def distance(found: list[Array], expected: list[Array], scale: list[Array]) -> float:
    """Of the array that is farthest off, by what the scale's array has."""
    norms = [
        (np.linalg.norm(f.astype(np.float64) - e), np.linalg.norm(s))
        for f, e, s in zip(found, expected, scale)
    ]
    return float(max(off / of for off, of in norms))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("what", SUBJECTS)
def test_results_are_those_of_plain_numpy(what: str, stage: str) -> None:
    """Float64 but for rounding, and float32 but for a small part of the way that the parameters went."""
    written, replaced = network(what, WRITTEN), network(what, stage)
    start, dtypes = copies(written), {p.dtype for p in replaced.parameters}
    cost, expected = written.epoch(), copies(written)
    moved = [after - before for after, before in zip(expected, start)]
    found_cost, found = replaced.epoch(), replaced.parameters
    single = stage == "float32"
    limit = SIMILAR if single else SAME
    assert {p.dtype for p in found} == dtypes
    assert distance(found, expected, moved if single else expected) <= limit
    assert abs(found_cost - cost) <= limit * cost


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["affine", "float32"])
@pytest.mark.parametrize("what", SUBJECTS)
def test_the_bits_are_the_same_everywhere(what: str, stage: str) -> None:
    found = set()
    for isa in _core.isas():
        for threads in THREADS:
            with measure.instruction_set(isa), nf.num_threads(threads):
                its = network(what, stage)
                its.epoch()
                found.add(hashlib.sha256(b"".join(p.tobytes() for p in its.parameters)).hexdigest())
    assert len(found) == 1


@lru_cache(maxsize=len(STAGES))
def warm(what: str, stage: str) -> Network:
    """One that has had an epoch, and goes on from round to round."""
    its = network(what, stage, whole=True)
    its.epoch()
    return its


@pytest.mark.rounds(5)
@pytest.mark.parametrize("peer", STAGES)
@pytest.mark.parametrize("what", SUBJECTS)
def test_epoch(timed: measure.Timed, what: str, peer: str) -> None:
    its = network(what, peer) if timed.benchmark.disabled else warm(what, peer)
    key = Key(f"epoch: {what}", SUBJECTS[what].examples, 1, peer)
    assert np.isfinite(timed.long(key, its.epoch, warm_up=0))
