"""Negative controls: kernels that are wrong on purpose, each of which the core's own tests must catch.

``python tests/tools/mutants.py`` builds each in a folder of its own (a minute each) and ends with 1 if one is
not caught; ``python tests/tools/mutants.py scale`` takes only those whose names have that word."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Mutant(NamedTuple):
    what: str
    path: str
    right: str
    wrong: str


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
        "order of summation: blocks of 4 vectors",
        "kernels/reduction/exponentials.h",
        "block_vectors = 8",
        "block_vectors = 4",
    ),
    Mutant(
        "tail lane dropped",
        "kernels/traversal/layout.h",
        "f(Step<false>{j, int(last - j)})",
        "f(Step<false>{j, int(last - j) - 1})",
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
        "kernels/reduction/scale.h",
        "s.low = left * row.inverse;",
        "s.low = left - left;",
    ),
    Mutant(
        "far rows are reduced as they are",
        "kernels/reduction/bounds.h",
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
        "velocity.store(job.first + i);",
        "move.store(job.first + i);",
    ),
    Mutant(
        "pieces of the work overlap",
        "threads/pool.cpp",
        "last = cut.start(piece + 1)",
        "last = std::min(cut.units, cut.start(piece + 1) + 1)",
    ),
    Mutant(
        "the caller waits for nobody",
        "threads/pool.cpp",
        "if (!all_are_out()) wait();",
        "if (false) wait();",
    ),
    Mutant(
        "a helper enters a task that is full",
        "threads/pool.cpp",
        "while (Left(word).pieces() && Left(word).seats())",
        "while (Left(word).pieces())",
    ),
]


# What is run, quick ones first, and with which argument.
TESTS = {"threads_test": "", "training_test": "", "core_test": ROOT / "tests/hashes.txt"}


def caught(mutant: Mutant, folder: Path) -> bool:
    """Whether the core's tests fail on it. A mutant that cannot be made or built is an error."""
    for part in ("CMakeLists.txt", "csrc", "tests/core"):
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    path = folder / "csrc" / mutant.path
    text = path.read_text(encoding="utf-8")
    if mutant.right not in text:
        raise SystemExit(f"mutants.py: {mutant.path} has no {mutant.right!r} ({mutant.what})")
    path.write_text(text.replace(mutant.right, mutant.wrong, 1), encoding="utf-8")
    build = folder / "build"
    subprocess.run(
        ["cmake", "-S", str(folder), "-B", str(build), "-DNNDL_FAST_CORE_TEST=ON"],
        check=True,
        capture_output=True,
    )
    subprocess.run(
        ["cmake", "--build", str(build), "--parallel", "2", "--target", *TESTS],
        check=True,
        capture_output=True,
    )
    return any(
        subprocess.run([str(build / test), str(argument)], check=False, capture_output=True).returncode
        for test, argument in (TESTS | {"threads_test": build / "groups"}).items()
    )


def main() -> None:
    missed = []
    words = sys.argv[1:]
    for mutant in [m for m in MUTANTS if not words or any(word in m.what for word in words)]:
        with tempfile.TemporaryDirectory() as folder:
            found = caught(mutant, Path(folder))
        print(f"{'caught' if found else 'MISSED'}  {mutant.what}", flush=True)
        missed += [] if found else [mutant.what]
    if missed:
        sys.exit(f"not caught: {', '.join(missed)}")


if __name__ == "__main__":
    main()
