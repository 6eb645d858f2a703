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
from results import REPORTS, releases, shape_name
from summary import against_us, markdown_rows, number

BENCH = Path(__file__).resolve().parent
README = BENCH.parent / "README.md"
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


def reduced(record: dict[str, Any], read: dict[str, list[str]]) -> dict[str, Any]:
    """What is read of a record."""
    found = {
        name: {kind: spread[kind] for kind in kinds}
        for name, spread in record.items()
        for start, kinds in read.items()
        if name.startswith(start) and not (read is COMPANY and name.endswith(summary.LEFT_OUT))
    }
    return {"shape": record["shape"], **found}


def kept(report: dict[str, Any]) -> dict[str, Any]:
    """What the pages, ``pictures.py`` and ``report.py --against`` read of a report."""
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
    return markdown_rows([found.header[i] for i in at], [[row[i] for i in at] for row in found.rows])


def rows(table: summary.Table) -> str:
    return markdown_rows(table.header, table.rows)


def in_short(report: dict[str, Any]) -> str:
    """Of the turns."""
    (record,) = (record for record in report["turns"] if record["shape"] == [1024, 1000])
    names = [name for name in results.named([record], "after ") if name != "nothing"]
    ours = [record[f"after {name}"]["mean"] / record["one thread"]["mean"] for name in names]
    return paragraph(
        "When another library works for 12 ms, then softmax of 1024 x 1000 is called for 30 ms, and so on "
        f"({', '.join(names)}), a call takes {min(ours):.2f} to {max(ours):.2f} of the time of one thread in "
        f"the mean, and the other's work {summary.slowed(record, names, 'mean')} of its own."
    )


def awake(times: results.Times, operation: str) -> dict[str, results.Standing]:
    """How we stand in turn with each peer, the threads of both awake."""
    found = {
        name: results.ratios(times, results.in_turn(operation, name), name)
        for name in results.peers_of(times, operation)
    }
    return {name: results.standing(ratios) for name, ratios in found.items() if ratios}


def kernels(times: results.Times) -> str:
    names = ["PyTorch", "scikit-learn", "JAX", "Numba", "NumPy"]
    found = {name: results.ratios(times, results.COST_AND_DELTA, name) for name in names}
    rows = [
        [shape_name(shape), *(against_us(found[name].get(shape)) for name in names)]
        for shape in results.shapes(times, results.COST_AND_DELTA)
    ]
    means = [against_us(results.standing(found[name]).geometric_mean) for name in names]
    in_turn = awake(times, results.COST_AND_DELTA)
    last = [against_us(in_turn[name].geometric_mean) if name in in_turn else "" for name in names]
    header = ["examples x classes", *names[:-1], "NumPy by hand"]
    return markdown_rows(header, [*rows, ["geometric mean", *means], ["the same, threads awake", *last]])


def softmax(times: results.Times) -> str:
    names = [name for name in results.peers_of(times, results.SOFTMAX) if name != "NumPy"]
    found = [(name, results.standing(results.ratios(times, results.SOFTMAX, name))) for name in names]
    parts = [
        f"{number(s.geometric_mean)} against {name} (least {number(s.worst)}, at {shape_name(s.worst_shape)})"
        for name, s in found
    ]
    in_turn = [
        f"{number(s.geometric_mean)} against {name} (least {number(s.worst)})"
        for name, s in awake(times, results.SOFTMAX).items()
    ]
    return paragraph(
        f"softmax alone, geometric mean of the same shapes: {', '.join(parts)}. In turn with each, "
        f"while the threads of both are awake: {', '.join(in_turn)}."
    )


def last_layer(times: results.Times) -> str:
    ((n, classes),) = results.shapes(times, results.LAST_LAYER)
    ours, alone, peer = (
        results.seconds(times, results.LAST_LAYER, (n, classes), name)
        for name in (results.OURS, "products alone", "PyTorch")
    )
    assert ours and alone and peer
    return paragraph(
        f"{n} examples, 512 features, {classes:,} classes: {ours / alone:.2f} times as long as NumPy's three "
        "matrix products alone; PyTorch's `linear_cross_entropy` takes "
        f"{peer / alone:.2f} times the products."
    )


def bridge(times: results.Times) -> str:
    found = results.ratios(times, results.BRIDGE, "PyTorch")
    rows = [[shape_name(shape), against_us(ratio)] for shape, ratio in found.items()]
    return markdown_rows(["examples x classes", "PyTorch's own, times as long"], rows)


def losses(report: dict[str, Any], times: results.Times) -> str:
    found = results.losses(times, report["company"])
    return "".join(f"- {line}\n" for line in found or ["None in this run."])


def blocks(path: Path) -> dict[str, str]:
    report, times = results.read_report(path)
    return {
        "machine": machine(report),
        "steps": step(report),
        "company": rows(summary.company_table(report["company"])),
        "turns": rows(summary.turns_table(report["turns"])),
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
    content = blocks(releases()[-1])
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
