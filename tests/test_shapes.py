"""Empty arrays, one class, scalars, arrays that are larger than the memory, and axes."""

import numpy as np
import pytest

import nndl_fast as nf

COSTS = [nf.log_likelihood_cost, nf.log_likelihood_delta, nf.log_likelihood_cost_and_delta]
F4, F8 = np.float32, np.float64


@pytest.mark.parametrize("dtype", [F4, F8])
def test_empty_batch(dtype):
    """The sum of no costs is 0 and their mean NaN, without a warning."""
    z = np.zeros((0, 5), dtype)
    y = np.zeros(0, int)
    assert nf.softmax(z).shape == (0, 5) and nf.logsumexp(z).shape == (0,)
    assert nf.log_likelihood_cost(z, y, reduction="none").shape == (0,)
    assert nf.log_likelihood_cost(z, y, reduction="sum") == 0
    assert np.isnan(nf.log_likelihood_cost(z, y))
    assert nf.log_likelihood_delta(z, y).shape == (0, 5)
    assert np.isnan(nf.binary_cross_entropy_cost(z, z)) and nf.sigmoid(z).shape == (0, 5)


@pytest.mark.parametrize("dtype", [F4, F8])
def test_no_classes(dtype):
    z = np.zeros((3, 0), dtype)
    assert nf.softmax(z).shape == (3, 0) and np.array_equal(nf.logsumexp(z), [-np.inf] * 3)
    for f in COSTS:
        with pytest.raises(ValueError, match="no classes"):
            f(z, np.zeros(3, int))


@pytest.mark.parametrize("dtype", [F4, F8])
def test_one_class(dtype):
    z = np.array([[3], [-8]], dtype)
    assert np.all(nf.softmax(z) == 1) and np.all(nf.log_softmax(z) == 0)
    cost, delta = nf.log_likelihood_cost_and_delta(z, [0, 0])
    assert cost == 0 and np.all(delta == 0)
    assert np.array_equal(nf.log_likelihood_delta(z, [0, 0]), [[0], [0]])


def test_scalars():
    """A scalar is one class; for a cost it says too little."""
    assert nf.softmax(2.5) == 1 and nf.log_softmax(2.5) == 0 and nf.logsumexp(2.5) == 2.5
    assert nf.softmax(np.array(2.5), axis=None) == 1
    for f in COSTS:
        with pytest.raises(ValueError, match="scalar"):
            f(2.5, 0)


def test_more_than_2_to_the_31_elements_in_a_view():
    z = np.broadcast_to(np.linspace(0, 1, 513, dtype=F4), (2**22, 513))  # with a stride of zero
    assert z.size > 2**31
    expected = float(nf.log_likelihood_cost(z[0], 7, reduction="none"))
    y = np.full(2**22, 7)
    assert float(nf.log_likelihood_cost(z, y, reduction="sum")) == pytest.approx(expected * 2**22, rel=1e-6)


def test_axis_that_is_not_there():
    for axis in (2, -3, 2**70):
        with pytest.raises(np.exceptions.AxisError, match="axis is"):
            nf.softmax(np.zeros((2, 3)), axis)
        with pytest.raises(np.exceptions.AxisError):
            nf.log_likelihood_cost(np.zeros((2, 3)), [0, 1], axis)
    with pytest.raises(TypeError, match="must be an integer"):
        nf.softmax(np.zeros((2, 3)), 1.5)
    with pytest.raises(ValueError, match="twice"):
        nf.softmax(np.zeros((2, 3)), (0, -2))


def test_inverse_softmax_and_jacobian_check_their_axis():
    with pytest.raises(np.exceptions.AxisError):
        nf.inverse_softmax([0.5, 0.5], axis=1)
    a = nf.softmax(np.random.default_rng(0).standard_normal((4, 3, 2)), axis=1)
    assert nf.softmax_jacobian(a, axis=1).shape == (4, 2, 3, 3)
    assert np.array_equal(nf.inverse_softmax([1.0, 0.0]), [0, -np.inf])
