"""Examples in columns: the bits of the same examples in rows.

Columns of very many classes are copied to rows, some at a time; threads share out the copying by classes."""

import numpy as np
import pytest
from arrays import DTYPES, example, same_bits

import nndl_fast as nf

CLASSES = 4097 + 300  # beyond what panels hold, and no multiple of a block
SEGMENTS = 3 * 8192 + 300  # several that threads share out where columns are few
COLUMNS = [1, 15, 16, 17, 40, 130, 150]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(10, 1), (10, 5), (10, 40), (65, 33), (129, 16), (300, 17)])
def test_columns_are_rows_turned(isa, shape, dtype):
    classes, n = shape
    rows, y, t = example(n, classes, dtype)
    z = np.ascontiguousarray(rows.T)
    out = np.empty_like(z)
    assert same_bits(nf.softmax(z, 0), nf.softmax(rows).T)
    assert same_bits(nf.log_softmax(z, 0, out=out), nf.log_softmax(rows).T)
    assert same_bits(nf.logsumexp(z, 0), nf.logsumexp(rows))
    for target, turned in ((y, y), (t, t.T)):
        cost, delta = nf.log_likelihood_cost_and_delta(rows, target, reduction="none")
        mine, error = nf.log_likelihood_cost_and_delta(z, turned, axis=0, reduction="none", out=out)
        assert error is out and same_bits(mine, cost) and same_bits(error, delta.T)


def drawn(n, dtype, classes=CLASSES):
    return (np.random.default_rng(n).standard_normal((n, classes)) * 3).astype(dtype)


def in_columns(z):
    """The same with examples in columns, beside other columns that are not to be touched."""
    wide = np.full((z.shape[1], len(z) + 5), np.nan, z.dtype)
    wide[:, : len(z)] = z.T
    return wide[:, : len(z)]


def harden(z):
    """What shifts, sums and maxima stumble over, a row each as far as there are rows."""
    hard = [
        lambda row: row.__setitem__(slice(3000, None), row[3000:] + 60),  # the first classes say nothing
        lambda row: row.__setitem__(-1, 90),
        lambda row: row.__setitem__(slice(None), 0.25),
        lambda row: row.__setitem__(77, np.nan),
        lambda row: row.__setitem__(4000, np.inf),
        lambda row: row.__setitem__(slice(None), -np.inf),
        lambda row: row.__setitem__(slice(0, 2000), -np.inf),
        lambda row: row.__setitem__(slice(None), row + 40000),  # far from 0
        lambda row: row.__setitem__(slice(None), row * 1e30),
        lambda row: row.__setitem__(0, np.nan),
        lambda row: row.__setitem__(slice(200, None), -200),
    ]
    for row, change in zip(z[1:], hard):
        change(row)
    return z


def assert_same(columns, rows):
    np.testing.assert_array_equal(columns.T, rows)
    assert np.array_equal(np.signbit(columns.T[rows == 0]), np.signbit(rows[rows == 0]))


@pytest.mark.parametrize("hard", [False, True], ids=["plain", "hard"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", COLUMNS)
def test_softmax_and_its_kin(isa, threads, n, dtype, hard):
    z = harden(drawn(n, dtype)) if hard else drawn(n, dtype)
    columns = in_columns(z)
    out = np.full((CLASSES, n + 3), 7, dtype)
    with np.errstate(all="ignore"):
        for c in (1.0, 0.5):
            expected = nf.softmax(z, c=c)
            assert_same(nf.softmax(columns, 0, c=c, out=out[:, :n]), expected)
            assert_same(nf.log_softmax(columns, 0, c=c), nf.log_softmax(z, c=c))
        np.testing.assert_array_equal(nf.logsumexp(columns, 0), nf.logsumexp(z))
        assert (out[:, n:] == 7).all()
        assert_same(nf.softmax(columns, 0, out=columns), nf.softmax(z))  # in place


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [16, 17, 130])
def test_cost_and_delta(isa, threads, n, dtype):
    z = harden(drawn(n, dtype))
    columns, y = in_columns(z), np.random.default_rng(1).integers(CLASSES, size=n)
    weight = np.random.default_rng(2).random(CLASSES)
    y[0] = CLASSES - 1
    for options in (
        {},
        {"reduction": "none"},
        {"label_smoothing": 0.1},
        {"class_weight": weight, "sample_weight": np.arange(n) / 3, "ignore_index": int(y[2])},
    ):
        cost, delta = nf.log_likelihood_cost_and_delta(z, y, **options)
        of_columns = nf.log_likelihood_cost_and_delta(columns, y, 0, **options)
        np.testing.assert_array_equal(of_columns[0], cost)
        np.testing.assert_array_equal(of_columns[1].T, delta)
        np.testing.assert_array_equal(nf.log_likelihood_cost(columns, y, 0, **options), cost)
    copy = columns.copy()
    cost, delta = nf.log_likelihood_cost_and_delta(z, y)
    assert_same(nf.log_likelihood_delta(copy, y, 0, out=copy), delta)  # in place
    targets = nf.softmax(drawn(n, dtype) / 2)
    of_rows = nf.log_likelihood_cost_and_delta(drawn(n, dtype), targets)
    of_columns = nf.log_likelihood_cost_and_delta(in_columns(drawn(n, dtype)), in_columns(targets), 0)
    assert of_columns[0] == of_rows[0]
    np.testing.assert_array_equal(of_columns[1].T, of_rows[1])


@pytest.mark.parametrize("hard", [False, True], ids=["plain", "hard"])
@pytest.mark.parametrize(
    "n, dtype",
    [
        *((n, dtype) for n in (2, 17) for dtype in DTYPES),
        (135, np.float32),
        pytest.param(135, np.float64, marks=pytest.mark.slow),
    ],
)
def test_few_columns_are_shared_out_by_classes(isa, threads, many_processors, n, dtype, hard):
    z = harden(drawn(n, dtype, SEGMENTS)) if hard else drawn(n, dtype, SEGMENTS)
    columns, y = in_columns(z), np.random.default_rng(1).integers(SEGMENTS, size=n)
    out = np.full((SEGMENTS, n + 3), 7, dtype)
    with np.errstate(all="ignore"):
        assert_same(nf.softmax(columns, 0, out=out[:, :n]), nf.softmax(z))
        assert (out[:, n:] == 7).all()
        assert_same(nf.log_softmax(columns, 0, c=0.5), nf.log_softmax(z, c=0.5))
        np.testing.assert_array_equal(nf.logsumexp(columns, 0), nf.logsumexp(z))
    for options in ({}, {"sample_weight": np.arange(n) / 3, "ignore_index": int(y[0])}):
        cost, delta = nf.log_likelihood_cost_and_delta(z, y, **options)
        of_columns = nf.log_likelihood_cost_and_delta(columns, y, 0, **options)
        assert of_columns[0].tobytes() == cost.tobytes()
        np.testing.assert_array_equal(of_columns[1].T, delta)
    with np.errstate(all="ignore"):
        assert_same(nf.softmax(columns, 0, out=columns), nf.softmax(z))  # in place


@pytest.mark.parametrize("dtype", DTYPES)
def test_against_the_reference_in_float64(dtype):
    z = drawn(40, dtype, 20_000)
    exact = z.astype(np.longdouble)
    exact = np.exp(exact - exact.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    a = nf.softmax(in_columns(z), 0).T
    assert (np.abs(a - exact) / np.spacing(exact.astype(dtype))).max() <= 2
