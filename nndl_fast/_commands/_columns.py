"""How the columns of a table become the inputs of a network."""

from __future__ import annotations

import csv
import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._files._encoding import Column, Encoding
from .._runtime import _inputs
from .._runtime._text import counted, printable
from .._runtime._types import Array

_MOST_VALUES = 100  # of a column of text, each of which becomes an input
_LABELS = ("class", "label", "target")  # a column of such a name is the label, wherever it stands
_ID = re.compile(r"(?:^|[\W_])(?:id|index|idx|uuid|guid|row ?names?)$|(?-i:[a-z]I[dD]$)", re.IGNORECASE)


class Unclear(ValueError):
    """What is wrong with a table; the message goes on after the file's name."""


class Roles(NamedTuple):
    """Of the columns of a table: which are text, and which is the label."""

    text: set[int]
    label: int | None


class Wanted(NamedTuple):
    """What is to be learned from a table, by the names or numbers of its columns."""

    label: str | None = None
    columns: Sequence[str] = ()  # all others if there are none
    drop: Sequence[str] = ()
    text: Sequence[str] = ()  # text, though they look like numbers

    def roles(self, names: list[str] | None, width: int) -> tuple[list[int], Roles]:
        """Which columns may be features, and the roles of all."""
        if self.label is None:
            label = _default_label(names, width)
        else:
            label = _number_of(self.label, names, width)
        chosen = _numbers_of(self.columns, names, width, "--columns") or range(width)
        dropped = _numbers_of(self.drop, names, width, "--drop")
        if label in dropped:
            raise Unclear("would lose its label by --drop; give another column as --label")
        features = [i for i in chosen if i != label and i not in dropped]
        if not features:
            more = ". Is there another delimiter? See --delimiter" if width == 1 else ""
            raise Unclear(f"has {counted(width, 'column')}; it must have features and labels{more}")
        if names:
            _check_once(names, [names[i] for i in (*features, label)])
        return features, Roles(set(_numbers_of(self.text, names, width, "--text")), label)


def _check_once(names: list[str], needed: Sequence[str | None]) -> None:
    """Refuses two columns of one name if that is needed; columns without a name may be several."""
    counts = Counter(names)
    if twice := next((name for name in needed if name and counts[name] > 1), None):
        raise Unclear(f"has two columns of the name {printable(twice)}; each must have its own")


def _default_label(names: list[str] | None, width: int) -> int:
    if names is None:
        return width - 1
    known = [i for i, name in enumerate(names) if name.lower() in _LABELS]
    if len(known) > 1:
        raise Unclear(
            f"has the columns {' and '.join(names[i] for i in known)}; which is the label? Give --label"
        )
    return known[0] if known else width - 1


def applied(
    encoding: Encoding, label: str | None, names: list[str] | None, width: int
) -> tuple[list[Column], int | None]:
    """The encoding's columns where they are in another table, and its label if it has one."""
    needed = [column.name for column in encoding.columns]
    if names and all(needed):
        _check_once(names, [*needed, label])
        if missing := [name for name in needed if name not in names]:
            raise Unclear(
                f"has no column {printable(missing[0])}, which the network takes; it has "
                f"{', '.join(map(printable, names))}"
            )
        columns = [column._replace(at=names.index(column.name or "")) for column in encoding.columns]
        if label is not None:
            return columns, _number_of(label, names, width)
        if encoding.label.name is not None:
            return columns, names.index(encoding.label.name) if encoding.label.name in names else None
        others = set(range(width)) - {column.at for column in columns}
        return columns, others.pop() if len(others) == 1 else None
    at = None if label is None else _number_of(label, names, width)
    if width == encoding.width:
        places = [column.at for column in encoding.columns]
        if at is not None and at != encoding.label.at:
            places = [i for i in range(width) if i != at]
        at = encoding.label.at if at is None else at
    elif width == encoding.width - 1 and at is None:  # without the label
        places = [column.at - (column.at > encoding.label.at) for column in encoding.columns]
    else:
        places = [i for i in range(width) if i != at]
    if len(places) != len(needed):
        raise Unclear(
            f"has {counted(width, 'column')}; the network needs {counted(len(needed), 'column')}, or one "
            "more for labels"
        )
    return [column._replace(at=i) for column, i in zip(encoding.columns, places)], at


