"""Negative controls: kernels that are wrong on purpose, each of which the tests must catch.

``python tests/tools/mutants.py`` installs each in an environment of its own, runs the default tier of the
tests (all of them for a mutant that says why it is slow) until one fails, and ends with 1 if none does; a
minute each. ``python tests/tools/mutants.py scale`` takes only those whose names have that word."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Mutant(NamedTuple):
    what: str
    path: str
    right: str
    wrong: str
    slow: str = ""  # why only the slow tier can see it


MUTANTS = [
    Mutant("float32 coefficient off by a unit", "math/exp.h", "0x1.555cdap-3f", "0x1.555cdcp-3f"),
    Mutant(
        "float64 power of two off by a unit", "math/exp.h", "0x1.f72b83c7d517bp-1", "0x1.f72b83c7d517cp-1"
    ),
    Mutant(
        "float32 power of two times the factor off by a unit",
        "math/exp.h",
        "0x1.f6747cp-1f",
        "0x1.f6747ep-1f",
    ),
    Mutant(
        "order of summation: segments of 32 blocks",
        "kernels/kernels.h",
        "segment_classes = 64 * 8",
        "segment_classes = 32 * 8",
    ),
    Mutant(
        "tail lane dropped",
        "kernels/layout.h",
        "f(Chunk<false>{j, int(last - j)})",
        "f(Chunk<false>{j, int(last - j) - 1})",
    ),
    Mutant(
        "label off by one",
        "kernels/operations/log_likelihood.cpp",
        "ptrdiff_t(y) : 0;",
        "ptrdiff_t(y) - 1 : 0;",
    ),
    Mutant(
        "label off by one, few classes",
        "kernels/operations/log_likelihood.cpp",
        "E(int32_t(job.labels[first + lane]))",
        "E(int32_t(job.labels[first + lane]) - 1)",
    ),
    Mutant(
        "any hint of the maximum is usable", "kernels/reduction/row_sum.h", "return good;", "return true;"
    ),
    Mutant(
        "lower half of the scale dropped",
        "kernels/reduction/row_sum.h",
        "s.low = left * row.inverse;",
        "s.low = left - left;",
    ),
    Mutant(
        "far rows are reduced as they are",
        "kernels/kernels.h",
        "far_away = 0x1p11f",
        "far_away = 0x1p30f",
    ),
    Mutant(
        "each block of a product's depth begins anew",
        "kernels/operations/product.cpp",
        "start = first ? begun : fresh;",
        "start = fresh;",
    ),
    Mutant(
        "a product is not fused",
        "kernels/operations/product.cpp",
        "sum[i][p] = fma(l, r[p], sum[i][p])",
        "sum[i][p] = l * r[p] + sum[i][p]",
    ),
    Mutant("tanh's correction is dropped", "math/tanh.h", "(rest_low - left *", "(rest_low - left * zero *"),
    Mutant(
        "velocity is not kept",
        "kernels/operations/step.cpp",
        "store(job.first, velocity);",
        "move.store(job.first + i);",
    ),
    Mutant(
        "pieces of the work overlap",
        "threads/pool.h",
        "last = cut_.start(piece + 1)",
        "last = std::min(cut_.units, cut_.start(piece + 1) + 1)",
    ),
    Mutant(
        "the caller waits for nobody",
        "threads/pool.h",
        "while (!all_are_out()) {",
        "while (false) {",
    ),
    Mutant(
        "a helper enters a task that is full",
        "threads/pool.h",
        "bool has_room() const { return pieces() && seats(); }",
        "bool has_room() const { return pieces(); }",
        slow="how many threads take part shows in the core's own test alone",
    ),
]


# The tests that see most of them go first.
FIRST = [
    "tests/functions/test_same_bits.py",
    "tests/network/test_trained_networks.py",
    "tests/core/test_process.py",
]


class Project:
    """A copy of the project with an environment of its own, in which each mutant is installed in turn."""

    def __init__(self, folder: Path) -> None:
        self.source, self.build = folder / "source", folder / "build"
        names = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        for name in filter(None, names.stdout.split("\0")):
            target = self.source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        venv.create(folder / "venv", with_pip=True)
        self.python = folder / "venv" / "bin" / "python"
        self.run("-m", "pip", "install", "--quiet", "--upgrade", "pip")
        self.run("-m", "pip", "install", "--quiet", "--group", "dev")
        self.install(".[test]")
        # From here on kernels are compiled for this machine's best instruction set and the baseline alone.
        best = self.run("-c", "from nndl_fast import _core; print(_core.isa())").stdout.strip()
        self.isas = "" if best == "baseline" else best

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [self.python, *command], cwd=self.source, capture_output=True, text=True, timeout=1800
        )
        if check and result.returncode:
            raise SystemExit(f"mutants.py: {command} failed\n{result.stdout}{result.stderr}")
        return result

    def install(self, *options: str) -> None:
        """Compiles what has changed."""
        command = ["-m", "pip", "install", "--quiet", "--no-build-isolation", f"-Cbuild-dir={self.build}"]
        self.run(*command, *options)

    def first_failure(self, *options: str) -> str | None:
        """The first test that fails, or how the tests ended otherwise."""
        return self.failure_in(*FIRST, *options) or self.failure_in("tests", *options)

    def failure_in(self, *options: str) -> str | None:
        try:
            result = self.run("-m", "pytest", "-xq", *options, check=False)
        except subprocess.TimeoutExpired:
            return "a test that does not end"
        failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", result.stdout, re.MULTILINE)
        if result.returncode in (0, 1):
            return failed[1] if failed else None
        if result.returncode < 0:
            return f"a crash with signal {-result.returncode}"
        raise SystemExit(f"mutants.py: pytest failed\n{result.stdout}{result.stderr}")

    def caught_by(self, mutant: Mutant) -> str | None:
        path = self.source / "csrc" / mutant.path
        text = path.read_text(encoding="utf-8")
        if mutant.right not in text:
            raise SystemExit(f"mutants.py: {mutant.path} has no {mutant.right!r} ({mutant.what})")
        path.write_text(text.replace(mutant.right, mutant.wrong, 1), encoding="utf-8")
        try:
            self.install("--no-deps", f"-Ccmake.define.NNDL_FAST_ISAS={self.isas}", ".")
            return self.first_failure(*(["-m", ""] if mutant.slow else []))
        finally:
            path.write_text(text, encoding="utf-8")


def main() -> None:
    missed = []
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        failure = project.first_failure()
        if failure:
            raise SystemExit(f"mutants.py: {failure} fails without a mutant")
        for mutant in [m for m in MUTANTS if not words or any(word in m.what for word in words)]:
            test = project.caught_by(mutant)
            print(f"{'caught' if test else 'MISSED'}  {mutant.what}: {test}", flush=True)
            missed += [] if test else [mutant.what]
    if missed:
        sys.exit(f"not caught: {', '.join(missed)}")


if __name__ == "__main__":
    main()
