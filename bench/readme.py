"""Writes the figures of the newest release's report into the README, between the comments that name them:
``python bench/readme.py [--check | --keep REPORT]``. ``--check`` only says whether they are there as they
should be, and needs nothing but Python; ``--keep`` first puts REPORT, the report.json of a new release, into
bench/reports, without what nobody reads there."""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import results
import summary

BENCH = Path(__file__).resolve().parent
REPORTS = BENCH / "reports"
README = BENCH.parent / "README.md"
LEFT_OUT = "scikit-learn's loss"  # which the README's table of company does not show
# What is read of the measurements in turn with others, and of those in company, whose names begin so.
TURNS = {"one thread": ["mean"], "after ": ["mean", "last"], "beside ": ["mean"], "other ": ["mean"]}
COMPANY = {
    "one thread": ["median"],
    "products": ["median"],
    "step ": ["median"],
    "other ": ["median"],
    "beside ": ["median"],
    "after ": ["mean", "late"],
}
BLOCK = re.compile(r"(<!-- figures: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def reports() -> list[Path]:
    """Of each release, the oldest first."""
    return sorted(REPORTS.glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])


def reduced(record: dict[str, Any], read: dict[str, list[str]]) -> dict[str, Any]:
    """What is read of a record."""
    found = {
        name: {kind: spread[kind] for kind in kinds}
        for name, spread in record.items()
        for start, kinds in read.items()
        if name.startswith(start) and not (read is COMPANY and name.endswith(LEFT_OUT))
    }
    return {"shape": record["shape"], **found}


def kept(report: dict[str, Any]) -> dict[str, Any]:
    """What the pages, ``history.py`` and ``report.py --against`` read of a report."""
    names = ["format", "date", *results.DESCRIBED, *results.SETTINGS, "blas", "times"]
    found = {name: report[name] for name in names}
    found["machine"] = {key: value for key, value in report["machine"].items() if key != results.LOAD}
    found["company"] = [reduced(record, COMPANY) for record in report["company"]]
    found["turns"] = [reduced(record, TURNS) for record in report["turns"]]
    return found


def as_text(report: dict[str, Any]) -> str:
    """As JSON, with one line for each entry and each record, so that a change shows as what it is."""

    def value(content: Any) -> str:
        if not isinstance(content, list):
            return json.dumps(content, ensure_ascii=False)
        return "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in content) + "\n ]"

    return "{\n" + ",\n".join(f' "{name}": {value(content)}' for name, content in report.items()) + "\n}\n"


def keep(path: Path) -> Path:
    """Puts what is read of a report beside those of the other releases."""
    report, _ = results.read_report(path)
    found = REPORTS / f"{report['versions']['nndl_fast']}.json"
    found.write_text(as_text(kept(report)), encoding="utf-8")
    return found


def paragraph(text: str) -> str:
    return textwrap.fill(text, 118, break_on_hyphens=False) + "\n"


def machine(report: dict[str, Any]) -> str:
    found, versions = report["machine"], report["versions"]
    names = {
        "torch": "PyTorch",
        "scikit-learn": "scikit-learn",
        "onnxruntime": "ONNX Runtime",
        "jax": "JAX",
        "numba": "Numba",
    }
    peers = ", ".join(
        f"{name} {versions[key].split('+')[0]}" for key, name in names.items() if key in versions
    )
    return paragraph(
        f"(Measured on {found['usable_processors']} cores of an {found['processor']}, "
        f"{report['config']['instruction_set'].upper()}, {found['last_level_cache'] >> 20} MB of last cache, "
        f"{report['date']}; {peers}.)"
    )


def step(report: dict[str, Any]) -> str:
    found = summary.steps_table(report["company"])
    at = [0, *range(2, len(found.header) - 1)]  # without our own time, and the last
    return summary.markdown_rows([found.header[i] for i in at], [[row[i] for i in at] for row in found.rows])


def slowed(record: dict[str, Any], names: list[str], kind: str) -> list[float]:
    """The others' times beside ours over their times without."""
    return [record[f"beside {name}"][kind] / record[f"other {name}"][kind] for name in names]


