"""Every public object has a docstring in numpydoc's form, with all parameters and results."""

import importlib
import inspect
import sys
from importlib.util import find_spec

import pytest

pytest.importorskip("numpydoc")
from numpydoc.validate import validate
from sphinx.ext.autodoc.mock import mock

# The checks that are left out, and why.
LEFT_OUT = {
    "ES01": "a second paragraph is of no use if the summary says everything",
    "SA01": "not everything is related to something else",
    "EX01": "classes show their methods in use, and test_documentation.py asks for the examples of functions",
}
NAMES = [
    "nndl_fast",
    *(
        f"nndl_fast.{name}"
        for name in ("costs", "datasets", "optimizers", "sklearn", "dask", "torch", "onnx")
    ),
]
# These libraries are replaced by mocks if they are not installed, as when the pages are made.
MISSING = [name for name in ("torch", "onnx") if find_spec(name) is None]


@pytest.fixture(params=NAMES)
def module(request):
    with mock(MISSING):
        yield importlib.import_module(request.param)
    if request.param.removeprefix("nndl_fast.") in MISSING:
        del sys.modules[request.param]  # no other test is to find a module that knows a mock


def public_names(module):
    """Functions and classes that a module lists or defines, and the methods and properties of classes."""
    for name in getattr(module, "__all__", dir(module)):
        thing = getattr(module, name)
        if not (inspect.isfunction(thing) or inspect.isclass(thing)) or name.startswith("_"):
            continue
        if hasattr(module, "__all__") or thing.__module__ == module.__name__:
            yield f"{module.__name__}.{name}"
            if inspect.isclass(thing):
                yield from (f"{module.__name__}.{name}.{member}" for member in public_members(thing))


def public_members(cls):
    for name, value in inspect.getmembers(cls):
        module = getattr(getattr(value, "fget", value), "__module__", None)
        if not name.startswith("_") and (module or "").startswith("nndl_fast"):
            yield name


def test_docstrings_are_in_numpydocs_form(module):
    names = list(public_names(module))
    assert names
    found = {name: validate(name)["errors"] for name in names}
    wrong = [(name, *error) for name, errors in found.items() for error in errors if error[0] not in LEFT_OUT]
    assert not wrong
