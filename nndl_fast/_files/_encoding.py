"""How the columns of a table become the inputs of a network: see :class:`Encoding`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._runtime._text import printable


class Column(NamedTuple):
    """A feature, and what it becomes: a number, or an input of 0 or 1 for each value of a text."""

    name: str | None
    at: int  # its number in the table
    values: list[str] | None = None  # of a text; "" if one is missing
    mean: float | None = None  # stands for a missing number

    @property
    def called(self) -> str:
        return printable(self.name) if self.name else str(self.at)

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs."""
        name = self.name or str(self.at)
        return [name] if self.values is None else [f"{name}={value}" for value in self.values]

    def __str__(self) -> str:
        if self.values is not None:
            texts = [printable(value) if value else "none" for value in self.values]
            return f"{self.called}: one of {', '.join(texts)}"
        return self.called if self.mean is None else f"{self.called}: a number, {self.mean:.6g} if missing"


class Encoding(NamedTuple):
    """What a model keeps of the table that it was trained on, to take another one in the same way."""

    columns: list[Column]
    label: Column
    width: int  # the columns of the table

    @property
    def features(self) -> list[str] | None:
        """The names of the network's inputs, if the columns have names or are text."""
        if all(column.name is None and column.values is None for column in self.columns):
            return None
        return [name for column in self.columns for name in column.inputs]

    def to_json(self) -> dict[str, Any]:
        columns = [column._asdict() for column in self.columns]
        return {"columns": columns, "label": self.label._asdict(), "width": self.width}


def from_json(content: Any, inputs: int) -> Encoding:
    """The encoding in a model's file; a ValueError if it is none for so many inputs."""
    try:
        columns = [Column(**column) for column in content["columns"]]
        encoding = Encoding(columns, Column(**content["label"]), content["width"])
        for column in [*columns, encoding.label]:
            good = isinstance(column.name, (str, type(None))) and type(column.at) is int
            good = good and isinstance(column.values, (list, type(None))) and 0 <= column.at < encoding.width
            good = good and (column.mean is None or bool(np.isfinite(column.mean)))
            if not good or not all(isinstance(value, str) for value in column.values or []):
                raise ValueError(column)
        if (n := sum(len(column.inputs) for column in columns)) != inputs:
            raise ValueError(f"it has {n}")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"its table is none of {inputs} inputs: {error!r}") from error
    return encoding


def of_names(names: Sequence[Any] | None, inputs: int) -> Encoding:
    """For a network that knows no more than the number of its inputs, and their names if it has them."""
    columns = [Column(None if names is None else str(names[i]), i) for i in range(inputs)]
    return Encoding(columns, Column(None, inputs), inputs + 1)


def known_header(encoding: Encoding, first: list[str]) -> bool | None:
    """Whether the first record of a table is a header, by what a model knows; None if that says nothing."""
    names = [column.name for column in encoding.columns]
    if all(names):
        return True if set(names) <= set(first) else None
    known = {value for column in encoding.columns for value in column.values or []}
    return False if known & set(first) else None
