"""softmax and its kin: log_softmax, logsumexp, hardmax, their derivative and inverse.

What they are by the literature (numbers in brackets are the book's equations), how accurate they are against
the long double reference, what is exact, and what infinities, NaNs and very large or small numbers give."""

import numpy as np
import pytest
import reference as ref
import sweep
from arrays import DTYPES, SIZES, central_differences, logits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nndl_fast as nf

F4, F8 = np.float32, np.float64
LOGITS = hnp.arrays(
    F8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=20), elements=st.floats(-30, 30)
)


# What they are


@given(LOGITS)
def test_activations_are_positive_and_sum_to_one(z):  # (78), (79)
    a = nf.softmax(z)
    assert np.all(a > 0)
    np.testing.assert_allclose(a.sum(-1), 1, rtol=1e-14)


@given(hnp.arrays(np.float64, st.integers(2, 8), elements=st.floats(-4, 4)))
def test_monotonicity_and_non_locality(z):
    """da_j/dz_k > 0 for j = k and < 0 otherwise: every activation depends on every weighted input."""
    jacobian = nf.softmax_jacobian(nf.softmax(z))
    assert np.all((jacobian > 0) == np.eye(len(z), dtype=bool))
    for j in range(len(z)):
        row = central_differences(lambda x, j=j: nf.softmax(x)[j], z)
        np.testing.assert_allclose(jacobian[j], row, rtol=1e-6, atol=1e-9)


@given(LOGITS, st.floats(-100, 100))
def test_shift_invariance(z, constant):
    np.testing.assert_allclose(nf.softmax(z + constant), nf.softmax(z), rtol=1e-12)


@given(LOGITS, st.floats(-10, 10))
def test_inverse_softmax(z, constant):
    """z_j = ln a_j + C."""
    back = nf.inverse_softmax(nf.softmax(z), constant=constant)
    difference = back - z
    np.testing.assert_allclose(difference, np.broadcast_to(difference[:, :1], z.shape), atol=1e-9)
    np.testing.assert_allclose(nf.softmax(back), nf.softmax(z), rtol=1e-11)


def test_large_c_gives_the_hard_maximum():  # (83)
    z = np.array([1.0, 3.0, 2.9, -1.0])
    np.testing.assert_allclose(nf.softmax(z, c=1e4), nf.hardmax(z), atol=1e-15)
    assert np.array_equal(nf.softmax(z, c=np.inf), nf.hardmax(z))
    assert np.array_equal(nf.softmax([1.0, 3.0, 3.0], c=np.inf), [0, 0.5, 0.5])
    assert np.array_equal(nf.hardmax([1.0, 3.0, 3.0]), [0, 1, 0])
    assert np.array_equal(nf.log_softmax([1.0, 3.0, 3.0], c=np.inf), [-np.inf, -np.log(2), -np.log(2)])


def test_worked_examples():
    # printed elsewhere with 0.0903, a slip of the pen: e^2 / (e^2 + e^3 + e^4) = 0.0900
    np.testing.assert_allclose(nf.softmax([2, 3, 4]), [0.0900, 0.2447, 0.6652], atol=5e-5)
    np.testing.assert_allclose(nf.log_likelihood_delta([2, 3, 4], 1), [0.0900, -0.7553, 0.6652], atol=5e-5)
    column = np.array([[5.0], [2.0], [-1.0], [3.0]])
    expected = np.array([[0.842], [0.042], [0.002], [0.114]])
    np.testing.assert_allclose(nf.softmax(column, axis=0), expected, atol=5e-4)
    matrix = np.hstack([column, column[::-1], column + 7])
    np.testing.assert_allclose(
        nf.softmax(matrix, axis=0), np.hstack([expected, expected[::-1], expected]), atol=5e-4
    )


# Accuracy, with sizes around every edge


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", SIZES)
def test_softmax_is_within_two_units(isa, classes, dtype):
    z = logits(35, classes, dtype)
    assert ref.ulps(nf.softmax(z), ref.softmax(z)) <= 2
    assert ref.ulps(nf.softmax(z, c=0.3), ref.softmax(z, c=dtype(0.3))) <= 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", SIZES)
def test_log_softmax_and_logsumexp_are_within_their_bounds(isa, classes, dtype):
    z = logits(35, classes, dtype)
    assert ref.ulps(nf.log_softmax(z), ref.log_softmax(z)) <= (4 if dtype == np.float32 else 6)
    # relative to the terms that are added, since they may cancel
    exact, size = ref.logsumexp(z), np.abs(z).max(-1, where=np.isfinite(z), initial=1)
    assert np.all(np.abs(nf.logsumexp(z) - exact) <= 2 * np.spacing(size + 7))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [2, 10, 17, 64, 65, 129, 1000])
