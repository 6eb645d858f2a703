"""The command ``nndl-fast train``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from .. import costs
from .._files import _mnist
from .._runtime._text import printable
from ..network import Network
from . import _columns, _judgement, _options, _outputs, _problem, _tables
from ._csv_head import UNKNOWN, Format

# What --hidden, --epochs, --eta and --lambda are if they are not given.
DIGITS: dict[str, Any] = {"hidden": [60], "epochs": 60, "eta": 2.0, "lmbda": 0.05}
MNIST: dict[str, Any] = {"hidden": [100], "epochs": 30, "eta": 0.5, "lmbda": 5.0}
TABLE: dict[str, Any] = {"hidden": [30], "epochs": 60, "eta": 0.1, "lmbda": 0.1}


@click.command()
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
        _options.say(note)
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
    _options.say(
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
    _options.say(
        f"{seconds:.1f} s; epoch {best} is kept, with the best validation accuracy, "
        f"{correct[best - 1] / len(validation[1]):.2%}"
    )
    _options.say(f"test accuracy {judged.accuracy}, test cost {judged.cost:.4f}")
    _options.say(f"model: {output}, digest {net.digest()}")
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
