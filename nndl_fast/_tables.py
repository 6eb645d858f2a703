"""Examples and labels from files of one's own: .csv, .npy, .npz and .parquet, and MNIST's folder."""

from __future__ import annotations

import csv
import gzip
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from math import isqrt, prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from . import _files, _mnist
from ._text import printable
from ._types import Array

_LEAST_IMAGE = 49  # pixels, 7 x 7: a smaller square number of columns is a table's by chance
_CODE = re.compile(r"^[+-]?0[0-9]|_")  # what makes a label text, though it could be read as a number
_LONGEST = 1 << 24  # characters of a line of text


def square_of(pixels: int) -> tuple[int, int] | None:
    """Height and width of a square image of so many pixels, if there is one."""
    side = isqrt(pixels)
    return (side, side) if side * side == pixels else None


class Table(NamedTuple):
    x: Array  # (n, features)
    labels: Array | None  # (n,), integers or text
    names: list[str] | None  # of the features

    @property
    def image(self) -> tuple[int, int] | None:
        """Height and width, if the features of an example look like the pixels of a square image."""
        may_be = self.x.shape[1] >= _LEAST_IMAGE and self.x.size and self.x.min() >= 0
        return square_of(self.x.shape[1]) if may_be else None


class Wanted(NamedTuple):
    """What a network takes: the number of its inputs, and their names if it knows them."""

    features: int
    names: Sequence[Any] | None


def read(path: Path, label: str | None = None, wanted: Wanted | None = None) -> Table:
    """The table in a file. ``label`` is the column of the labels, its name or number (-1 is the last).

    Without ``label`` it is the last column if something is to be learned. If a network is to be
    applied, it is the one that the network has no input for, if there is one.
    """
    name = printable(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of a file without any lines
            if path.is_dir():
                images, digits = _mnist.load(path, wanted and wanted.features)[2]
                return Table(images, digits, None)
            with _files.open_regular(path) as file:
                reader = _READERS.get(path.suffix.lower())
                if reader is not None:
                    return reader(file, label, wanted)
                content: Any = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
                with io.TextIOWrapper(content, "utf-8-sig") as text:
                    return _csv(text, label, wanted)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{name} needs PyArrow to be read: pip install 'nndl_fast[parquet]' ({error})"
        ) from error
    except _Columns as error:
        raise ValueError(f"{name} {printable(error)}") from error
    except Exception as error:  # whatever the decoders of text, NumPy, Arrow and gzip meet in a damaged file
        if path.is_dir():
            raise
        raise ValueError(f"{name} cannot be read: {printable(error)}") from error


class _Columns(ValueError):
    """Columns that are not there, or not what they should be; the message goes on after the file's name."""


def _csv(file: IO[str], label: str | None, wanted: Wanted | None) -> Table:
    skipped, first = _first_line(file)
    delimiter = max(",;\t", key=first.count)
    fields = [field.strip() for field in next(csv.reader([first], delimiter=delimiter))]
    text = [i for i, field in enumerate(fields) if not _is_number(field)]
    # A header names the features; in its absence only a label may be text.
    at = None if label is None else _of_number(label, len(fields))
    may_be_text = len(fields) - 1 if at is None else at
    names = fields if set(text) - {may_be_text} or _is_name(label, fields) else None
    features, of_label = _roles(names, len(fields), label, wanted)
    options: dict[str, Any] = {
        "delimiter": delimiter,
        "skiprows": skipped + (names is not None),
        "quotechar": '"',
        "comments": None,
    }
    file.seek(0)
    x = np.loadtxt(_lines(file), usecols=features, ndmin=2, **options)
    labels = None
    if of_label is not None:
        file.seek(0)
        labels = np.loadtxt(_lines(file), str, usecols=[of_label], ndmin=1, **options)
    return _table(x, labels, names and [names[i] for i in features])


def _first_line(file: IO[str]) -> tuple[int, str]:
    """How many lines stand before the first one that is no comment, and that one."""
    for number, line in enumerate(_lines(file)):
        text = line.strip()
        if text and not text.startswith("#"):
            return number, text
    raise ValueError("it has no lines")


def _lines(file: IO[str]) -> Iterator[str]:
    """The file's lines, of which none may fill the memory, as it could in a small .gz."""
    while line := file.readline(_LONGEST + 1):
        if len(line) > _LONGEST:
            raise ValueError(f"it has a line of more than {_LONGEST} characters")
        yield line


def _npy(file: IO[bytes], label: str | None, wanted: Wanted | None) -> Table:
    described = _files.described(file, _files.size_of(file))
    _check_real(described)
    if described.ndim != 2:
        raise _Columns(f"has shape {described.shape}; it must be (n, columns)")
    features, at = _roles(None, described.shape[1], label, wanted)
    file.seek(0)
    array = np.lib.format.read_array(file, allow_pickle=False)
    return _table(array[:, features], None if at is None else array[:, at], None)


