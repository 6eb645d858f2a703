"""What the command line draws: a learning curve, a confusion matrix, what was most confidently wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

from .._runtime._text import printable
from .._runtime._types import Array
from ._evaluation import Evaluation

_NAMED = 40  # classes up to which each has its name in the confusion matrix
_COUNTED = 20  # and up to which each cell has its number
_MISTAKES = 25


# Names are text: a dollar sign begins no formula, whatever the user's matplotlibrc says.
plain_text = matplotlib.rc_context(
    {"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False}
)


def _save(figure: Figure, file: IO[bytes]) -> None:
    figure.savefig(file, dpi=120, format="png")


@plain_text
def learning_curve(costs: Any, accuracies: Any, kept: int, title: str, file: IO[bytes]) -> None:
    """Costs and accuracies in %, of validation and training by epoch; the epoch ``kept`` is marked."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, label, (validation, training) in (
        (left, "cost, without L2 term", costs),
        (right, "accuracy, %", accuracies),
    ):
        epochs = np.arange(1, len(training) + 1)
        axes.plot(epochs, training, label="training", color="tab:blue", marker=".")
        axes.plot(epochs, validation, label="validation", color="tab:orange", marker=".")
        axes.set(xlabel="epoch", ylabel=label)
        axes.axvline(kept, color="0.5", linestyle=":", label=f"epoch {kept}, which is kept")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    left.set_yscale("log")
    lowest, highest = left.get_ylim()
    narrow = highest < 5 * lowest  # 1, 2 and 5 would mark too little of it
    left.yaxis.set_major_locator(MaxNLocator(5) if narrow else LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter(NullFormatter())
    right.legend(loc="lower right")
    figure.suptitle(title)
    _save(figure, file)


@plain_text
def confusion_matrix(counts: Array, classes: Sequence[str], file: IO[bytes]) -> None:
    """counts[i, j] examples of class i are said to be of class j; a row's shade is its share."""
    n = len(classes)
    side = min(12.0, 3.2 + 0.45 * n)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    image = axes.imshow(100 * share, cmap="Blues", vmin=0, vmax=100)
    if n <= _NAMED:
        axes.set_xticks(range(n), classes, rotation=90 if max(map(len, classes)) > 3 else 0)
        axes.set_yticks(range(n), classes)
    if n <= _COUNTED:
        for i, j in np.argwhere(counts):
            colour = "white" if share[i, j] > 0.5 else "black"
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=colour)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(f"{np.trace(counts)} of {counts.sum()} test examples are right")
    figure.colorbar(image, label="% of the true class", shrink=0.8)
    _save(figure, file)


@plain_text
def reliability(found: Evaluation, file: IO[bytes]) -> None:
    """How many of the predictions of an activation are right, and how many such predictions there are."""
    figure = Figure(figsize=(4.6, 5.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    of = found.reliability
    n, there = len(of.counts), of.counts > 0
    left = 100 * np.arange(n) / n
    upper.plot([0, 100], [0, 100], color="0.6", linestyle="--", label="as sure as right")
    upper.bar(left[there], 100 * of.correct[there], 100 / n, align="edge", alpha=0.35, color="tab:blue")
    dots = {"label": "test examples", "color": "tab:blue", "clip_on": False, "zorder": 3}
    upper.plot(100 * of.activation[there], 100 * of.correct[there], "o", **dots)
    upper.set(ylabel="right, %", xlim=(0, 100), ylim=(0, 100))
    upper.set_title(f"expected calibration error {of.error:.2%}")
    upper.legend(loc="upper left")
    lower.bar(left, of.counts, 100 / n, align="edge", color="tab:blue")
    lower.set(
        xlabel="activation of the predicted class, %", ylabel="examples", yscale="log", ylim=(0.7, None)
    )
    lower.yaxis.set_major_formatter("{x:g}")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    _save(figure, file)


@plain_text
def mistakes(found: Evaluation, x: Array, image: Any, place: Callable[[int], str], file: IO[bytes]) -> None:
    """What was most confidently wrong of the examples ``x``: as images, or, as other numbers have no picture,
    in a table with their places in the file."""
    worst = found.mistakes[:_MISTAKES]
    if image:
        across = min(5, len(worst))
        down = -(-len(worst) // across)
        figure = Figure(figsize=(1.9 * across + 0.8, 2.3 * down + 0.6), layout="constrained")
        places = figure.subplots(down, across, squeeze=False).ravel()
        for axes in places:
            axes.axis("off")
        for axes, i in zip(places, worst):
            axes.imshow(x[i].reshape(image), cmap="gray_r")
            axes.set(xticks=[], yticks=[])
            axes.axis("on")  # its frame
            axes.set_title(
                f"predicted {found.named(i)} ({found.activation[i]:.0%}),\ntrue {found.true(i)}",
                fontsize=9,
            )
    else:
        figure = Figure(figsize=(7, 0.9 + 0.27 * len(worst)), layout="constrained")
        axes = figure.subplots()
        axes.axis("off")
        cells = [
            [printable(place(i)), found.true(i), found.named(i), f"{found.activation[i]:.1%}"] for i in worst
        ]
        header = ["in the file", "true class", "predicted class", "activation"]
        axes.table(cells, colLabels=header, bbox=Bbox.unit(), cellLoc="center", edges="horizontal")
    figure.suptitle("The most confidently wrong test examples")
    _save(figure, file)
