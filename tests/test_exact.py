"""What is exact: n equal logits have the activation 1 / n, a class with everything 1, and of two classes
the one whose logit rises never falls."""

import numpy as np
import pytest

import nndl_fast as nf

DTYPES = [np.float32, np.float64]
HEIGHTS = [0.0, -0.0, 1.0, -3.3, 88.7, 7e4, -1e30]


@pytest.mark.parametrize("dtype", DTYPES)
def test_n_equal_logits_are_one_nth(isa, dtype):
    most = 4096 if isa != "baseline" else 300
    for n in range(1, most + 1):
        a = nf.softmax(np.repeat(np.array(HEIGHTS, dtype)[:, None], n, axis=1))
        assert (a == dtype(1) / dtype(n)).all(), n


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


def falls(x, d):
    """How often either class of softmax([x, x + d]) goes the wrong way as d rises."""
    a = nf.softmax(np.stack([np.full_like(d, x), x + d], axis=1))
    return int((np.diff(a[:, 0]) > 0).sum() + (np.diff(a[:, 1]) < 0).sum())


# Where an activation just reaches the next number lies what could go wrong: near 0, and from 16 on.
@pytest.mark.parametrize("low, high", [(2.0**-24, 2.0**-22), (2.0**-12, 2.0**-11), (0.75, 1.5), (16.0, 18.0)])
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
