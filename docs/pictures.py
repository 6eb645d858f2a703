"""The pictures of the documentation: ``python docs/pictures.py FOLDER``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

import nndl_fast as nf

matplotlib.use("agg")

# Colours that people with the usual colour blindnesses tell apart (Okabe and Ito), and a dash each as well.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]
DASHES = ["-", "--", "-.", ":"]
STYLE: Any = {
    "axes.prop_cycle": cycler(color=COLOURS, linestyle=DASHES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "font.size": 12,
    "lines.linewidth": 2.5,
    "savefig.dpi": 130,
}
EXAMPLES = Path(__file__).parents[1] / "examples"


def figure(columns: int = 1) -> tuple[Figure, Any]:
    picture = Figure(figsize=(10 if columns > 1 else 8, 4.2), layout="constrained")
    return picture, picture.subplots(1, columns)


def moving_z() -> Figure:
    """One weighted input moves, and the activations of the others give way."""
    picture, axes = figure()
    moving = np.linspace(-6, 6, 241)
    z = np.stack([moving, *(np.full_like(moving, other) for other in (2.0, 1.0, 0.0))], axis=1)
    for j, a in enumerate(nf.softmax(z).T):
        name = "$z_1$ moves" if j == 0 else f"$z_{j + 1}$ = {z[0, j]:g}"
        axes.plot(moving, a, label=f"$a_{j + 1}$  ({name})")
    axes.set(xlabel="$z_1$", ylabel="activation", xlim=(-6, 6), ylim=(0, 1))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return picture


def sharpness() -> Figure:
    """c to the hard maximum."""
    picture, axes = figure()
    c, z = np.geomspace(0.01, 100, 241), [2.0, 1.5, 0.0]
    for j, a in enumerate(np.stack([nf.softmax(z, c=float(x)) for x in c], axis=1)):
        axes.plot(c, a, label=f"$a_{j + 1}$  ($z_{j + 1}$ = {z[j]:g})")
    axes.axvline(1, color="#666666", linewidth=1, linestyle="-")
    axes.text(0.9, 0.9, "softmax as usual", ha="right", color="#444444")
    axes.set(xlabel="sharpness c", ylabel="activation", xscale="log", xlim=(0.01, 100), ylim=(0, 1.01))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return picture


def by_hand(z: Any, shift: bool) -> Any:
    """softmax as one writes it in NumPy, with the maximum subtracted first or not."""
    e = np.exp(z - z.max(axis=-1, keepdims=True) if shift else z)
    return e / e.sum(axis=-1, keepdims=True)


def units_off(a: Any, z: Any) -> tuple[Any, Any]:
    """The true activations, and how far a is from them, in units in the last place."""
    exact = np.exp(z.astype(np.longdouble) - z.max(axis=-1, keepdims=True).astype(np.longdouble))
    exact /= exact.sum(axis=-1, keepdims=True)
    return exact, np.abs(a - exact) / np.spacing(exact.astype(np.float32)).astype(np.longdouble)


def shift() -> Figure:
    """What exp without a shift does to large inputs, and subtracting the maximum to small results."""
    picture, (left, right) = figure(2)
    top = np.linspace(-150, 150, 1201, dtype=np.float32)
    rows = top[:, None] + np.array([0, -1, -2], np.float32)
    with np.errstate(all="ignore"):
        without = by_hand(rows, shift=False)[:, 0]
    left.plot(top, nf.softmax(rows)[:, 0], label="nndl_fast")
    left.plot(top, without, label="exp(z) / sum(exp(z))")
    for x, says, side in ((88.7, "NaN: overflow", 1), (-103.3, "NaN: underflow", -1)):
        left.axvspan(x, side * 150, color="#d55e00", alpha=0.15, linewidth=0)
        left.text((x + side * 150) / 2, 0.3, says, rotation=90, ha="center", va="center")
    left.set(
        xlabel="largest weighted input, float32", ylabel="its activation", xlim=(-150, 150), ylim=(0, 1.05)
    )
    left.legend(loc="lower center", frameon=False)

    z = np.random.default_rng(0).normal(0, 30, (20_000, 10)).astype(np.float32)
    for name, a in (("nndl_fast", nf.softmax(z)), ("exp(z - max) / sum", by_hand(z, shift=True))):
        exact, off = units_off(a, z)
        place = np.floor(np.log10(exact.astype(float)) / 2) * 2  # two decades a point
        decades = np.arange(-36.0, 0.0, 2)
        right.plot(10 ** (decades + 1), [off[place == d].max() for d in decades], label=name, marker="o")
    right.set(
        xlabel="activation", ylabel="largest error, units in the last place", xscale="log", yscale="log"
    )
    right.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    right.set_ylim(0.5, 100)
    right.legend(frameon=False)
    return picture


def overview() -> Figure:
    """What one call makes of the weighted inputs of one example."""
    picture = Figure(figsize=(10, 3.3), layout="constrained")
    z, y = np.array([0.5, 2.6, -0.4, 1.1, 1.9]), 4
    a = nf.softmax(z)
    cost, delta = nf.log_likelihood_cost_and_delta(z[None], [y])
    panels = (
        ("weighted inputs $z$", z, "#999999"),
        ("softmax: activations $a$", a, COLOURS[0]),
        (rf"$C = -\ln a_y$ = {float(cost):.2f}, error $\delta = a - y$", delta[0], COLOURS[1]),
    )
    for axes, (title, values, colour) in zip(picture.subplots(1, 3), panels):
        bars = axes.bar(range(len(z)), values, color=colour)
        axes.bar_label(bars, [f"{value:.2f}" for value in values], fontsize=10, padding=2)
        bars[y].set(edgecolor="black", linewidth=2)
        axes.axhline(0, color="black", linewidth=0.8, linestyle="-")
        axes.set(title=title, xlabel="class (the right one is framed)", yticks=[])
        axes.margins(y=0.15)
        axes.grid(False)
        axes.spines["left"].set_visible(False)
    return picture


def learning_rates() -> Figure:
    """A few values of eta, a power of four or more apart."""
    picture, axes = figure()
    training, _, _ = nf.datasets.load_digits()
    for eta in (0.01, 0.1, 1.0, 30.0):
        net = nf.Network([64, 30, 10], rng=1)
        costs = net.SGD(training, 30, 10, eta, monitor_training_cost=True)[2]
        axes.plot(range(1, 31), costs, label=rf"$\eta$ = {eta:g}")
    axes.set(xlabel="epoch", ylabel="training cost", yscale="log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return picture


def regularisation() -> Figure:
    """Few digits are learned by heart without it."""
    picture, axes = figure()
    (x, y), validation, _ = nf.datasets.load_digits()
    few = x[:300], y[:300]
    strengths = [0.001, 0.01, 0.1, 1, 3, 10, 30, 100]
    found: dict[str, list[float]] = {"training": [], "validation": []}
    for lmbda in strengths:
        net = nf.Network([64, 30, 10], rng=1)
        net.SGD(few, 100, 10, 0.5, lmbda)
        for name, data in (("training", few), ("validation", validation)):
            found[name].append(100 * net.accuracy(data) / len(data[1]))
    for name, accuracies in found.items():
        axes.plot(strengths, accuracies, label=f"{name} digits", marker="o")
    axes.set(xlabel=r"$\lambda$", ylabel="accuracy, %", xscale="log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.legend(frameon=False)
    return picture


def draw(folder: Path) -> None:
    """Writes them all."""
    with matplotlib.rc_context(STYLE):
        for draws in (overview, moving_z, sharpness, shift, learning_rates, regularisation):
            draws().savefig(folder / f"{draws.__name__.replace('_', '-')}.png")
        spec = importlib.util.spec_from_file_location("learning_slowdown", EXAMPLES / "learning_slowdown.py")
        assert spec and spec.loader
        example = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(example)
        example.main(str(folder / "learning-slowdown.png"))


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
