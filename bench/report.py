"""Measures nndl_fast beside its peers and beside the machine's limits, and writes report.json, report.html
and the pictures into a folder: ``python bench/report.py FOLDER``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import Any

import company
import last_layer
import machine
import measure
import page
import peers
import pictures
import pytest
import results
import summary

from nndl_fast._files import _replacing
from nndl_fast._runtime._text import printable

BENCH = Path(__file__).resolve().parent
ROUNDS = 15
QUICK_ROUNDS = 3
BUSY = 0.5  # load average
SHOWN = 5  # of what is slower, on the terminal
GATE = 1.3  # of a tripwire, which has to lie above the noise of a shared machine
TURN_ROUNDS = 5
QUICK_SHAPES = ["10x10", "60000x10", "1024x1000"]
TURNS_QUICK = 1, 3, company.SHAPES[:2]  # rounds, turns, shapes
COMPANY_QUICK = 1, 0.1, last_layer.SHAPES[:3]  # rounds, seconds of a measurement, shapes
MEASURED = ["test_layer.py", "test_limits.py", "test_networks.py"]


class Collected:
    """A plugin of pytest that takes what its run has measured."""

    times: results.Times

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.times = session.config.stash[measure.SESSION].times()


def measured(rounds: int, quick: bool, keep_memory: bool) -> results.Times:
    """Runs the benchmarks in this process. Ends the program where one of them fails."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "pytest.ini")  # the project's own are not in a wheel
        settings.write_text("[pytest]\naddopts = --import-mode=importlib\nfilterwarnings = error\n", "utf-8")
        arguments = [
            *(str(BENCH / name) for name in MEASURED),
            f"--config-file={settings}",
            f"--rootdir={BENCH}",
        ]
        arguments += ["-q", "-x", "-p", "no:cacheprovider", "-m", "not slow", f"--rounds={rounds}"]
        arguments += ["--benchmark-quiet", "--benchmark-disable-gc"]
        arguments += ["--keep-memory"] * keep_memory
        arguments += [f"--shape={shape}" for shape in QUICK_SHAPES] if quick else []
        collected = Collected()
        if code := pytest.main(arguments, plugins=[collected]):
            raise SystemExit(f"report.py: the benchmarks failed (pytest ended with {int(code)}); no report")
        return collected.times


def notes(rounds: int, quick: bool, keep_memory: bool, load: float | None) -> list[str]:
    lines = [
        f"One process; in each of {rounds} rounds (fewer of what takes long) all that belongs to a shape is "
        "measured in turn, after a warm-up, when the threads of the library before have gone to sleep. Each "
        "result is checked.",
        "malloc gives nothing back to the system: page faults would depend on what ran before."
        if keep_memory
        else "malloc as it is: what large results cost depends on the page faults of fresh memory.",
    ]
    if quick:
        lines.append("A quick run: few shapes and few rounds, not to be quoted.")
    if load is not None and load > BUSY:
        lines.append(
            f"The machine was busy: its load was {load} before the run. Calls on all cores suffer most."
        )
    names = dict.fromkeys([*peers.COST_AND_DELTA, *peers.SOFTMAX])
    lines += [
        f"{name} is left out: {' and '.join(m)} not installed."
        for name in names
        if (m := peers.missing(name))
    ]
    return lines


def run(rounds: int, quick: bool, keep_memory: bool) -> dict[str, Any]:
    described = machine.description()  # before the load of the run itself
    times = dict(measured(rounds, quick, keep_memory))
    if not quick:
        times |= company.beside_peers(min(rounds, TURN_ROUNDS))
    return {
        "format": results.FORMAT,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "rounds": rounds,
        "quick": quick,
        "keep_memory": keep_memory,
        **described,
        "blas": machine.blas(),  # of all that have been loaded meanwhile
        "notes": notes(rounds, quick, keep_memory, described["machine"]["load_before"]),
        "times": results.to_records(times),
        "company": company.run(*COMPANY_QUICK) if quick else company.run(),
        "turns": company.run_turns(*TURNS_QUICK) if quick else company.run_turns(),
        "errors": peers.errors(),
    }


