"""What a network is given: training and test data in any of their forms, as arrays, and numbers."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ._errors import as_type, unheard
from ._types import Array


def number(value: Any, function: str, name: str, least: float = -np.inf) -> float:
    """Returns the value as a finite float that is at least ``least``."""
    try:
        if isinstance(value, (str, bytes, bytearray)):  # "0.5", which float() would take
            raise TypeError("text is no number")
        result = float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{function}: {name} is {value!r}; it must be a number") from error
    except OverflowError:
        result = np.inf
    if not np.isfinite(result):
        raise ValueError(f"{function}: {name} is {result}; it must be finite")
    if result < least:
        raise ValueError(f"{function}: {name} is {result}; it must be at least {least:g}")
    return result


def count(value: Any, function: str, name: str, least: int) -> int:
    """Returns the value as an integer that is at least ``least``."""
    try:
        result = operator.index(value)
    except TypeError as error:
        raise TypeError(f"{function}: {name} is {value!r}; it must be an integer") from error
    if result < least:
        raise ValueError(f"{function}: {name} is {result}; it must be at least {least}")
    return result


def _examples(given: Any, function: str, name: str) -> Array:
    """Examples without labels as an array of real numbers."""
    if isinstance(given, Mapping):
        hint = ". Give its data" if "data" in given else ""  # scikit-learn's loaders return such
        raise TypeError(
            f"{function}: {name} is of type {type(given).__name__}; it must be an array of examples{hint}"
        )
    if isinstance(given, (tuple, list)) and given:
        parts = given[0] if isinstance(given[0], tuple) else given
        if any(getattr(part, "ndim", 0) == 2 for part in parts[:2]):
            raise TypeError(
                f"{function}: {name} is a {type(given).__name__} of several arrays; it must be one, the "
                "examples without their labels"
            )
    return _core.as_real(given, function, name)


def as_columns(a: ArrayLike, features: int, dtype: np.dtype[Any], function: str, name: str) -> Array:
    """Inputs in columns; a vector becomes one column (added to (n, 1) biases it would become a matrix)."""
    columns = _examples(a, function, name)
    if columns.ndim == 1:
        columns = columns[:, None]
    if columns.ndim != 2 or len(columns) != features:
        rows = columns.ndim == 2 and columns.shape[1] == features
        raise ValueError(
            f"{function}: {name} has shape {columns.shape}; it must be ({features},) or ({features}, m), "
            f"examples in columns{'. These are in rows: give x.T, or see predict' if rows else ''}"
        )
    return as_type(columns, dtype)


def as_rows(x: ArrayLike, features: int, dtype: np.dtype[Any] | None, function: str, name: str) -> Array:
    """Inputs in rows, of the network's dtype, or as they are."""
    rows = _examples(x, function, name)
    if rows.ndim != 2 or rows.shape[1] != features:
        columns = rows.ndim == 2 and len(rows) == features
        hint = ". These are in columns: give x.T" if columns else ". Give one example as x[None]"
        raise ValueError(
            f"{function}: {name} has shape {rows.shape}; it must be (n, {features}), an example in each "
            f"row{hint if columns or rows.shape == (features,) else ''}"
        )
    return rows if dtype is None else as_type(rows, dtype)


@unheard
def finite(x: Any, dtype: np.dtype[Any], name: str, first: int = 0) -> Any:
    """Returns features, an array or a sparse one of SciPy's, in the dtype in which they must be finite."""
    x = x.astype(dtype, copy=False)
    check_finite(x, name, first)
    return x


@unheard
def check_finite(x: Any, name: str, first: int = 0) -> None:
    """Refuses features that are NaN or infinite; ``first`` is the number of the first example.

    A finite sum says in one pass that there are none.
    """
    values = x if isinstance(x, np.ndarray) else x.data
    if np.isfinite(values.sum(dtype=values.dtype)):
        return
    places = np.argwhere(~np.isfinite(values))
    if len(places):
        where = tuple(places[0])
        row, j = where if values is x else (of[where] for of in (x.tocoo().row, x.tocoo().col))
        raise ValueError(
            f"{name}: feature {j} of example {first + row} is {values[where]}; features must be finite, not "
            "NaN or inf"
        )


