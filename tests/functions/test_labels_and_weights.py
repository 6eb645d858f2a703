"""What the costs take for y, the options that weigh and leave out examples, and what both are refused for."""

import itertools

import numpy as np
import pytest
import reference as ref
from arrays import same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import nndl_fast as nf

COSTS = [nf.log_likelihood_cost, nf.log_likelihood_delta, nf.log_likelihood_cost_and_delta]
F4, F8 = np.float32, np.float64
X, Y = np.random.default_rng(0).standard_normal((60, 4)), np.arange(60) % 3


# Labels and targets


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("f", COSTS)
@pytest.mark.parametrize("label", [10, -1, 2**40, -(2**40), 2**62, -(2**62)])
def test_label_outside(f, label, dtype):
    """All labels are checked before anything is written."""
    z, y = np.zeros((5, 10), dtype), np.zeros(5, int)
    y[3] = label
    out = np.full_like(z, 7)
    with pytest.raises(IndexError, match=rf"{f.__name__}: label {label} at row 3 is outside 0\.\.9"):
        f(z, y) if f is COSTS[0] else f(z, y, out=out)
    assert np.all(out == 7)


def test_labels_of_every_integer_type():
    z = np.random.default_rng(0).standard_normal((4, 3))
    expected = nf.log_likelihood_cost(z, [0, 1, 2, 1])
    for dtype in "bBhHiIlLqQ":
        assert nf.log_likelihood_cost(z, np.array([0, 1, 2, 1], dtype)) == expected
    with pytest.raises(IndexError, match="18446744073709551615"):
        nf.log_likelihood_cost(z, np.array([0, 1, 2, 2**64 - 1], np.uint64), ignore_index=-1)


def test_place_of_a_label_in_a_batch_of_more_dimensions():
    y = np.zeros((2, 3), int)
    y[1, 2] = 9
    with pytest.raises(IndexError, match=r"label 9 at \(1, 2\)"):
        nf.log_likelihood_cost(np.zeros((2, 3, 4)), y)


@pytest.mark.parametrize("f", COSTS)
@pytest.mark.parametrize(
    "y, dtype", [([0.0, 1.0], "float64"), (np.array([True, False]), "bool"), (["a", "b"], "<U1")]
)
def test_labels_that_are_no_integers(f, y, dtype):
    """Nothing is rounded."""
    with pytest.raises(TypeError, match=f"{f.__name__}: y has dtype {dtype}"):
        f(np.zeros((2, 3)), y)


@pytest.mark.parametrize("f", COSTS)
def test_shape_of_y_that_fits_nothing(f):
    with pytest.raises(ValueError, match=r"y has shape \(3,\).*\(2,\) \(labels\) or \(2, 3\)"):
        f(np.zeros((2, 3)), [0, 1, 2])


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
@pytest.mark.parametrize("f", COSTS)
def test_targets_that_are_negative_or_not_finite(f, bad):
    t = np.full((4, 3), 1 / 3)
    t[2, 1] = bad
    with pytest.raises(ValueError, match="row 2, class 1"):
        f(np.zeros((4, 3)), t)


def test_targets_may_have_any_sum():
    assert nf.log_likelihood_cost([[0.0, 0.0]], [[2.0, 0.0]]) == 2 * np.log(2)


def test_integers_of_the_shape_of_z_are_one_hot():
    z = np.random.default_rng(0).standard_normal((3, 3))
    assert nf.log_likelihood_cost(z, np.eye(3, dtype=int)) == nf.log_likelihood_cost(z, [0, 1, 2])


