"""The types: complete, as narrow as results are, and what the stubs say is what the modules have."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nndl_fast as nf

PACKAGE = Path(nf.__file__).parent
ROOT = Path(__file__).parents[2]
STUBS = sorted(stub.stem for stub in PACKAGE.glob("*.pyi"))


def run(*command, cwd):
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, text=True, capture_output=True, check=False
    )


@pytest.mark.slow
def test_package_is_typed(tmp_path):
    """Functions take everything that their overloads say, too."""
    shutil.copytree(PACKAGE, tmp_path / "nndl_fast", ignore=shutil.ignore_patterns("*.so", "bench"))
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", "cache"]
    result = run("mypy", *options, "-p", "nndl_fast", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_benchmarks_are_typed(tmp_path):
    """Whichever of the libraries that they measure are installed."""
    result = run("mypy", "--cache-dir", str(tmp_path), "bench", cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_stubs_match_the_modules(tmp_path):
    assert "_core" in STUBS
    modules = [f"nndl_fast.{name}" for name in STUBS]
    result = run("mypy.stubtest", *modules, "--ignore-missing-stub", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


HEAD = """
from typing import Any, assert_type
import numpy as np
from numpy.typing import NDArray
import nndl_fast as nf

def results(
    h: NDArray[np.float16], z: NDArray[np.float32], d: NDArray[np.float64], n: NDArray[np.int64]
) -> None:
"""
H, Z, D = (f"NDArray[np.float{bits}]" for bits in (16, 32, 64))
TYPES = [
    *((f"nf.{name}({z})", t) for z, t in (("h", H), ("z", Z), ("d", D), ("n", "Any"), ("[1.0, 2.0]", "Any"))
      for name in ("softmax", "log_softmax", "hardmax", "inverse_softmax", "softmax_jacobian", "sigmoid",
                   "sigmoid_prime")),
    ("nf.softmax(z, 0, c=2.0, out=z)", Z),
    ("nf.softmax_backward(z, d)", Z),
    ("nf.softmax_backward([1.0], z)", "Any"),
    ("nf.logsumexp(z)", "Any"),  # an array, or of one row a scalar
    ("nf.logsumexp(z, None)", "np.float32"),
    ("nf.logsumexp(z, axis=(0, 1), keepdims=True)", Z),
    ("nf.logsumexp(n, None)", "Any"),
    *((f"nf.{family}_{call}", t) for family in ("log_likelihood", "binary_cross_entropy") for call, t in (
        ("cost(z, n)", "np.float32"),
        ("cost(h, n, reduction='sum')", "np.float16"),
        ("cost(d, n, reduction='none', sample_weight=z)", D),
        ("cost([[1.0, 2.0]], n)", "Any"),
        ("delta(z, n)", Z),
        ("delta(h, n, reduction='none')", H),
        ("delta(n, n)", "Any"),
        ("cost_and_delta(d, n)", f"tuple[np.float64, {D}]"),
        ("cost_and_delta(z, n, reduction='none', out=z)", f"tuple[{Z}, {Z}]"),
        ("cost_and_delta(n, n)", "tuple[Any, Any]"),
    )),
    ("nf.linear_log_likelihood(z, d, None, n)", f"tuple[np.float32, {Z}, {Z}, {Z}]"),
    ("nf.linear_log_likelihood(d, z, z, n, reduction='none')", f"tuple[{D}, {D}, {D}, {D}]"),
    ("nf.linear_log_likelihood(z, z, z, n, gradients=False)", "np.float32"),
    ("nf.linear_log_likelihood(z, z, z, n, reduction='none', gradients=False)", Z),
    ("nf.linear_log_likelihood(n, z, z, n)", "Any"),
    ("nf.LogLikelihoodCost.fn(z, n)", "float"),
    ("nf.LogLikelihoodCost.delta(z, None, n)", "NDArray[Any]"),
    ("nf.Network([2, 3]).feedforward(z)", "NDArray[Any]"),
    ("nf.Network([2, 3]).accuracy((z, n))", "int"),
]  # fmt: skip


def strict(tmp_path, *lines):
    program = tmp_path / "program.py"
    program.write_text(HEAD + "".join(f"    {line}\n" for line in lines), encoding="utf-8")
    return run(
        "mypy", "--strict", "--python-version", "3.11", "--cache-dir", "cache", "program.py", cwd=tmp_path
    )


def test_a_user_gets_types(tmp_path):
    result = strict(tmp_path, *(f"assert_type({expression}, {t})" for expression, t in TYPES))
    assert result.returncode == 0, result.stdout + result.stderr
    assert (PACKAGE / "py.typed").exists()


def test_what_is_wrong_is_refused(tmp_path):
    wrong = [
        "assert_type(nf.softmax(z), NDArray[np.float64])",
        "assert_type(nf.log_likelihood_cost(z, n), NDArray[np.float32])",
        "nf.log_likelihood_cost(z, n, reduction='max')",
        "nf.softmax(z, out=[0.0])",
    ]
    result = strict(tmp_path, *wrong)
    lines = [int(line.split(":")[1]) for line in result.stdout.splitlines() if ": error:" in line]
    first = HEAD.count("\n") + 1
    assert lines == [first + k for k in range(len(wrong))], result.stdout