def from_data(
    data: Any, features: int, dtype: np.dtype[Any], name: str, classes: list[Any] | None
) -> tuple[Array, Array]:
    """Inputs (n, features) and y, an entry an example, from a pair of arrays or from pairs (x, y)."""
    if isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], tuple):
        x = _core.as_real(data[0], "Network", f"{name}: x")
        y = real_targets(numbers_of(data[1], classes, f"Network: {name}"), "Network", f"{name}: y")
        hint = ". Are x and y exchanged?" if y.shape[1:] == (features,) else ""
        if x.ndim != 2:
            raise ValueError(
                f"Network: {name} has inputs of shape {x.shape}; they must be (n, {features}), an example "
                f"in each row{hint}"
            )
    else:
        x, y = _from_pairs(data, features, name, classes)
        hint = ""
    if x.shape[1] != features:
        raise ValueError(
            f"Network: {name} has {x.shape[1]} features an example; the network has {features} inputs{hint}"
        )
    if not len(x):
        raise ValueError(f"Network: {name} is empty")
    x = as_type(x, dtype)
    check_finite(x, f"Network: {name}: x")
    return x, y


def numbers_of(y: Any, classes: list[Any] | None, name: str) -> Any:
    """The neurons that labels stand for; what is no label or labels stays as it is."""
    if classes is None:
        return y
    labels = np.asarray(y)
    if labels.ndim > 1:
        return y
    flat = labels.reshape(-1).tolist()
    numbers = places_of(flat, classes)
    if unknown := np.flatnonzero(numbers < 0)[:1].tolist():
        raise ValueError(
            f"{name}: y has {flat[unknown[0]]!r} at example {unknown[0]}; the network's classes are "
            f"{', '.join(map(repr, classes))}"
        )
    return numbers.reshape(labels.shape)


def real_targets(y: Any, function: str, name: str) -> Array:
    """Labels or targets as real numbers, or as booleans, which are targets but no labels."""
    array = _core.as_array(y, function, name)
    return array if array.dtype.kind == "b" else _core.as_real(array, function, name)


def places_of(labels: list[Any], classes: list[Any]) -> Array:
    """Where each label stands among the classes; -1 where it does not."""
    place = {label: i for i, label in enumerate(classes)}
    return np.array([place.get(label, -1) for label in labels], np.int64)


def _from_pairs(data: Any, features: int, name: str, classes: list[Any] | None) -> tuple[Array, Array]:
    must_be = "a pair of arrays, the tuple (x, y), or pairs (x, y) of single examples"
    if isinstance(data, Mapping):
        hint = ". Give its data and its target" if "data" in data and "target" in data else ""
        raise TypeError(f"Network: {name} is of type {type(data).__name__}; it must be {must_be}{hint}")
    try:
        given = [(x, y) for x, y in data]
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"Network: {name} is of type {type(data).__name__}; it must be {must_be}") from error
    of_x, of_y = f"an x of {name}", f"a y of {name}"
    pairs = [
        (
            _core.as_real(x, "Network", of_x).reshape(-1),
            real_targets(
                numbers_of(y, classes, f"Network: {name}") if np.size(y) == 1 else y, "Network", of_y
            ),
        )
        for x, y in given
    ]
    if not pairs:
        raise ValueError(f"Network: {name} is empty")
    if any(len(x) != features for x, _ in pairs):
        wrong = next(i for i, (x, _) in enumerate(pairs) if len(x) != features)
        if np.shape(given[wrong][0])[1:] == (features,):  # as load_digits() and load_mnist() return them
            raise ValueError(
                f"Network: {name} has {len(pairs)} pairs of arrays; it must be one of them, or pairs of "
                "single examples"
            )
        raise ValueError(
            f"Network: {name}: example {wrong} has {len(pairs[wrong][0])} inputs; it must have {features}"
        )
    if len({y.size for _, y in pairs}) > 1:
        raise ValueError(f"Network: {name}: some y are labels and some are vectors, or their lengths differ")
    x = np.stack([x for x, _ in pairs])
    y = np.stack([y.reshape(-1) if y.size > 1 else y.reshape(()) for _, y in pairs])
    return x, y


