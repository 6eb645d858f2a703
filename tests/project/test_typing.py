"""The types: complete, as narrow as results are, and what the stubs say is what the modules have."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nndl_fast as nf

PACKAGE = Path(nf.__file__).parent
ROOT = Path(__file__).parents[2]
STUBS = sorted(stub.stem for stub in PACKAGE.glob("*.pyi"))
WITH_OPTIONS = {
    "linear_log_likelihood",
    "log_likelihood_cost",
    "log_likelihood_cost_and_delta",
    "log_likelihood_delta",
}


def run(*command, cwd):
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, text=True, capture_output=True, check=False
    )


@pytest.mark.slow
# without the stub too, as mypy leaves aside what a module with one does
@pytest.mark.parametrize("left_out", ["nothing", "functional.pyi"])
def test_package_is_typed(tmp_path, left_out):
    shutil.copytree(PACKAGE, tmp_path / "nndl_fast", ignore=shutil.ignore_patterns(left_out, "*.so", "bench"))
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
    assert {"_core", "functional"} <= set(STUBS)
    modules = [f"nndl_fast.{name}" for name in STUBS]
    # stubtest does not know TypedDicts of keyword arguments (mypy 2.4).
    # test_functional_says_what_its_stub_says compares those functions.
    known = tmp_path / "known"
    known.write_text("\n".join(f"nndl_fast.functional.{name}" for name in WITH_OPTIONS), encoding="utf-8")
    options = ["--ignore-missing-stub", "--allowlist", str(known), "--ignore-unused-allowlist"]
    result = run("mypy.stubtest", *modules, *options, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def said(path):
    """What a file says of each name: the signatures of a function, the types of a TypedDict's fields, or the
    right side. Names that it imports from a file beside it are looked up there."""
    names = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level and node.module:
            place = path.parents[node.level - 1].joinpath(*node.module.split("."))
            if place.is_dir():  # a module of a package, which gives no names
                continue
            beside = said(place.with_suffix(".py"))
            names |= {alias.name: beside[alias.name] for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            names.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.ClassDef):
            fields = [names[base.id] for base in node.bases if base.id in names]
            fields.append({field.target.id: ast.unparse(field.annotation) for field in node.body})
            names[node.name] = {name: annotation for some in fields for name, annotation in some.items()}
        elif isinstance(node, ast.Assign):
            names[node.targets[0].id] = ast.unparse(node.value)
    return names


def options(function, names):
    """The fields of the TypedDict that a function unpacks."""
    return names[function.args.kwarg.annotation.slice.id] if function.args.kwarg else {}


def parameters(function, names):
    """By name: the defaults, and None where there is none. Those that are given by name have no order."""
    given = function.args
    missing = [None] * (len(given.args) - len(given.defaults))
    by_name = {name.arg: default for name, default in zip(given.kwonlyargs, given.kw_defaults)}
    assert not by_name.keys() & options(function, names).keys()
    by_name |= dict.fromkeys(options(function, names))
    all_names = [*(name.arg for name in given.args), "*", *sorted(by_name)]
    defaults = [*missing, *given.defaults, None, *(by_name[name] for name in sorted(by_name))]
    return [(name, default and ast.unparse(default)) for name, default in zip(all_names, defaults)]


def test_functional_says_what_its_stub_says():
    """Of the overloads stubtest reads the last alone, and no annotation."""
    module, stub = (said(PACKAGE / f"functional.{ending}") for ending in ("py", "pyi"))
    public = [{name for name in names if not name.startswith("_")} for names in (module, stub)]
    assert public[0] == public[1] == set(nf.functional.__all__)
    for name in public[0]:
        own = module[name]
        if isinstance(own, str):
            assert stub[name] == own
            continue
        *overloads, last = stub[name]
        assert ast.unparse(last.args) == ast.unparse(own[0].args), name
        assert ast.unparse(last.returns) == ast.unparse(own[0].returns), name
        annotations = {x.arg: ast.unparse(x.annotation) for x in own[0].args.kwonlyargs}
        for overload in overloads:
            of_both = zip(parameters(overload, stub), parameters(own[0], module), strict=True)
            for (got, default), expected in of_both:
                assert got == expected[0] and default in (None, expected[1]), name
            for option, annotation in options(overload, stub).items():
                expected = annotations[option]
                assert option == "reduction" or stub.get(annotation, annotation) == expected, (name, option)
            assert name in WITH_OPTIONS or not options(overload, stub), name


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
