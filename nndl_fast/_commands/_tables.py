"""Examples and labels from files of one's own: text, Excel, Parquet and the like by pandas, and NumPy's."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import isqrt, prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from .._files import _archives, _encoding
from .._files._encoding import Column, Encoding
from .._runtime._text import counted, printable
from .._runtime._types import Array
from . import _columns, _csv
from ._columns import Roles, Unclear, Wanted
from ._csv_head import UNKNOWN, Format, Head

_LARGEST = float(np.finfo(np.float32).max)
_LEAST_IMAGE = 49  # pixels, 7 x 7: a smaller square number of columns is a table's by chance


def square_of(pixels: int) -> tuple[int, int] | None:
    """Height and width of a square image of so many pixels, if there is one."""
    side = isqrt(pixels)
    return (side, side) if side * side == pixels else None


class Table(NamedTuple):
    x: Array  # (n, inputs), NaN where a number is missing that nothing stands for
    labels: Array | None  # (n,) of text, "" where one is missing
    encoding: Encoding
    rows: Array  # (n,), the numbers of the examples in the file
    where: Callable[[int], str]  # says where an example of such a number is
    notes: Sequence[str] = ()  # what was done

    def place(self, i: int) -> str:
        """Where an example is in the file."""
        return self.where(self.rows[i])

    def labelled(self) -> tuple[Array, Array, Callable[[int], str], Array]:
        """x, labels and places of those examples that have a label, and which these are."""
        assert self.labels is not None
        known = self.labels != ""
        return self.x[known], self.labels[known], self._replace(rows=self.rows[known]).place, known

    @property
    def image(self) -> tuple[int, int] | None:
        """Height and width, if the features of an example look like the pixels of a square image."""
        may_be = self.x.shape[1] >= _LEAST_IMAGE and self.x.size and self.x.min() >= 0
        return square_of(self.x.shape[1]) if may_be else None


class _Raw(NamedTuple):
    """A table as it stands in a file."""

    frame: Any  # pandas' of the columns by their numbers
    names: list[str] | None
    where: Callable[[int], str]
    notes: list[str]
    empty: int = 0  # rows that were left out


# Takes names and number of the columns before the examples are read, and whether the last one has labels,
# where that is known.
_Choose = Callable[..., Roles]


class _Learning:
    """Takes a table as something to learn from."""

    knows = None  # of its header, before it is read

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted

    def choose(self, names: list[str] | None, width: int, labelled: bool | None = None) -> Roles:
        if labelled is False:
            raise Unclear("has no array y; to be learned from it must have x and y")
        self.features, self.roles = self.wanted.roles(names, width)
        return self.roles

    def table(self, raw: _Raw) -> Table:
        names, label = raw.names, self.roles.label
        assert label is not None
        columns, unused = _columns.learned(
            raw.frame, self.features, self.roles.text, names, bool(self.wanted.columns), raw.where
        )
        x, missing, _ = _columns.encoded(raw.frame, columns, raw.where)
        _check_finite(raw, x, columns)
        labels = labels_of(raw.frame[label])
        encoding = Encoding(columns, Column(names[label] if names else None, label), raw.frame.shape[1])
        if gaps := np.flatnonzero(labels == "")[:1].tolist():
            where = raw.where(raw.frame.index[gaps[0]])
            raise Unclear(f"has no label in {where}, column {encoding.label.called}; leave such examples out")
        kinds = [printable(kind) for kind in np.unique(labels).tolist()]
        texts = [f"{column.called} ({len(column.inputs)})" for column in columns if column.values is not None]
        notes = [
            f"label {encoding.label.called}: {_some(kinds)}; {', '.join([*raw.notes, *_emptied(raw)])}",
            f"features: {_some([column.called for column in columns])}"
            + (f"; an input for each value of {_some(texts)}" if texts else ""),
            f"not used: {_some(unused) or 'none'}; missing: {_missing(missing) or 'none'}",
        ]
        return Table(x, labels, encoding, raw.frame.index.to_numpy(), raw.where, notes)


class _Applying:
    """Takes a table as a model's encoding does; ``label`` is the column of the labels, if it is given."""

    def __init__(self, encoding: Encoding, label: str | None) -> None:
        self.encoding, self.label = encoding, label
        self.knows = partial(_encoding.known_header, encoding)  # of a table's first record

    def choose(self, names: list[str] | None, width: int, labelled: bool | None = None) -> Roles:
        label = str(width - 1) if labelled else self.label
        self.columns, self.at = _columns.applied(self.encoding, label, names, width)
        return Roles({column.at for column in self.columns if column.values is not None}, self.at)

    def table(self, raw: _Raw) -> Table:
        columns, label = self.columns, self.at
        x, missing, unknown = _columns.encoded(raw.frame, columns, raw.where)
        start = 0
        for column in columns:
            if column.values is None:
                gaps = np.isnan(x[:, start])
                if gaps.any() and column.mean is None:
                    row = raw.frame.index[np.flatnonzero(gaps)[0]]
                    raise Unclear(
                        f"has no number in {raw.where(row)}, column {column.called}, nor has the model one"
                    )
                x[gaps, start] = column.mean
            start += len(column.inputs)
        _check_finite(raw, x, columns)
        labels = None if label is None else labels_of(raw.frame[label])
        used = {column.at for column in columns} | {label}
        unused = [raw.names[i] or str(i) if raw.names else str(i) for i in raw.frame if i not in used]
        notes = [f"not used: {_some(list(map(printable, unused)))}"] if unused else []
        notes += [f"missing: {_missing(missing)}"] if missing else []
        notes += [
            f"{counted(n, 'unknown text')} in column {column.called}, of which no input is 1"
            for column, n in unknown
        ]
        notes += _emptied(raw)
        return Table(x, labels, self.encoding, raw.frame.index.to_numpy(), raw.where, notes)


