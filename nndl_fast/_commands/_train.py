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
from .._network._backpropagation import sum_of_squares
from .._network._progress import History
from .._runtime._text import printable
from ..network import Network
from . import _columns, _evaluation, _options, _outputs, _split, _tables
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
    form = Format(**{name: given.pop(name) for name in Format._fields})
    wanted = _columns.Wanted(label, columns, drop, text)
    is_table = data is not None and not _mnist.is_kept_in(data)
    if not is_table and (standardise or wanted != _columns.Wanted() or form != UNKNOWN):
        raise click.UsageError(
            "--label, --columns, --drop, --text, --standardise and how text is written are there for tables"
        )
    if data is not None:
        _outputs.check_inputs(output, list(data.iterdir()) if data.is_dir() else [data])
    if data is not None and is_table:
        split = _split.of_table(_tables.read(data, wanted, form=form), data, standardise is not False, seed)
    else:
        split = _split.of_digits(data)
    _options.say(*split.notes)
    mini_batch = min(mini_batch, len(split.training[1]))
    chosen = dict(TABLE if is_table else MNIST if data else DIGITS)
    chosen |= {name: value for name, value in given.items() if value is not None}
    net = _new_network(split, chosen["hidden"], cost, seed)
    sizes = "-".join(map(str, net.sizes))
    _options.say(
        f"{sizes}, {cost} cost, {len(split.training[1])} {'examples' if is_table else 'images'}, "
        f"{chosen['epochs']} epochs of mini-batches of {mini_batch}, eta {chosen['eta']:g}, "
        f"lambda {chosen['lmbda']:g}"
        f"{', standardised' if split.scale else ''}{', float64' if net.dtype == np.float64 else ''}"
    )
    start = time.perf_counter()
    history, costs_alone = _trained(net, split, chosen["epochs"], mini_batch, chosen["eta"], chosen["lmbda"])
    seconds = time.perf_counter() - start
    if split.scale:
        split.scale.put_into(net)
    net.classes = split.classes
    if split.encoding:
        net.features, net.table = split.encoding.features, split.encoding.to_json()
    _outputs.save(net, output)  # before anything that may fail
    found = _evaluation.evaluate(net, *split.test)
    correct = history.evaluation_accuracy
    best = int(np.argmax(correct)) + 1
    _options.say(
        f"{seconds:.1f} s; epoch {best} is kept, with the best validation accuracy, "
        f"{correct[best - 1] / len(split.validation[1]):.2%}"
    )
    _options.say(f"test accuracy {found.accuracy}, test cost {found.cost:.4f}")
    _options.say(f"model: {output}, digest {net.digest()}")
    pairs = (correct, split.validation), (history.training_accuracy, split.training)
    accuracies = [100 * np.array(of) / len(part[1]) for of, part in pairs]
    title = f"{printable(data.name) if data else 'digits'}: {sizes}, {cost} cost"
    x, image, place = split.test[0], split.image, split.place
    _outputs.draw(
        output,
        lambda by, file: by.learning_curve(np.array(costs_alone).T, accuracies, best, title, file),
        lambda by, file: by.confusion_matrix(found.counts, found.names, file),
        (lambda by, file: by.mistakes(found, x, image, place, file)) if found.mistakes.size else None,
        lambda by, file: by.reliability(found, file),
    )


def _new_network(split: _split.Split, hidden: Sequence[int], cost: str, seed: int) -> Network:
    sizes = [split.training[0].shape[1], *hidden, split.outputs]
    try:
        return Network(sizes, cost=cost, dtype=split.scale.dtype if split.scale else np.float32, rng=seed)
    except (MemoryError, OverflowError, ValueError) as error:  # as the sizes are beyond NumPy's too, or C's
        message = f"a network of {'-'.join(map(str, sizes))} neurons does not fit into memory"
        raise click.BadParameter(message, param_hint="--hidden") from error


def _trained(
    net: Network, split: _split.Split, epochs: int, mini_batch: int, eta: float, lmbda: float
) -> tuple[History, list[tuple[float, float]]]:
    """What was monitored; and of each epoch the costs of validation and training without the L2 term, which
    is divided by the number of examples, so that with it the two do not compare."""
    costs_alone = []

    def without_l2_term(_: int, values: dict[str, float]) -> None:
        half = 0.5 * lmbda * sum_of_squares(net.weights)
        validated, trained = values["evaluation_cost"], values["training_cost"]
        costs_alone.append(
            (validated - half / len(split.validation[1]), trained - half / len(split.training[1]))
        )

    with warnings.catch_warnings():
        warnings.filterwarnings("error", "SGD: the training diverges", RuntimeWarning)
        try:
            history = net.SGD(
                split.training,
                epochs,
                mini_batch,
                eta,
                lmbda,
                split.validation,
                monitor_evaluation_cost=True,
                monitor_evaluation_accuracy=True,
                monitor_training_cost=True,
                monitor_training_accuracy=True,
                keep_best=True,
                callback=without_l2_term,
            )
        except RuntimeWarning as error:
            raise click.ClickException(f"{error}. Nothing is saved") from error
    return history, costs_alone
