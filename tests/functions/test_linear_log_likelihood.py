"""linear_log_likelihood: the last layer without logits against the layer with them."""

import itertools
import tracemalloc

import numpy as np
import pytest
import reference as ref

import nndl_fast as nf
from nndl_fast._functions import _linear


def layer(n=50, features=7, classes=40, dtype=np.float64):
    rng = np.random.default_rng(0)
    a, w, b = (rng.standard_normal(s).astype(dtype) for s in ((n, features), (classes, features), classes))
    return a, w, b, rng.integers(0, classes, n)


def whole(a, w, b, y, **options):
    """By the reference: (81), (82), and the error handed down."""
    cost, delta = ref.log_likelihood_cost_and_delta(a @ w.T + b, y, **options)
    delta = delta.astype(float)
    return np.asarray(cost, float), delta.T @ a, delta.sum(0), delta @ w


OPTIONS = {
    "sample_weight": np.linspace(0, 2, 50),
    "class_weight": np.linspace(0.5, 3, 40),
    "ignore_index": 3,
    "label_smoothing": 0.1,
}


@pytest.mark.parametrize("logit_bytes", [1, 70 * 40 * 8, 24 << 20])  # blocks of 32 examples, of 64, of all
@pytest.mark.parametrize("n", [1, 50, 400])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_blocks_of_any_size_give_the_layer(monkeypatch, logit_bytes, n, reduction):
    monkeypatch.setattr(_linear, "LOGIT_BYTES", logit_bytes)
    a, w, b, y = layer(n)
    every = OPTIONS | {"sample_weight": np.linspace(0, 2, n)}
    for r in range(len(every) + 1):
        for names in itertools.combinations(every, r):
            options = {name: every[name] for name in names} | {"reduction": reduction}
            got, expected = nf.linear_log_likelihood(a, w, b, y, **options), whole(a, w, b, y, **options)
            for one, other in zip(got, expected):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
            alone = nf.linear_log_likelihood(a, w, b, y, gradients=False, **options)
            assert np.array_equal(alone, got[0], equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_targets_and_forms_of_b(dtype):
    a, w, b, y = layer(dtype=dtype)
    t = np.eye(40, dtype=dtype)[y]
    expected = whole(*(x.astype(float) for x in (a, w, b)), y)
    for biases, targets in itertools.product((b, b[:, None], b.tolist()), (y, y.tolist(), t)):
        got = nf.linear_log_likelihood(a, w, biases, targets)
        assert all(x.dtype == dtype for x in got) and got[2].shape == np.shape(biases)
        for one, other in zip(got, expected):
            eps = np.finfo(dtype).eps
            np.testing.assert_allclose(np.squeeze(one), other, rtol=10 * eps, atol=20 * eps)
    none = nf.linear_log_likelihood(a, w, None, y)
    np.testing.assert_allclose(none[0], whole(a.astype(float), w.astype(float), 0, y)[0], rtol=5 * eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_example_has_the_same_bits_among_many_as_among_few(every_isa, dtype, order):
    """Of many, the weights are transposed, some classes at a time."""
    a, w, b, y = layer(200, 19, 600, dtype)
    w = np.asarray(w, order=order)
    *_, many = nf.linear_log_likelihood(a, w, b, y, reduction="sum")
    few = [
        nf.linear_log_likelihood(a[i : i + 20], w, b, y[i : i + 20], reduction="sum")[3]
        for i in range(0, 200, 20)
    ]
    assert np.array_equal(many, np.concatenate(few))
    np.testing.assert_allclose(
        many, whole(*(x.astype(float) for x in (a, w, b)), y, reduction="sum")[3], rtol=1e-4, atol=1e-4
    )


def test_nothing_and_one_class():
    a, w, b, _ = layer()
    cost, *gradients = nf.linear_log_likelihood(a[:0], w, b, [])
    assert np.isnan(cost) and not any(g.any() for g in gradients)
    assert nf.linear_log_likelihood(a[:0], w, b, [], reduction="sum", gradients=False) == 0
    assert nf.linear_log_likelihood(a, w[:1], b[:1], np.zeros(50, int))[0] == 0
    weightless = nf.linear_log_likelihood(a, w, b, np.zeros(50, int), sample_weight=np.zeros(50))
    assert np.isnan(weightless[0]) and not any(g.any() for g in weightless[1:])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reduction": "sum"},
        {"reduction": "none"},
        {"sample_weight": [2.0, 1.0]},
        {"class_weight": [1.0, 3.0]},
        {"label_smoothing": 0.1},
    ],
)
def test_an_infinite_cost_is_infinite(options):
    """A compensated sum of it would be NaN."""
    a, w, b, y = np.ones((2, 1)), np.zeros((2, 1)), np.array([-np.inf, 0]), [0, 1]
    whole = nf.log_likelihood_cost(a @ w.T + b, y, **options)
    assert np.max(whole) == np.inf
    np.testing.assert_array_equal(nf.linear_log_likelihood(a, w, b, y, gradients=False, **options), whole)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"a": np.ones(7)}, ValueError, r"a has shape \(7,\) and w \(40, 7\)"),
        ({"w": np.ones((40, 6))}, ValueError, r"w \(40, 6\)"),
        ({"b": np.ones(39)}, ValueError, r"b has shape \(39,\)"),
        ({"w": np.ones((0, 7)), "b": None}, ValueError, "no classes"),
        ({"y": np.full(50, 40)}, IndexError, "label 40 at row 0 is outside 0..39"),
        ({"y": np.r_[np.zeros(49, int), -1]}, IndexError, "label -1 at row 49"),
        ({"y": np.zeros(49, int)}, ValueError, r"y has shape \(49,\)"),
        ({"y": np.zeros(50)}, TypeError, "labels must be integers"),
        ({"reduction": "max"}, ValueError, "reduction is 'max'"),
        ({"sample_weight": -np.ones(50)}, ValueError, "sample_weight is -1.0 at example 0"),
        ({"label_smoothing": 2}, ValueError, "label_smoothing is 2.0"),
        *(
            ({name: kind(np.ones(shape))}, TypeError, f"linear_log_likelihood: {name} .*{what}")
            for name, shape in {"a": (50, 7), "w": (40, 7), "b": 40}.items()
            for kind, what in [
                (lambda x: x.astype(complex), "dtype complex128"),
                (lambda x: x.astype(bool), "dtype bool"),
                (lambda x: x.astype(str), "dtype <U32"),
                (lambda x: np.full_like(x, None, object), "dtype object"),
                (np.ma.masked_array, "masked"),
            ]
        ),
    ],
)
def test_what_does_not_fit_is_named(change, error, message):
    arguments = dict(zip("awby", layer())) | change
    with pytest.raises(error, match=message):
        nf.linear_log_likelihood(**arguments)