def read(path: Path, wanted: Wanted | Encoding, label: str | None = None, form: Format = UNKNOWN) -> Table:
    """The table in a file, or in standard input if the path is "-".

    It is read as something to learn from, or as a model's encoding takes it; ``label`` is for the latter.
    """
    name = printable(path)
    way = _Applying(wanted, label) if isinstance(wanted, Encoding) else _Learning(wanted)
    source = io.BytesIO(sys.stdin.buffer.read()) if str(path) == "-" else path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with _opened(source) as (file, kind):
                if kind in _READERS:
                    raw = _READERS[kind](file, way.choose)
                else:
                    frame, head, empty = _csv.read(
                        file, form, way.knows, lambda h: way.choose(h.names, h.columns)
                    )
                    where = partial(_line_of, source, head)
                    raw = _Raw(frame, head.names, where, head.notes, empty)
            return way.table(raw)
    except ModuleNotFoundError as error:
        extra = "pip install 'nndl_fast[parquet]'" if error.name == "pyarrow" else f"pip install {error.name}"
        raise ValueError(f"{name} needs {error.name} to be read: {extra}") from error
    except Unclear as error:
        raise ValueError(f"{name} {error}") from error
    except Exception as error:  # whatever the decoders of text, NumPy, pandas and gzip meet in a damaged file
        raise ValueError(f"{name} cannot be read: {printable(error)}") from error


@contextmanager
def _opened(source: Path | IO[bytes]) -> Iterator[tuple[IO[bytes], str]]:
    """The file, unpacked if it is compressed, and the ending of its name without that."""
    if not isinstance(source, Path):
        source.seek(0)
        yield source, ".csv"
        return
    with _archives.open_regular(source) as file:
        kind = source.suffix.lower()
        if kind == ".zip":
            archive = zipfile.ZipFile(file)
            members = [name for name in archive.namelist() if not name.startswith("__MACOSX")]
            if len(members) != 1:
                raise Unclear(
                    f"has {len(members)} files, {', '.join(map(printable, members))}; it must have one"
                )
            with archive.open(members[0]) as member:
                yield member, Path(members[0]).suffix.lower()
        elif kind in _UNPACKED:
            with _UNPACKED[kind](file) as unpacked:
                yield unpacked, source.with_suffix("").suffix.lower()
        else:
            yield file, kind


def _line_of(source: Path | IO[bytes], head: Head, row: int) -> str:
    with _opened(source) as (file, _):
        return _csv.line_of(file, head, row)


_UNPACKED: dict[str, Any] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.open,
    ".xz": lzma.open,
}


def _check_finite(raw: _Raw, x: Array, columns: list[Column]) -> None:
    infinite = np.argwhere(abs(x) > _LARGEST)
    if infinite.size:
        row, j = infinite[0]
        of_inputs = [column.called for column in columns for _ in column.inputs]
        raise Unclear(
            f"has {x[row, j]} in {raw.where(raw.frame.index[row])}, column {of_inputs[j]}; features must be "
            "finite, and numbers that float32 holds"
        )


def _emptied(raw: _Raw) -> list[str]:
    return [f"{counted(raw.empty, 'empty row')} left out"] if raw.empty else []


def _missing(missing: list[tuple[Column, int]]) -> str:
    said = ("the mean" if column.values is None else "a value of its own" for column, _ in missing)
    return _some([f"{n} in {column.called} ({what})" for (column, n), what in zip(missing, said)])


def _some(items: list[str]) -> str:
    return ", ".join(items if len(items) <= 12 else [*items[:10], f"... ({len(items)} in all)"])


