"""The sigmoid function, its derivative, and the binary cross-entropy that goes with it.

What they are by the literature (numbers in brackets are the book's equations), how accurate they are against
the long double reference, and what special values give."""

import numpy as np
import pytest
import reference as ref
from arrays import DTYPES, central_differences, example, same_bits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nndl_fast as nf

F4 = np.float32
X, Y = np.random.default_rng(0).standard_normal((60, 4)), np.arange(60) % 3


# What they are


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-500, 500)))
def test_sigma_prime_is_sigma_times_one_minus_sigma(z):
    a = nf.sigmoid(z)
    np.testing.assert_allclose(nf.sigmoid_prime(z), a * nf.sigmoid(-z), rtol=1e-14)
    near = np.abs(z) < 20
    np.testing.assert_allclose(nf.sigmoid_prime(z)[near], (a * (1 - a))[near], rtol=1e-6)


def test_sigmoid_outputs_need_not_sum_to_one():
    assert nf.sigmoid([1.0, 2.0, 3.0]).sum() > 2


@given(
    hnp.arrays(np.float64, (5, 2), elements=st.floats(-30, 30)),
    st.lists(st.integers(0, 1), min_size=5, max_size=5),
)
def test_two_classes_are_logistic_regression(z, y):
    difference = z[:, 1] - z[:, 0]
    np.testing.assert_allclose(nf.softmax(z)[:, 1], nf.sigmoid(difference), rtol=1e-13)
    cost = nf.log_likelihood_cost(z, y, reduction="none")
    # the difference is rounded once more than softmax rounds
    np.testing.assert_allclose(
        cost,
        nf.binary_cross_entropy_cost(difference, np.array(y, float), reduction="none"),
        rtol=1e-13,
        atol=1e-14,
    )
    delta = nf.log_likelihood_delta(z, y)
    np.testing.assert_allclose(
        delta[:, 1], nf.binary_cross_entropy_delta(difference, np.array(y, float)), atol=1e-15
    )


@given(st.floats(0.01, 0.99))
def test_binary_cross_entropy_is_least_at_sigma_equals_y(y):
    """(57); the error is a - y, (68), so it is 0 there."""
    best = np.log(y / (1 - y))
    costs = nf.binary_cross_entropy_cost(best + np.linspace(-1, 1, 21), np.full(21, y), reduction="none")
    assert costs.argmin() == 10
    assert abs(nf.binary_cross_entropy_delta([best], [y])[0]) < 1e-15
    entropy = -(y * np.log(y) + (1 - y) * np.log(1 - y))
    assert costs[10] == pytest.approx(entropy, rel=1e-13)


def test_binary_cross_entropy_delta_is_the_gradient():
    rng = np.random.default_rng(3)
    z, y, w = rng.standard_normal((4, 3)), rng.random((4, 3)), rng.random((4, 3))
    for options in ({}, {"reduction": "sum"}, {"sample_weight": w}):
        delta = nf.binary_cross_entropy_delta(z, y, **options)
        numeric = central_differences(lambda z, o=options: nf.binary_cross_entropy_cost(z, y, **o), z)
        np.testing.assert_allclose(delta, numeric, atol=1e-9)
    np.testing.assert_allclose(
        nf.binary_cross_entropy_delta(z, y, reduction="sum"), nf.sigmoid(z) - y, atol=1e-15
    )


# Accuracy


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


def test_fused_and_separate_agree(isa):
    z, _, t = example(50, 33, "f8")
    z = np.nan_to_num(z, posinf=3, neginf=-3)
    options = dict(reduction="sum", sample_weight=t)
    cost, delta = nf.binary_cross_entropy_cost_and_delta(z, t, **options)
    assert cost == nf.binary_cross_entropy_cost(z, t, **options)
    assert same_bits(delta, nf.binary_cross_entropy_delta(z, t, **options))


# Special values, and weights far from 1


def test_sigmoid_of_special_values(isa):
    z = F4([np.inf, -np.inf, np.nan, 0])
    assert np.array_equal(nf.sigmoid(z), F4([1, 0, np.nan, 0.5]), equal_nan=True)
    assert np.array_equal(nf.sigmoid_prime(z), F4([0, 0, np.nan, 0.25]), equal_nan=True)
    cost = nf.binary_cross_entropy_cost(
        F4([np.inf, np.inf, -np.inf, np.nan]), F4([1, 0, 0, 1]), reduction="none"
    )
    assert np.array_equal(cost, F4([0, np.inf, 0, np.nan]), equal_nan=True)


@pytest.mark.parametrize("classes", [3, 64, 65, 300])
@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_costs_stay_infinite(isa, classes, dtype):
    z = np.zeros((1, classes), dtype)
    z[0, 2] = -np.inf
    assert nf.binary_cross_entropy_cost(z, np.ones((1, classes)), reduction="sum") == np.inf


def test_elements_that_all_weigh_nothing():
    z = np.ones((2, 3))
    assert np.array_equal(nf.binary_cross_entropy_delta(z, z, sample_weight=0 * z), np.zeros((2, 3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_of_elements(dtype):
    z, y, info = X[:, 0].astype(dtype), (Y > 0).astype(dtype), np.finfo(dtype)
    expected = nf.binary_cross_entropy_cost_and_delta(z, y)
    for weight in (float(info.tiny) / 16, float(info.max)):
        got = nf.binary_cross_entropy_cost_and_delta(z, y, sample_weight=np.full(60, weight, dtype))
        for one, other in zip(got, expected):
            np.testing.assert_allclose(one, other, rtol=1e-5 if dtype == np.float32 else 1e-12)
