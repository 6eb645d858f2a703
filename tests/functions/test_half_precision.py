"""float16 and bfloat16 are computed in float32, from a copy of some rows at a time, and rounded once."""

import re
from pathlib import Path

import numpy as np
import pytest

import nndl_fast as nf

F4 = np.float32


@pytest.fixture(params=["float16", "bfloat16"])
def half(request):
    if request.param == "float16":
        return np.dtype(np.float16)
    return np.dtype(pytest.importorskip("ml_dtypes").bfloat16)


def assert_same(got, expected, name=""):
    assert got.dtype == expected.dtype, name
    with np.errstate(invalid="ignore"):  # NumPy does not know bfloat16's NaN for one
        np.testing.assert_array_equal(got.astype(F4), expected.astype(F4), err_msg=name)


def functions(y, t):
    return {
        "softmax": lambda z, axis: nf.softmax(z, axis),
        "log_softmax": lambda z, axis: nf.log_softmax(z, axis, c=0.5),
        "logsumexp": lambda z, axis: nf.logsumexp(z, axis),
        "hardmax": lambda z, axis: nf.hardmax(z, axis),
        "whole": lambda z, axis: nf.softmax(z, None),
        "backward": lambda z, axis: nf.softmax_backward(z, t, axis),
        "delta": lambda z, axis: nf.log_likelihood_delta(z, y, axis, reduction="none"),
        "of targets": lambda z, axis: nf.log_likelihood_delta(z, t, axis, label_smoothing=0.1),
        "cost": lambda z, axis: nf.log_likelihood_cost(z, y, axis),
        "costs": lambda z, axis: nf.log_likelihood_cost(z, y, axis, reduction="none"),
    }


# around the number of elements and rows that are converted at a time, in rows, columns and between
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        *[((7, 10), -1), ((10, 7), 0), ((900, 10), 1), ((10, 900), 0), ((33, 129), 1), ((129, 33), 0)],
        *[((4, 5, 6), 1), ((3, 9000), 1), ((9000, 3), 0), ((17,), 0)],
        *[((1, 100_001), 1), ((100_001, 1), 0)],  # one row, shared out among threads
    ],
)
def test_results_are_those_of_float32_rounded(half, shape, axis, threads):
    rng = np.random.default_rng(0)
    whole = (rng.standard_normal(shape) * 5).astype(half)
    for z in (whole, whole[::-1], whole[..., ::2]):
        rows = [size for d, size in enumerate(z.shape) if d != axis % z.ndim]
        y, t = rng.integers(0, z.shape[axis], rows), rng.random(z.shape).astype(F4)
        for name, function in functions(y, t).items():
            got, expected = function(z, axis), np.asarray(function(z.astype(F4), axis))
            assert_same(np.asarray(got), expected.astype(half), name)


def test_every_number_is_read_and_written(half, every_isa):
    z = np.arange(65536, dtype=np.uint16).view(half)
    pairs = np.stack([z, np.zeros_like(z)], -1)
    with np.errstate(all="ignore"):  # casts of NaN
        expected = nf.softmax(pairs.astype(F4)).astype(half)
    assert_same(nf.softmax(pairs), expected)
    with np.errstate(over="ignore"):
        expected = nf.log_softmax(pairs.astype(F4)).astype(half)
    assert_same(nf.log_softmax(pairs), expected)


def test_in_place_and_into_other_strides(half):
    z = (np.random.default_rng(1).standard_normal((500, 30)) * 3).astype(half)
    expected = nf.softmax(z)
    out = np.zeros((30, 1000), half).T[::2]
    assert nf.softmax(z, out=out) is out
    assert_same(out, expected)
    overlapping = np.concatenate([z, z[:1]])
    nf.softmax(overlapping[:-1], out=overlapping[1:])
    assert_same(overlapping[1:], expected)
    nf.softmax(z, out=z)
    assert_same(z, expected)


@pytest.mark.slow
def test_more_than_2_to_the_31_elements():
    """An array that is really there, 4 GiB, and one for the result."""
    try:
        free = int(re.search(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text()).group(1))
    except OSError:
        pytest.skip("the system does not say how much memory is free")
    if free < 12 << 20:
        pytest.skip("needs 12 GiB of free memory")
    z = np.zeros((2**27 + 1, 16), np.float16)
    z[-1, -1] = z[2**27 - 1, 15] = 20
    a = nf.softmax(z, out=np.empty_like(z))
    assert a[0, 0] == a[2**26, 7] == 1 / 16
    assert a[-1, -1] == a[2**27 - 1, 15] == 1 and a[-1, 0] < 1e-6
