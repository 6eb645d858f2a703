"""The parts of the report that measure nothing: ratios, comparison, reading and writing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import limits
import measure
import numpy as np
import peers
import pytest
import readme
import results
import summary
from results import Key, Time

A, B = (10, 10), (1024, 1000)
CACHE = 1 << 20  # bytes


def times(**seconds: float) -> dict[Key, Time]:
    """Every operation of a report at two shapes; a keyword changes one library's time everywhere."""
    libraries = {"nndl_fast": 2e-6, "nndl_fast, out=": 1e-6, "PyTorch": 4e-6, "NumPy": 1e-6, **seconds}
    found = {}
    for operation in results.TITLES:
        for n, classes in (A, B):
            for library, value in libraries.items():
                found[Key(operation, n, classes, library)] = Time(value * n, 0.02, 5)
    for n, classes in (A, B):
        for kind, value in {"copy": 5e-7 if n > 10 else 1e-6, "np.copyto": 8e-7}.items():
            found[Key("limits", n, classes, kind)] = Time(value * n, 0.02, 5)
        for operation in ("softmax", "cost and delta"):
            for i, name in enumerate(["avx512", "avx2"]):
                found[Key(f"{operation}, instruction sets", n, classes, name)] = Time((1 + i) * 1e-6, 0.01, 5)
            for threads in (1, 2):
                found[Key(f"{operation}, threads", n, classes, str(threads))] = Time(1e-6 / threads, 0.01, 5)
    return found


def report(**seconds: float) -> dict[str, Any]:
    return {
        "format": results.FORMAT,
        "date": "2000-01-01",
        "commit": None,
        "machine": {"last_level_cache": CACHE, "processor": "<one>"},
        "versions": {"numpy": "2.0"},
        "config": {},
        "threads": 2,
        "environment": {},
        "notes": ["A note."],
        "errors": [{"rows": "random", "n": 10, "classes": 10, "library": "NumPy", "ulp": 3.0}],
        "times": results.to_records(times(**seconds)),
    }


