"""Tables of text, which pandas reads once their head has told how they are written."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any

import numpy as np

from .._runtime._text import counted, printable
from ._columns import Roles, Unclear
from ._csv_head import MISSING, Format, Head, Knows, head_of, lines_of, records_of

_THOUSANDS = re.compile(r"[1-9]\d{0,2}(\.\d{3})+")  # or decimals, of which there are three


def read(
    file: IO[bytes], form: Format, knows: Knows | None, choose: Callable[[Head], Roles]
) -> tuple[Any, Head, int]:
    """A frame of the columns by their numbers, its head, and how many empty lines were left out.

    ``choose`` says which columns are text, and which is the label, before the whole table is read.
    """
    start = file.read(4)
    if kind := {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"PK": "zip"}.get(start[:2]):
        raise Unclear(f"is compressed with {kind}, or another kind of file; its name must say so")
    wide = start[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in [form.encoding] if form.encoding else ["utf-16"] if wide else ["utf-8-sig", "cp1252"]:
        try:
            with _decoded(file, encoding) as text:
                head = head_of(text, encoding, form, knows)
                if form.decimal is None:
                    _check_thousands(text, head)
                return _read(text, head, choose(head))
        except UnicodeDecodeError as error:
            if encoding != "utf-8-sig":
                raise Unclear(f"is not text in {encoding}: {error}; give --encoding") from error
            _check_encoding(file)
    raise AssertionError


def _check_encoding(file: IO[bytes]) -> None:
    """Refuses what is UTF-8 but for a part of it; the rest of what is none is taken for Windows-1252."""
    file.seek(0)
    content = file.read()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        if b"\0" in content:
            raise Unclear("is not text, or in an encoding that --encoding has to name") from error
        if any(c > "\x7f" and c != "\ufffd" for c in content.decode("utf-8", "replace")):
            line = content.count(b"\n", 0, error.start) + 1
            raise Unclear(
                f"has the byte {content[error.start]:#04x} in line {line}, which is not UTF-8 as the rest "
                "is; give --encoding if it is in another one"
            ) from error


def line_of(file: IO[bytes], head: Head, row: int) -> str:
    """Where a row of the frame stands, as an editor counts lines."""
    with _decoded(file, head.encoding) as text:
        return f"line {_line(text, head, row)}"


@contextmanager
def _decoded(file: IO[bytes], encoding: str) -> Iterator[IO[str]]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding)
    try:
        yield text
    finally:
        text.detach()


def _after_head(text: IO[str], head: Head) -> IO[str]:
    text.seek(0)
    for _ in range(head.lines):
        text.readline()
    return text


def _examples(text: IO[str], head: Head) -> Iterator[tuple[int, list[str]]]:
    """The lines, as an editor counts them, and fields of the examples."""
    for line, fields in records_of(lines_of(_after_head(text, head)), head.delimiter):
        yield head.lines + line, fields


def _read(text: IO[str], head: Head, roles: Roles) -> tuple[Any, Head, int]:
    import pandas

    columns = range(head.columns + head.empty_last)
    missing = {i: ["", "?"] if i == roles.label else list(MISSING) for i in columns}
    as_text = roles.text | ({roles.label} - {None})
    try:
        frame = pandas.read_csv(
            _after_head(text, head),
            sep=r"\s+" if head.delimiter == " " else head.delimiter,
            decimal=head.decimal,
            header=None,
            names=columns,
            index_col=False,
            dtype={i: str for i in as_text},
            keep_default_na=False,
            na_values=missing,
            skipinitialspace=True,
            low_memory=False,
        )
    except (pandas.errors.ParserError, pandas.errors.ParserWarning):
        _check_records(text, head)
        raise
    if frame.empty:
        raise Unclear("has a header and no examples")
    if head.empty_last:
        last = frame.pop(columns[-1])
        if len(wrong := np.flatnonzero(last.notna())):
            raise Unclear(
                f"has something in line {_line(text, head, wrong[0])} behind its last column, "
                f"{head.names[-1] if head.names else head.columns - 1}"
            )
    elif head.columns > 1 and frame.iloc[:, -1].isna().any():
        _check_records(text, head)  # pandas fills short lines
    _check_labels(text, head, frame, roles.label)
    empty = _empty(text, head, frame)
    return frame.drop(index=empty), head, len(empty)


def _line(text: IO[str], head: Head, row: int) -> int:
    return next(islice(_examples(text, head), int(row), None))[0]


def _empty(text: IO[str], head: Head, frame: Any) -> list[int]:
    """The rows in which nothing stands, as Excel leaves them at the end; NA is something."""
    if head.columns < 2 or not (may_be := frame.isna().all(axis=1)).any():
        return []
    blank = (not any(map(str.strip, fields)) for _, fields in _examples(text, head))
    return [row for row, (is_blank, missing) in enumerate(zip(blank, may_be)) if is_blank and missing]


def _check_records(text: IO[str], head: Head) -> None:
    """Refuses a table whose lines have different numbers of columns."""
    columns = head.columns + head.empty_last
    for line, fields in _examples(text, head):
        if len(fields) not in (columns, head.columns):
            shown = printable(head.delimiter.join(fields)[:60])
            raise Unclear(
                f"has {counted(len(fields), 'column')} in line {line}, {shown}, and {columns} in others; is "
                "a delimiter in a field without quotes, does the line not belong to the table, or is there "
                "another delimiter? See --delimiter"
            )


def _check_labels(text: IO[str], head: Head, frame: Any, label: int | None) -> None:
    if label is None or not head.names or not head.names[label]:
        return
    if len(again := np.flatnonzero((frame[label] == head.names[label]).to_numpy(bool, na_value=False))):
        raise Unclear(f"has its header again in line {_line(text, head, again[0])}")


def _check_thousands(text: IO[str], head: Head) -> None:
    """Refuses numbers such as 1.100 beside 900, if a semicolon says that points may be of thousands."""
    if head.delimiter != ";" or head.decimal != ".":
        return
    sample = [fields for _, fields in islice(_examples(text, head), 200)]
    for i in range(head.columns):
        fields = [record[i].strip() for record in sample if len(record) > i]
        points = [field for field in fields if "." in field]
        if points and all(map(_THOUSANDS.fullmatch, points)) and any(map(str.isdigit, fields)):
            raise Unclear(
                f"has the value {points[0]} in column {head.names[i] if head.names else i}, whose point may "
                "be of thousands or of decimals; write such numbers without points, or give --decimal ."
            )
