"""The command line: ``nndl-fast train | predict | info``. It needs the extra ``train``."""

from __future__ import annotations

import io
import secrets
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from . import _replace, costs, datasets
from ._config import __version__, show_config
from .network import Network, load

try:
    import click
except ImportError as error:
    raise SystemExit(
        "nndl-fast needs packages that are not installed: pip install 'nndl_fast[train]'"
    ) from error

COSTS = {
    "log-likelihood": costs.LogLikelihoodCost,
    "cross-entropy": costs.CrossEntropyCost,
    "quadratic": costs.QuadraticCost,
}
# What --hidden, --epochs, --eta and --lambda are where they are not given.
DIGITS: dict[str, Any] = {"hidden": [60], "epochs": 60, "eta": 2.0, "lmbda": 0.05}
MNIST: dict[str, Any] = {"hidden": [100], "epochs": 30, "eta": 0.5, "lmbda": 5.0}


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


def _model_file(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    """The model's path, if it and the picture can be written, which is better known before the training."""
    try:
        _replace.check(value)
        picture = _picture(Path(value))
        _replace.check(picture)
        if value.lower().endswith(".png") or picture.resolve() == Path(value).resolve():
            raise ValueError(f"{value} is where the learning curve goes; the model needs another ending")
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error)) from error
    return Path(value)


def _picture(model: Path) -> Path:
    return model.with_suffix(".png")


class _Commands(click.Group):
    def main(self, *args: Any, **options: Any) -> Any:
        """As click's, but what a user can mend becomes a line on the terminal, not a traceback."""
        try:
            return super().main(*args, **options)
        except MemoryError as error:
            message = f"there is not enough memory: {error}".removesuffix(": ")
        except (OSError, ValueError) as error:
            message = str(error).replace("\n", " ")  # some of NumPy's have several lines
        # Python writes at its end what standard output still holds, which may be what could not be written.
        sys.stdout = io.StringIO()
        click.ClickException(message).show()
        sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nndl-fast")
def main() -> None:
    """Trains and runs NumPy neural networks with the fast softmax output layer."""


@main.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with MNIST's four IDX files; without it the bundled 8x8 digits.",
)
@click.option(
    "--hidden",
    callback=_numbers,
    metavar="N[,N...]",
    help="Neurons of the hidden layers; an empty string for none.  [default: 60; with --data 100]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over the training images.  [default: 60; with --data 30]",
)
@click.option(
    "--mini-batch", default=10, show_default=True, type=click.IntRange(min=1), help="Examples a step."
)
@click.option(
    "--eta",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    help="The learning rate.  [default: 2; with --data 0.5]",
)
@click.option(
    "--lambda",
    "lmbda",
    type=click.FloatRange(min=0),
    callback=_finite,
    help="L2 regularisation.  [default: 0.05; with --data 5]",
)
@click.option("--cost", default="log-likelihood", show_default=True, type=click.Choice(sorted(COSTS)))
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
    callback=_model_file,
    help="The model's file; the learning curve goes beside it, as .png.",
)
def train(data: Path | None, mini_batch: int, cost: str, seed: int, output: Path, **given: Any) -> None:
    """Trains a network on handwritten digits, saves it and draws its learning curve."""
    training, validation, test = datasets.load_mnist(data) if data else datasets.load_digits()
    mini_batch = min(mini_batch, len(training[1]))
    chosen = (MNIST if data else DIGITS) | {name: value for name, value in given.items() if value is not None}
    layers = [training[0].shape[1], *chosen["hidden"], 10]
    sizes = "-".join(map(str, layers))
    try:
        net = Network(layers, cost=COSTS[cost], rng=seed)
    except (MemoryError, OverflowError, ValueError) as error:  # as the sizes are beyond NumPy's too, or C's
        message = f"a network of {sizes} neurons does not fit into memory"
        raise click.BadParameter(message, param_hint="--hidden") from error
    click.echo(
        f"{sizes}, {cost} cost, {len(training[1])} images, {chosen['epochs']} epochs of mini-batches of "
        f"{mini_batch}, eta {chosen['eta']:g}, lambda {chosen['lmbda']:g}"
    )
    costs_alone: list[tuple[float, float]] = []

    def without_l2_term(_: int, values: dict[str, float]) -> None:
        # it is divided by the size of the set that is judged, so with it the two costs do not compare
        half = 0.5 * chosen["lmbda"] * sum(float(np.sum(w * w)) for w in net.weights)
        validated, trained = values["evaluation_cost"], values["training_cost"]
        costs_alone.append((validated - half / len(validation[1]), trained - half / len(training[1])))

    start = time.perf_counter()
    lists = net.SGD(
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
        callback=without_l2_term,
    )
    seconds = time.perf_counter() - start
    _save(net, output)  # before anything that may fail
    correct, total = net.accuracy(test), len(test[1])
    click.echo(f"{seconds:.1f} s; best validation accuracy {max(lists[1]) / len(validation[1]):.2%}")
    click.echo(
        f"test accuracy {correct / total:.2%} ({correct} of {total}), test cost {net.total_cost(test, 0):.4f}"
    )
    click.echo(f"model: {output}, digest {net.digest()}")
    accuracies = [100 * np.array(lists[i]) / len(part[1]) for i, part in ((1, validation), (3, training))]
    try:
        with _replace.replacing(_picture(output)) as file:
            _draw(np.array(costs_alone).T, accuracies, f"{sizes}, {cost} cost", file)
    except Exception as error:  # Matplotlib's may be of any kind
        raise click.ClickException(
            f"the model is saved, but its learning curve cannot be drawn: {error}"
        ) from error
    click.echo(f"learning curve: {_picture(output)}")


