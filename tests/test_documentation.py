"""The examples of every docstring and of the README run and give what they say."""

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
README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:  # a bridge has the name of what it leads to, which is an extra
        if missing.name != name.removeprefix("nndl_fast."):
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


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})