# Options


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_options_against_the_reference(data):
    draw = data.draw
    shape = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    classes = draw(st.sampled_from([1, 2, 5, 17, 66]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    dtype = draw(st.sampled_from([F4, F8]))
    z = np.insert(np.array(shape), axis % (len(shape) + 1), classes)
    z = (rng.standard_normal(z) * 3).astype(dtype)
    soft = draw(st.booleans())
    y = rng.random(z.shape) if soft else rng.integers(0, classes, shape)
    options = {
        "reduction": draw(st.sampled_from(["mean", "sum", "none"])),
        "sample_weight": draw(st.sampled_from([None, rng.random(shape)])),
        "class_weight": draw(st.sampled_from([None, rng.random(classes).astype(dtype)])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.1, 1.0])),
        "ignore_index": None if soft else draw(st.sampled_from([None, 0, -1])),
    }
    cost, delta = ref.log_likelihood_cost_and_delta(z, y.astype(dtype) if soft else y, axis, **options)
    mine, error = nf.log_likelihood_cost_and_delta(z, y, axis, **options)
    unit = np.finfo(dtype).eps
    np.testing.assert_allclose(mine, cost, rtol=20 * unit, atol=20 * unit)
    np.testing.assert_allclose(error, delta, rtol=20 * unit, atol=20 * unit)
    assert error.dtype == dtype and np.asarray(mine).dtype == dtype


@pytest.mark.parametrize("f", COSTS)
@pytest.mark.parametrize(
    "options, match",
    [
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1; it must be from 0 to 1"),
        ({"label_smoothing": 1.1}, "label_smoothing is 1.1; it must be from 0 to 1"),
        ({"label_smoothing": np.nan}, "label_smoothing is nan; it must be from 0 to 1"),
        ({"reduction": "average"}, "reduction is 'average'; it must be 'mean', 'sum' or 'none'"),
        ({"class_weight": [1, 2]}, r"class_weight has shape \(2,\); it must be \(3,\)"),
        ({"class_weight": [1, -2, 1]}, "class_weight is -2.0 at class 1"),
        ({"sample_weight": [1, 2, 3]}, r"sample_weight has shape \(3,\); it must be \(2,\)"),
        ({"sample_weight": [1, np.inf]}, "sample_weight is inf at example 1"),
    ],
)
def test_options_that_may_not_be(f, options, match):
    with pytest.raises(ValueError, match=f"{f.__name__}: {match}"):
        f(np.zeros((2, 3)), [0, 1], **options)


@pytest.mark.parametrize("y", [[0, 1], np.eye(2)], ids=["labels", "targets"])
@pytest.mark.parametrize("weights", [{"class_weight": [1.0, 3.0]}, {"sample_weight": [1.0, 3.0]}], ids=str)
def test_the_mean_divides_by_the_weights(y, weights):
    """For targets as for labels, where PyTorch divides by the number of rows."""
    assert nf.log_likelihood_cost(np.zeros((2, 2)), y, **weights) == np.log(2)


def test_class_weight_with_label_smoothing():
    """What torch.nn.functional.cross_entropy gives; test_parity.py asks it if it is installed."""
    z, w = np.array([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]]), np.array([0.5, 2.0, 1.0])
    logs = nf.log_softmax(z)
    terms = -(0.9 * w[[2, 0]] * logs[[0, 1], [2, 0]] + 0.1 / 3 * (w * logs).sum(1))
    cost = nf.log_likelihood_cost(z, [2, 0], class_weight=w, label_smoothing=0.1)
    np.testing.assert_allclose(cost, terms.sum() / 1.5, rtol=1e-14)


# Rows that do not count


def test_ignored_rows(isa):
    z = np.random.default_rng(1).standard_normal((40, 5)).astype(F4)
    y = np.arange(40) % 5
    y[[3, 20]] = -100
    z[3], z[20, 2] = np.nan, np.inf
    cost, delta = nf.log_likelihood_cost_and_delta(z, y, ignore_index=-100)
    keep = y != -100
    assert cost == nf.log_likelihood_cost(z[keep], y[keep])
    assert np.all(delta[~keep] == 0) and not np.signbit(delta[~keep]).any()
    assert np.array_equal(delta[keep], nf.log_likelihood_delta(z[keep], y[keep]))
    each = nf.log_likelihood_cost(z, y, ignore_index=-100, reduction="none")
    assert np.all(each[~keep] == 0) and np.all(each[keep] > 0)
    ignored_class = nf.log_likelihood_cost(z[keep], y[keep], ignore_index=2)
    assert ignored_class == nf.log_likelihood_cost(z[keep][y[keep] != 2], y[keep][y[keep] != 2])