def test_what_the_rest_of_a_row_weighs_is_not_lost_in_small_blocks(monkeypatch):
    a, w, b, y = layer(classes=41)
    w[:, 0], a[:, 0] = 0, 0  # leaves room for one class that has nearly all of it
    b[20] = 25
    y[::2] = 20
    rows = nf.linear_log_likelihood(a, w, b, y)
    monkeypatch.setattr(_linear, "LOGIT_BYTES", 50 * 9 * 8)
    for one, other in zip(nf.linear_log_likelihood(a, w, b, y), rows):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-24)
    a[3, 1] = np.nan
    cost, _, _, delta_a = nf.linear_log_likelihood(a, w, b, y, reduction="none")
    assert np.flatnonzero(np.isnan(cost)).tolist() == np.flatnonzero(np.isnan(delta_a).any(1)).tolist() == [3]


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["ignored", "of no weight", "bias", "weight"])
def test_small_blocks_give_what_one_gives_of_nan_and_infinities(monkeypatch, place, special):
    rows = [2, 7, 39]
    choices = itertools.product((0, 0.1), (False, True), (False, True), (False, True), ("mean", "none"))
    for smoothing, by_class, by_example, soft, reduction in choices:
        a, w, b, y = layer()
        options = {"label_smoothing": smoothing, "reduction": reduction}
        if by_class:
            options["class_weight"] = OPTIONS["class_weight"]
        if by_example:
            options["sample_weight"] = OPTIONS["sample_weight"].copy()
        if place == "of no weight":
            options["sample_weight"] = np.ones(50)
            options["sample_weight"][rows] = 0
        if soft:
            y = np.random.default_rng(1).dirichlet(np.ones(40), 50)
            y[:, 5] = 0
        else:
            y[rows] = -100
            options["ignore_index"] = -100
        if place == "bias":
            b[5] = special
        elif place == "weight":
            w[5] = special
        else:
            a[rows] = special
        monkeypatch.setattr(_linear, "LOGIT_BYTES", 24 << 20)
        expected = nf.linear_log_likelihood(a, w, b, y, **options)
        for logit_bytes in (1, 50 * 9 * 8):
            monkeypatch.setattr(_linear, "LOGIT_BYTES", logit_bytes)
            for one, other in zip(nf.linear_log_likelihood(a, w, b, y, **options), expected):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12, err_msg=str(options))
        if place == "ignored" and not soft:
            assert all(np.isfinite(x).all() for x in expected)
        if not soft:
            assert not expected[3][rows].any()


def test_what_is_ignored_may_be_anything_while_everything_is_ignored(monkeypatch):
    a, w, b, _ = layer()
    w[3], b[4] = np.inf, np.nan
    for logit_bytes in (50 * 9 * 8, 24 << 20):
        monkeypatch.setattr(_linear, "LOGIT_BYTES", logit_bytes)
        for index in (-100, -(2**63), 2**63 - 1):
            for smoothing in (0, 0.1):
                cost, *gradients = nf.linear_log_likelihood(
                    a * np.nan,
                    w,
                    b,
                    np.full(50, index),
                    ignore_index=index,
                    label_smoothing=smoothing,
                    reduction="sum",
                )
                assert cost == 0 and not any(g.any() for g in gradients)


@pytest.mark.parametrize(("n", "classes"), [(600, 30_000), (200, 150_000)])  # logits of 72 and 120 MB
def test_memory_is_that_of_the_results_and_32_mb(n, classes):
    a, w, b, y = layer(n, 64, classes, np.float32)
    nf.linear_log_likelihood(a[:2], w, b, y[:2])
    tracemalloc.start()
    results = nf.linear_log_likelihood(a, w, b, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - sum(x.nbytes for x in results) < 32 << 20