def _numbers_of(given: Sequence[str], names: list[str] | None, width: int, option: str) -> list[int]:
    """The numbers of columns that options name, each by one or as a list with commas."""
    each = [[item] if item in (names or ()) else next(csv.reader([item])) for item in given]
    flat = [name.strip() for items in each for name in items]
    return [_number_of(name, names, width, option) for name in flat if name]


def _number_of(given: str, names: list[str] | None, width: int, option: str = "--label") -> int:
    if names and given in names:
        return names.index(given)
    try:
        if -width <= int(given) < width:
            return int(given) % width
    except ValueError:
        pass
    known = f"numbered 0 to {width - 1}, without names"
    if names:
        known = f"named {', '.join(map(printable, names))}"
    raise Unclear(f"has no column {printable(given)} for {option}; its columns are {known}")


def learned(
    frame: Any,
    features: list[int],
    as_text: set[int],
    names: list[str] | None,
    chosen: bool,
    where: Callable[[int], str],
) -> tuple[list[Column], list[str]]:
    """What the features of a table are, and which columns are left out as nothing can be learned from them.

    If they were ``chosen`` one by one, none is left out.
    """
    columns, unused, too_many = [], [], []
    for i in features:
        column = Column(names[i] or None if names else None, i)
        series = frame[i]
        values = series.dropna()
        kinds = text_of(values).unique() if _is_text(series, column) else None
        if kinds is not None and i not in as_text:
            _check_numbers(column, series, kinds, where)
        reason = "" if chosen or i in as_text else _why_not(column, series, values, bool(names))
        if not len(values):
            reason = "is empty"
        if reason:
            unused.append(f"{column.called} ({reason})")
        elif kinds is not None:
            if len(kinds) > _MOST_VALUES:
                too_many.append((column, len(kinds)))
            missing = [""] * (len(values) < len(series))
            columns.append(column._replace(values=[*sorted(kinds), *missing]))
        else:
            columns.append(column)
    if too_many:
        counts = " and ".join(f"{n} values in column {column.called}" for column, n in too_many)
        options = " ".join(f"--drop {shlex.quote(column.called)}" for column, _ in too_many)
        raise Unclear(
            f"has texts of {counts}; up to {_MOST_VALUES} become inputs. Give {options}, or encode them with "
            "scikit-learn's ColumnTransformer before SoftmaxClassifier"
        )
    if columns or chosen:
        return columns, unused
    return learned(frame, features, as_text, names, True, where)  # better than none


def _why_not(column: Column, series: Any, values: Any, named: bool) -> str:
    """Why nothing can be learned from a column, as it tells rows apart and no more; "" if something may.

    ``named`` says whether columns have names."""
    is_text, first = _is_text(series, column), column.at == 0 and not column.name
    identifies = bool(column.name and _ID.search(column.name))
    if first and named:
        return "has no name"
    may_be = len(series) == len(values) > 2 and (is_text or first or identifies)
    if not may_be or not series.is_unique:
        return ""
    if is_text:
        return "another text in every row"
    numbers = values.to_numpy(np.float64)
    if first and numbers[0] in (0, 1) and (np.diff(numbers) == 1).all():
        return "numbers the rows"
    return "an identifier" if identifies else ""


# Numbers as people write them: with a sign of a currency, separators, a percent sign or a unit.
_LIKE_A_NUMBER = re.compile(r"[^\w.,]{0,2}\d[\d.,'\s]*\W{0,2}[^\W\d]{0,3}[\W\d]?")


