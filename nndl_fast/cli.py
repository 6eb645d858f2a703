"""The command line: ``nndl-fast train | predict | evaluate | bench | info``. It needs the extra ``train``."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import warnings
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from . import _judgement, _mnist, _problem, _tables, costs
from ._config import __version__, show_config
from ._errors import unheard
from ._text import printable
from .network import Network, load

try:
    import click

    from . import _outputs
except ImportError as error:
    raise SystemExit(
        "nndl-fast needs packages that are not installed: pip install 'nndl_fast[train]'"
    ) from error

# What --hidden, --epochs, --eta and --lambda are if they are not given.
DIGITS: dict[str, Any] = {"hidden": [60], "epochs": 60, "eta": 2.0, "lmbda": 0.05}
MNIST: dict[str, Any] = {"hidden": [100], "epochs": 30, "eta": 0.5, "lmbda": 5.0}
TABLE: dict[str, Any] = {"hidden": [30], "epochs": 60, "eta": 0.1, "lmbda": 0.1}


def _numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    if value is None:
        return None
    try:
        numbers = [int(part) for part in value.split(",") if part.strip()]
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers such as 100 or 100,30") from None
    if any(n < 1 for n in numbers):
        raise click.BadParameter("a layer needs at least one neuron")
    return numbers


def _finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not np.isfinite(value):  # click's ranges let NaN through
        raise click.BadParameter(f"{value} is not finite")
    return value


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


_LABEL = click.option(
    "--label",
    metavar="COLUMN",
    help="The column of a table's labels, by its name or by its number from 0.  [default: the last; "
    "for a model the one that it has no input for]",
)


@main.command()
@click.argument("data", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--data", "folder", hidden=True, type=click.Path(exists=True, path_type=Path))
@_LABEL
@click.option(
    "--standardise/--no-standardise",
    default=None,
    help="Train on features of mean 0 and standard deviation 1; the model then takes them as they were.  "
    "[default: tables yes, images no]",
)
@click.option(
    "--hidden",
    callback=_numbers,
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
    callback=_finite,
    help="The learning rate.  [default: 2; MNIST 0.5; tables 0.1]",
)
@click.option(
    "--lambda",
    "lmbda",
    type=click.FloatRange(min=0),
    callback=_finite,
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
    standardise: bool | None,
    mini_batch: int,
    cost: str,
    seed: int,
    output: Path,
    **given: Any,
) -> None:
    """Trains a network, saves it, and draws pictures of it.

    DATA is a table of your own, .csv (with or without a header), .npy, .npz (arrays x and y) or .parquet; or
    a folder with MNIST's four IDX files. Without DATA the bundled handwritten digits are learned. Of a table
    70 % are trained on, 15 % validate and 15 % test.
    """
    data = data or folder
    is_table = data is not None and not data.is_dir()
    if not is_table and (label is not None or standardise):
        raise click.UsageError("--label and --standardise are there for tables")
    if data is not None:
        _outputs.check_inputs(output, [data] if is_table else _mnist.places(data))
    if data is not None and is_table:
        problem = _problem.of_table(_tables.read(data, label), data, standardise is not False, seed)
    else:
        problem = _problem.of_digits(data)
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
    net.classes, net.features = problem.classes, problem.features
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
        else lambda file: _outputs.pictures().mistakes(judged, test[0], problem.image, problem.rows, file),
        lambda file: _outputs.pictures().reliability(judged, file),
    )


@main.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@_LABEL
def predict(model: Path, data: Path, label: str | None) -> None:
    """Prints the class and its activation for each example of DATA.

    DATA is a table as for train, with the features of the network or one column more, the labels; or a folder
    with MNIST's IDX files, of which the test images are taken. Columns may be in any order if the network
    knows their names.
    """
    net = load(model)
    table = _read(net, data, label)
    with _about(data):
        a = net.predict_proba(table.x)
    classes = np.asarray(net._labels)[a.argmax(axis=1)]
    for best, activation in zip(classes, a.max(axis=1)):
        click.echo(f"{printable(best)}\t{activation:.6f}")
    if table.labels is not None:
        try:
            correct = int(np.sum(a.argmax(axis=1) == _judgement.numbers_of(net, table.labels)))
        except ValueError as error:
            _say(f"no accuracy: {data} {error}", err=True)
        else:
            _say(f"accuracy {correct / len(classes):.2%} ({correct} of {len(classes)})", err=True)


@main.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@_LABEL
def evaluate(model: Path, data: Path, label: str | None) -> None:
    """Prints how good a network is on the labelled examples of DATA.

    That is its accuracy, its cost, how far its activations can be believed, and which classes are taken
    for which.
    """
    net = load(model)
    table = _read(net, data, label)
    if table.labels is None:
        raise ValueError(
            f"{printable(data)} has no labels; evaluate needs a column more than the network has inputs"
        )
    with _about(data):
        judged = _judgement.judge(net, table.x, _judgement.numbers_of(net, table.labels))
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
            "digest": net.digest(),
        }
    for name, value in content.items():
        _say(f"{name:<17} {', '.join(map(str, value)) if isinstance(value, list) else value}")


def _read(net: Network, data: Path, label: str | None) -> _tables.Table:
    return _tables.read(data, label, _tables.Wanted(net.sizes[0], net.features))


@contextmanager
def _about(data: Path) -> Iterator[None]:
    """What is wrong with the examples is said of their file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{printable(data)}: {error}") from error
