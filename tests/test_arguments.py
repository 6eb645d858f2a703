"""What odd input gets: one test for each kind, and the options against the reference."""

import re

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st

import nndl_fast as nf

COSTS = [nf.log_likelihood_cost, nf.log_likelihood_delta, nf.log_likelihood_cost_and_delta]
F4, F8 = np.float32, np.float64


# Special values


def test_minus_infinity_is_probability_zero(isa):
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


def test_rows_of_infinities_and_nans(isa):
    for classes in (1, 3, 40, 70, 200):
        z = np.random.default_rng(0).standard_normal((40, classes)).astype(F4)
        clean = z.copy()
        z[3], z[17, -1], z[20, 0] = -np.inf, np.inf, np.nan
        touched = np.isin(np.arange(40), [3, 17, 20])
        a, log_a, lse = nf.softmax(z), nf.log_softmax(z), nf.logsumexp(z)
        assert np.isnan(a[touched]).all() and np.isnan(log_a[touched]).all()
        assert lse[3] == -np.inf and lse[17] == np.inf and np.isnan(lse[20])
        assert np.array_equal(a[~touched], nf.softmax(clean)[~touched])
        cost, delta = nf.log_likelihood_cost_and_delta(z, np.zeros(40, int), reduction="none")
        assert np.array_equal(np.isnan(cost), touched)
        assert np.isnan(delta[touched]).all() and not np.isnan(delta[~touched]).any()
        hard = nf.softmax(z, c=np.inf)
        assert np.isnan(hard[touched]).all() and not np.isnan(hard[~touched]).any()
    z = F4([np.nan, np.inf, 0])
    assert np.isnan(nf.logsumexp(z)) and np.isnan(nf.logsumexp(F4([np.nan, -np.inf])))


def test_a_nan_in_any_place_is_seen(isa):
    for classes in (2, 16, 33, 65, 140):
        for place in range(classes):
            z = np.zeros(classes, F4)
            z[place] = np.nan
            assert np.isnan(nf.softmax(z)).all() and np.isnan(nf.logsumexp(z))


def test_sigmoid_of_special_values(isa):
    z = F4([np.inf, -np.inf, np.nan, 0])
    assert np.array_equal(nf.sigmoid(z), F4([1, 0, np.nan, 0.5]), equal_nan=True)
    assert np.array_equal(nf.sigmoid_prime(z), F4([0, 0, np.nan, 0.25]), equal_nan=True)
    cost = nf.binary_cross_entropy_cost(
        F4([np.inf, np.inf, -np.inf, np.nan]), F4([1, 0, 0, 1]), reduction="none"
    )
    assert np.array_equal(cost, F4([0, np.inf, 0, np.nan]), equal_nan=True)


# Sizes that are nothing


def test_empty_batch():
    z = np.zeros((0, 5), F4)
    y = np.zeros(0, int)
    assert nf.softmax(z).shape == (0, 5) and nf.logsumexp(z).shape == (0,)
    assert nf.log_likelihood_cost(z, y, reduction="none").shape == (0,)
    assert nf.log_likelihood_cost(z, y, reduction="sum") == 0
    assert np.isnan(nf.log_likelihood_cost(z, y))
    assert nf.log_likelihood_delta(z, y).shape == (0, 5)
    assert np.isnan(nf.binary_cross_entropy_cost(z, z)) and nf.sigmoid(z).shape == (0, 5)


def test_no_classes():
    z = np.zeros((3, 0), F4)
    assert nf.softmax(z).shape == (3, 0) and np.array_equal(nf.logsumexp(z), [-np.inf] * 3)
    for f in COSTS:
        with pytest.raises(ValueError, match="no classes"):
            f(z, np.zeros(3, int))


def test_one_class_and_scalars():
    z = F4([[3], [-8]])
    assert np.all(nf.softmax(z) == 1) and np.all(nf.log_softmax(z) == 0)
    cost, delta = nf.log_likelihood_cost_and_delta(z, [0, 0])
    assert cost == 0 and np.all(delta == 0)
    assert nf.softmax(2.5) == 1 and nf.log_softmax(2.5) == 0 and nf.logsumexp(2.5) == 2.5
    assert nf.softmax(np.array(2.5), axis=None) == 1
    for f in COSTS:
        with pytest.raises(ValueError, match="scalar"):
            f(2.5, 0)


# Labels and targets


@pytest.mark.parametrize("f", COSTS)
@pytest.mark.parametrize("label", [10, -1, 2**40, -(2**40)])
def test_label_outside(f, label):
    z, y = np.zeros((5, 10), F4), np.zeros(5, int)
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
def test_labels_that_are_no_integers(f):
    for y in ([0.0, 1.0], np.array([True, False]), ["a", "b"]):
        with pytest.raises(TypeError, match=f"{f.__name__}: y"):
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


