"""The command line: ``nndl-fast train | predict | evaluate | bench | info``. It needs the extra ``train``."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import warnings
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from . import costs
from ._commands import _columns, _judgement, _problem, _tables
from ._commands._csv_head import UNKNOWN, Format
from ._files import _mnist, _plan
from ._runtime._config import __version__, show_config
from ._runtime._errors import unheard
from ._runtime._text import printable
from .network import Network, load

try:
    import click

    from ._commands import _options, _outputs
except ImportError as error:
    raise SystemExit(
        "nndl-fast needs packages that are not installed: pip install 'nndl_fast[train]'"
    ) from error

# What --hidden, --epochs, --eta and --lambda are if they are not given.
DIGITS: dict[str, Any] = {"hidden": [60], "epochs": 60, "eta": 2.0, "lmbda": 0.05}
MNIST: dict[str, Any] = {"hidden": [100], "epochs": 30, "eta": 0.5, "lmbda": 5.0}
TABLE: dict[str, Any] = {"hidden": [30], "epochs": 60, "eta": 0.1, "lmbda": 0.1}


def _say(text: str, err: bool = False) -> None:
    """Prints a line, which may hold names of files and in files, without what a terminal would act upon."""
    click.echo(printable(text), err=err)


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


@main.command()
@click.argument("data", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--data", "folder", hidden=True, type=click.Path(exists=True, path_type=Path))
@_options.of_tables
@click.option(
    "--columns", multiple=True, metavar="COLUMN[,...]", help="The features, if not all other columns are."
)
@click.option("--drop", multiple=True, metavar="COLUMN[,...]", help="Columns that are no features.")
@click.option("--text", multiple=True, metavar="COLUMN[,...]", help="Columns of text that look like numbers.")
@click.option(
    "--standardise/--no-standardise",
    default=None,
    help="Train on features of mean 0 and standard deviation 1; the model then takes them as they were.  "
    "[default: tables yes, images no]",
)
@click.option(
    "--hidden",
    callback=_options.numbers,
    metavar="N[,N...]",
    help="Neurons of the hidden layers; an empty string for none.  [default: 60; MNIST 100; tables 30]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over the training examples.  [default: 60; MNIST 30]",
)
@click.option(
    "--mini-batch", default=10, show_default=True, type=click.IntRange(min=1), help="Examples per step."
)
@click.option(
    "--eta",
    type=click.FloatRange(min=0, min_open=True),
    callback=_options.finite,
    help="The learning rate.  [default: 2; MNIST 0.5; tables 0.1]",
)
@click.option(
    "--lambda",
    "lmbda",
    type=click.FloatRange(min=0),
    callback=_options.finite,
    help="L2 regularisation.  [default: 0.05; MNIST 5; tables 0.1]",
)
@click.option("--cost", default="log-likelihood", show_default=True, type=click.Choice(sorted(costs.NAMES)))
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(min=0),
    help="The same seed gives the same network.",
)
@click.option(
    "--output",
    default="nndl-fast-model.npz",
    show_default=True,
    type=click.Path(dir_okay=False),
    callback=_outputs.model_file,
    help="The model's file; its pictures go beside it, as .png.",
)
def train(
    data: Path | None,
    folder: Path | None,
    label: str | None,
    columns: Sequence[str],
    drop: Sequence[str],
    text: Sequence[str],
    standardise: bool | None,
    mini_batch: int,
    cost: str,
    seed: int,
    output: Path,
    **given: Any,
) -> None:
    """Trains a network, saves it, and draws pictures of it.

    DATA is a table of your own: text such as .csv, .xlsx, .parquet, .npy or .npz (arrays x and y). Of a
    table 70 % are trained on, 15 % validate and 15 % test. Or it is a folder with MNIST's four IDX files, the
    book's mnist.pkl.gz, or Keras's mnist.npz. Without DATA the bundled handwritten digits are learned.
    """
    data = data or folder
    is_table = data is not None and not _mnist.is_kept_in(data)
    form = Format(**{name: given.pop(name) for name in Format._fields})
    of_tables = label is not None or standardise or columns or drop or text or form != UNKNOWN
    if not is_table and of_tables:
        raise click.UsageError(
            "--label, --columns, --drop, --text, --standardise and how text is written are there for tables"
        )
    if data is not None:
        _outputs.check_inputs(output, data.iterdir() if data.is_dir() else [data])
    if data is not None and is_table:
        table = _tables.read(data, _columns.Wanted(label, columns, drop, text), form=form)
        problem = _problem.of_table(table, data, standardise is not False, seed)
    else:
        problem = _problem.of_digits(data)
    for note in problem.notes:
        _say(note)
    training, validation, test = problem.training, problem.validation, problem.test
    mini_batch = min(mini_batch, len(training[1]))
    chosen = dict(TABLE if is_table else MNIST if data else DIGITS)
    chosen |= {name: value for name, value in given.items() if value is not None}
    layers = [training[0].shape[1], *chosen["hidden"], problem.outputs]
    sizes = "-".join(map(str, layers))
    dtype = problem.scale.dtype if problem.scale else np.float32
    try:
        net = Network(layers, cost=cost, dtype=dtype, rng=seed)
    except (MemoryError, OverflowError, ValueError) as error:  # as the sizes are beyond NumPy's too, or C's
        message = f"a network of {sizes} neurons does not fit into memory"
        raise click.BadParameter(message, param_hint="--hidden") from error
    _say(
        f"{sizes}, {cost} cost, {len(training[1])} {'examples' if is_table else 'images'}, "
        f"{chosen['epochs']} epochs of mini-batches of {mini_batch}, eta {chosen['eta']:g}, "
        f"lambda {chosen['lmbda']:g}"
        f"{', standardised' if problem.scale else ''}{', float64' if dtype is np.float64 else ''}"
    )
    costs_alone: list[tuple[float, float]] = []

    def without_l2_term(_: int, values: dict[str, float]) -> None:
        # it is divided by the size of the set that is judged, so with it the two costs do not compare
        half = 0.5 * chosen["lmbda"] * sum(float(np.sum(w * w)) for w in net.weights)
        validated, trained = values["evaluation_cost"], values["training_cost"]
        costs_alone.append((validated - half / len(validation[1]), trained - half / len(training[1])))

    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "SGD: the training diverges", RuntimeWarning)
        try:
            history = net.SGD(
                training,
                chosen["epochs"],
                mini_batch,
                chosen["eta"],
                chosen["lmbda"],
                validation,
                monitor_evaluation_cost=True,
                monitor_evaluation_accuracy=True,
                monitor_training_cost=True,
                monitor_training_accuracy=True,
                keep_best=True,
                callback=without_l2_term,
            )
        except RuntimeWarning as error:
            raise click.ClickException(f"{error}. Nothing is saved") from error
    seconds = time.perf_counter() - start
    if problem.scale:
        problem.scale.put_into(net)
    net.classes = problem.classes
    if problem.plan:
        net.features, net.table = problem.plan.features, problem.plan.to_json()
    _outputs.save(net, output)  # before anything that may fail
    judged = _judgement.judge(net, *test)
    correct = history.evaluation_accuracy
    best = int(np.argmax(correct)) + 1
    _say(
        f"{seconds:.1f} s; epoch {best} is kept, with the best validation accuracy, "
        f"{correct[best - 1] / len(validation[1]):.2%}"
    )
    _say(f"test accuracy {judged.accuracy}, test cost {judged.cost:.4f}")
    _say(f"model: {output}, digest {net.digest()}")
    pairs = (correct, validation), (history.training_accuracy, training)
    accuracies = [100 * np.array(of) / len(part[1]) for of, part in pairs]
    title = f"{printable(data.name) if data else 'digits'}: {sizes}, {cost} cost"
    _outputs.draw(
        output,
        lambda file: _outputs.pictures().learning_curve(
            np.array(costs_alone).T, accuracies, best, title, file
        ),
        lambda file: _outputs.pictures().confusion_matrix(judged.counts, judged.names, file),
        None
        if not judged.mistakes.size
        else lambda file: _outputs.pictures().mistakes(judged, test[0], problem.image, problem.place, file),
        lambda file: _outputs.pictures().reliability(judged, file),
    )


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
    classes = np.asarray(_judgement.classes_of(net))[a.argmax(axis=1)]
    if output is not None:
        _outputs.save_table(output, _judgement.classes_of(net), classes, a)
    else:
        for best, activation in zip(classes, a.max(axis=1)):
            click.echo(f"{printable(best)}\t{activation:.6f}")
    for note in table.notes:
        _say(note, err=True)
    if table.labels is None or not any(table.labels):
        return
    _, labels, place, known = table.labelled()
    try:
        correct = int(np.sum(a[known].argmax(axis=1) == _judgement.numbers_of(net, labels, place)))
    except ValueError as error:
        _say(f"no accuracy: {data} {error}", err=True)
    else:
        without = "" if known.all() else f", {np.sum(~known)} without a label"
        _say(f"accuracy {correct / known.sum():.2%} ({correct} of {known.sum()}{without})", err=True)


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
    for note in table.notes:
        _say(note, err=True)
    if table.labels is None:
        raise ValueError(
            f"{printable(data)} has no labels; evaluate needs a column more than the network has inputs"
        )
    x, labels, place, known = table.labelled()
    if not known.all():
        _say(f"{np.sum(~known)} examples without a label are left out", err=True)
    try:
        y = _judgement.numbers_of(net, labels, place)
    except ValueError as error:
        raise ValueError(f"{printable(data)} {error}") from error
    with _about(data):
        judged = _judgement.judge(net, x, y)
    _say(f"accuracy {judged.accuracy}, cost {judged.cost:.4f}")
    _say(f"Brier score {judged.brier:.4f}, expected calibration error {judged.reliability.error:.2%}")
    for line in _judgement.lines(judged):
        _say(line)


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
    the extra bench; leave the machine alone meanwhile, which is about twenty minutes.
    """
    if missing := [name for name in ("pytest", "pytest_benchmark", "matplotlib") if not find_spec(name)]:
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
            **_planned(net),
            "digest": net.digest(),
        }
    for name, value in content.items():
        _say(f"{name:<17} {', '.join(map(str, value)) if isinstance(value, list) else value}")


def _planned(net: Network) -> dict[str, Any]:
    """What the network keeps of the table that it was trained on."""
    if not net.table:
        return {}
    plan = _plan.plan_from_json(net.table, net.sizes[0])
    return {"label": plan.label.called, "columns": "; ".join(map(str, plan.columns))}


def _read(net: Network, data: Path, label: str | None, **form: Any) -> _tables.Table:
    inputs = net.sizes[0]
    plan = _plan.plan_from_json(net.table, inputs) if net.table else _plan.plan_of_names(net.features, inputs)
    if str(data) != "-" and _mnist.is_kept_in(data):
        x, digits = _mnist.load(data, inputs, most=None)[2]
        return _tables.Table(x, digits.astype(str), plan, np.arange(len(x)), "image {}".format)
    return _tables.read(data, plan, label, Format(**form))


@contextmanager
def _about(data: Path) -> Iterator[None]:
    """What is wrong with the examples is said of their file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{printable(data)}: {error}") from error
