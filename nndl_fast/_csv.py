"""Tables of text: how one is written is told from its first lines, and pandas reads it."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, NamedTuple

from ._columns import Unclear
from ._text import printable

# What stands for a value that is missing: pandas' own list, and "?", "." and "#NULL!" of UCI, SAS and SPSS.
MISSING = frozenset(
    ",?,.,NA,N/A,n/a,#N/A,#N/A N/A,#NA,<NA>,NaN,nan,-NaN,-nan,NULL,null,None,#NULL!,#DIV/0!,#VALUE!,"
    "1.#IND,-1.#IND,1.#QNAN,-1.#QNAN".split(",")
)
_DELIMITERS = "\t;|,"  # the likelier one first, if several would do: a comma may be in numbers
_LOOKED_AT = 200  # records from which the form of a table is told
_LONGEST = 1 << 24  # characters of a line


class Format(NamedTuple):
    """How a table is written; what is None is to be found out."""

    delimiter: str | None = None  # a space stands for any white space
    decimal: str | None = None
    header: bool | None = None


UNKNOWN = Format()


class Head(NamedTuple):
    """What the first lines of a table tell."""

    encoding: str
    delimiter: str
    decimal: str
    names: list[str] | None  # of the columns
    columns: int
    lines: int  # before the first example
    row_names: bool  # the first column is one that the header does not name, as R writes tables

    @property
    def notes(self) -> list[str]:
        known = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "white space"}
        parts = [known.get(self.delimiter, repr(self.delimiter)) + " between columns"]
        parts += ["decimal commas"] * (self.decimal == ",")
        parts += ["Windows-1252"] * (self.encoding == "cp1252")
        return [*parts, "a header" if self.names else "no header"]


def read(file: IO[bytes], form: Format, choose: Callable[[Head], Iterable[int]]) -> tuple[Any, Head]:
    """A frame of the columns by their numbers, and its head.

    ``choose`` says which columns are text as they stand, before the whole table is read.
    """
    wide = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ["utf-16"] if wide else ["utf-8-sig", "cp1252"]:
        try:
            with _decoded(file, encoding) as text:
                return _read(text, encoding, form, choose)
        except UnicodeDecodeError:
            if encoding != "utf-8-sig":
                raise
    raise AssertionError


def line_of(file: IO[bytes], head: Head, row: int) -> str:
    """Where a row of the frame stands, as an editor counts lines."""
    with _decoded(file, head.encoding) as text:
        records = _records(_lines(_after_head(text, head)), head.delimiter)
        line, _ = next(islice(records, int(row), None))
        return f"line {head.lines + line}"


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


def _read(
    text: IO[str], encoding: str, form: Format, choose: Callable[[Head], Iterable[int]]
) -> tuple[Any, Head]:
    import pandas

    head = _head(text, encoding, form)
    as_text = set(choose(head))
    names = range(head.columns)
    try:
        frame = pandas.read_csv(
            _after_head(text, head),
            sep=r"\s+" if head.delimiter == " " else head.delimiter,
            decimal=head.decimal,
            header=None,
            names=names,
            index_col=False,
            dtype={i: str for i in as_text},
            keep_default_na=False,
            na_values={i: [""] if i in as_text else list(MISSING) for i in names},
            skipinitialspace=True,
            low_memory=False,
        )
    except (pandas.errors.ParserError, pandas.errors.ParserWarning):
        _check_records(text, head)
        raise
    if frame.empty:
        raise Unclear("has a header and no examples")
    if head.columns > 1 and frame.iloc[:, -1].isna().any():
        _check_records(text, head)  # pandas fills short lines
    return frame, head


def _head(text: IO[str], encoding: str, form: Format) -> Head:
    skipped, delimiter = 0, form.delimiter
    for line in _lines(text):
        if found := re.fullmatch(r'"?sep=(.)"?', line.strip("\r\n")):  # for Excel
            delimiter = delimiter or found[1]
        elif line.strip() and not line.lstrip().startswith("#"):
            break
        skipped += 1
    else:
        raise Unclear("has no lines")
    sample = [line, *islice(_lines(text), 2 * _LOOKED_AT)]

    def parsed(by: str) -> list[tuple[int, list[str]]]:
        return list(islice(_records(sample, by), _LOOKED_AT))

    if delimiter is None:
        delimiter = max(_DELIMITERS, key=lambda by: _fit(parsed(by)))
        if _fit(parsed(delimiter)) < _fit(parsed(" ")) and _fit(parsed(delimiter))[0] < 1:
            delimiter = " "
    records = [[field.strip() for field in fields] for _, fields in parsed(delimiter)]
    first, rest = records[0], records[1:]
    columns = Counter(map(len, rest or [first])).most_common(1)[0][0]
    rest = [fields for fields in rest if len(fields) == columns]
    decimal = form.decimal or _decimal_of(records, delimiter)
    header = form.header
    if header is None:
        header = _is_header(first, rest, columns, decimal)
    if header is None:
        raise Unclear(
            f"has a header or an example in line {skipped + 1}, {printable(delimiter.join(first)[:80])}: "
            "give --header or --no-header"
        )
    if not header:
        return Head(encoding, delimiter, decimal, None, columns, skipped, False)
    names, row_names = first, False
    if rest and len(first) == columns + 1 and not first[-1]:
        names = first[:-1]
    elif len(first) == columns - 1:
        at_end = not any(fields[-1] for fields in rest)
        row_names = not at_end
        names = [*first, ""] if at_end else ["", *first]
    elif len(first) != columns:
        raise Unclear(
            f"has {len(first)} names in line {skipped + 1} and {columns} columns below; is there another "
            "delimiter? Give --delimiter"
        )
    reader = _reader(sample, delimiter)
    next(reader)  # a name may go on in a second line
    return Head(encoding, delimiter, decimal, names, columns, skipped + reader.line_num, row_names)


def _fit(records: list[tuple[int, list[str]]]) -> tuple[float, int]:
    """Which share of the records after the first has the commonest number of fields, and this number."""
    lengths = Counter(len(fields) for _, fields in records[1:] or records)
    columns, count = max(lengths.items(), key=lambda item: (item[1], item[0]))
    return (count / sum(lengths.values()), columns) if columns > 1 else (0.0, 1)


def _decimal_of(records: list[list[str]], delimiter: str) -> str:
    """A comma if numbers have one, none has a point, and thousands do not explain it."""
    fields = [field for fields in records for field in fields]
    with_comma = [field for field in fields if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", field)]
    has_point = any(re.fullmatch(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", field) for field in fields)
    thousands = all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", field) for field in with_comma)
    return "," if with_comma and not has_point and not thousands and delimiter != "," else "."


def _is_header(first: list[str], rest: list[list[str]], columns: int, decimal: str) -> bool | None:
    """Whether the first record is a header; None if it cannot be told."""
    if rest and abs(len(first) - columns) == 1:
        return True
    text = [j for j, field in enumerate(first) if not _is_number(field, decimal)]
    below = list(zip(*rest))
    if not rest or len(first) != columns:
        return len(text) == len(first)
    if any(all(_is_number(field, decimal) for field in below[j]) for j in text):
        return True
    numbers = [field for j, field in enumerate(first) if j not in text]
    if len(numbers) > 3 and numbers == [str(i) for i in range(len(numbers))]:  # pandas' names
        return True
    if not text or any(first[j] in below[j] for j in text):
        return False
    return True if len(text) == len(first) else None


def _is_number(text: str, decimal: str) -> bool:
    """Whether it is a number, or stands for a missing one."""
    if text in MISSING:
        return True
    try:
        float(text.replace(decimal, "."))
    except ValueError:
        return False
    return "_" not in text


def _check_records(text: IO[str], head: Head) -> None:
    """Refuses a table whose lines have different numbers of columns."""
    for line, fields in _records(_lines(_after_head(text, head)), head.delimiter):
        if len(fields) != head.columns:
            raise Unclear(
                f"has {len(fields)} columns in line {head.lines + line} and {head.columns} in others; is a "
                "delimiter in a field without quotes, or is it another one? See --delimiter"
            )


def _records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, and the number of the line, from 1, where each starts."""
    reader = _reader(lines, delimiter)
    start = 1
    for fields in reader:
        if len(fields) > 1 or "".join(fields).strip():
            yield start, fields
        start = reader.line_num + 1


def _reader(lines: Iterable[str], delimiter: str) -> Any:
    if delimiter == " ":
        lines = (line.strip().replace("\t", " ") for line in lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _lines(file: IO[str]) -> Iterator[str]:
    """The lines, of which none may fill the memory, as it could in a small compressed file."""
    while line := file.readline(_LONGEST + 1):
        if len(line) > _LONGEST:
            raise Unclear(f"has a line of more than {_LONGEST} characters")
        yield line
