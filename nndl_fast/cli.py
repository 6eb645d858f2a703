"""The command line: ``nndl-fast train | predict | evaluate | bench | info``. It needs the extra ``train``."""

from __future__ import annotations

import io
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ._commands import _evaluation, _tables
from ._commands._csv_head import Format
from ._files import _encoding, _mnist
from ._network._layers import classes_of
from ._runtime._config import __version__, show_config
from ._runtime._errors import unheard
from ._runtime._text import printable
from .network import Network, load

try:
    import click

    from ._commands import _options, _outputs
    from ._commands._train import train
except ImportError as error:
    raise SystemExit(
        "nndl-fast needs packages that are not installed: pip install 'nndl_fast[train]'"
    ) from error


def _one_line(error: object) -> str:
    return printable(str(error).replace("\n", " "))  # some of NumPy's and Matplotlib's have several lines


class _Commands(click.Group):
    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except click.ClickException as error:
            error.message = _one_line(error.message)  # type: ignore[misc]  # its show() prints it
            raise

    @unheard
    def main(self, *args: Any, **options: Any) -> Any:
        """As click's, but what a user can mend becomes a line on the terminal, not a traceback."""
        try:
            return super().main(*args, **options)
        except MemoryError as error:
            message = f"there is not enough memory: {error}".removesuffix(": ")
        except (ImportError, OSError, ValueError) as error:
            message = str(error)
        # Python writes at its end what standard output still holds, which may be what could not be written.
        sys.stdout = io.StringIO()
        click.ClickException(_one_line(message)).show()
        sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nndl-fast")
def main() -> None:
    """Trains and runs NumPy neural networks with the fast softmax output layer."""


main.add_command(train)


_MODEL = click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_DATA = click.argument("data", type=click.Path(exists=True, allow_dash=True, path_type=Path))


@main.command()
@_MODEL
@_DATA
@_options.of_tables
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A .csv file for the predicted class and the activations of all classes, instead of the terminal.",
)
def predict(model: Path, data: Path, output: Path | None, **options: Any) -> None:
    """Prints the class and its activation for each example of DATA.

    DATA is a table as for train, or - for text from standard input; its columns may be in any order if the
    network knows their names, and need no labels. Or it is images as for train, of which the test images are
    taken.
    """
    net = load(model)
    if output is not None:
        _outputs.check_table(output, [model, data])
    table = _read(net, data, **options)
    with _about(data):
        a = net.predict_proba(table.x)
    classes = np.asarray(classes_of(net))[a.argmax(axis=1)]
    if output is not None:
        _outputs.save_table(output, classes_of(net), classes, a)
    else:
        for best, activation in zip(classes, a.max(axis=1)):
            click.echo(f"{printable(best)}\t{activation:.6f}")
    _options.say(*table.notes, err=True)
    if table.labels is None or not any(table.labels):
        return
    _, labels, place, known = table.labelled()
    try:
        correct = int(np.sum(a[known].argmax(axis=1) == _evaluation.numbers_of(net, labels, place)))
    except ValueError as error:
        _options.say(f"no accuracy: {data} {error}", err=True)
    else:
        without = "" if known.all() else f", {np.sum(~known)} without a label"
        _options.say(f"accuracy {correct / known.sum():.2%} ({correct} of {known.sum()}{without})", err=True)


@main.command()
@_MODEL
@_DATA
@_options.of_tables
def evaluate(model: Path, data: Path, **options: Any) -> None:
    """Prints how good a network is on the labelled examples of DATA.

    That is its accuracy, its cost, how far its activations can be believed, and which classes are taken
    for which.
    """
    net = load(model)
    table = _read(net, data, **options)
    _options.say(*table.notes, err=True)
    if table.labels is None:
        raise ValueError(
            f"{printable(data)} has no labels; evaluate needs a column more than the network has inputs"
        )
    x, labels, place, known = table.labelled()
    if not known.all():
        _options.say(f"{np.sum(~known)} examples without a label are left out", err=True)
    try:
        y = _evaluation.numbers_of(net, labels, place)
    except ValueError as error:
        raise ValueError(f"{printable(data)} {error}") from error
    with _about(data):
        found = _evaluation.evaluate(net, x, y)
    _options.say(f"accuracy {found.accuracy}, cost {found.cost:.4f}")
    _options.say(f"Brier score {found.brier:.4f}, expected calibration error {found.reliability.error:.2%}")
    _options.say(*_evaluation.lines(found))


@main.command()
@click.argument("folder", default="nndl-fast-report", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--quick", is_flag=True, help="Few shapes and rounds: less than a minute, and not to be quoted."
)
@click.option(
    "--against",
    metavar="JSON",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An earlier report.json to compare with.",
)
@click.option("--open", "show", is_flag=True, help="Show the page in the browser.")
def bench(folder: Path, quick: bool, against: Path | None, show: bool) -> None:
    """Measures this machine beside the libraries that are installed.

    The layer is measured alone and in company. FOLDER gets report.html, report.json and pictures. It needs
    the extra bench; leave the machine alone meanwhile, which is about half an hour.
    """
    needed = "pytest", "pytest_benchmark", "matplotlib", "markdown_it"
    if missing := [name for name in needed if not find_spec(name)]:
        raise click.ClickException(f"{', '.join(missing)} not installed: pip install 'nndl_fast[bench]'")
    options = ["--quick"] * quick + (["--against", str(against)] if against else [])
    # A process of its own, in which nothing else has been loaded.
    program = Path(__file__).parent / "bench" / "report.py"
    if not program.is_file():  # in an editable install the benchmarks stand beside the package
        program = Path(__file__).parents[1] / "bench" / "report.py"
    status = subprocess.run([sys.executable, str(program), str(folder), *options]).returncode
    if status:
        sys.exit(status)
    if show:
        webbrowser.open((folder / "report.html").resolve().as_uri())


@main.command()
@click.argument("model", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def info(model: Path | None) -> None:
    """Prints what this installation is, or what is in MODEL."""
    content: dict[str, Any] = show_config()
    if model is not None:
        net = load(model)
        content = {
            "sizes": "-".join(map(str, net.sizes)),
            "cost": net.cost.__name__,
            "hidden": net.hidden,
            "dtype": net.dtype,
            "parameters": net.num_parameters,
            **{name: names for name in ("classes", "features") if (names := getattr(net, name))},
        }
        if net.table:  # what is kept of the one that it was trained on
            encoding = _encoding.from_json(net.table, net.sizes[0])
            content |= {"label": encoding.label.called, "columns": "; ".join(map(str, encoding.columns))}
        content["digest"] = net.digest()
    for name, value in content.items():
        _options.say(f"{name:<17} {', '.join(map(str, value)) if isinstance(value, list) else value}")


def _read(net: Network, data: Path, label: str | None, **form: Any) -> _tables.Table:
    inputs = net.sizes[0]
    encoding = (
        _encoding.from_json(net.table, inputs) if net.table else _encoding.of_names(net.features, inputs)
    )
    if str(data) != "-" and _mnist.is_kept_in(data):
        x, digits = _mnist.load(data, inputs, most=None)[2]
        return _tables.Table(x, digits.astype(str), encoding, np.arange(len(x)), "image {}".format)
    return _tables.read(data, encoding, label, Format(**form))


@contextmanager
def _about(data: Path) -> Iterator[None]:
    """What is wrong with the examples is said of their file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{printable(data)}: {error}") from error