@main.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def predict(model: Path, data: Path) -> None:
    """Prints class and output activation for each example of DATA.

    DATA is an .npy file (n, features), a .csv file with an example a line (one column more than the
    network has inputs: the last is the label), or a folder with MNIST's IDX files (its test images).
    """
    net = load(model)
    x, labels = _read(data, net.sizes[0])
    with np.errstate(over="ignore"):  # what is beyond float32 is infinite to a network of float32
        a = net.feedforward(x.T)
    # a single output neuron says how likely class 1 is
    activations = np.vstack([1 - a, a]) if len(a) == 1 else a
    classes = activations.argmax(axis=0)
    for best, activation in zip(classes, activations.max(axis=0)):
        click.echo(f"{best}\t{activation:.6f}")
    if labels is not None:
        correct = int(np.sum(classes == labels))
        click.echo(f"accuracy {correct / len(labels):.2%} ({correct} of {len(labels)})", err=True)


@main.command()
@click.argument("model", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def info(model: Path | None) -> None:
    """Prints what this installation is; with MODEL, what that file holds."""
    content: dict[str, Any] = show_config()
    if model is not None:
        net = load(model)
        content = {
            "sizes": "-".join(map(str, net.sizes)),
            "cost": net.cost.__name__,
            "hidden": net.hidden,
            "dtype": net.dtype,
            "parameters": sum(p.size for p in net.biases + net.weights),
            "digest": net.digest(),
        }
    for name, value in content.items():
        click.echo(f"{name:<17} {', '.join(value) if isinstance(value, list) else value}")


def _save(net: Network, output: Path) -> None:
    """Saves the network, and elsewhere where that fails, as the training may have taken hours."""
    try:
        net.save(output)
    except OSError as error:
        for folder in (tempfile.gettempdir, Path.home):
            with suppress(OSError, RuntimeError):  # of a full disk, or a user without a home
                rescued = Path(folder()) / f"nndl-fast-{secrets.token_hex(8)}.npz"
                net.save(rescued)
                raise click.ClickException(f"{error}; the model is in {rescued} instead") from error
        raise


def _read(data: Path, features: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
    if data.is_dir():
        images, digits = datasets.load_mnist(data)[2]
        if images.shape[1] != features:
            raise ValueError(
                f"{data} has images of {images.shape[1]} pixels; the network needs {features} inputs"
            )
        return images, digits
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of a file without any lines
            if data.suffix == ".npy":
                with data.open("rb") as file:
                    table = np.lib.format.read_array(file, allow_pickle=False)
            else:
                table = np.loadtxt(data, delimiter=",", ndmin=2)
    except Exception as error:  # whatever the decoders of text, NumPy and gzip meet in a damaged file
        raise ValueError(f"{data} cannot be read: {error}") from error
    if table.dtype.kind not in "iuf":
        raise ValueError(f"{data} has dtype {table.dtype}; it must hold real numbers")
    if table.ndim != 2 or table.shape[1] not in (features, features + 1):
        raise ValueError(
            f"{data} has shape {table.shape}; the network needs {features} columns, or one more for labels"
        )
    labels = table[:, features:]
    if not np.all(np.isfinite(labels) & (labels == np.rint(labels))):
        raise ValueError(f"{data} has labels in its last column that are no integers")
    return table[:, :features], labels[:, 0] if labels.size else None


def _draw(both_costs: Iterable[Any], accuracies: Iterable[Any], title: str, file: IO[bytes]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axes, label, (validation, training) in (
        (left, "cost, without L2 term", both_costs),
        (right, "accuracy, %", accuracies),
    ):
        epochs = np.arange(1, len(training) + 1)
        axes.plot(epochs, training, label="training", color="tab:blue", marker=".")
        axes.plot(epochs, validation, label="validation", color="tab:orange", marker=".")
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    left.set_ylim(bottom=0)
    right.legend(loc="lower right")
    figure.suptitle(title)
    figure.savefig(file, dpi=120, format="png")
    plt.close(figure)
