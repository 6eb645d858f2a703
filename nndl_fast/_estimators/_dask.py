"""What becomes of the blocks of Dask's arrays, where they are, and how it is added up."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np

from .. import functional as f
from .._network._backpropagation import Parameters, for_blas
from .._runtime import _inputs
from .._runtime._errors import as_type, unheard
from .._runtime._types import Array
from ..network import Network
from . import _coordinates, _objective
from ._blas import one_thread_of_blas
from ._estimator import plain_column, weighted_inputs

# Results that meet in one task of the tree that adds them up.
_ARITY = 8
# How messages call what they know no other name of.
_BLOCK = "SoftmaxClassifier: a block of X"


class About(NamedTuple):
    """What has to be known of all examples before the first step."""

    weight: float
    least: float
    seen: _coordinates.Moments


def blocks_of(X: Any, y: Any, sample_weight: Any) -> tuple[Any, list[Any], Any]:
    """X and y as Dask's arrays, and for each block of rows what it takes to make its parts."""
    if not isinstance(X, da.Array):
        refuse_sparse(X, "X")
        raise TypeError(
            f"SoftmaxClassifier: X is {type(X)}; it must be a dask.array (see dask.array.from_array)"
        )
    X = in_rows(X)
    if X.dtype not in (np.float32, np.float64):
        X = X.astype(np.float64)
    columns = []
    for name, column in (("y", y), ("sample_weight", sample_weight)):
        if column is None:
            columns.append([None] * X.numblocks[0])
            continue
        if not isinstance(column, da.Array):
            column = da.asarray(plain_column(column, name))
        if column.ndim != 1 or (not np.isnan(X.shape[0]) and column.shape != X.shape[:1]):
            raise ValueError(
                f"SoftmaxClassifier: {name} has shape {column.shape}; for X of shape {X.shape} "
                f"it must be {X.shape[:1]}"
            )
        if not np.isnan(X.shape[0]):
            column = column.rechunk((X.chunks[0],))
        elif column.numblocks != X.numblocks[:1]:
            raise ValueError(
                f"SoftmaxClassifier: {name} has {column.numblocks[0]} blocks; X, of unknown length, has "
                f"{X.numblocks[0]}, and they must match"
            )
        columns.append(column.to_delayed().tolist())
        y = column if name == "y" else y
    return X, list(zip(X.to_delayed().ravel().tolist(), *columns)), y


def in_rows(X: Any) -> Any:
    """Blocks of whole rows of real numbers."""
    if X.ndim != 2:
        raise ValueError(f"SoftmaxClassifier: X has shape {X.shape}; it must be (n, features)")
    refuse_sparse(X._meta, "a block of X")
    if X.dtype.kind not in "fiu":
        raise TypeError(f"SoftmaxClassifier: X has dtype {X.dtype}; it must hold real numbers")
    return X if X.numblocks[1] == 1 else X.rechunk({1: -1})


def refuse_sparse(x: Any, name: str) -> None:
    if not isinstance(x, np.ndarray) and hasattr(x, "toarray"):
        raise TypeError(
            f"SoftmaxClassifier: {name} is a {type(x).__name__}; it must be dense: give .toarray() of it "
            "(of all blocks: X.map_blocks(lambda block: block.toarray()))"
        )


def computed(what: Any) -> Any:
    """On whatever scheduler is there. One in this process has its own threads: BLAS and we take one."""
    with one_thread_of_blas():
        return dask.compute(what)[0]


def tree(parts: list[Any], add_up: Callable[[list[Any]], Any]) -> Any:
    while len(parts) > 1:
        parts = [dask.delayed(add_up)(parts[i : i + _ARITY]) for i in range(0, len(parts), _ARITY)]
    return computed(parts[0])


@unheard
def about_block(x: Array, y: Array, weight: Array | None, with_products: bool) -> About:
    for name, column in (("y", y), ("sample_weight", weight)):
        if column is not None and len(column) != len(x):
            raise ValueError(
                f"SoftmaxClassifier: a block of X has {len(x)} examples, and that of {name} {len(column)}"
            )
    refuse_sparse(x, _BLOCK)
    _inputs.check_finite(x, _BLOCK)
    weight = _weight(x, weight)
    least = float(weight.min(initial=0))
    total = float(weight.sum(dtype=np.float64))
    return About(total, least, _coordinates.moments(x, weight, with_products))


@unheard
def sum_of_abouts(abouts: list[About]) -> About:
    seen = reduce(_coordinates.Moments.plus, (about.seen for about in abouts))
    return About(sum(about.weight for about in abouts), min(about.least for about in abouts), seen)


def _weight(x: Array, weight: Array | None) -> Array:
    # what is infinite is refused before the first step
    return np.ones(len(x), x.dtype) if weight is None else for_blas(as_type(weight, x.dtype))


@unheard
def sums_of_block(
    parameters: Parameters, hidden: str, classes: Array, x: Array, y: Array, weight: Array | None
) -> _objective.Sums:
    """Of one block, whose labels are among the classes."""
    given = np.ascontiguousarray(x), np.searchsorted(classes, y), _weight(x, weight)
    return _objective.cost_and_gradients(parameters, hidden, *given)


@unheard
def sums_of_some(
    parameters: Parameters,
    hidden: str,
    classes: Array,
    x: Array,
    y: Array,
    weight: Array | None,
    share: int,
    seed: tuple[int, ...],
) -> tuple[_objective.Sums, float]:
    rows = np.random.default_rng(seed).integers(0, max(1, len(x)), min(share, len(x)))
    # each stands for as many as the block has of them, so that blocks may be of any length
    times = x.dtype.type(len(x) / max(1, len(rows)))
    some = x[rows]
    weight = _weight(some, None if weight is None else weight[rows]) * times
    return sums_of_block(parameters, hidden, classes, some, y[rows], weight), float(
        weight.sum(dtype=np.float64)
    )


def sum_of_some(parts: list[tuple[_objective.Sums, float]]) -> tuple[_objective.Sums, float]:
    sums, weights = zip(*parts)
    return _objective.add_up(sums), sum(weights)


@unheard
def predicted(x: Array, network: Network, classes: Array, name: str = _BLOCK) -> Array:
    return np.asarray(classes[weighted_inputs(x, network, name).argmax(axis=1)])


@unheard
def probabilities(x: Array, network: Network, classes: Array, name: str = _BLOCK) -> Array:
    z = weighted_inputs(x, network, name)
    return f.softmax(z, out=z)
