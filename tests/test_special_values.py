"""Infinities, NaNs, and results too large or too small for a normal number."""

import numpy as np
import pytest

import nndl_fast as nf

F4, F8 = np.float32, np.float64


def test_minus_infinity_is_probability_zero(isa):
    """The cost of a soft target of 0 is then 0; it is infinite only if such a class has some weight."""
    assert np.array_equal(nf.softmax([0.0, -np.inf]), [1, 0])
    assert np.array_equal(nf.log_softmax([0.0, -np.inf]), [0, -np.inf])
    assert nf.log_likelihood_cost([[0.0, -np.inf]], [[1.0, 0.0]]) == 0
    assert nf.log_likelihood_cost([[0.0, -np.inf]], [[0.5, 0.5]]) == np.inf
    z = F4([[0, -np.inf, 1]])
    assert nf.softmax(z)[0, 1] == 0 and nf.log_softmax(z)[0, 1] == -np.inf
    assert nf.log_likelihood_cost(z, [1]) == np.inf
    t = np.array([[0.5, 0, 0.5]])
    expected = -(np.log(nf.softmax(z)[0, [0, 2]].astype(float)) * 0.5).sum()
    assert nf.log_likelihood_cost(z, t) == pytest.approx(expected, rel=1e-6)
    assert nf.log_likelihood_cost(z, np.array([[0.5, 0.1, 0.4]])) == np.inf
    assert nf.log_likelihood_cost(z, [0], label_smoothing=0.1) == np.inf
    assert np.isfinite(nf.log_likelihood_cost(z, [0], label_smoothing=0.1, class_weight=[1, 0, 1]))
    assert nf.log_likelihood_cost(F8([0, -np.inf]), 0) == 0


@pytest.mark.parametrize("classes", [1, 2, 3, 40, 70, 200])
@pytest.mark.parametrize("dtype", [F4, F8])
def test_rows_of_infinities_and_nans(isa, classes, dtype):
    """A row of -inf alone, one with +inf, and one with NaN are NaN, and no other row is touched.

    logsumexp is -inf, +inf and NaN."""
    z = np.random.default_rng(0).standard_normal((40, classes)).astype(dtype)
    clean = z.copy()
    z[3], z[17, -1], z[18, 0], z[20, 0] = -np.inf, np.inf, np.inf, np.nan
    touched = np.isin(np.arange(40), [3, 17, 18, 20])
    a, log_a, lse = nf.softmax(z), nf.log_softmax(z), nf.logsumexp(z)
    assert np.isnan(a[touched]).all() and np.isnan(log_a[touched]).all()
    assert lse[3] == -np.inf and lse[17] == lse[18] == np.inf and np.isnan(lse[20])
    assert np.array_equal(a[~touched], nf.softmax(clean)[~touched])
    cost, delta = nf.log_likelihood_cost_and_delta(z, np.zeros(40, int), reduction="none")
    assert np.array_equal(np.isnan(cost), touched)
    assert np.isnan(delta[touched]).all() and not np.isnan(delta[~touched]).any()
    hard = nf.softmax(z, c=np.inf)
    assert np.isnan(hard[touched]).all() and not np.isnan(hard[~touched]).any()


def test_a_nan_beside_an_infinity_is_seen(isa):
    assert np.isnan(nf.logsumexp(F4([np.nan, np.inf, 0]))) and np.isnan(nf.logsumexp(F4([np.nan, -np.inf])))


@pytest.mark.parametrize("classes", [2, 16, 33, 40, 65, 140, 300])
def test_a_nan_in_any_place_is_seen(isa, classes):
    """In a row alone and between others, which stay free of it."""
    for place in range(classes):
        z = np.zeros((3, classes), F4)
        z[1, place] = np.nan
        assert np.isnan(nf.softmax(z[1])).all() and np.isnan(nf.logsumexp(z[1]))
        cost, delta = nf.log_likelihood_cost_and_delta(z, [0, 0, 0], reduction="none")
        for rows in (nf.softmax(z), delta):
            assert np.isnan(rows[1]).all() and not np.isnan(rows[[0, 2]]).any()
        for rows in (nf.logsumexp(z), cost):
            assert np.array_equal(np.isnan(rows), [False, True, False])


@pytest.mark.parametrize("classes", [3, 64, 65, 300])
@pytest.mark.parametrize("dtype", [F4, F8])
def test_infinite_costs_stay_infinite(isa, classes, dtype):
    z = np.zeros((1, classes), dtype)
    z[0, 2] = -np.inf
    t = np.zeros((1, classes))
    t[0, 1:3] = 0.5
    assert nf.log_likelihood_cost(z, t) == np.inf
    assert nf.log_likelihood_cost(z, [0], label_smoothing=0.1) == np.inf
    assert nf.binary_cross_entropy_cost(z, np.ones((1, classes)), reduction="sum") == np.inf


def test_a_weight_of_zero_hides_an_infinity_and_no_nan():
    z, y, w = F8([np.inf, np.nan]), F8([0, 0]), F8([0, 0])
    cost = nf.binary_cross_entropy_cost(z, y, sample_weight=w, reduction="none")
    assert np.array_equal(cost, [0, np.nan], equal_nan=True)
    z = F8([[0, -np.inf], [0, np.nan]])
    cost = nf.log_likelihood_cost(z, [1, 1], sample_weight=w, reduction="none")
    assert np.array_equal(cost, [0, np.nan], equal_nan=True)


def test_sigmoid_of_special_values(isa):
    z = F4([np.inf, -np.inf, np.nan, 0])
    assert np.array_equal(nf.sigmoid(z), F4([1, 0, np.nan, 0.5]), equal_nan=True)
    assert np.array_equal(nf.sigmoid_prime(z), F4([0, 0, np.nan, 0.25]), equal_nan=True)
    cost = nf.binary_cross_entropy_cost(
        F4([np.inf, np.inf, -np.inf, np.nan]), F4([1, 0, 0, 1]), reduction="none"
    )
    assert np.array_equal(cost, F4([0, np.inf, 0, np.nan]), equal_nan=True)


def test_results_too_small_for_a_normal_number_underflow_gradually(isa):
    assert 0 < nf.softmax(F4([0, -100]))[1] < np.finfo(F4).tiny


def test_very_large_sharpness_and_logits():
    z = F4([3, 1, 3 - 1e-6])
    np.testing.assert_allclose(nf.softmax(z, c=1e30), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(nf.softmax(F4([3e38, 2.9e38, -3e38])), [1, 0, 0])
    np.testing.assert_allclose(nf.softmax(F8([1e300, 1e300, 0])), [0.5, 0.5, 0])
    assert np.array_equal(nf.softmax(F4([1, 2]), c=1e60), [0, 1])
    assert np.array_equal(nf.softmax(F4([0, -np.inf]), c=1e-60), [1, 0])


@pytest.mark.parametrize("c", [0, -1, np.nan, -np.inf])
def test_sharpness_that_may_not_be(c):
    for f in (nf.softmax, nf.log_softmax):
        with pytest.raises(ValueError, match=f"{f.__name__}: c is"):
            f([1.0, 2.0], c=c)
    with pytest.raises(ValueError, match="softmax_backward: c is"):
        nf.softmax_backward([0.5, 0.5], [1.0, 2.0], c=c)


@pytest.mark.parametrize("c", ["x", None])
def test_sharpness_that_is_no_number(c):
    with pytest.raises(TypeError, match=f"softmax: c is {c!r}; it must be a number"):
        nf.softmax(np.zeros(3), c=c)