@pytest.mark.parametrize("ignored", [-100, 7, 1])
def test_any_integer_may_be_the_label_that_is_ignored(ignored):
    """Such a row costs nothing and its delta is 0, even if its logits are NaN or infinite."""
    z = np.array([[0.0, 0.0], [np.nan, np.inf]])
    cost, delta = nf.log_likelihood_cost_and_delta(z, [0, ignored], ignore_index=ignored)
    assert cost == np.log(2)
    assert np.array_equal(delta, [[-0.5, 0.5], [0, 0]])


def test_an_ignore_index_that_only_unsigned_labels_can_have():
    z, largest = np.zeros((2, 3)), 2**64 - 1
    y = np.array([1, largest], np.uint64)
    expected = nf.log_likelihood_cost_and_delta(z, np.array([1, -1]), ignore_index=-1)
    for one, other in zip(nf.log_likelihood_cost_and_delta(z, y, ignore_index=largest), expected):
        np.testing.assert_array_equal(one, other)
    for ignored in (-1, 2**64 - 2, 2**64, 10**30):
        with pytest.raises(IndexError, match=f"label {largest} at row 1"):
            nf.log_likelihood_cost(z, y, ignore_index=ignored)
    with pytest.raises(IndexError, match="label -1"):
        nf.log_likelihood_cost(z, np.array([1, -1]), ignore_index=largest)
    with pytest.raises(ValueError, match="ignore_index goes with labels"):
        nf.log_likelihood_cost(z, z, ignore_index=largest)


@pytest.mark.parametrize("dtype", [F4, F8])
def test_every_row_ignored(dtype):
    z, y = np.ones((3, 4), dtype), np.full(3, 7)
    assert np.isnan(nf.log_likelihood_cost(z, y, ignore_index=7))
    assert nf.log_likelihood_cost(z, y, ignore_index=7, reduction="sum") == 0
    assert np.all(nf.log_likelihood_delta(z, y, ignore_index=7) == 0)


@pytest.mark.parametrize("weights", [{"sample_weight": [0, 0]}, {"class_weight": [0, 1, 1]}], ids=str)
def test_rows_that_all_weigh_nothing(weights):
    z = np.ones((2, 3))
    assert np.isnan(nf.log_likelihood_cost(z, [0, 0], **weights))
    assert np.array_equal(nf.log_likelihood_delta(z, [0, 0], **weights), np.zeros((2, 3)))


def test_ignore_index_with_targets_is_refused():
    with pytest.raises(ValueError, match="ignore_index"):
        nf.log_likelihood_cost(np.zeros((2, 3)), np.ones((2, 3)), ignore_index=1)


def test_a_weight_of_zero_hides_an_infinity_and_no_nan():
    z, y, w = F8([np.inf, np.nan]), F8([0, 0]), F8([0, 0])
    cost = nf.binary_cross_entropy_cost(z, y, sample_weight=w, reduction="none")
    assert np.array_equal(cost, [0, np.nan], equal_nan=True)
    z = F8([[0, -np.inf], [0, np.nan]])
    cost = nf.log_likelihood_cost(z, [1, 1], sample_weight=w, reduction="none")
    assert np.array_equal(cost, [0, np.nan], equal_nan=True)