def as_targets(y: Array, n: int, outputs: int, dtype: np.dtype[Any], labels: bool, name: str) -> Array:
    """y as targets (n, outputs), or as labels (n,) where it has labels and the caller takes them."""
    if y.shape == (n, outputs) or (y.shape == (n,) and outputs == 1):
        return as_type(y.reshape(n, outputs), dtype)
    if y.shape != (n,):
        hint = ". Give y[:, 0] for labels in a column" if y.shape == (n, 1) else ""
        raise ValueError(
            f"{name} has shape {y.shape}; for {n} examples it must be ({n},) (labels) or "
            f"({n}, {outputs}){hint}"
        )
    if y.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {y.dtype}; labels must be integers")
    y = y.copy()  # another thread may change the caller's after the check, and NumPy writes where they say
    check_labels(y, outputs, name)
    if labels:
        return y
    one_hot = np.zeros((n, outputs), dtype)
    one_hot[np.arange(n), y] = 1
    return one_hot


def weights_of(
    sample_weight: ArrayLike | None, class_weight: Any, y: Array, classes: list[Any]
) -> Array | None:
    """A weight for each example, (n,) of float64: its own times that of its class; None if all are alike.

    ``y`` are labels (n,) or targets (n, outputs), ``classes`` what the network calls the labels.
    """
    weight = np.ones(len(y))
    if sample_weight is not None:
        weight = as_type(_core.as_real(sample_weight, "SGD", "sample_weight"), np.float64)
        if weight.shape != (len(y),):
            raise ValueError(
                f"SGD: sample_weight has shape {weight.shape}; for {len(y)} examples it must be ({len(y)},)"
            )
        if wrong := np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))[:1].tolist():
            raise ValueError(
                f"SGD: sample_weight is {weight[wrong[0]]} for example {wrong[0]}; weights must be finite "
                "and at least 0"
            )
    if class_weight is not None:
        weight = weight * _of_classes(class_weight, _labels_of(y), classes)
    return None if sample_weight is None and class_weight is None else weight


def _labels_of(y: Array) -> Array:
    """The labels that targets stand for, which have to be one-hot."""
    if y.ndim == 1:
        return y
    if y.shape[1] == 1:
        labels, one_hot = y[:, 0] > 0.5, (y == 0) | (y == 1)
    else:
        labels, one_hot = y.argmax(axis=1), (y.max(axis=1) == 1) & (np.count_nonzero(y, axis=1) == 1)
    if wrong := np.flatnonzero(~one_hot)[:1].tolist():
        raise ValueError(
            f"SGD: the target of example {wrong[0]} is not that of one class; with class_weight it must be"
        )
    return labels.astype(np.int64)


def _of_classes(class_weight: Any, labels: Array, classes: list[Any]) -> Array:
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(labels, minlength=len(classes))
        return (len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[labels]
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"SGD: class_weight is {class_weight!r}; it must be a dictionary of weights by label, 'balanced' "
            "or None"
        )
    if unknown := [label for label in class_weight if label not in classes]:
        raise ValueError(f"SGD: class_weight has the label {unknown[0]!r}, which is not one of {classes}")
    weights = [number(class_weight.get(c, 1), "SGD", f"class_weight of {c!r}", 0) for c in classes]
    return np.array(weights)[labels]


def check_labels(labels: Array, classes: int, name: str) -> None:
    """Raises an IndexError if a label is not one of so many classes."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        label = labels.flat[wrong[0]]
        from_one = labels.min() == 1 and labels.max() == classes
        hint = ". Labels count from 0: give y - 1" if from_one else ""
        raise IndexError(f"{name}: label {label} of example {wrong[0]} is outside 0..{classes - 1}{hint}")
