"""What commands share: their options, how values of these are read, and how lines are printed."""

from __future__ import annotations

import codecs
from collections.abc import Callable

import click
import numpy as np

from .._runtime._text import printable


def say(*lines: str, err: bool = False) -> None:
    """Prints lines, which may hold names of files and in files, without what a terminal would act upon."""
    for line in lines:
        click.echo(printable(line), err=err)


def numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    if value is None:
        return None
    try:
        given = [int(part) for part in value.split(",") if part.strip()]
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers such as 100 or 100,30") from None
    if any(n < 1 for n in given):
        raise click.BadParameter("a layer needs at least one neuron")
    return given


def finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not np.isfinite(value):  # click's ranges let NaN through
        raise click.BadParameter(f"{value} is not finite")
    return value


def _delimiter(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    value = {"tab": "\t", "\\t": "\t", "space": " "}.get(value or "", value)
    if value is not None and (len(value) != 1 or value in '"\r\n'):
        raise click.BadParameter(f"{value!r} is not one character, nor tab or space")
    return value


def encoding(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        name = None if value is None else codecs.lookup(value).name
    except LookupError:
        raise click.BadParameter(f"{value!r} is no encoding that Python knows") from None
    return "utf-8-sig" if name == "utf-8" else name  # with a mark at its start, or without


_TABLE_OPTIONS = [
    click.option(
        "--label",
        metavar="COLUMN",
        help="The column of the labels, by its name or its number from 0.  [default: as the model knows it; "
        "for train the one that is called class, label or target, else the last]",
    ),
    click.option(
        "--delimiter",
        metavar="CHARACTER",
        callback=_delimiter,
        help="What stands between the columns of a text file: a character, tab, or space for white space.  "
        "[default: told from the first lines]",
    ),
    click.option(
        "--encoding",
        callback=encoding,
        help="The encoding of a text file, such as cp1251.  [default: UTF-8, UTF-16 or cp1252]",
    ),
    click.option(
        "--skip",
        type=click.IntRange(min=0),
        default=0,
        metavar="LINES",
        help="How many lines of a text file stand before the table.",
    ),
    click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        help="The decimal point of a text file.  [default: told from the first lines]",
    ),
    click.option(
        "--header/--no-header",
        default=None,
        help="Whether a text file starts with names of columns.  [default: told from the first lines]",
    ),
]


def of_tables(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of tables."""
    for option in reversed(_TABLE_OPTIONS):
        command = option(command)
    return command
