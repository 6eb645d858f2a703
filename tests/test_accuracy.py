"""Every function against the long double reference, at every instruction set, sizes around every edge."""

import numpy as np
import pytest
import reference as ref
import sweep

import nndl_fast as nf

SIZES = [1, 2, 3, 10, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 257, 1000]
DTYPES = [np.float32, np.float64]


def logits(n, classes, dtype, seed=0):
    """Rows of every kind: near each other, spread, far from zero, one that dominates, with ties."""
    rng = np.random.default_rng([seed, n, classes])
    z = rng.standard_normal((n, classes)) * rng.choice([0.01, 1, 5, 30, 1e4], (n, 1))
    z[::7] += 1e6
    z[1::7, 0] += 20
    z[2::7] = z[2::7, :1]
    z[3::7, -1] = -np.inf if classes > 1 else 0
    return z.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", SIZES)
def test_softmax_is_within_two_units(isa, classes, dtype):
    z = logits(35, classes, dtype)
    assert ref.ulps(nf.softmax(z), ref.softmax(z)) <= 2
    assert ref.ulps(nf.softmax(z, c=0.3), ref.softmax(z, c=dtype(0.3))) <= 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", SIZES)
def test_log_softmax_logsumexp_and_cost_are_within_their_bounds(isa, classes, dtype):
    z = logits(35, classes, dtype)
    y = np.random.default_rng(1).integers(0, max(classes - 1, 1), 35)
    bound = 4 if dtype == np.float32 else 6
    assert ref.ulps(nf.log_softmax(z), ref.log_softmax(z)) <= bound
    cost = nf.log_likelihood_cost(z, y, reduction="none")
    assert ref.ulps(cost, ref.log_likelihood_cost_and_delta(z, y, reduction="none")[0]) <= bound
    # relative to the terms that are added, since they may cancel
    exact, size = ref.logsumexp(z), np.abs(z).max(-1, where=np.isfinite(z), initial=1)
    assert np.all(np.abs(nf.logsumexp(z) - exact) <= 2 * np.spacing(size + 7))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [2, 10, 17, 64, 65, 129, 1000])
def test_delta_and_backward(isa, classes, dtype):
    z = logits(35, classes, dtype)
    rng = np.random.default_rng(2)
    labels = rng.integers(0, classes, 35)
    soft = rng.random((35, classes)).astype(dtype)
    unit = np.finfo(dtype).eps
    for y in (labels, soft / soft.sum(-1, keepdims=True)):
        _, delta = ref.log_likelihood_cost_and_delta(z, y, reduction="sum")
        np.testing.assert_allclose(
            nf.log_likelihood_delta(z, y, reduction="sum"), delta, rtol=4 * unit, atol=2 * unit
        )
    a, g = nf.softmax(z), rng.standard_normal(z.shape).astype(dtype)
    np.testing.assert_allclose(
        nf.softmax_backward(a, g, c=2), ref.softmax_backward(a, g, c=2), rtol=8 * unit, atol=8 * unit
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_is_within_one_unit(isa, dtype):
    rng = np.random.default_rng(3)
    span = 104 if dtype == np.float32 else 745
    z = np.concatenate(
        [rng.uniform(-span, span, 20_000), rng.standard_normal(20_000), [0.0, -0.0, 1e-30, -1e-30]]
    ).astype(dtype)
    assert ref.ulps(nf.sigmoid(z), ref.sigmoid(z)) <= 1
    assert ref.ulps(nf.sigmoid_prime(z), ref.sigmoid_prime(z)) <= 3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 15, 16, 17, 1023, 1024, 1025, 5000])
def test_binary_cross_entropy(isa, n, dtype):
    rng = np.random.default_rng(n)
    z = (rng.standard_normal(n) * rng.choice([0.1, 3, 40], n)).astype(dtype)
    y = rng.choice([0, 1, 0.25, 0.9], n).astype(dtype)
    w = rng.random(n).astype(dtype)
    cost, delta = ref.binary_cross_entropy_cost_and_delta(z, y, "none", w)
    assert ref.ulps(nf.binary_cross_entropy_cost(z, y, reduction="none", sample_weight=w), cost) <= 4
    got = nf.binary_cross_entropy_delta(z, y, reduction="none", sample_weight=w)
    np.testing.assert_allclose(got, delta, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)
    for reduction in ("sum", "mean"):
        cost, delta = ref.binary_cross_entropy_cost_and_delta(z, y, reduction, w)
        mine, error = nf.binary_cross_entropy_cost_and_delta(z, y, reduction=reduction, sample_weight=w)
        np.testing.assert_allclose(mine, cost, rtol=4 * np.finfo(dtype).eps)
        np.testing.assert_allclose(error, delta, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


def test_what_a_dominant_class_leaves_is_not_lost():
    assert nf.logsumexp([0.0, -40.0]) == pytest.approx(np.exp(-40.0), rel=1e-15)
    assert nf.log_likelihood_cost([0.0, -40.0], 0) == pytest.approx(np.exp(-40.0), rel=1e-15)
    assert nf.log_softmax(np.float32([0, -80]))[0] == pytest.approx(-np.exp(-80.0), rel=1e-6)


def test_a_class_with_everything_has_exactly_one(isa):
    for dtype in DTYPES:
        z = (np.random.default_rng(0).standard_normal((500, 7)) * 3).astype(dtype)
        z[:, 3] += dtype(100)
        assert np.all(nf.softmax(z)[:, 3] == 1)
        assert np.all(nf.log_likelihood_delta(z, np.full(500, 3))[:, 3] == 0)
        assert np.all(nf.softmax(z[:, :1]) == 1)


def test_equal_logits_get_equal_shares_exactly(isa):
    for n in SIZES:
        assert np.all(nf.softmax(np.full((3, n), 0.7, np.float32)) == np.float32(1 / n))


def test_underflow_is_gradual(isa):
    z = np.array([0, -87.5, -95, -103, -104.5, -200], np.float32)
    smallest = np.finfo(np.float32).smallest_subnormal
    np.testing.assert_allclose(nf.softmax(z), ref.softmax(z), rtol=0, atol=float(smallest))
    assert nf.softmax(z)[3] == smallest and nf.softmax(z)[4] == 0
    z = np.array([0, -740.0, -746.0])
    np.testing.assert_allclose(nf.softmax(z), ref.softmax(z).astype(float), rtol=0, atol=5e-324)


def test_large_batches_sum_well(isa):
    rng = np.random.default_rng(4)
    z, y = (rng.standard_normal((5000, 10)) * 2).astype(np.float32), rng.integers(0, 10, 5000)
    exact, _ = ref.log_likelihood_cost_and_delta(z, y)
    assert abs(float(nf.log_likelihood_cost(z, y)) - float(exact)) <= np.spacing(np.float32(exact))


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