def test_integers_of_the_shape_of_z_are_one_hot():
    z = np.random.default_rng(0).standard_normal((3, 3))
    assert nf.log_likelihood_cost(z, np.eye(3, dtype=int)) == nf.log_likelihood_cost(z, [0, 1, 2])


# Options


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


def test_every_row_ignored():
    z, y = np.ones((3, 4), F4), np.full(3, 7)
    assert np.isnan(nf.log_likelihood_cost(z, y, ignore_index=7))
    assert nf.log_likelihood_cost(z, y, ignore_index=7, reduction="sum") == 0
    assert np.all(nf.log_likelihood_delta(z, y, ignore_index=7) == 0)


def test_ignore_index_with_targets_is_refused():
    with pytest.raises(ValueError, match="ignore_index"):
        nf.log_likelihood_cost(np.zeros((2, 3)), np.ones((2, 3)), ignore_index=1)


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
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        ({"label_smoothing": 1.5}, "label_smoothing is 1.5"),
        ({"label_smoothing": np.nan}, "label_smoothing is nan"),
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


@pytest.mark.parametrize("c", [0, -1, np.nan, -np.inf])
def test_sharpness_that_may_not_be(c):
    for f in (nf.softmax, nf.log_softmax):
        with pytest.raises(ValueError, match=f"{f.__name__}: c is"):
            f([1.0, 2.0], c=c)
    with pytest.raises(ValueError, match="softmax_backward: c is"):
        nf.softmax_backward([0.5, 0.5], [1.0, 2.0], c=c)


def test_very_large_sharpness_and_logits():
    z = F4([3, 1, 3 - 1e-6])
    np.testing.assert_allclose(nf.softmax(z, c=1e30), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(nf.softmax(F4([3e38, 2.9e38, -3e38])), [1, 0, 0])
    np.testing.assert_allclose(nf.softmax(F8([1e300, 1e300, 0])), [0.5, 0.5, 0])
    assert np.array_equal(nf.softmax(F4([1, 2]), c=1e60), [0, 1])
    assert np.array_equal(nf.softmax(F4([0, -np.inf]), c=1e-60), [1, 0])


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


# Types


def test_types_of_results():
    assert nf.softmax([1, 2]).dtype == F8 and nf.softmax(F4([1, 2])).dtype == F4
    assert nf.softmax(np.array([1, 2], np.int8)).dtype == F8
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
    assert np.array_equal(nf.softmax(half), nf.softmax(half.astype(F4)).astype(np.float16))
    out = np.empty_like(half)
    assert nf.softmax(half, out=out) is out and np.array_equal(out, nf.softmax(half))


def test_bfloat16():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    z = np.array([[1, 2, 5], [0, 0, 3]], bfloat16)
    assert nf.softmax(z).dtype == bfloat16
    assert np.array_equal(nf.softmax(z), nf.softmax(z.astype(F4)).astype(bfloat16))


@pytest.mark.parametrize(
    "z, match",
    [
        (np.array([True, False]), "bool"),
        (np.array([1j]), "complex128"),
        (np.array([None]), "object"),
        (np.array(["a"]), "<U1"),
        (np.ma.masked_array([1.0], [True]), "masked"),
        (np.array([1], "M8[s]"), "datetime64"),
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
        with pytest.raises(TypeError, match=match):
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
    with pytest.raises(TypeError, match="out is a masked array"):
        nf.softmax(z, out=np.ma.masked_array(z))


# out and axis


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: np.empty((3, 2)), ValueError, r"out has shape \(3, 2\); it must be \(2, 3\)"),
        (lambda: np.empty((2, 3), F4), TypeError, "out has dtype float32; it must be float64"),
        (lambda: np.broadcast_to(np.zeros(3), (2, 3)), ValueError, "read-only"),
        (lambda: np.lib.stride_tricks.as_strided(np.zeros(4), (2, 3), (8, 8)), ValueError, "share memory"),
        (lambda: [[0.0] * 3] * 2, TypeError, "out is no NumPy array"),
    ],
)
def test_out_that_does_not_fit(make, error, match):
    z = np.zeros((2, 3))
    for call in (
        lambda out: nf.softmax(z, out=out),
        lambda out: nf.log_softmax(z, out=out),
        lambda out: nf.sigmoid(z, out=out),
        lambda out: nf.log_likelihood_delta(z, [0, 1], out=out),
        lambda out: nf.softmax_backward(z, z, out=out),
        lambda out: nf.binary_cross_entropy_delta(z, z, out=out),
    ):
        with pytest.raises(error, match=match):
            call(make())


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


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"c": "x"}, TypeError, "softmax: c is 'x'; it must be a number"),
        ({"c": None}, TypeError, "softmax: c is None; it must be a number"),
    ],
)
def test_numbers_must_be_numbers(change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        nf.softmax(np.zeros(3), **change)


def test_out_without_elements():
    out = np.empty((0, 10))
    assert nf.softmax(np.zeros((0, 10)), out=out) is out
