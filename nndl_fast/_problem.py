"""What ``nndl-fast train`` learns: examples in three parts, names of classes and features, and the scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import datasets
from ._tables import Table, square_of
from ._text import printable
from ._types import Array
from .network import Network

Part = tuple[Array, Array]

# Of 20 examples 14 are trained on, 3 validate and 3 test. They are spread, so that of a class with few
# examples each part has some.
_VALIDATION, _TEST = [2, 9, 16], [5, 12, 19]
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


class Problem(NamedTuple):
    training: Part
    validation: Part
    test: Part  # features as they are, as a trained network takes them
    outputs: int
    classes: list[Any] | None = None  # None for 0, 1, 2, ...
    features: list[str] | None = None
    image: tuple[int, int] | None = None
    scale: Scale | None = None
    rows: Array | None = None  # of the test examples in their file


def of_digits(folder: Path | None) -> Problem:
    """The bundled digits, or MNIST from a folder."""
    parts = datasets.load_mnist(folder) if folder else datasets.load_digits()
    return Problem(*parts, outputs=10, image=square_of(parts[0][0].shape[1]))


def of_table(table: Table, path: Path, standardise: bool, seed: int) -> Problem:
    """A table's examples, shared out with equal parts of each class, in an order that ``seed`` decides."""
    x, given, name = table.x, table.labels, printable(path)
    assert given is not None
    kinds, y = np.unique(given, return_inverse=True)
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
    bad = np.argwhere(~np.isfinite(x))
    if bad.size:
        row, j = bad[0]
        feature = printable(table.names[j]) if table.names else j
        raise ValueError(
            f"{name} has {x[row, j]} as feature {feature} of example {row}; features must be finite"
        )
    order = np.random.default_rng(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    place = np.arange(len(y)) % 20
    validation, test = np.isin(place, _VALIDATION), np.isin(place, _TEST)
    parts = [np.sort(order[some]) for some in (~(validation | test), validation, test)]
    scale = None
    if standardise:
        mean, spread = x[parts[0]].mean(axis=0, dtype=np.float64), x[parts[0]].std(axis=0, dtype=np.float64)
        constant = np.ptp(x[parts[0]], axis=0) == 0  # whose standard deviation may be the mean's rounding
        scale = Scale(mean, np.where(constant, 1.0, spread))
    of = scale.of if scale else np.asarray
    training, validating = ((of(x[part]), y[part]) for part in parts[:2])
    same = kinds.dtype.kind == "i" and np.array_equal(kinds, np.arange(len(kinds)))
    return Problem(
        training,
        validating,
        (x[parts[2]], y[parts[2]]),
        outputs=len(kinds),
        classes=None if same else kinds.tolist(),
        features=table.names,
        image=table.image,
        scale=scale,
        rows=parts[2],
    )
