"""The log-likelihood cost and its error, the delta.

What they are by the literature (numbers in brackets are the book's equations), how accurate they are against
the long double reference, and what infinities and NaNs give. What y may be and what the options do is in
test_labels_and_weights.py."""

import numpy as np
import pytest
import reference as ref
from arrays import DTYPES, SIZES, central_differences, example, logits, same_bits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nndl_fast as nf

F4, F8 = np.float32, np.float64
LOGITS = hnp.arrays(
    F8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=20), elements=st.floats(-30, 30)
)


# What they are


@given(LOGITS, st.integers(0, 2**32))
def test_indicator_function_and_index_give_one_cost(z, seed):
    """-sum_j 1[y = j] ln a_j = -ln a_y, (80)."""
    y = np.random.default_rng(seed).integers(0, z.shape[1], len(z))
    indicator = (y[:, None] == np.arange(z.shape[1])).astype(int)
    by_index = nf.log_likelihood_cost(z, y, reduction="none")
    np.testing.assert_allclose(by_index, -(indicator * np.log(nf.softmax(z))).sum(-1), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(by_index, nf.log_likelihood_cost(z, indicator, reduction="none"), rtol=1e-15)


@given(LOGITS, st.integers(0, 2**32))
def test_log_likelihood_is_the_maximum_likelihood_of_exclusive_classes(z, seed):
    """The likelihood of the labels is the product of their probabilities; the cost its negative logarithm."""
    y = np.random.default_rng(seed).integers(0, z.shape[1], len(z))
    picked = np.take_along_axis(nf.softmax(z), y[:, None], 1)
    np.testing.assert_allclose(
        nf.log_likelihood_cost(z, y, reduction="sum"), -np.log(picked).sum(), rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("kind", ["labels", "one-hot", "soft"])
def test_gradients_of_the_output_layer(kind):
    """(81) dC/db_j = delta_j, (82) dC/dw_jk = a_k delta_j, (84) delta = a - y, by central differences."""
    rng = np.random.default_rng(0)
    a, w, b = rng.random((6, 4)), rng.standard_normal((5, 4)), rng.standard_normal(5)
    labels = rng.integers(0, 5, 6)
    soft = rng.dirichlet(np.ones(5), 6)
    y = {"labels": labels, "one-hot": np.eye(5)[labels], "soft": soft}[kind]

    def cost(w, b):
        return nf.log_likelihood_cost(a @ w.T + b, y)

    delta = nf.log_likelihood_delta(a @ w.T + b, y)
    np.testing.assert_allclose(delta.sum(0), central_differences(lambda b: cost(w, b), b), atol=1e-8)
    np.testing.assert_allclose(delta.T @ a, central_differences(lambda w: cost(w, b), w), atol=1e-8)
    z = a @ w.T + b
    error = nf.softmax(z) - (np.eye(5)[y] if kind == "labels" else y)
    np.testing.assert_allclose(nf.log_likelihood_delta(z, y, reduction="sum"), error, atol=1e-15)
    np.testing.assert_allclose(
        delta, central_differences(lambda z: nf.log_likelihood_cost(z, y), z), atol=1e-8
    )


@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 0.3},
        {"class_weight": [0.5, 1, 2, 0]},
        {"sample_weight": [1, 0, 2.5]},
        {"class_weight": [0.5, 1, 2, 0], "sample_weight": [1, 0.1, 2], "label_smoothing": 0.2},
    ],
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("soft", [False, True])
def test_delta_is_the_gradient_with_every_option(options, reduction, soft):
    rng = np.random.default_rng(1)
    z = rng.standard_normal((3, 4))
    y = rng.random((3, 4)) if soft else np.array([0, 3, 2])
    options = {"reduction": reduction, **options}
    delta = nf.log_likelihood_delta(z, y, **options)
    np.testing.assert_allclose(
        delta, central_differences(lambda z: nf.log_likelihood_cost(z, y, **options), z), atol=1e-8
    )


# Accuracy


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", SIZES)
def test_the_cost_is_within_its_bound(isa, classes, dtype):
    z = logits(35, classes, dtype)
    y = np.random.default_rng(1).integers(0, max(classes - 1, 1), 35)
    cost = nf.log_likelihood_cost(z, y, reduction="none")
    exact = ref.log_likelihood_cost_and_delta(z, y, reduction="none")[0]
    assert ref.ulps(cost, exact) <= (4 if dtype == np.float32 else 6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [2, 10, 17, 64, 65, 129, 1000])