def _check_numbers(column: Column, series: Any, kinds: Any, where: Callable[[int], str]) -> None:
    """Refuses a column of numbers in which something is none, or which are written otherwise."""
    import pandas

    numbers = pandas.to_numeric(pandas.Series(kinds, dtype=object), errors="coerce").notna().to_numpy()
    like = np.array([bool(_LIKE_A_NUMBER.fullmatch(kind)) for kind in kinds])
    wrong = kinds[np.flatnonzero(~numbers)[:1]]
    if 2 * np.count_nonzero(numbers | like) <= len(kinds) or not len(wrong):
        return  # words, or codes such as 007 of a table whose columns have types
    row = series.index[np.flatnonzero((text_of(series) == wrong[0]).to_numpy(bool, na_value=False))[0]]
    if wrong[0] == column.name:
        raise Unclear(f"has its header again in {where(row)}")
    called = shlex.quote(column.called)
    comma = "--decimal , or " if re.fullmatch(r"[+-]?\d+,\d+", wrong[0]) else ""
    raise Unclear(
        f"has the value {printable(wrong[0])} in {where(row)}, column {column.called}, whose values look "
        f"like numbers; write it as one, or give {comma}--text {called} or --drop {called}"
    )


def encoded(
    frame: Any, columns: list[Column], where: Callable[[int], str]
) -> tuple[Array, list[tuple[Column, int]], list[tuple[Column, int]]]:
    """The inputs (n, inputs), NaN where a number is missing, how many of these there are of each column, and
    how many texts of each column are unknown."""
    parts, missing, unknown = [], [], []
    for column in columns:
        series = frame[column.at]
        if column.values is None:
            numbers = _numbers(series, column, where)
            parts.append(numbers[:, None])
            gaps = int(np.isnan(numbers).sum()) if numbers.dtype.kind == "f" else 0
        else:
            texts = text_of(series).to_numpy(object)
            gaps = int(series.isna().sum()) if "" in column.values else 0
            part = np.zeros((len(texts), len(column.values)), np.float32)
            found = _inputs.places_of(texts.tolist(), column.values)
            part[np.flatnonzero(found >= 0), found[found >= 0]] = 1
            if others := int(np.sum(found < 0)):
                unknown.append((column, others))
            parts.append(part)
        if gaps:
            missing.append((column, gaps))
    x = np.hstack(parts)
    return x.astype(np.result_type(x.dtype, np.float32), copy=False), missing, unknown


def _numbers(series: Any, column: Column, where: Callable[[int], str]) -> Array:
    import pandas

    if _is_text(series, column):
        numbers = pandas.to_numeric(text_of(series), errors="coerce")
        wrong = np.flatnonzero((numbers.isna() & series.notna()).to_numpy())
        if wrong.size:
            row = series.index[wrong[0]]
            raise Unclear(
                f"has the value {printable(series[row])} in {where(row)}, column {column.called}, which must "
                "be a number"
            )
        series = numbers
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iuf":
        return series.to_numpy()
    if series.dtype == object:
        series = pandas.to_numeric(series)
    return series.astype("Float64").to_numpy(np.float64, na_value=np.nan)


def _is_text(series: Any, column: Column) -> bool:
    """Whether a column holds text; a ValueError if it holds neither text nor numbers."""
    from pandas.api import types

    if types.is_bool_dtype(series.dtype) or (
        types.is_numeric_dtype(series.dtype) and not types.is_complex_dtype(series.dtype)
    ):
        return False
    kind = types.infer_dtype(series, skipna=True)
    if kind in ("boolean", "integer", "floating", "mixed-integer-float", "decimal"):
        return False
    if kind in ("string", "categorical", "empty", "mixed-integer"):
        return True
    raise Unclear(
        f"has the column {column.called} of type {kind}; features are numbers or text. Give --drop "
        f"{shlex.quote(column.called)}"
    )


def text_of(series: Any) -> Any:
    """The values as text without spaces around them; what is missing is ""."""
    return series.astype(object).map(lambda value: str(value).strip(), na_action="ignore").fillna("")
