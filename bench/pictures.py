"""The pictures of a report: time against the peers, distance to the machine's limits, more processors.
And the one of all releases: ``python bench/pictures.py PICTURE`` draws the history of the ratios to others,
each of them measured in the run of its release, as the machines differ."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import limits
import matplotlib
import results
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatter, NullFormatter
from results import COST_AND_DELTA, OURS, OURS_OUT, SOFTMAX, TITLES, Times, shape_name

# Colours that people with the usual colour blindnesses tell apart (Okabe and Ito), and a marker each as well.
STYLE = {
    OURS: ("#d55e00", "o"),
    "PyTorch": ("#0072b2", "s"),
    "JAX": ("#009e73", "D"),
    "ONNX Runtime": ("#cc79a7", "^"),
    "scikit-learn": ("#e69f00", "v"),
    "Numba": ("#56b4e9", "P"),
    "SciPy": ("#8c6d31", "X"),
    "NumPy": ("#444444", "*"),
}
# What reports say is text: a dollar sign in it begins no formula, whatever the user's matplotlibrc says.
plain_text = matplotlib.rc_context(
    {"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False}
)
NAMES = ["cost-and-delta.png", "softmax.png", "limits.png", "processors.png"]
SIZE, DPI = (9.0, 4.8), 130
DASHED: dict[str, Any] = {"color": "#888888", "linestyle": "--", "linewidth": 1.2}
SMALL = 8  # points


def plain(value: float, _: Any) -> str:
    return f"{value:g}"


def frame(title: str, label: str, grid: Literal["both", "x", "y"]) -> tuple[Figure, Any]:
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_ylabel(label)
    axes.grid(axis=grid, which="major", color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def start(title: str, shapes: list[results.Shape], label: str) -> tuple[Figure, Any]:
    figure, axes = frame(title, label, "y")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(plain))
    axes.yaxis.set_minor_formatter(LogFormatter())  # the default one writes formulas
    axes.set_xticks(range(len(shapes)), [f"{n}\nx {classes}" for n, classes in shapes], fontsize=SMALL)
    axes.set_xlabel("examples x classes")
    return figure, axes


def legend(axes: Any) -> None:
    """Beside the lines, in the order in which they end there."""
    named = (line for line in axes.get_lines() if not line.get_label().startswith("_"))
    lines = sorted(named, key=lambda line: -float(line.get_ydata()[-1]))
    axes.legend(handles=lines, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def against_peers(times: Times, operation: str) -> Figure:
    """Nanoseconds per element: shapes of very different sizes share an axis, and the copy is its floor."""
    shapes = results.shapes(times, operation)
    figure, axes = start(
        f"{TITLES[operation]}: time per element (lower is faster)", shapes, "nanoseconds per element"
    )
    for name in [*results.peers_of(times, operation), OURS]:
        points = [
            (x, seconds * 1e9 / (shape[0] * shape[1]))
            for x, shape in enumerate(shapes)
            if (seconds := results.seconds(times, operation, shape, name)) is not None
        ]
        colour, marker = STYLE[name]
        ours = name == OURS
        axes.plot(
            *zip(*points),
            color=colour,
            marker=marker,
            markersize=8 if ours else 6,
            linewidth=2.5 if ours else 1,
            label=name,
            zorder=3 if ours else 2,
        )
    floor = [
        (x, (results.seconds(times, "limits", shape, kind) or 0) * 1e9 / (shape[0] * shape[1]))
        for x, shape in enumerate(shapes)
        if (kind := limits.limit(times, shape)) is not None
    ]
    if floor:
        axes.plot(*zip(*floor), label="copy of the array", zorder=1, **DASHED)
    legend(axes)
    return figure


def distance_to_limits(times: Times) -> Figure:
    records = [r for r in limits.limits(times) if r["limit"] != limits.NP_EXP]
    shapes = [r["shape"] for r in records]
    figure, axes = start(
        f"{OURS} over a copy of the same array (1 is as fast as copying)", shapes, "time / time of the copy"
    )
    for operation, colour, marker in ((COST_AND_DELTA, "#0072b2", "s"), (SOFTMAX, "#d55e00", "o")):
        for name, filled, text in ((OURS, True, "fresh result"), (OURS_OUT, False, "out=")):
            key = f"{operation}, {name}"
            points = [(x, r[key]) for x, r in enumerate(records) if r[key] is not None]
            if not points:
                continue
            axes.plot(
                *zip(*points),
                color=colour,
                marker=marker,
                markersize=7,
                markerfacecolor=colour if filled else "white",
                linestyle="-" if filled else ":",
                linewidth=1.5,
                label=f"{operation}, {text}",
            )
    axes.axhline(1, label="copy", **DASHED)
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(bottom, 0.8), top)
    axes.yaxis.set_minor_formatter(
        FuncFormatter(lambda value, _: f"{value:g}" if value in (2, 5, 20, 50) else "")
    )
    legend(axes)
    return figure


def processors(times: Times) -> Figure:
    """What the model says of more processors than the machine has, with the times that there are."""
    title = "softmax: times as fast as one processor (lines: a model; points: measured)"
    figure, axes = frame(title, "times as fast", "both")
    colours = [colour for colour, _ in STYLE.values()]
    counts = [2**i for i in range(limits.MOST.bit_length())]
    for (shape, line), colour in zip(limits.of_times(times, SOFTMAX).items(), colours):
        # memory that brings no more than it was seen to, and one that grows with the processors
        least, most = ([line.alone() / line.seconds(p, grows) for p in counts] for grows in (False, True))
        axes.fill_between(counts, least, most, color=colour, alpha=0.15, linewidth=0)
        axes.plot(counts, least, color=colour, linewidth=1.5, label=shape_name(shape))
        axes.plot(counts, most, color=colour, linewidth=1, linestyle=":")
        seen = [(p, line.measured[1] / seconds) for p, seconds in line.measured.items()]
        axes.plot(*zip(*seen), color=colour, marker="o", markersize=7, linestyle="none")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(plain))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xticks(counts)
    axes.set_xlabel("processors (solid: no more memory bandwidth than measured; dotted: it grows with them)")
    legend(axes)
    return figure


@plain_text
def write(times: Times, folder: Path) -> list[Path | None]:
    """A file for each of ``NAMES``; None where there is nothing to draw, and an older one is removed."""
    figures = [
        against_peers(times, COST_AND_DELTA),
        against_peers(times, SOFTMAX),
        distance_to_limits(times),
        processors(times),
    ]
    for operation, i in ((COST_AND_DELTA, 0), (SOFTMAX, 1)):
        if not results.peers_of(times, operation):
            figures[i].clear()
    drawn: list[Path | None] = []
    for name, figure in zip(NAMES, figures):
        is_empty = not any(axes.get_lines() for axes in figure.axes)
        drawn.append(None if is_empty else folder / name)
        if is_empty:
            (folder / name).unlink(missing_ok=True)
        else:
            # Without the version of matplotlib in the file: equal figures give equal files.
            figure.savefig(folder / name, metadata={"Software": None})
    return drawn


@plain_text
def history(path: Path) -> None:
    """Geometric means over the shapes: how many times as long as nndl_fast a library takes, by release."""
    figure = Figure(figsize=(9, 4), dpi=DPI, layout="constrained")
    places = figure.subplots(1, 2, sharey=True)
    found = {path.stem: results.read_report(path)[1] for path in results.releases()}
    for axes, operation in zip(places, (COST_AND_DELTA, SOFTMAX)):
        names = dict.fromkeys(name for times in found.values() for name in results.peers_of(times, operation))
        for name in names:
            points = [
                (version, results.standing(ratios).geometric_mean)
                for version, times in found.items()
                if (ratios := results.ratios(times, operation, name))
            ]
            colour, marker = STYLE[name]
            axes.plot(*zip(*points), color=colour, marker=marker, label=name)
        axes.axhline(1, **DASHED)
        axes.set_title(operation, loc="left", fontsize=11)
        axes.set(yscale="log", xlabel="release")
        for set_formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            set_formatter(lambda value, _: f"{value:g}")
        axes.grid(axis="y", color="#dddddd")
        axes.legend(frameon=False, fontsize=SMALL)
    places[0].set_ylabel("times as long as nndl_fast")
    figure.savefig(path)


if __name__ == "__main__":
    history(Path(sys.argv[1]))