def test_backward_is_near_the_reference(isa, classes, dtype):
    a = nf.softmax(logits(35, classes, dtype))
    g = np.random.default_rng(2).standard_normal(a.shape).astype(dtype)
    unit = np.finfo(dtype).eps
    np.testing.assert_allclose(
        nf.softmax_backward(a, g, c=2), ref.softmax_backward(a, g, c=2), rtol=8 * unit, atol=8 * unit
    )


def test_what_a_dominant_class_leaves_is_not_lost():
    assert nf.logsumexp([0.0, -40.0]) == pytest.approx(np.exp(-40.0), rel=1e-15)
    assert nf.log_softmax(F4([0, -80]))[0] == pytest.approx(-np.exp(-80.0), rel=1e-6)


def test_a_thinned_sweep_stays_within_the_bounds(isa):
    worst = {}
    sweep.sweep(range(24), worst)
    assert len(worst) == 8 and sweep.beyond(worst) == []


def test_rows_at_128_bits():
    """The reference is long double's; what it gives is what mpmath gives."""
    pytest.importorskip("mpmath")
    worst = {}
    short = [seed for seed in range(30) if sweep.rows(seed)[1].shape[-1] <= 1025]
    sweep.sweep(short, worst, sweep.Mpmath(), logits=300)
    assert len(worst) == 8 and sweep.beyond(worst) == []


# What is exact: n equal logits have the activation 1 / n, a class with everything has 1, and of two classes
# the one whose logit rises never falls

HEIGHTS = [0.0, -0.0, 1.0, -3.3, 88.7, 7e4, -1e30]


@pytest.mark.parametrize("dtype", DTYPES)
def test_n_equal_logits_are_one_nth(isa, dtype):
    most = 4096 if isa != "baseline" else 300
    for n in range(1, most + 1):
        a = nf.softmax(np.repeat(np.array(HEIGHTS, dtype)[:, None], n, axis=1))
        assert (a == dtype(1) / dtype(n)).all(), n


def test_equal_logits_get_equal_shares_exactly(isa):
    for n in SIZES:
        assert np.all(nf.softmax(np.full((3, n), 0.7, np.float32)) == np.float32(1 / n))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [3, 10, 100, 1001, 5000, 300_007])
@pytest.mark.usefixtures("many_processors")
def test_equal_logits_wherever_they_stand(isa, dtype, n):
    """In place, in columns, shared out among threads, beside rows of other logits, and with a sharpness."""
    expected, rows = dtype(1) / dtype(n), 19 if n < 10_000 else 2
    z = np.random.default_rng(n).standard_normal((rows, n)).astype(dtype)
    z[::2] = 2.5
    others = nf.softmax(z)[1::2]
    for threads in (1, 4):
        with nf.num_threads(threads):
            a = nf.softmax(z)
            assert (a[::2] == expected).all() and np.array_equal(a[1::2], others)
            assert np.array_equal(nf.softmax(np.ascontiguousarray(z.T), 0).T, a)
            own = z.copy()
            assert np.array_equal(nf.softmax(own, out=own), a)
            assert (nf.softmax(z, c=0.7)[::2] == expected).all()
            delta = nf.log_likelihood_delta(z, np.zeros(rows, int), reduction="sum")
            assert (delta[::2, 1:] == expected).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_logits_that_are_nearly_equal_are_not_taken_for_equal(dtype):
    z = np.ones((1, 1000), dtype)
    z[0, 500] += 16 * np.finfo(dtype).eps
    a = nf.softmax(z)[0]
    assert a[500] > a[0] and (np.delete(a, 500) == a[0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 17, 1000])
