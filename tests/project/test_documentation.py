"""The examples of docstrings, the README and docs/ run and give what they say."""

import doctest
import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nndl_fast as nf

# The files, not what pkgutil finds: in an editable install that is what lies beside the package, too.
MODULES = [
    "nndl_fast",
    "nndl_fast.kernels",
    *(
        ".".join(["nndl_fast", *path.relative_to(Path(nf.__file__).parent).with_suffix("").parts])
        for folder in ("*.py", "_*/*.py")
        for path in sorted(Path(nf.__file__).parent.glob(folder))
        if path.stem not in ("__init__", "__main__") and path.parent.name != "__pycache__"
    ),
]
ROOT = Path(__file__).parents[2]
EXTRAS = {
    "click",
    "dask",
    "distributed",
    "matplotlib",
    "onnx",
    "scipy",
    "sklearn",
    "torch",
}  # modules may need these
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
# Python, and what it prints where that follows at once
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[-+]\d+)?")


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRAS:
            raise
        pytest.skip(f"{missing.name} is not installed")
    result = doctest.testmod(
        module, extraglobs={"datasets": nf.datasets}, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.failed == 0


def test_every_public_function_has_an_example():
    for name in nf.__all__:
        thing = getattr(nf, name)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert thing.__doc__, name
            assert ">>>" in thing.__doc__ or name == "load", name


def assert_alike(printed, shown):
    """The same words; numbers may be a little off, since BLAS has bits of its own."""
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", shown).split()
    numbers = [[float(x) for x in NUMBER.findall(text)] for text in (printed, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.02, abs=0)


@pytest.mark.parametrize("page", [name for name, text in PAGES.items() if BLOCK.search(text)])
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for code, shown in BLOCK.findall(PAGES[page]):
        try:
            exec(compile(code, page, "exec"), names)
        except ModuleNotFoundError as error:
            pytest.skip(f"{error.name} is not installed")
        printed = capsys.readouterr().out
        if shown:
            assert_alike(printed, shown)


def test_the_reference_has_every_public_name():
    documented = re.findall(
        r"\.\. (?:autofunction|autoclass|py:data):: (\w+)$", PAGES["docs/reference.md"], re.M
    )
    assert sorted([*documented, "datasets", "optimizers"]) == sorted(nf.__all__)


@pytest.mark.slow
def test_the_pages_can_be_made(tmp_path):
    """From a copy, where nothing shadows the installed package, and without a warning."""
    for module in ("furo", "myst_nb", "latex2mathml", "matplotlib", "numpydoc"):
        pytest.importorskip(module)
    for path in ("CHANGELOG.md", "csrc/nndl_fast.h", "bench", "examples", "docs"):
        to = tmp_path / path
        to.parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / path).is_dir() else shutil.copy)(ROOT / path, to)
    command = [sys.executable, "-m", "sphinx", "-qW", "--keep-going", "docs", "html"]
    result = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    reference = (tmp_path / "html" / "reference.html").read_text(encoding="utf-8")
    assert "log_likelihood_cost_and_delta" in reference
    formulas = re.search(r"FORMULAS = \{(.*?)\n\}", (ROOT / "docs/mathml.py").read_text("utf-8"), re.DOTALL)[
        1
    ]
    typed = re.findall(r'^    "(.*)": r"', formulas, re.MULTILINE)
    assert len(typed) > 10
    text = re.sub("<[^>]*>", "", reference)
    assert not [plain for plain in typed if plain.replace("``", "") in text]  # typeset, each of them
    assert reference.count("<math") >= len(typed) - 2  # a few are parts of others
    notebook = (tmp_path / "html" / "gallery" / "mnist.html").read_text(encoding="utf-8")
    assert "of the test digits are right" in notebook and "<img" in notebook  # it was run