# Weights far from 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight", [1e-309, 1e-320, 1e308])
def test_the_mean_is_the_same_whatever_all_weights_are_multiplied_by(dtype, weight):
    z, y = X[:, :3].astype(dtype), Y
    times = np.where(np.arange(60) % 2, weight, weight / 2)
    expected = nf.log_likelihood_cost_and_delta(z, y, sample_weight=np.where(np.arange(60) % 2, 1, 0.5))
    # numbers as small as 1e-320 have four digits
    rtol = 1e-3 if weight < 1e-310 else 1e-6 if dtype == np.float32 else 1e-12
    for weights in (times, times.tolist()):
        for one, other in zip(nf.log_likelihood_cost_and_delta(z, y, sample_weight=weights), expected):
            np.testing.assert_allclose(one, other, rtol=rtol)
    assert np.isinf(nf.log_likelihood_cost(z, y, sample_weight=[1e308] * 60, reduction="sum"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("targets", [False, True])
def test_the_same_of_class_weights(dtype, targets):
    z, y, least = X[:, :3].astype(dtype), Y, float(np.finfo(dtype).tiny)
    y = np.eye(3, dtype=dtype)[y] if targets else y
    expected = nf.log_likelihood_cost_and_delta(z, y, class_weight=np.array([1, 2, 4], dtype))
    for unit in (least, least / 64, float(np.finfo(dtype).max) / 4):
        got = nf.log_likelihood_cost_and_delta(z, y, class_weight=np.array([1, 2, 4], dtype) * dtype(unit))
        for one, other in zip(got, expected):
            np.testing.assert_allclose(one, other, rtol=1e-5 if dtype == np.float32 else 1e-12)
    # the largest weight is that of a class that nobody has
    other = np.zeros(60, int)
    got = nf.log_likelihood_cost_and_delta(z, other, class_weight=np.array([least / 64, 1, 1], dtype))
    for one, two in zip(got, nf.log_likelihood_cost_and_delta(z, other)):
        np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("classes", [200, 1500, 40_000])
def test_small_and_large_weights_beside_other_maxima(classes, dtype):
    """A row's shift comes from the row before: neither what is tiny nor what is masked may show it."""
    rng = np.random.default_rng(classes)
    n = max(4, 60_000 // classes)
    smallest, largest = {"f4": (1e-44, 1e38), "f8": (1e-320, 1e307)}[dtype]
    for spread, rise in itertools.product((0.1, 3, 8), (0, 10, 15)):
        z = (rng.standard_normal((n, classes)) * spread + rng.uniform(-rise, rise, (n, 1))).astype(dtype)
        z[: n // 2, : classes // 2] = -np.inf
        y = rng.integers(classes // 2, classes, n)
        w = rng.choice([smallest, largest], n) ** rng.uniform(0, 1, n)
        costs = nf.log_likelihood_cost(z, y, reduction="none")
        deltas = nf.log_likelihood_delta(z, y, reduction="sum", sample_weight=w)
        for r in range(n):
            row = z[r : r + 1], y[r : r + 1]
            assert same_bits(nf.log_likelihood_cost(*row, reduction="none"), costs[r : r + 1])
            alone = nf.log_likelihood_delta(*row, reduction="sum", sample_weight=w[r : r + 1])
            assert same_bits(alone, deltas[r : r + 1])


@pytest.mark.parametrize("f", COSTS)
@pytest.mark.parametrize(
    "z, y, error, advice",
    [
        (np.zeros((3, 4)), np.array([1, 4, 2]), IndexError, r"outside 0..3. Labels count from 0: give y - 1"),
        (np.zeros((3, 4)), np.array([0, 4, 2]), IndexError, "outside 0..3$"),
        (np.zeros((3, 4)), np.array([[1], [3], [2]]), ValueError, r"Give y\[..., 0\] for labels in a column"),
        (np.arange(3), np.zeros((3, 4)), ValueError, "Are z and y exchanged"),
        (np.zeros((3, 4)), np.zeros(4, int), ValueError, r"\(targets\)$"),
    ],
)
def test_what_does_not_fit_gets_advice(f, z, y, error, advice):
    with pytest.raises(error, match=advice):
        f(z, y)
