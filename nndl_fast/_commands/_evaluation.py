"""How good a network is: the figures that the command line prints and draws."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .._network._layers import classes_of
from .._runtime import _inputs
from .._runtime._text import printable
from .._runtime._types import Array
from ..network import Network

_PRINTED = 20  # classes up to which the whole confusion matrix is printed
_PAIRS = 10
_CODE = re.compile(r"^[+-]?0[0-9]|_")  # what makes a label text, though it could be read as a number
_BINS = 15  # of activations, as Guo et al. have it (2017, arXiv:1706.04599)


class Reliability(NamedTuple):
    """What is said, by how large its activation is: the bins of 0 to 1 have one width."""

    counts: Array  # of examples, per bin
    activation: Array  # their mean activation; 0 if the bin has none
    correct: Array  # which share of them is right

    @property
    def error(self) -> float:
        """The expected calibration error: by how much share and activation differ, on average."""
        return float(np.sum(self.counts * abs(self.correct - self.activation)) / max(1, self.counts.sum()))


class Evaluation(NamedTuple):
    classes: list[Any]
    counts: Array  # [i, j] examples of class i are said to be of class j
    cost: float  # per example, without regularisation
    y: Array  # (n,), numbers of classes
    said: Array  # (n,), the same
    activation: Array  # (n,), of what is said
    mistakes: Array  # the examples that are wrong, most confident first
    brier: float  # per example, the sum of the squares of activations minus targets
    reliability: Reliability

    @property
    def accuracy(self) -> str:
        correct, total = int(np.trace(self.counts)), int(self.counts.sum())
        return f"{correct / total:.2%} ({correct} of {total})"

    @property
    def names(self) -> list[str]:
        """Of the classes, as they are shown."""
        return [printable(label) for label in self.classes]

    def true(self, i: int) -> str:
        return printable(self.classes[self.y[i]])

    def named(self, i: int) -> str:
        return printable(self.classes[self.said[i]])


def evaluate(net: Network, x: Array, y: Array) -> Evaluation:
    """``y`` (n,) are numbers of classes."""
    a = net.predict_proba(x)
    classes = classes_of(net)
    said = a.argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (y, said), 1)
    activation = a[np.arange(len(a)), said]
    wrong = np.flatnonzero(said != y)
    mistakes = wrong[np.argsort(-activation[wrong], kind="stable")]
    cost = net.total_cost((x, np.asarray(classes)[y]), 0)
    off = np.square(a, dtype=np.float64).sum(axis=1) - 2.0 * a[np.arange(len(a)), y] + 1
    brier = float(off.mean()) if len(off) else 0.0
    return Evaluation(
        classes, counts, cost, y, said, activation, mistakes, brier, _reliability(activation, said == y)
    )


def _reliability(activation: Array, right: Array) -> Reliability:
    bins = np.minimum((np.nan_to_num(activation) * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    sums = (np.bincount(bins, of, _BINS) for of in (activation, right))
    return Reliability(counts, *(of / np.maximum(1, counts) for of in sums))


def plain_label(label: Any) -> str:
    """The label as text, and an integer of whatever form as Python writes it; 007 and 1_0 are none."""
    text = str(label)
    if _CODE.search(text):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else text


def numbers_of(net: Network, labels: Array, place: Callable[[int], str]) -> Array:
    """The classes that a table's labels, which are text, stand for; a ValueError if one is unknown."""
    classes = classes_of(net)
    texts, given = list(map(str, classes)), labels.tolist()
    if not any(isinstance(c, str) for c in classes):
        texts, given = list(map(plain_label, classes)), list(map(plain_label, given))
    numbers = _inputs.places_of(given, texts)
    if unknown := np.flatnonzero(numbers < 0)[:1].tolist():
        shown = ", ".join(map(printable, texts[:20])) + (", ..." if len(texts) > 20 else "")
        raise ValueError(
            f"has the label {printable(labels[unknown[0]])} in {place(unknown[0])}; the network's classes "
            f"are {shown}"
        )
    return numbers


def lines(evaluation: Evaluation) -> Iterator[str]:
    """Precision and recall of each class and the confusion matrix; of many classes the commonest mistakes."""
    counts, names = evaluation.counts, evaluation.names
    if len(names) <= _PRINTED:
        first = max(len("true class"), *map(len, names))
        width = max(6, *map(len, names), len(str(counts.max()))) + 2
        yield f"{'true class':<{first}}{''.join(f'{name:>{width}}' for name in names)}  recall"
        for name, row, right in zip(names, counts, np.diag(counts)):
            recall = f"{right / row.sum():>8.1%}" if row.sum() else "       -"
            yield f"{name:<{first}}{''.join(f'{count:>{width}}' for count in row)}{recall}"
        of_said = counts.sum(axis=0)
        cells = (f"{right / n:.1%}" if n else "-" for right, n in zip(np.diag(counts), of_said))
        yield f"{'precision':<{first}}{''.join(f'{cell:>{width}}' for cell in cells)}"
        return
    mistaken = counts - np.diag(np.diag(counts))
    most = np.argsort(-mistaken, axis=None, kind="stable")[:_PAIRS]
    for i, j in zip(*np.unravel_index(most, counts.shape)):
        if mistaken[i, j]:
            yield f"{names[i]} is said to be {names[j]}: {mistaken[i, j]} of {counts[i].sum()}"