def test_the_delta_is_near_the_reference(isa, classes, dtype):
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


def test_what_a_dominant_class_leaves_is_not_lost():
    assert nf.log_likelihood_cost([0.0, -40.0], 0) == pytest.approx(np.exp(-40.0), rel=1e-15)


def test_large_batches_sum_well(isa):
    rng = np.random.default_rng(4)
    z, y = (rng.standard_normal((5000, 10)) * 2).astype(np.float32), rng.integers(0, 10, 5000)
    exact, _ = ref.log_likelihood_cost_and_delta(z, y)
    assert abs(float(nf.log_likelihood_cost(z, y)) - float(exact)) <= np.spacing(np.float32(exact))


def test_fused_and_separate_agree(isa):
    z, y, t = example(50, 33, "f8")
    z = np.nan_to_num(z, posinf=3, neginf=-3)
    for target in (y, t):
        for reduction in ("mean", "sum", "none"):
            options = dict(reduction=reduction, label_smoothing=0.1, class_weight=np.linspace(0, 1, 33))
            cost, delta = nf.log_likelihood_cost_and_delta(z, target, **options)
            assert same_bits(cost, nf.log_likelihood_cost(z, target, **options))
            assert same_bits(delta, nf.log_likelihood_delta(z, target, **options))


# Infinities and NaNs


def test_minus_infinity_is_probability_zero(isa):
    """The cost of a soft target of 0 is then 0; it is infinite only if such a class has some weight."""
    assert nf.log_likelihood_cost([[0.0, -np.inf]], [[1.0, 0.0]]) == 0
    assert nf.log_likelihood_cost([[0.0, -np.inf]], [[0.5, 0.5]]) == np.inf
    z = F4([[0, -np.inf, 1]])
    assert nf.log_likelihood_cost(z, [1]) == np.inf
    t = np.array([[0.5, 0, 0.5]])
    expected = -(np.log(nf.softmax(z)[0, [0, 2]].astype(float)) * 0.5).sum()
    assert nf.log_likelihood_cost(z, t) == pytest.approx(expected, rel=1e-6)
    assert nf.log_likelihood_cost(z, np.array([[0.5, 0.1, 0.4]])) == np.inf
    assert nf.log_likelihood_cost(z, [0], label_smoothing=0.1) == np.inf
    assert np.isfinite(nf.log_likelihood_cost(z, [0], label_smoothing=0.1, class_weight=[1, 0, 1]))
    assert nf.log_likelihood_cost(F8([0, -np.inf]), 0) == 0


@pytest.mark.parametrize("classes", [1, 2, 3, 40, 70, 200])
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_infinities_and_nans(isa, classes, dtype):
    """A row of -inf alone, one with +inf, and one with NaN have a cost and a delta of NaN, and no other."""
    z = np.random.default_rng(0).standard_normal((40, classes)).astype(dtype)
    z[3], z[17, -1], z[18, 0], z[20, 0] = -np.inf, np.inf, np.inf, np.nan
    touched = np.isin(np.arange(40), [3, 17, 18, 20])
    cost, delta = nf.log_likelihood_cost_and_delta(z, np.zeros(40, int), reduction="none")
    assert np.array_equal(np.isnan(cost), touched)
    assert np.isnan(delta[touched]).all() and not np.isnan(delta[~touched]).any()


@pytest.mark.parametrize("classes", [2, 16, 33, 40, 65, 140, 300])
def test_a_nan_in_any_place_is_seen(isa, classes):
    """In a row between others, which stay free of it."""
    for place in range(classes):
        z = np.zeros((3, classes), F4)
        z[1, place] = np.nan
        cost, delta = nf.log_likelihood_cost_and_delta(z, [0, 0, 0], reduction="none")
        assert np.isnan(delta[1]).all() and not np.isnan(delta[[0, 2]]).any()
        assert np.array_equal(np.isnan(cost), [False, True, False])


@pytest.mark.parametrize("classes", [3, 64, 65, 300])
@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_costs_stay_infinite(isa, classes, dtype):
    z = np.zeros((1, classes), dtype)
    z[0, 2] = -np.inf
    t = np.zeros((1, classes))
    t[0, 1:3] = 0.5
    assert nf.log_likelihood_cost(z, t) == np.inf
    assert nf.log_likelihood_cost(z, [0], label_smoothing=0.1) == np.inf
