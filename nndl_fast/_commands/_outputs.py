"""What ``nndl-fast train`` writes, the model and its pictures: tried before the training, which is long."""

from __future__ import annotations

import csv
import io
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import click

from .._files import _replacing, _serialization
from .._runtime._text import printable
from .._runtime._types import Array
from ..network import Network

# The pictures beside a model, by what its name has before .png.
PICTURES = {
    "": "learning curve",
    "-confusion": "confusion matrix",
    "-mistakes": "worst mistakes",
    "-reliability": "reliability diagram",
}


def model_file(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    """The model's path, if it and its pictures can be written: as a trial, which changes nothing there."""
    try:
        _serialization.check_place(value)
        if not find_spec("matplotlib"):
            raise ImportError("the pictures of a model need Matplotlib: pip install 'nndl_fast[train]'")
        for kind, what in PICTURES.items():
            picture = _picture(Path(value), kind)
            _replacing.check(picture)
            if value.lower().endswith(".png") or picture.resolve() == Path(value).resolve():
                raise ValueError(f"{value} is where the {what} goes; the model needs another ending")
    except (ImportError, OSError, ValueError) as error:
        raise click.BadParameter(str(error)) from error
    return Path(value)


def check_inputs(model: Path, inputs: Sequence[Path]) -> None:
    """Refuses to write over what is read."""
    places = {"model": model, **{what: _picture(model, kind) for kind, what in PICTURES.items()}}
    for what, path in places.items():
        if given := _same_file(path, inputs):
            raise click.BadParameter(
                f"the {what} would overwrite {given}, which is the data; give another name",
                param_hint="--output",
            )


def _same_file(path: Path, inputs: Sequence[Path]) -> Path | None:
    """The one of the inputs that the path is, whatever name or link it is called by."""
    same = (given for given in inputs if path.exists() and given.exists() and os.path.samefile(path, given))
    return next(same, None)


def _picture(model: Path, kind: str) -> Path:
    return model.with_name(f"{model.stem}{kind}.png")


def save(net: Network, output: Path) -> None:
    """Saves the network, and elsewhere if that fails, whatever the reason."""
    try:
        net.save(output)
    except Exception as error:
        for folder in (tempfile.gettempdir, Path.home):
            with suppress(OSError, RuntimeError):  # of a full disk, or a user without a home
                rescued = Path(folder()) / f"nndl-fast-{secrets.token_hex(8)}.npz"
                net.save(rescued)
                raise click.ClickException(f"{error}; the model is in {rescued} instead") from error
        raise


def check_table(output: Path, inputs: Sequence[Path]) -> None:
    """Refuses a place for predictions that cannot be written, or that is read."""
    try:
        _replacing.check(output)
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="--output") from error
    if _same_file(output, inputs):
        raise click.BadParameter(f"{output} is what is read; give another name", param_hint="--output")


def save_table(output: Path, names: Iterable[Any], classes: Array, activations: Array) -> None:
    """Writes the predicted classes, and the activations of all."""
    with _replacing.replacing(output) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        writer = csv.writer(text)
        writer.writerow(["class", *map(_no_formula, names)])
        for best, row in zip(classes.tolist(), activations.tolist()):
            writer.writerow([_no_formula(best), *(f"{value:.9g}" for value in row)])
        text.detach()


def _no_formula(label: Any) -> Any:
    """The label, with an apostrophe if a spreadsheet would take it for a formula."""
    is_formula = isinstance(label, str) and label.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{label}" if is_formula else label


def _pictures() -> Any:
    """The module that draws: Matplotlib takes its time, and predict needs none."""
    # Matplotlib refuses a backend that it does not know, a notebook's say, and files need none.
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        from . import _pictures as module
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    return module


def draw(model: Path, *pictures: Callable[[Any, IO[bytes]], None] | None) -> None:
    """Draws each of PICTURES, with the module that does; of what there is nothing to draw, an older one is
    removed."""
    for (kind, what), picture in zip(PICTURES.items(), pictures):
        path = _picture(model, kind)
        try:
            if picture is None:
                path.unlink(missing_ok=True)
            else:
                with _replacing.replacing(path) as file:
                    picture(_pictures(), file)
        except Exception as error:  # Matplotlib's may be of any kind
            raise click.ClickException(
                f"the model is saved, but its {what} cannot be drawn: {error}"
            ) from error
        click.echo(printable(f"{what}: {path if picture else 'none'}"))