def test_a_class_with_everything_has_exactly_1(isa, dtype, n):
    for height in HEIGHTS:
        for lead in (50.0, 800.0):
            z = np.full((3, n), height - lead if abs(height) < 1e6 else height * 2, dtype)
            z[:, n // 2] = height if height >= -1e6 else height / 2
            assert (nf.softmax(z)[:, n // 2] == 1).all(), (height, lead)


def test_a_class_with_everything_has_exactly_one(isa):
    for dtype in DTYPES:
        z = (np.random.default_rng(0).standard_normal((500, 7)) * 3).astype(dtype)
        z[:, 3] += dtype(100)
        assert np.all(nf.softmax(z)[:, 3] == 1)
        assert np.all(nf.log_likelihood_delta(z, np.full(500, 3))[:, 3] == 0)
        assert np.all(nf.softmax(z[:, :1]) == 1)


def falls(x, d):
    """How often either class of softmax([x, x + d]) goes the wrong way as d rises."""
    a = nf.softmax(np.stack([np.full_like(d, x), x + d], axis=1))
    return int((np.diff(a[:, 0]) > 0).sum() + (np.diff(a[:, 1]) < 0).sum())


# Where an activation just reaches the next number lies what could go wrong: near 0, and from 16 on.
@pytest.mark.parametrize(
    "low, high",
    [
        (16.0, 18.0),
        *(
            pytest.param(*ends, marks=pytest.mark.slow)
            for ends in ((2.0**-24, 2.0**-22), (2.0**-12, 2.0**-11), (0.75, 1.5))
        ),
    ],
)
@pytest.mark.parametrize("x", [0.0, 1.0, -3.3])
def test_two_classes_are_monotone_at_every_float32(isa, low, high, x):
    ends = np.array([low, high], np.float32).view(np.uint32)
    step = 61 if isa == "baseline" else 1
    assert falls(np.float32(x), np.arange(*ends, step, dtype=np.uint32).view(np.float32)) == 0


@pytest.mark.parametrize("x", [0.0, 1.5])
def test_two_classes_are_monotone_at_neighbouring_float64(x):
    rng = np.random.default_rng(0)
    for exponent in range(-54, 6, 3):
        start = np.float64(2.0**exponent * (1 + rng.random())).view(np.uint64)
        assert falls(np.float64(x), (start + np.arange(1 << 18, dtype=np.uint64)).view(np.float64)) == 0


# Infinities, NaNs, and what is too large or too small for a normal number


def test_minus_infinity_is_probability_zero(isa):
    assert np.array_equal(nf.softmax([0.0, -np.inf]), [1, 0])
    assert np.array_equal(nf.log_softmax([0.0, -np.inf]), [0, -np.inf])
    z = F4([[0, -np.inf, 1]])
    assert nf.softmax(z)[0, 1] == 0 and nf.log_softmax(z)[0, 1] == -np.inf


@pytest.mark.parametrize("classes", [1, 2, 3, 40, 70, 200])
@pytest.mark.parametrize("dtype", DTYPES)
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
        a = nf.softmax(z)
        assert np.isnan(a[1]).all() and not np.isnan(a[[0, 2]]).any()
        assert np.array_equal(np.isnan(nf.logsumexp(z)), [False, True, False])


def test_underflow_is_gradual(isa):
    z = np.array([0, -87.5, -95, -103, -104.5, -200], np.float32)
    smallest = np.finfo(np.float32).smallest_subnormal
    np.testing.assert_allclose(nf.softmax(z), ref.softmax(z), rtol=0, atol=float(smallest))
    assert nf.softmax(z)[3] == smallest and nf.softmax(z)[4] == 0
    z = np.array([0, -740.0, -746.0])
    np.testing.assert_allclose(nf.softmax(z), ref.softmax(z).astype(float), rtol=0, atol=5e-324)


def test_results_too_small_for_a_normal_number_underflow_gradually(isa):
    assert 0 < nf.softmax(F4([0, -100]))[1] < np.finfo(F4).tiny


def test_very_large_sharpness_and_logits():
    z = F4([3, 1, 3 - 1e-6])
    np.testing.assert_allclose(nf.softmax(z, c=1e30), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(nf.softmax(F4([3e38, 2.9e38, -3e38])), [1, 0, 0])
    np.testing.assert_allclose(nf.softmax(F8([1e300, 1e300, 0])), [0.5, 0.5, 0])
    assert np.array_equal(nf.softmax(F4([1, 2]), c=1e60), [0, 1])
    assert np.array_equal(nf.softmax(F4([0, -np.inf]), c=1e-60), [1, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 3, 16, 17, 1000])
@pytest.mark.parametrize("c", [0.75, 0.5, 1e-3, 1e-30, "smallest"])
def test_ranges_that_no_number_holds_before_they_are_scaled(isa, dtype, classes, c):
    """The largest and the smallest number are further apart than any number says; c times that is not."""
    largest = np.finfo(dtype).max
    c = 4 / float(largest) if c == "smallest" else c
    z = np.linspace(-1, 1, classes).astype(dtype) * largest
    exact = float(dtype(c)) * (z / 2 - z[-1] / 2).astype(np.longdouble) * 2
    expected = exact - np.log(np.exp(exact).sum())
    for one, other in ((nf.log_softmax(z, c=c), expected), (nf.softmax(z, c=c), np.exp(expected))):
        with np.errstate(over="ignore", under="ignore"):
            np.testing.assert_allclose(one, other.astype(dtype), rtol=1e-5, atol=np.finfo(dtype).tiny)
    by_columns = np.repeat(z[:, None], 5, axis=1)
    np.testing.assert_array_equal(nf.log_softmax(by_columns, 0, c=c)[:, 3], nf.log_softmax(z, c=c))
