"""How a table of text is written, as its first lines tell: delimiter, decimal comma, header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any, NamedTuple

from .._runtime._text import counted, printable
from ._columns import Unclear

# What stands for a value that is missing: pandas' own list, and "?", "." and "#NULL!" of UCI, SAS and SPSS.
MISSING = frozenset(
    ",?,.,NA,N/A,n/a,#N/A,#N/A N/A,#NA,<NA>,NaN,nan,-NaN,-nan,NULL,null,None,#NULL!,#DIV/0!,#VALUE!,"
    "1.#IND,-1.#IND,1.#QNAN,-1.#QNAN".split(",")
)
_DELIMITERS = "\t;|,"  # the likelier one first, if several would do: a comma may be in numbers
_LOOKED_AT = 200  # records from which all is told
_LONGEST = 1 << 24  # characters of a line
# What begins a file that is no table, and what it is.
_OTHERS = {
    r"\s*[{\[]": "JSON",
    r"(?i)@relation|%.*arff": "ARFF",
    r"(?i)<(\?xml|!doctype|html|table)": "HTML or XML",
    r"[-+]?[\d.]+( \d+:[-+.\deE]+)+\s*$": "in the format of LIBSVM",
    r".*\0": "not text",
}


class Format(NamedTuple):
    """How a table is written; what is None is to be told from its first lines."""

    delimiter: str | None = None  # a space stands for any white space
    decimal: str | None = None
    header: bool | None = None
    encoding: str | None = None
    skip: int = 0  # lines before the table


UNKNOWN = Format()


class Head(NamedTuple):
    encoding: str
    delimiter: str
    decimal: str
    names: list[str] | None  # of the columns
    columns: int
    lines: int  # before the first example
    empty_last: bool = False  # there is another column, in which nothing stands
    comments: int = 0  # lines that were left out

    @property
    def notes(self) -> list[str]:
        known = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "white space"}
        parts = [known.get(self.delimiter, repr(self.delimiter)) + " between columns"]
        parts += ["decimal commas"] * (self.decimal == ",")
        parts += [self.encoding] * (self.encoding not in ("utf-8-sig", "utf-16"))
        parts.append("a header" if self.names else "no header")
        return [*parts, *([f"{counted(self.comments, 'line')} with # left out"] if self.comments else [])]


# Says of a first record whether it is a header, where a network knows its names or values; else None.
Knows = Callable[[list[str]], "bool | None"]


def head_of(text: IO[str], encoding: str, form: Format, knows: Knows | None) -> Head:
    """What the first lines tell. If it is uncertain whether there is a header, that is an error if nothing is
    known of the table, which is to be learned from, and else there is none."""
    skipped, delimiter, comments = form.skip, form.delimiter, []
    for _ in range(form.skip):
        text.readline()
    for line in lines_of(text):
        if found := re.fullmatch(r'"?sep=(.)"?', line.strip("\r\n")):  # for Excel
            delimiter = delimiter or found[1]
        elif line.lstrip().startswith("#"):
            comments.append(line)
        elif line.strip():
            break
        skipped += 1
    else:
        raise Unclear("has no lines")
    if kind := next((kind for start, kind in _OTHERS.items() if re.match(start, line)), None):
        raise Unclear(f"is {kind}; it must be a table of text, with a delimiter between its columns")
    sample = [line, *islice(lines_of(text), 2 * _LOOKED_AT)]
    delimiter = delimiter or _delimiter_of(sample, knows)
    records = _sampled(sample, delimiter)
    first, rest = records[0], records[1:]
    width = Counter(map(len, rest or [first])).most_common(1)[0][0]
    rest = [fields for fields in rest if len(fields) == width]
    decimal = form.decimal or _decimal_of(records, delimiter)
    where = f"in line {skipped + 1}, {printable(delimiter.join(first)[:80])}"
    header = form.header
    if header is None and knows:
        header = knows(first)
    if header is None:
        header = _is_header(first, rest, width, decimal)
    if header is None and not knows:
        raise Unclear(f"has a header or an example {where}: give --header or --no-header")
    head = Head(encoding, delimiter, decimal, None, width, skipped, comments=len(comments))
    in_last = [fields[-1] for fields in rest or [first] if len(fields) == width]
    if width > 2 and not any(in_last) and not (len(first) == width and first[-1]):
        head = head._replace(columns=width - 1, empty_last=True)
        first = first[: width - 1]
    if not header:
        return _with_names_of_comment(head, comments)
    reader = _reader(sample, delimiter)
    next(reader)  # a name may go on in a second line
    head = head._replace(lines=skipped + reader.line_num)
    if len(first) == head.columns + 1 and not first[-1] and rest:
        first = first[:-1]
    elif len(first) == head.columns - 1:
        first = ["", *first]  # R's names of rows have no name
    elif len(first) != head.columns:
        raise Unclear(
            f"has {counted(len(first), 'name')} {where}, and {counted(head.columns, 'column')} below; give "
            "--skip if the table begins further down, or --delimiter if it has another one"
        )
    return head._replace(names=["" if re.fullmatch(r"Unnamed: [\d.]+", name) else name for name in first])


def _with_names_of_comment(head: Head, comments: list[str]) -> Head:
    """As ``numpy.savetxt`` writes a header. A comment that is as long as an example may be one."""
    if not comments or head.columns < 2:
        return head
    fields = _sampled([comments[-1].lstrip().lstrip("#")], head.delimiter)[:1]
    if not fields or len(fields[0]) != head.columns:
        return head
    if any(is_number(field, head.decimal) for field in fields[0]):
        raise Unclear(
            f"has the line {printable(comments[-1].strip()[:80])} before the first example, which has as "
            "many columns: if it is one, write it without #, and else give --skip"
        )
    return head._replace(names=fields[0], comments=head.comments - 1)


def _delimiter_of(sample: list[str], knows: Knows | None) -> str:
    fits = {by: _fit(_sampled(sample, by)) for by in [*_DELIMITERS, " "]}
    if knows and (known := [by for by in fits if knows(_sampled(sample[:1], by)[0])]):
        return known[0]
    within_numbers = all(re.search(r"(^|[^\d]),|,($|[^\d])", line.strip()) is None for line in sample[1:])
    if fits[";"] == (1.0, fits[";"][1]) and within_numbers and fits[";"][1] > 1:
        return ";"  # and decimal commas
    best = max(_DELIMITERS, key=lambda by: fits[by])
    return " " if fits[best] < fits[" "] and fits[best][0] < 1 else best


def _sampled(sample: Iterable[str], delimiter: str) -> list[list[str]]:
    records = islice(records_of(sample, delimiter), _LOOKED_AT)
    return [[field.strip() for field in fields] for _, fields in records]


def _fit(records: list[list[str]]) -> tuple[float, int]:
    """Which share of the records after the first has the commonest number of fields, and this number."""
    lengths = Counter(len(fields) for fields in records[1:] or records)
    columns, count = max(lengths.items(), key=lambda item: (item[1], item[0]))
    return (count / sum(lengths.values()), columns) if columns > 1 else (0.0, 1)


def _decimal_of(records: list[list[str]], delimiter: str) -> str:
    """A comma if numbers have one, none has a point, and thousands do not explain it."""
    fields = [field for fields in records for field in fields]
    with_comma = [field for field in fields if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", field)]
    has_point = any(re.fullmatch(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", field) for field in fields)
    thousands = all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", field) for field in with_comma)
    return "," if with_comma and not has_point and not thousands and delimiter != "," else "."


def _is_header(first: list[str], rest: list[list[str]], width: int, decimal: str) -> bool | None:
    """Whether the first record is a header; None if it cannot be told."""
    if rest and abs(len(first) - width) == 1:
        return True
    text = [j for j, field in enumerate(first) if not is_number(field, decimal)]
    if not rest or len(first) != width:
        return len(text) == len(first)
    others = list(zip(*[fields for fields in rest if fields != first]))  # a header may stand again
    if others and any(all(is_number(field, decimal) for field in others[j]) for j in text):
        return None if any(first[j] in others[j] for j in text) else True
    below = list(zip(*rest))
    if any(first[j] in below[j] for j in text):
        return False
    numbers = [field for j, field in enumerate(first) if j not in text and field]
    counts = [str(i) for i in range(len(numbers))], [str(i + 1) for i in range(len(numbers))]
    if numbers in counts and len(numbers) > 1:  # pandas' names; but of few columns an example may be so too
        return True if numbers == counts[0] and len(numbers) > 3 else None
    if any(not any(is_number(field, decimal) for field in below[j]) for j in range(width) if j not in text):
        return None  # a number above texts
    if not text:
        return False
    return True if len(text) == len(first) else None


def is_number(text: str, decimal: str) -> bool:
    """Whether it is a number, or stands for a missing one."""
    if text in MISSING:
        return True
    try:
        float(text.replace(decimal, "."))
    except ValueError:
        return False
    return "_" not in text


def records_of(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
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


def lines_of(file: IO[str]) -> Iterator[str]:
    """The lines, of which none may fill the memory, as it could in a small compressed file."""
    while line := file.readline(_LONGEST + 1):
        if len(line) > _LONGEST:
            raise Unclear(f"has a line of more than {_LONGEST} characters")
        yield line
