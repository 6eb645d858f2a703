"""The speed of the releases, from their reports: ``python bench/history.py PICTURE``. They are ratios
to the peers that were measured in the same run, as the machines differ."""

from __future__ import annotations

import sys
from pathlib import Path

import readme
import results
import summary
from matplotlib.figure import Figure
from pictures import STYLE, plain_text


@plain_text
def draw(path: Path) -> None:
    """Geometric means over the shapes: how many times as long as nndl_fast a library takes, by release."""
    figure = Figure(figsize=(9, 4), dpi=130, layout="constrained")
    places = figure.subplots(1, 2, sharey=True)
    found = {path.stem: results.read_report(path)[1] for path in readme.reports()}
    for axes, operation in zip(places, (summary.COST_AND_DELTA, summary.SOFTMAX)):
        names = dict.fromkeys(name for times in found.values() for name in results.peers_of(times, operation))
        for name in names:
            points = [
                (version, results.standing(ratios).geometric_mean)
                for version, times in found.items()
                if (ratios := results.ratios(times, operation, name))
            ]
            colour, marker = STYLE[name]
            axes.plot(*zip(*points), color=colour, marker=marker, label=name)
        axes.axhline(1, color="#888888", linestyle="--", linewidth=1.2)
        axes.set_title(operation, loc="left", fontsize=11)
        axes.set(yscale="log", xlabel="release")
        for set_formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            set_formatter(lambda value, _: f"{value:g}")
        axes.grid(axis="y", color="#dddddd")
        axes.legend(frameon=False, fontsize=8)
    places[0].set_ylabel("times as long as nndl_fast")
    figure.savefig(path)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
