"""The C API for compiled callers: its signatures stay, and real consumers are compiled and run."""

import ctypes
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from programs import CXX

import nndl_fast as nf
from nndl_fast import kernels

SIGNATURES = Path(__file__).parents[1] / "signatures.json"


def signatures():
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return {function: name(capsule).decode() for function, capsule in kernels.__pyx_capi__.items()}


def test_the_signatures_are_those_that_others_were_compiled_with():
    """One may be added; those that are there do not change."""
    kept = json.loads(SIGNATURES.read_text())
    assert kept.items() <= signatures().items()
    assert signatures().keys() == kept.keys(), "a new function: write it into signatures.json"


def test_the_header_is_in_the_package():
    text = (Path(nf.get_include()) / "nndl_fast.h").read_text()
    assert all(f"(*{function})" in text for function in signatures())


CYTHON = """
# cython: language_level=3
from libc.stdint cimport int64_t
from nndl_fast.kernels cimport (softmax_f32, softmax_f64, log_likelihood_cost_f32, log_likelihood_cost_f64,
    log_likelihood_delta_f32, log_likelihood_delta_f64, log_likelihood_cost_and_delta_f32,
    log_likelihood_cost_and_delta_f64)

ctypedef fused real:
    float
    double

def softmax(real[:, :] z, real[:, :] out):
    cdef Py_ssize_t n = sizeof(real), rows = z.shape[0], classes = z.shape[1], result
    cdef Py_ssize_t row = z.strides[0] // n, cls = z.strides[1] // n
    cdef Py_ssize_t to_row = out.strides[0] // n, to_class = out.strides[1] // n
    with nogil:
        if real is float:
            result = softmax_f32(rows, classes, &z[0, 0], row, cls, &out[0, 0], to_row, to_class)
        else:
            result = softmax_f64(rows, classes, &z[0, 0], row, cls, &out[0, 0], to_row, to_class)
    return result

def both(real[:, :] z, int64_t[::1] labels, double[::1] costs, real[:, :] out, double scale, str how):
    cdef Py_ssize_t n = sizeof(real), rows = z.shape[0], classes = z.shape[1]
    cdef Py_ssize_t row = z.strides[0] // n, cls = z.strides[1] // n
    cdef Py_ssize_t to_row = out.strides[0] // n, to_class = out.strides[1] // n
    cdef real* a = &out[0, 0]
    cdef int64_t* y = &labels[0]
    cdef double* cost = &costs[0]
    if real is float:
        if how == "cost":
            return log_likelihood_cost_f32(rows, classes, &z[0, 0], row, cls, y, cost)
        if how == "delta":
            return log_likelihood_delta_f32(rows, classes, &z[0, 0], row, cls, y, scale, a, to_row, to_class)
        return log_likelihood_cost_and_delta_f32(rows, classes, &z[0, 0], row, cls, y, scale, cost,
                                                 a, to_row, to_class)
    else:
        if how == "cost":
            return log_likelihood_cost_f64(rows, classes, &z[0, 0], row, cls, y, cost)
        if how == "delta":
            return log_likelihood_delta_f64(rows, classes, &z[0, 0], row, cls, y, scale, a, to_row, to_class)
        return log_likelihood_cost_and_delta_f64(rows, classes, &z[0, 0], row, cls, y, scale, cost,
                                                 a, to_row, to_class)
"""


def run(*command, cwd, env=None):
    result = subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def compiled(folder, name, source):
    """The module of that C file."""
    if CXX is None:
        pytest.skip("no C++ compiler")
    target = folder / (name + sysconfig.get_config_var("EXT_SUFFIX"))
    include = ["-I", sysconfig.get_path("include"), "-I", nf.get_include()]
    run(CXX, "-shared", "-fPIC", "-O1", *include, str(source), "-o", str(target), cwd=folder)
    spec = importlib.util.spec_from_file_location(name, target)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def consumer(tmp_path_factory):
    pytest.importorskip("Cython")
    folder = tmp_path_factory.mktemp("consumer")
    (folder / "consumer.pyx").write_text(CYTHON)
    run(sys.executable, "-m", "cython", "-3", "consumer.pyx", cwd=folder)
    return compiled(folder, "consumer", folder / "consumer.c")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_from_cython(consumer, dtype):
    whole = np.random.default_rng(0).standard_normal((40, 36)).astype(dtype)
    y = np.arange(20) % 12
    for z in (
        whole[:20, :12].copy(),
        whole[:20, :12],
        whole.T[:20, :12],
        whole[::-2, ::3],
        whole[:20, 11::-1],
    ):
        out, cost = np.zeros_like(whole)[: len(z), : z.shape[1]], np.zeros(20)
        assert consumer.softmax(z, out) == -1
        np.testing.assert_array_equal(out, nf.softmax(z))
        expected, delta = nf.log_likelihood_cost_and_delta(z, y, reduction="none")
        for how in ("cost", "delta", "both"):
            out[:], cost[:] = 0, 0
            assert consumer.both(z, y, cost, out, 1.0, how) == -1
            np.testing.assert_array_equal(cost.astype(dtype), expected if how != "delta" else 0)
            np.testing.assert_array_equal(out, delta if how != "cost" else 0)
        consumer.both(z, y, cost, out, 1 / 20, "both")
        np.testing.assert_array_equal(out, nf.log_likelihood_delta(z, y))
        copy = z.copy()
        consumer.softmax(copy, copy)
        np.testing.assert_array_equal(copy, nf.softmax(z))


def test_a_label_outside_is_told_and_nothing_written(consumer):
    z, y, cost, out = (
        np.ones((5, 3), "f4"),
        np.array([0, 1, 3, -1, 0]),
        np.full(5, 7.0),
        np.full((5, 3), 7, "f4"),
    )
    for how in ("cost", "delta", "both"):
        assert consumer.both(z, y, cost, out, 1.0, how) == 2
    assert (cost == 7).all() and (out == 7).all()


@pytest.mark.slow
def test_the_programs_of_the_documentation(tmp_path):
    """In Cython, C and C++: each in the file that its first line names, compiled by the page's commands."""
    pytest.importorskip("Cython")
    if not (shutil.which("cc") and shutil.which("c++")):
        pytest.skip("no compiler")
    page = (Path(__file__).parents[2] / "docs" / "howto" / "compiled_callers.md").read_text(encoding="utf-8")
    for name, program in re.findall(r"```(?:cython|c|cpp)\n\S+ (\S+)[^\n]*\n(.*?)```", page, re.DOTALL):
        (tmp_path / name).write_text(program)
    commands = "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    assert len(list(tmp_path.iterdir())) == 3 and commands
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run("bash", "-ec", commands, cwd=tmp_path, env=os.environ | {"PATH": path})