def _npz(file: IO[bytes], label: str | None, wanted: Wanted | None) -> Table:
    archive = _files.Archive(file)
    of_x, of_y = ([name for name in archive.names if name.lower() == kind] for kind in "xy")
    if not of_x or (wanted is None and not of_y):
        raise _Columns(f"has the arrays {', '.join(archive.names) or 'none'}; it must have x and y")
    if twice := next((found for found in (of_x, of_y) if len(found) > 1), None):
        raise _Columns(f"has the arrays {' and '.join(twice)}; only one of them can be meant")
    x = archive.describe(of_x[0])
    _check_real(x)
    n, features = len(x), prod(x.shape[1:])  # images too
    if wanted is not None and features != wanted.features:
        raise _Columns(f"has an x of shape {x.shape}; the network needs {wanted.features} columns")
    if of_y and (shape := archive.describe(of_y[0]).shape) != (n,):
        raise _Columns(f"has a y of shape {shape}; for {n} examples it must be ({n},)")
    x = archive.read(of_x[0]).reshape(n, features)
    return _table(x, archive.read(of_y[0]) if of_y else None, None)


def _parquet(file: IO[bytes], label: str | None, wanted: Wanted | None) -> Table:
    from pyarrow import parquet, types

    content = parquet.ParquetFile(file)
    schema = content.schema_arrow
    names = schema.names
    features, at = _roles(names, len(names), label, wanted)
    for field in (schema.field(i) for i in features):
        if not any(of(field.type) for of in (types.is_integer, types.is_floating, types.is_boolean)):
            raise _Columns(f"has the column {field.name} of type {field.type}; features are numbers")
    wanted_names = [names[i] for i in features]
    table = content.read(columns=wanted_names if at is None else [*wanted_names, names[at]])
    columns = [table.column(name) for name in wanted_names]
    x = np.column_stack([(c.cast("int8") if types.is_boolean(c.type) else c).to_numpy() for c in columns])
    return _table(x, None if at is None else np.asarray(table.column(names[at]).to_pylist()), wanted_names)


_READERS = {".npy": _npy, ".npz": _npz, ".parquet": _parquet}


def _roles(
    names: list[str] | None, columns: int, label: str | None, wanted: Wanted | None
) -> tuple[list[int], int | None]:
    """Which columns are features, in the network's order, and which is the label's."""
    counts = Counter(names)
    needed = names if wanted is None else [*(wanted.names or []), label]
    if twice := next((name for name in needed or [] if counts[name] > 1), None):
        raise _Columns(f"has two columns of the name {twice}; each must have its own")
    if wanted and wanted.names and names:
        missing = [name for name in wanted.names if name not in names]
        if missing:
            raise _Columns(f"has no column {missing[0]}, which the network takes; it has {', '.join(names)}")
        features = [names.index(name) for name in wanted.names]
        others = [i for i in range(columns) if i not in features]
        if label is None:
            return features, others[0] if len(others) == 1 else None
        return features, _number_of(label, names, columns)
    if label is not None:
        at: int | None = _number_of(label, names, columns)
    else:
        at = columns - 1 if wanted is None or columns == wanted.features + 1 else None
    features = [i for i in range(columns) if i != at]
    if not features:
        raise _Columns("has one column; it must have features and labels")
    if wanted and len(features) != wanted.features:
        raise _Columns(
            f"has {columns} columns; the network needs {wanted.features} columns, or one more for labels"
        )
    return features, at


def _of_number(label: str, columns: int) -> int | None:
    try:
        number = int(label)
    except ValueError:
        return None
    return number % columns if -columns <= number < columns else None


def _is_name(label: str | None, names: list[str]) -> bool:
    return label is not None and label in names and _of_number(label, len(names)) is None


def _number_of(label: str, names: list[str] | None, columns: int) -> int:
    if names and label in names:
        return names.index(label)
    number = _of_number(label, columns)
    if number is None:
        known = f"named {', '.join(names)}" if names else f"numbered 0 to {columns - 1}, without names"
        raise _Columns(f"has no column {label} for the labels; its columns are {known}")
    return number


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text  # a missing number is no name
    return "_" not in text


def _check_real(array: Array) -> None:
    if array.dtype.kind not in "iuf":
        raise _Columns(f"has dtype {array.dtype}; it must hold real numbers")


def _table(x: Array, labels: Array | None, names: list[str] | None) -> Table:
    return Table(x, None if labels is None else _labels(labels), names)


def _labels(given: Array) -> Array:
    """Labels as integers if they are such, else as text."""
    if given.dtype.kind not in "biufOSU":
        raise _Columns(f"has labels of dtype {given.dtype}; they must be integers or text")
    text = given
    if given.dtype.kind == "S":
        given = np.char.decode(given, "utf-8")
    if given.dtype.kind in "OU":
        text = np.array(["" if label is None else str(label).strip() for label in given.tolist()])
    if text.dtype.kind == "b":
        return text.astype(np.int64)
    try:
        if text.dtype.kind == "U" and any(map(_CODE.search, text.tolist())):
            raise ValueError  # 007 is not 7, nor 1_0 10
        numbers = text.astype(np.float64)
    except ValueError:
        empty = np.flatnonzero(text == "")
        if empty.size:
            raise _Columns(f"has no label at example {empty[0]}") from None
        return text
    wrong = np.flatnonzero(~(np.isfinite(numbers) & (numbers == np.rint(numbers)) & (abs(numbers) < 2**53)))
    if wrong.size:
        raise _Columns(
            f"has the label {text[wrong[0]]} at example {wrong[0]}; labels must be integers or text"
        )
    return numbers.astype(np.int64)
