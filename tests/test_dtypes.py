"""Which arrays are taken, and the dtype of what they give."""

import numpy as np
import pytest

import nndl_fast as nf

F4, F8 = np.float32, np.float64


def test_integers_become_float64():
    assert nf.softmax([1, 2]).dtype == F8
    for integer in (np.int8, np.uint8):
        assert nf.softmax(np.array([1, 2], integer)).dtype == F8


def test_float32_and_float16_stay():
    assert nf.softmax(F4([1, 2])).dtype == F4
    half = np.array([[1, 2], [0, 0]], np.float16)
    for f in (
        nf.softmax,
        nf.log_softmax,
        nf.sigmoid,
        nf.logsumexp,
        nf.inverse_softmax,
        nf.softmax_jacobian,
        nf.hardmax,
    ):
        assert f(half).dtype == np.float16, f
    cost, delta = nf.log_likelihood_cost_and_delta(half, [0, 1])
    assert cost.dtype == delta.dtype == np.float16


@pytest.mark.parametrize(
    "z, match",
    [
        (np.array([True, False]), "dtype bool"),
        ([True, False], "dtype bool"),
        (np.array([1j]), "dtype complex128"),
        ([1j, 2], "dtype complex128"),
        (np.array([None]), "dtype object"),
        (np.array([1, None]), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        (["a", "b"], "dtype <U1"),
        (np.ma.masked_array([1.0], [True]), "masked"),
        (np.ma.masked_array([1.0, 2.0]), "masked"),
        (np.array([1], "M8[s]"), r"dtype datetime64\[s\]"),
    ],
)
def test_types_that_may_not_be(z, match):
    for f in (
        nf.softmax,
        nf.log_softmax,
        nf.logsumexp,
        nf.hardmax,
        nf.sigmoid,
        nf.inverse_softmax,
        nf.softmax_jacobian,
    ):
        with pytest.raises(TypeError, match=f"{f.__name__}: [az] .*{match}"):
            f(z)
    with pytest.raises(TypeError, match=f"log_likelihood_cost: z .*{match}"):
        nf.log_likelihood_cost(z, 0)


def test_subclasses_are_read_as_plain_arrays():
    class Named(np.ndarray):
        pass

    z = np.arange(6.0).reshape(2, 3)
    for f in (nf.softmax, nf.softmax_jacobian, nf.inverse_softmax, lambda z: nf.softmax(z, None)):
        result = f(z.view(Named))
        assert type(result) is np.ndarray and np.array_equal(result, f(z))


def test_memory_maps_are_read(tmp_path):
    z = np.random.default_rng(0).standard_normal((5, 7))
    np.save(tmp_path / "z.npy", z)
    assert np.array_equal(nf.softmax(np.load(tmp_path / "z.npy", mmap_mode="r")), nf.softmax(z))
