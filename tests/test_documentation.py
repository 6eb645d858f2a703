"""The examples of docstrings and of the README run and give what they say; versions are the package's."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import nndl_fast as nf

MODULES = [
    "nndl_fast",
    *(f"nndl_fast.{m.name}" for m in pkgutil.iter_modules(nf.__path__) if m.name != "_core"),
]
ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
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


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})


@pytest.mark.parametrize(
    ("name", "entry"), [("CITATION.cff", r"^version: (.*)$"), ("CHANGELOG.md", r"^## (.*)$")]
)
def test_the_version_is_that_of_the_package(name, entry):
    first = re.search(entry, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    assert first and first.group(1) == nf.__version__