def write(folder: Path, content: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "report.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("keep", [False, True])
def test_what_the_environment_sets_is_not_measured_with(keep: bool) -> None:
    code = "import os, machine; os.environ['KMP_SET_LATER'] = '1'; machine.restart_without_settings()"
    code += "; print(*map(os.environ.get, NAMES))"
    code = f"NAMES = 'OPENBLAS_CORETYPE', 'NVPL_BLAS_X', 'NPY_DISABLE_CPU_FEATURES', 'HOME'; {code}"
    set_here = {
        "OPENBLAS_CORETYPE": "Haswell",
        "NVPL_BLAS_X": "1",
        "NPY_DISABLE_CPU_FEATURES": "",
        "HOME": "/",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *["--keep-environment"] * keep],
        env={**os.environ, **set_here},
        cwd=readme.BENCH,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.rstrip("\n") == ("Haswell 1  /" if keep else "None None None /")
    assert ("OPENBLAS_CORETYPE=Haswell" in done.stderr) != keep
    assert "KMP_SET_LATER" not in done.stderr


def test_rounds_become_a_median_and_its_noise() -> None:
    session, key = measure.Session(), Key("softmax", 1, 2, "NumPy")
    session.rounds[key] = [3.0, 1.0, 2.0, 9.0, 2.5]
    assert session.times() == {key: Time(2.5, (3.0 - 2.0) / 2.5, 5)}


def test_ratios_are_the_peers_time_over_ours() -> None:
    found = times()
    del found[Key("softmax", *B, "PyTorch")]
    assert results.ratios(found, "softmax", "PyTorch") == {A: 2.0}
    assert results.peers_of(found, "softmax") == ["PyTorch", "NumPy"]


def test_standing_is_worst_where_the_ratio_is_least() -> None:
    assert results.standing({A: 4.0, B: 0.25}) == (1.0, 0.25, B)


def test_losses_are_said_in_words() -> None:
    table = summary.ratio_table(times(), "softmax")
    assert table.header[3:] == ["PyTorch", "NumPy"]
    assert table.rows[0][3:] == ["2.00", "0.50 slower"]
    assert table.rows[-2][3:] == ["2.00", "0.50 slower"]
    assert table.rows[-1][4] == "0.50 slower (10 x 10)"
    assert len(results.losses(times())) == 2 * len(results.TITLES)
    assert results.losses(times(NumPy=2e-6)) == []


def test_a_peer_whose_threads_are_awake_has_a_column_and_its_losses() -> None:
    measured = times(NumPy=2e-6)
    for library, seconds in (("nndl_fast", 4e-6), ("PyTorch", 3e-6)):
        key = Key(results.in_turn("softmax", "PyTorch"), *B, library)
        measured[key] = Time(seconds, 0.02, 5)
    table = summary.ratio_table(measured, "softmax")
    assert table.header[3:] == ["PyTorch", "PyTorch, awake", "NumPy"]
    assert [row[3:5] for row in table.rows[:2]] == [["2.00", ""], ["2.00", "0.75 slower"]]
    assert results.losses(measured) == ["PyTorch at softmax in turn with us, 1024 x 1000 (0.75)"]
    assert readme.awake(measured, "softmax") == {"PyTorch": results.Standing(0.75, 0.75, B)}


def test_times_are_held_against_the_faster_copy() -> None:
    small, large = limits.limits(times())
    assert (small["limit"], large["limit"]) == ("np.copyto", "copy")
    assert (small["softmax, nndl_fast"], large["softmax, nndl_fast"]) == pytest.approx((2.5, 4))


def test_times_are_held_against_the_larger_floor() -> None:
    measured = times()
    assert "softmax / floor" not in limits.limits(measured)[1]  # the nearest caches were not measured
    near = Key("softmax, nearest caches", *limits.NEAREST, "one thread")
    n, classes = limits.NEAREST
    for nanoseconds, over_floor in ((0.1, 2), (1.6, 1.25)):  # the copy is the floor, and the arithmetic
        measured[near] = Time(nanoseconds * 1e-9 * n * classes, 0.02, 5)
        small, large = limits.limits(measured)
        assert "softmax / floor" not in small  # where a call itself counts
        assert large["softmax / floor"] == pytest.approx(over_floor)
    row = summary.limits_table(measured).rows[-1]
    assert (row[0], row[3], row[-2:]) == ("1024 x 1000", "copy", ["1.25", ""])


def test_the_model_of_more_processors() -> None:
    measured = times()
    assert limits.of_times(measured, "softmax") == {}  # the nearest caches were not measured
    n, classes = limits.NEAREST
    measured[Key("softmax, nearest caches", n, classes, "one thread")] = Time(8e-9 * n * classes, 0.02, 5)
    for threads, seconds in ((1, 9e-3), (2, 5e-3)):
        measured[Key("softmax, threads", *B, str(threads))] = Time(seconds, 0.02, 5)
    line = limits.of_times(measured, "softmax")[B]
    assert line.work == pytest.approx(8e-9 * 1024 * 1000)
    assert line.hand_over == pytest.approx(5e-3 - 9e-3 / 2)
    assert line.alone() == pytest.approx(line.work)  # the copies are faster
    assert line.seconds(8, False) == pytest.approx(3 * line.hand_over + line.work / 8)
    # on 64 processors memory is in the way, unless it grows with them
    assert line.seconds(64, False) == pytest.approx(6 * line.hand_over + 5e-7 * 1024)
    assert line.seconds(64, True) == pytest.approx(6 * line.hand_over + line.work / 64)


def test_what_is_varied_in_ours_is_ours() -> None:
    measured = times()
    for layout, seconds in (("rows", 2e-6), ("columns", 3e-6)):
        measured[Key("softmax, layouts", *B, layout)] = Time(seconds, 0.01, 5)
    table = summary.family_table(measured, "layouts")
    assert table.rows == [["softmax", "1024 x 1000", "2.00", "1.50"]]
    for operation, library in (
        ("softmax, layouts", "columns"),
        ("epoch: rows", "affine"),
        ("last layer without logits", "the cost alone"),
        ("callers: 8 calls", "8 at once"),
    ):
        assert results.is_ours(Key(operation, *B, library))
    for operation, library in (
        ("softmax", "PyTorch"),
        ("epoch: rows", "as written"),
        ("last layer without logits", "products alone"),
    ):
        assert not results.is_ours(Key(operation, *B, library))


def test_tables_of_a_part_of_the_benchmarks() -> None:
    """What was chosen, or measured before Ctrl-C, need not have ours, or everything of a shape."""
    some = {
        Key("softmax", *A, "PyTorch"): 1.0,
        Key("callers: 8 calls", *A, "one after the other"): 2.0,
        Key("callers: 8 calls", *B, "8 at once"): 1.0,
        Key("softmax, threads", *A, "2"): 1.0,
        Key("softmax, instruction sets", *A, "avx2"): 1.0,
        Key("softmax, instruction sets", *B, "baseline"): 2.0,
        Key("epoch: rows", 9, 1, "as written"): 2.0,
        Key("epoch: rows", 9, 1, "layer"): 1.0,
        Key("epoch: words", 9, 1, "as written"): 3.0,
        Key("epoch: classes", 9, 1, "layer"): 1.0,
    }
    found = summary.of({key: Time(seconds, 0.1, 5) for key, seconds in some.items()})
    assert [table.title for table in found] == [
        "Callers",
        "Whole epochs of networks in NumPy, with more and more of their lines replaced",
        "Instruction sets",
    ]
    assert found[1].rows == [["rows", "2.00", "2.00 (50%)"], ["words", "3.00", ""]]
    assert found[0].rows[:2] == [
        ["8 calls", "10 x 10", "2,000,000", ""],
        ["8 calls", "1024 x 1000", "", ""],
    ]


def test_odd_widths_are_compared_by_element() -> None:
    measured = times()
    measured[Key("softmax, widths", 256, 100, "nndl_fast, out=")] = Time(2e-6, 0.01, 5)
    assert summary.widths_table(measured).rows == []
    measured[Key("softmax, widths", 256, 112, "nndl_fast, out=")] = Time(2e-6, 0.01, 5)
    assert summary.widths_table(measured).rows == [["softmax", "256", "100 over 112", "1.12"]]


def test_instruction_sets_and_threads() -> None:
    of = summary.instruction_sets_table(times())
    assert of.header[2:] == ["avx512, µs", "avx2"]
    assert [row[-1] for row in of.rows if row[1] == "geometric mean"] == ["2.00", "2.00"]
    assert summary.threads_table(times()).rows[0] == ["softmax", "10 x 10", "1.00", "2.00"]


def test_a_family_is_compared_row_by_row() -> None:
    measured = {
        Key(f"product: {what}", 2, 3, library): Time(seconds, 0.1, 5)
        for what, both in (("x w", (1e-6, 2e-6)), ("w x", (1e-6, 0.5e-6)))
        for library, seconds in zip(("nndl_fast", "NumPy"), both)
    }
    (table,) = summary.of(measured)
    assert table.header == ["product", "shape", "nndl_fast, µs", "NumPy"]
    assert table.rows[:2] == [["x w", "2 x 3", "1.00", "2.00"], ["w x", "2 x 3", "1.00", "0.50 slower"]]
    assert [row[-1] for row in table.rows[2:]] == ["1.00", "0.50 slower"]


def test_stages_of_a_network_are_compared_with_the_first() -> None:
    measured = {
        Key("epoch: rows", 9, 1, stage): Time(seconds, 0.1, 5)
        for stage, seconds in (("as written", 2.0), ("layer", 1.0), ("affine", 0.5))
    }
    (table,) = summary.of(measured)
    assert table.header == ["network", "as written, s", "layer", "affine"]
    assert table.rows == [["rows", "2.00", "2.00 (50%)", "4.00 (25%)"]]


def test_a_change_counts_beyond_the_noise_of_both_runs() -> None:
    def verdict(new: float, old: float, noise: float, drift: float = 0.0) -> str:
        key = Key("softmax", *A, "nndl_fast")
        return results.Change(key, Time(old, noise, 5), Time(new, 0.02, 5), None, drift).verdict

    assert verdict(1.05, 1.0, 0.02) == "regression"
    assert verdict(1.05, 1.0, 0.04) == ""
    assert verdict(1.0, 1.05, 0.02) == "faster"
    assert verdict(1.0, 1.05, 0.04) == ""
    assert verdict(1.05, 1.0, 0.02, drift=0.06) == ""


def test_the_gate_is_for_what_is_slower_than_noise_and_the_peers_explain() -> None:
    import report as command

    old = times()
    assert command.regressions(results.changes(times(), old)) == []
    slower = command.regressions(results.changes(times(nndl_fast=3e-6), old))
    assert len(slower) == 2 * len(results.TITLES) and "softmax 10 x 10 nndl_fast 1.50" in slower
    everything = {"nndl_fast": 3e-6, "PyTorch": 6e-6, "NumPy": 1.5e-6}  # another machine, say
    assert command.regressions(results.changes(times(**everything), old)) == []
    assert command.regressions(results.changes(times(nndl_fast=2.4e-6), old)) == []  # below the tripwire


def test_changes_have_the_peers_as_their_control() -> None:
    old, new = times(), times(nndl_fast=3e-6, PyTorch=8e-6, NumPy=5e-7)
    del old[Key("softmax", *B, "nndl_fast")]
    found = {change.key: change for change in results.changes(new, old)}
    assert found.keys() == old.keys()
    ours = found[Key("softmax", *A, "nndl_fast")]
    assert ours.ratio == pytest.approx(1.5)
    assert ours.control == pytest.approx(1.0)  # twice and half
    peer = found[Key("softmax", *A, "PyTorch")]
    assert (peer.control, peer.verdict) == (None, "")  # what did not change may drift that far
    assert results.Change(peer.key, peer.old, peer.new, None, 0.0).verdict == "slower"
    assert peer.ratio == pytest.approx(2.0)


def test_the_drift_is_what_most_of_the_peers_stay_below() -> None:
    old = {Key("softmax", n, 1, "NumPy"): Time(1.0, 0.01, 5) for n in range(1, 12)}
    new = {key: Time(1.0 + key.n / 100, 0.01, 5) for key in old}
    assert results.changes(new, old)[0].drift == pytest.approx(0.10)
    new = {key: Time(1 / time.seconds, 0.01, 5) for key, time in new.items()}  # faster is a drift, too
    assert results.changes(new, old)[0].drift == pytest.approx(0.10)


def test_what_else_differs_is_named() -> None:
    new = {**report(), "threads": 4, "versions": {"numpy": "2.1"}}
    assert results.differences(new, report()) == [
        "versions, numpy: 2.0 before, 2.1 now",
        "threads: 2 before, 4 now",
    ]


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    content, found = results.read_report(write(tmp_path, report()))
    assert found == times()
    assert content == report()


def test_what_is_kept_of_a_report_is_all_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a release's report, to which what is not read is added again."""
    release = results.releases()[-1]
    known = json.loads(release.read_text(encoding="utf-8"))
    unread = {"median": 1.0, "mean": 1.0, "late": 1.0}
    company = [
        {
            **{name: {**unread, **spread} for name, spread in record.items() if name != "shape"},
            **{f"{place} {summary.LEFT_OUT}": unread for place in ("other", "after", "beside")},
            "alone": unread,
            "shape": record["shape"],
        }
        for record in known["company"]
    ]
    machine = {**known["machine"], "load_before": 0.5}
    beside = {"notes": ["A note."], "errors": [], "ratios": []}
    full = write(tmp_path / "full", {**known, **beside, "machine": machine, "company": company})
    monkeypatch.setattr(readme, "REPORTS", tmp_path)
    kept = readme.keep(full)
    assert readme.blocks(kept) == readme.blocks(full)
    (old, old_times), (less, less_times) = results.read_report(full), results.read_report(kept)
    new_times = {
        key: time._replace(seconds=time.seconds * (1 + i % 3))
        for i, (key, time) in enumerate(old_times.items())
    }
    compared = summary.comparison_tables(results.changes(new_times, old_times))
    assert all(table.rows for table in compared)
    assert summary.comparison_tables(results.changes(new_times, less_times)) == compared
    assert results.differences({}, less) == results.differences({}, old)
    # Nothing else is kept, and of what is kept everything.
    assert less == known
    text = kept.read_text(encoding="utf-8")
    assert kept.name == release.name and text == release.read_text(encoding="utf-8")
    assert readme.keep(kept).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ('{"times": [', "damaged or no JSON"),
        ("[]", "no report"),
        ({"format": results.FORMAT}, "no times"),
        ({"format": 0, "times": []}, "format 0"),
        ({"format": results.FORMAT, "times": [{"operation": "softmax"}]}, "damaged"),
        ({"format": results.FORMAT, "times": 3}, "damaged"),
        (
            {
                "format": results.FORMAT,
                "times": [{**results.to_records(times())[0], "seconds": float("nan")}],
            },
            "nan",
        ),
    ],
)
def test_a_damaged_report_is_named(tmp_path: Path, content: Any, says: str) -> None:
    path = tmp_path / "report.json" if content is None else write(tmp_path, content)
    with pytest.raises(results.ReportError, match=says) as error:
        results.read_report(path)
    assert str(path) in str(error.value)


def test_errors_are_counted_in_the_unit_of_the_true_value() -> None:
    true = np.array([[1.0, 0.75, 1e-40]])
    a = true + np.array([[2**-23, 2**-24, 1.0]])  # the last is no normal number and does not count
    assert peers.largest_error(a, true) == 1.0
    assert peers.largest_error(true, true) == 0.0