def write_page(
    report: dict[str, Any],
    times: results.Times,
    compared: list[summary.Table],
    remarks: list[str],
    folder: Path,
) -> None:
    """The pictures and report.html."""
    drawn = (page.picture(path) if path else "" for path in pictures.write(times, folder))
    titles = (
        results.TITLES[results.COST_AND_DELTA],
        results.TITLES[results.SOFTMAX],
        summary.LIMITS,
        summary.THREADS,
    )
    beside = dict(zip(titles, drawn, strict=True))
    company = report.get("company", [])
    names = ("date", "commit", "machine", "versions", "config", "threads", "blas", "environment")
    facts = {name: report.get(name) for name in names}
    if cache := report["machine"]["last_level_cache"]:
        facts["machine"] = {**report["machine"], "last_level_cache": f"{cache / 2**20:g} MiB"}
    parts = [
        f"<p class=lead>{escape(summary.sentence(times, company))}</p>\n",
        page.bullets(report["notes"]),
        page.facts(facts),
        "<h2>Where nndl_fast is slower</h2>\n",
        page.bullets(results.losses(times, company) or ["Nowhere in this run."]),
    ]
    # an older report may have less than this one
    for table in [*summary.of_company(company, report.get("turns", [])), *summary.of(times, company)]:
        parts += [page.table(table), beside.get(table.title, "")]
    parts.append(page.table(summary.errors_table(report["errors"], peers.ERROR_KINDS)))
    if compared:
        parts += [*map(page.table, compared), page.bullets(remarks)]
    parts.append(page.table(summary.times_table(times), folded=True))
    text = page.page("nndl_fast beside its peers", parts)
    (folder / "report.html").write_text(text, encoding="utf-8")


def regressions(changes: list[results.Change]) -> list[str]:
    """What has become slower beyond the noise, the gate, and what the peers of the same shape have."""
    return [
        f"{change.key.operation} {results.shape_name(change.key.shape)} {change.key.library} "
        f"{change.ratio:.2f}"
        for change in changes
        if change.verdict == "regression" and change.ratio > GATE * max(1.0, change.control or 1.0)
    ]


def at_least_three(text: str) -> int:
    value = int(text)
    if value < 3:
        raise argparse.ArgumentTypeError(f"{value} is not at least 3, and fewer show no noise")
    return value


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where report.json, report.html and the pictures go")
    parser.add_argument(
        "--rounds", type=at_least_three, help=f"at least 3 (default {ROUNDS}; quick {QUICK_ROUNDS})"
    )
    parser.add_argument("--quick", action="store_true", help="few shapes and rounds, to try it in a minute")
    parser.add_argument("--against", type=Path, metavar="JSON", help="another report.json to compare with")
    parser.add_argument(
        "--gate",
        action="store_true",
        help=f"end with status 1 where --against shows a regression beyond noise and {GATE:g} times",
    )
    parser.add_argument(
        "--no-run",
        action="store_true",
        help="take the folder's report.json as it is, and write the rest anew",
    )
    parser.add_argument(
        machine.KEEP,
        action="store_true",
        help="measure with what the environment sets for libraries (OPENBLAS_CORETYPE, say), not without it",
    )
    parser.add_argument(
        "--plain-malloc",
        action="store_true",
        help="leave malloc as it is; the page faults of large fresh results are then measured with them",
    )
    return parser.parse_args(arguments)


def show(text: str) -> None:
    """Prints lines, which may be of a file, without what a terminal would act upon."""
    print("\n".join(map(printable, text.split("\n"))))


def check_outputs(folder: Path, against: Path | None, no_run: bool) -> None:
    """Ends the program if a file could not be written, or would replace the one to compare with."""
    names = ["report.json"] * (not no_run) + ["report.html", "comparison.md", *pictures.NAMES]
    paths = [folder / name for name in names]
    for path in paths:
        if against and path.exists() and path.samefile(against):
            sys.exit(
                f"report.py: {printable(path)} is the report to compare with, and would be replaced; give "
                "another folder"
            )
    try:
        if not no_run:
            folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            _replacing.check(path)
    except OSError as error:
        sys.exit(f"report.py: {printable(error)}")


def main(arguments: list[str] | None = None) -> None:
    options = parsed(arguments)
    try:
        # Before minutes of measuring, not after them.
        old = results.read_report(options.against) if options.against else None
        check_outputs(options.folder, options.against, options.no_run)
        path = options.folder / "report.json"
        if not options.no_run:
            rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
            content = run(rounds, options.quick, not options.plain_malloc)
            path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        report, times = results.read_report(path)
    except results.ReportError as error:
        sys.exit(f"report.py: {printable(error)}")
    compared: list[summary.Table] = []
    remarks: list[str] = []
    if old:
        compared = summary.comparison_tables(results.changes(times, old[1]))
        remarks = results.differences(report, old[0])
        text = "\n".join([*map(summary.markdown, compared), *(f"- {line}" for line in remarks)]) + "\n"
        (options.folder / "comparison.md").write_text(text, encoding="utf-8")
    write_page(report, times, compared, remarks, options.folder)
    company = report.get("company", [])
    show(summary.sentence(times, company))
    for line in results.losses(times, company)[:SHOWN]:
        show(f"  slower: {line}")
    if old:
        show(f"{options.folder / 'comparison.md'} compares with {options.against}")
    show(f"{options.folder / 'report.html'} has all of it")
    if options.gate and old and (slower := regressions(results.changes(times, old[1]))):
        sys.exit("report.py: slower than before: " + "; ".join(slower))


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
