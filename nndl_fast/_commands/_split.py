"""What ``nndl-fast train`` learns: examples in three parts, names of classes and features, and the scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import datasets
from .._files import _mnist
from .._files._encoding import Encoding
from .._runtime._text import printable
from .._runtime._types import Array
from ..network import Network
from ._evaluation import plain_label
from ._tables import Table, square_of

Part = tuple[Array, Array]

_LEAST_RANGE = 1e-30  # of a feature, by which float32 can still divide
_FAR = 1000.0  # mean over spread from which float32 has too few digits for what is left of a feature


class Scale(NamedTuple):
    """The mean and the standard deviation of each feature, 1 if it is constant."""

    mean: Array
    spread: Array

    def of(self, x: Array) -> Array:
        return (x - self.mean) / self.spread

    def put_into(self, net: Network) -> None:
        """Makes a network of standardised features one of the features as they are."""
        w, b = net.weights[0].astype(np.float64), net.biases[0].astype(np.float64)
        scaled = w / self.spread
        net.weights = [scaled.astype(net.dtype), *net.weights[1:]]
        net.biases = [(b - scaled @ self.mean[:, None]).astype(net.dtype), *net.biases[1:]]

    @property
    def dtype(self) -> type[np.floating[Any]]:
        return np.float64 if np.any(np.abs(self.mean) > _FAR * self.spread) else np.float32


class Split(NamedTuple):
    training: Part
    validation: Part
    test: Part  # features as they are, as a trained network takes them
    outputs: int
    classes: list[Any] | None = None  # None for 0, 1, 2, ...
    encoding: Encoding | None = None
    image: tuple[int, int] | None = None
    scale: Scale | None = None
    place: Callable[[int], str] = "example {}".format  # says where a test example is in its file
    notes: Sequence[str] = ()  # on what was done


def of_digits(path: Path | None) -> Split:
    """The bundled digits, or the images of a folder or a file that has parts of its own."""
    parts = _mnist.load(path, most=None) if path else datasets.load_digits()
    image = square_of(parts[0][0].shape[1])
    kinds = np.unique(np.concatenate([y for _, y in parts]))
    if kinds[-1] <= 9 and kinds[0] >= 0:
        return Split(*parts, outputs=10, image=image)
    training, validation, test = ((x, np.searchsorted(kinds, y)) for x, y in parts)
    return Split(training, validation, test, len(kinds), kinds.tolist(), image=image)


def of_table(table: Table, path: Path, standardise: bool, seed: int) -> Split:
    """A table's examples, shared out with equal parts of each class, in an order that ``seed`` decides."""
    given, name = table.labels, printable(path)
    assert given is not None
    kinds, y = _classes(given)
    if len(kinds) < 2:
        raise ValueError(
            f"{name} has one class, {printable(kinds[0])}; there must be at least two. Is another column the "
            "label? See --label"
        )
    if len(kinds) > max(20, len(y) // 2):
        raise ValueError(
            f"{name} has {len(kinds)} different labels in {len(y)} examples: is another column the label? "
            "See --label"
        )
    if len(y) < 20:
        raise ValueError(f"{name} has {len(y)} examples; there must be at least 20")
    parts, few = _shares(y, seed)
    if len(kinds) > 20 and 2 * len(few) > len(kinds):
        raise ValueError(
            f"{name} has {len(kinds)} different labels, and of {len(few)} of them fewer than 4 examples: is "
            "another column the label? See --label"
        )
    if not all(map(len, parts)):
        raise ValueError(f"{name} has too few examples of each class, {len(y)} of {len(kinds)} classes")
    x, encoding = _filled(table, parts[0])
    scale = None
    if standardise:
        mean, spread = x[parts[0]].mean(axis=0, dtype=np.float64), x[parts[0]].std(axis=0, dtype=np.float64)
        # Of these the standard deviation may be the mean's rounding.
        constant = np.ptp(x[parts[0]], axis=0) < _LEAST_RANGE
        scale = Scale(mean, np.where(constant, 1.0, spread))
    of = scale.of if scale else np.asarray
    training, validating = ((of(x[part]), y[part]) for part in parts[:2])
    warned = [
        f"warning: class {printable(kinds[kind])} has too few examples, {n}, to validate or test with; all "
        "are trained on"
        for kind, n in few
    ]
    return Split(
        training,
        validating,
        (x[parts[2]], y[parts[2]]),
        outputs=len(kinds),
        classes=None if kinds == list(range(len(kinds))) else kinds,
        encoding=encoding,
        image=table.image,
        scale=scale,
        # of a table without its examples, which are not to be kept twice
        place=table._replace(x=np.empty(0), labels=None, rows=table.rows[parts[2]]).place,
        notes=[*table.notes, *warned],
    )


def _classes(labels: Array) -> tuple[list[Any], Array]:
    """The classes in order, integers if all labels are, and which one each label is."""
    kinds, y = np.unique(labels, return_inverse=True)
    texts = [plain_label(kind) for kind in kinds.tolist()]
    try:
        numbers = [int(text) for text in texts]
    except ValueError:
        return kinds.tolist(), y
    if len(set(numbers)) < len(numbers) or list(map(str, numbers)) != texts:  # 1 and 1.0, or 007
        return kinds.tolist(), y
    order = np.argsort(numbers)
    return [numbers[i] for i in order], np.argsort(order)[y]


def _shares(y: Array, seed: int) -> tuple[list[Array], list[tuple[int, int]]]:
    """Which examples are trained on, validate and test: 70, 15 and 15 % of each class; and the classes of
    which there are too few for that, with how many these are."""
    rng = np.random.default_rng(seed)
    parts: list[list[Array]] = [[], [], []]
    few = []
    for kind, n in enumerate(np.bincount(y)):
        order = rng.permutation(np.flatnonzero(y == kind))
        share = (3 * n + 10) // 20
        for part, some in zip(parts, (order[2 * share :], order[:share], order[share : 2 * share])):
            part.append(some)
        if not share:
            few.append((kind, int(n)))
    return [np.sort(np.concatenate(part)) for part in parts], few


def _filled(table: Table, training: Array) -> tuple[Array, Encoding]:
    """The inputs without gaps, and the encoding with what fills them: means of the training examples."""
    x, columns, start = table.x, [], 0
    for column in table.encoding.columns:
        if column.values is None:
            gaps = np.isnan(x[:, start])
            known = x[training, start][~gaps[training]]
            column = column._replace(mean=float(np.mean(known, dtype=np.float64)) if len(known) else 0.0)
            x[gaps, start] = column.mean
        columns.append(column)
        start += len(column.inputs)
    return x, table.encoding._replace(columns=columns)