def _npy(file: IO[bytes], choose: _Choose) -> _Raw:
    import pandas

    described = _archives.described(file, _archives.size_of(file))
    _check_real(described)
    if described.ndim != 2:
        raise Unclear(f"has shape {described.shape}; it must be (n, columns)")
    choose(None, described.shape[1])
    file.seek(0)
    array = np.lib.format.read_array(file, allow_pickle=False)
    return _Raw(pandas.DataFrame(array), None, _example, ["an array"])


def _npz(file: IO[bytes], choose: _Choose) -> _Raw:
    import pandas

    archive = _archives.Archive(file)
    of_x, of_y = ([name for name in archive.names if name.lower() == kind] for kind in "xy")
    if not of_x:
        raise Unclear(f"has the arrays {', '.join(archive.names) or 'none'}; it must have x and y")
    if twice := next((found for found in (of_x, of_y) if len(found) > 1), None):
        raise Unclear(f"has the arrays {' and '.join(twice)}; only one of them can be meant")
    x = archive.describe(of_x[0])
    _check_real(x)
    n, features = len(x), prod(x.shape[1:])  # images too
    choose(None, features + len(of_y), bool(of_y))
    if of_y:
        y = archive.describe(of_y[0])
        if y.shape != (n,):
            raise Unclear(f"has a y of shape {y.shape}; for {n} examples it must be ({n},)")
        if y.dtype.kind not in "biufSU":
            raise Unclear(f"has labels of dtype {y.dtype}; they must be integers or text")
    frame = pandas.DataFrame(archive.read(of_x[0]).reshape(n, features))
    if of_y:
        labels = archive.read(of_y[0])
        if labels.dtype.kind in "bS":
            labels = np.char.decode(labels, "utf-8") if labels.dtype.kind == "S" else labels.astype(np.int64)
        frame[features] = labels
    return _Raw(frame, None, _example, ["the arrays x and y"])


def _parquet(file: IO[bytes]) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(file).read().to_pandas()  # pandas' own reader refuses two columns of one name


def _excel(file: IO[bytes]) -> Any:
    import pandas

    return pandas.read_excel(file, dtype=object)  # text stays text, though it may look like a number


def _by_pandas(reader: str | Callable[[IO[bytes]], Any], first: int | None = None) -> Any:
    """A reader of tables whose columns have names and types."""

    def read(file: IO[bytes], choose: _Choose) -> _Raw:
        import pandas

        frame = getattr(pandas, reader)(file) if isinstance(reader, str) else reader(file)
        if not frame.shape[0] or not frame.shape[1]:
            raise Unclear("has no examples, or none in its first sheet")
        names = ["" if re.fullmatch(r"Unnamed: \d+", str(name)) else str(name) for name in frame.columns]
        choose(names, len(names))
        plain = isinstance(frame.index, pandas.RangeIndex)
        frame = frame.reset_index(drop=True).set_axis(range(len(names)), axis=1)
        filled = np.flatnonzero(~frame.isna().all(axis=1))
        last = int(filled[-1]) + 1 if len(filled) else 0
        notes = ["columns with names", *([] if plain else ["an index, which is not used"])]
        where = _example if first is None else lambda row: f"row {row + first}"
        return _Raw(frame.iloc[:last], names, where, notes, len(frame) - last)

    return read


_READERS: dict[str, Callable[[IO[bytes], _Choose], _Raw]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".parquet": _by_pandas(_parquet),
    ".feather": _by_pandas("read_feather"),
    ".xlsx": _by_pandas(_excel, first=2),  # after the header, as Excel numbers them
    ".dta": _by_pandas("read_stata"),
}


def _example(row: int) -> str:
    return f"example {row}"


def _check_real(array: Array) -> None:
    if array.dtype.kind not in "biuf":
        raise Unclear(f"has dtype {array.dtype}; it must hold real numbers")


def labels_of(series: Any) -> Array:
    """Labels as text: as they stand in the file, or as Python writes numbers, whole ones without a point."""
    from pandas.api import types

    kind = types.infer_dtype(series, skipna=True)
    if kind in ("floating", "mixed-integer-float", "integer-na"):
        numbers = series.astype("Float64").to_numpy(np.float64, na_value=np.nan)
        known = numbers[~np.isnan(numbers)]
        if not np.isfinite(known).all():
            raise Unclear(f"has a label that is {known[~np.isfinite(known)][0]}")
        if (known == np.rint(known)).all() and (abs(known) < 2**53).all():
            series = series.astype("Float64").astype("Int64")
    elif kind not in ("boolean", "integer", "string", "categorical", "empty", "mixed-integer"):
        raise Unclear(f"has labels of type {kind}; they must be numbers or text. See --label")
    return _columns.text_of(series).to_numpy(str)