def least_to_most(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def in_company(report: dict[str, Any]) -> str:
    others = [name for name in summary.named(report["company"], "after ") if name != LEFT_OUT]
    rows = []
    for record in report["company"]:
        one = record["one thread"]["median"]
        ours = [record[f"after {name}"] for name in others]
        cells = [f"{spread['mean'] / one:.2f}; {spread['late'] / one:.1f}" for spread in ours]
        cells.append(least_to_most(slowed(record, others, "median")))
        rows.append([summary.shape_name(record["shape"]), *cells])
    header = [
        "rows x features x classes",
        *(f"after {name}" for name in others),
        "the product itself, slowed",
    ]
    return summary.markdown_rows(header, rows)


def companions(report: dict[str, Any]) -> list[str]:
    return [name for name in summary.named(report["turns"], "after ") if name != "nothing"]


def in_short(report: dict[str, Any]) -> str:
    """Of the turns."""
    (record,) = (record for record in report["turns"] if record["shape"] == [1024, 1000])
    names, one = companions(report), record["one thread"]["mean"]
    ours = [record[f"after {name}"]["mean"] / one for name in names]
    return paragraph(
        "When another library works for 12 ms, then softmax of 1024 x 1000 is called for 30 ms, and so on "
        f"({', '.join(names)}), a call takes {least_to_most(ours)} of the time of one thread in the mean, "
        f"and the other's work {least_to_most(slowed(record, names, 'mean'))} of its own."
    )


def in_turn(report: dict[str, Any]) -> str:
    others = companions(report)
    rows = []
    for record in report["turns"]:
        one = record["one thread"]["mean"]
        ours = [record[f"after {name}"] for name in others]
        cells = [f"{spread['mean'] / one:.2f}; {spread['last'] / one:.2f}" for spread in ours]
        cells.append(least_to_most(slowed(record, others, "mean")))
        rows.append([summary.shape_name(record["shape"]), *cells])
    header = ["examples x classes", *(f"after {name}" for name in others), "the other's work, slowed"]
    return summary.markdown_rows(header, rows)


def awake(times: results.Times, operation: str) -> dict[str, results.Standing]:
    """How we stand in turn with each peer, the threads of both awake."""
    found = {
        name: results.ratios(times, summary.in_turn(operation, name), name)
        for name in results.peers_of(times, operation)
    }
    return {name: results.standing(ratios) for name, ratios in found.items() if ratios}


def kernels(times: results.Times) -> str:
    names = ["PyTorch", "scikit-learn", "JAX", "Numba", "NumPy"]
    found = {name: results.ratios(times, summary.COST_AND_DELTA, name) for name in names}
    rows = [
        [summary.shape_name(shape), *(summary.against_us(found[name].get(shape)) for name in names)]
        for shape in results.shapes(times, summary.COST_AND_DELTA)
    ]
    means = [summary.against_us(results.standing(found[name]).geometric_mean) for name in names]
    in_turn = awake(times, summary.COST_AND_DELTA)
    last = [summary.against_us(in_turn[name].geometric_mean) if name in in_turn else "" for name in names]
    header = ["examples x classes", *names[:-1], "NumPy by hand"]
    return summary.markdown_rows(
        header, [*rows, ["geometric mean", *means], ["the same, threads awake", *last]]
    )


def softmax(times: results.Times) -> str:
    names = [name for name in results.peers_of(times, summary.SOFTMAX) if name != "NumPy"]
    found = [(name, results.standing(results.ratios(times, summary.SOFTMAX, name))) for name in names]
    parts = [
        f"{summary.number(s.geometric_mean)} against {name} (least {summary.number(s.worst)}, at "
        f"{summary.shape_name(s.worst_shape)})"
        for name, s in found
    ]
    in_turn = [
        f"{summary.number(s.geometric_mean)} against {name} (least {summary.number(s.worst)})"
        for name, s in awake(times, summary.SOFTMAX).items()
    ]
    return paragraph(
        f"softmax alone, geometric mean of the same shapes: {', '.join(parts)}. In turn with each, "
        f"while the threads of both are awake: {', '.join(in_turn)}."
    )


def last_layer(times: results.Times) -> str:
    ((n, classes),) = results.shapes(times, summary.LAST_LAYER)
    ours, alone, peer = (
        results.seconds(times, summary.LAST_LAYER, (n, classes), name)
        for name in (results.OURS, "products alone", "PyTorch")
    )
    assert ours and alone and peer
    return paragraph(
        f"{n} examples, 512 features, {classes:,} classes: {ours / alone:.2f} times as long as NumPy's three "
        "matrix products alone; PyTorch's `linear_cross_entropy` takes "
        f"{peer / alone:.2f} times the products."
    )


def bridge(times: results.Times) -> str:
    found = results.ratios(times, summary.BRIDGE, "PyTorch")
    rows = [[summary.shape_name(shape), summary.against_us(ratio)] for shape, ratio in found.items()]
    return summary.markdown_rows(["examples x classes", "PyTorch's own, times as long"], rows)


def losses(report: dict[str, Any], times: results.Times) -> str:
    found = summary.losses(times, report["company"])
    return "".join(f"- {line}\n" for line in found or ["None in this run."])


def blocks(path: Path) -> dict[str, str]:
    report, times = results.read_report(path)
    return {
        "machine": machine(report),
        "steps": step(report),
        "company": in_company(report),
        "turns": in_turn(report),
        "turns in short": in_short(report),
        "kernels": kernels(times),
        "softmax": softmax(times),
        "last layer": last_layer(times),
        "bridge": bridge(times),
        "losses": losses(report, times),
    }


def filled(text: str, content: dict[str, str]) -> str:
    return BLOCK.sub(lambda found: f"{found[1]}\n{content[found[2]]}\n{found[3]}", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true")
    group.add_argument("--keep", type=Path, metavar="REPORT")
    options = parser.parse_args()
    if options.keep:
        keep(options.keep)
    content = blocks(reports()[-1])
    for page in (
        README,
        BENCH.parent / "docs" / "benchmark.md",
        BENCH.parent / "docs" / "howto" / "pytorch.md",
    ):
        text = page.read_text(encoding="utf-8")
        if options.check and filled(text, content) != text:
            sys.exit(f"{page.name} has other figures than the report: python bench/readme.py writes them")
        if not options.check:
            page.write_text(filled(text, content), encoding="utf-8")


if __name__ == "__main__":
    main()
