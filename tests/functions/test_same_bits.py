"""The same bits whatever the instruction set, the threads, the batch, the strides and the axis."""

import hashes
import numpy as np
import pytest
from arrays import example, same_bits, views

import nndl_fast as nf
from nndl_fast import _core

SIZES = [1, 2, 9, 10, 16, 17, 63, 64, 65, 127, 128, 129, 300, 1030]


def results(z, y, t):
    """Every row-wise result, as bytes: NaNs too."""
    classes = z.shape[-1]
    w = np.linspace(0.5, 2, classes).astype(z.dtype)
    s = np.linspace(0, 3, len(z))
    every = {
        "softmax": nf.softmax(z),
        "sharper": nf.softmax(z, c=1.7),
        "log_softmax": nf.log_softmax(z),
        "logsumexp": nf.logsumexp(z),
        "hard": nf.softmax(z, c=np.inf),
        "backward": nf.softmax_backward(t, np.nan_to_num(z)),  # one gradient is -0 throughout
        "sigmoid": nf.sigmoid(z),
        "sigmoid_prime": nf.sigmoid_prime(z),
        "binary": nf.binary_cross_entropy_cost(z, t, reduction="none"),
    }
    for name, target in (("labels", y), ("targets", t)):
        cost, delta = nf.log_likelihood_cost_and_delta(z, target, reduction="none")
        every |= {f"{name} cost": cost, f"{name} delta": delta}
        cost, delta = nf.log_likelihood_cost_and_delta(
            z, target, reduction="none", class_weight=w, sample_weight=s, label_smoothing=0.1
        )
        every |= {f"weighted {name} cost": cost, f"weighted {name} delta": delta}
    return every


def assert_same(one, other):
    assert [name for name in one if not same_bits(one[name], other[name])] == []


# Instruction sets


def different_from_the_committed(axis):
    expected = hashes.TABLE.read_text().splitlines()
    return [line for line, other in zip(hashes.lines(axis), expected, strict=True) if line != other]


@pytest.mark.parametrize("axis", [-1, 0])
def test_results_have_the_committed_hashes(every_isa, axis):
    assert different_from_the_committed(axis) == []


@pytest.mark.parametrize("axis", [-1, 0])
def test_results_have_the_committed_hashes_with_any_number_of_threads(isa, threads, axis):
    assert different_from_the_committed(axis) == []


@pytest.fixture(scope="module")
def at_baseline():
    """What the baseline gives for each example, computed once."""
    before = _core.isa()
    _core.use_isa("baseline")
    expected = {(c, d): results(*example(20, c, d)) for c in SIZES for d in ("f4", "f8")}
    _core.use_isa(before)
    return expected


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("classes", SIZES)
def test_every_instruction_set(every_isa, at_baseline, classes, dtype):
    assert_same(results(*example(20, classes, dtype)), at_baseline[classes, dtype])


def sums(dtype):
    """What is not computed row by row: costs of a batch, and all of the last layer; and the hard maximum."""
    rng = np.random.default_rng(0)
    a, w, b = (rng.standard_normal(shape).astype(dtype) for shape in ((70, 150), (133, 150), 133))
    z, y, t = a @ w.T, rng.integers(0, 133, 70), rng.random((70, 133)).astype(dtype)
    layer = dict(zip(("cost", "w", "b", "a"), nf.linear_log_likelihood(a, w, b, y, label_smoothing=0.1)))
    return layer | {
        "labels": nf.log_likelihood_cost(z, y),
        "targets": nf.log_likelihood_cost(z, t, reduction="sum"),
        "binary": nf.binary_cross_entropy_cost(z, t),
        "hardmax": nf.hardmax(z),
    }


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_at_every_instruction_set(every_isa, dtype):
    results_of_it = sums(dtype)
    _core.use_isa("baseline")
    assert_same(results_of_it, sums(dtype))


# Threads


@pytest.mark.usefixtures("many_processors")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("n, classes", [(9001, 10), (300, 1000), (5, 40000), (70, 65), (2, 100_000)])
def test_threads(isa, n, classes, dtype):
    if isa == "baseline":
        n = min(n, 500)
    z, y, t = example(n, classes, dtype)
    with nf.num_threads(1):
        one, mean = results(z, y, t), nf.log_likelihood_cost(z[6:], y[6:])
    for count in (2, 7):
        with nf.num_threads(count):
            assert nf.get_num_threads() == (1 if nf.show_config()["threads_by"] == "none" else count)
            assert_same(results(z, y, t), one)
            assert nf.log_likelihood_cost(z[6:], y[6:]) == mean or np.isnan(mean)


@pytest.mark.usefixtures("many_processors")
def test_the_mean_cost_does_not_depend_on_threads_or_strides(isa):
    z, y, _ = example(9000, 10, "f4", seed=1)
    z = np.nan_to_num(z, posinf=1, neginf=-1)
    with nf.num_threads(1):
        expected = nf.log_likelihood_cost(z, y), nf.log_likelihood_cost(z[:4000], y[:4000])
    for count in (2, 7):
        with nf.num_threads(count):
            assert (nf.log_likelihood_cost(z, y), nf.log_likelihood_cost(z[:4000], y[:4000])) == expected
            assert nf.log_likelihood_cost(np.asfortranarray(z), y) == expected[0]
            assert nf.log_likelihood_cost(z.reshape(90, 100, 10), y.reshape(90, 100)) == expected[0]
            assert nf.log_likelihood_cost(z.T.copy(), y, axis=0) == expected[0]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("peak", [0, 1, 40, 1e5])
def test_a_row_that_threads_share_out(isa, dtype, peak):
    rng = np.random.default_rng(10)
    z = (rng.standard_normal((1, 50_001)) * 3).astype(dtype)
    z[0, 33_333] += peak
    z[0, 7] = -np.inf
    for y in ([33_333], [8]):
        calls = [
            lambda: nf.softmax(z),
            lambda: nf.log_softmax(z, c=0.5),
            lambda: nf.logsumexp(z),
            lambda y=y: nf.log_likelihood_cost(z, y),
            lambda y=y: nf.log_likelihood_cost_and_delta(z, y)[1],
        ]
        for call in calls:
            with nf.num_threads(1):
                expected = call()
            for n in (2, 3, 7):
                with nf.num_threads(n):
                    assert same_bits(call(), expected)


# The rows beside a row


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("classes", [1, 10, 64, 65, 129, 1030])
def test_a_row_alone_in_a_part_and_in_the_batch(isa, classes, dtype):
    z, y, t = example(37, classes, dtype)
    whole = results(z, y, t)
    for rows in [slice(0, 1), slice(36, 37), slice(3, 6), slice(5, 21), slice(1, 36)]:
        part = results(z[rows], y[rows], t[rows])
        for name in part:
            if not name.startswith("weighted"):  # their weights are made by position
                assert same_bits(part[name], whole[name][rows]), (name, rows)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_guess_at_the_maximum_changes_nothing(isa, dtype):
    """A row is read with the shift of the row before it, near or far, and again where that was too far."""
    rng = np.random.default_rng(9)
    levels = [0, 15, -1, 15.9, -0.2, 300, 310, -5e4, 0, np.inf, 3, -np.inf, 1, np.nan, 2, 4e4, 4e4 + 15]
    z = (rng.standard_normal((len(levels), 700)) * 2 + np.array(levels)[:, None]).astype(dtype)
    y = rng.integers(0, 700, len(z))
    together = [nf.softmax(z), *nf.log_likelihood_cost_and_delta(z, y, reduction="none")]
    for r in range(len(z)):
        alone = [nf.softmax(z[r]), *nf.log_likelihood_cost_and_delta(z[r], y[r], reduction="none")]
        assert all(same_bits(a[r], b) for a, b in zip(together, alone, strict=True))


# Strides and axes


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("n, classes", [(1, 10), (3, 65), (20, 10), (37, 64), (37, 129), (18, 300)])
def test_strides(isa, n, classes, dtype):
    z, y, t = example(n, classes, dtype)
    expected = results(z, y, t)
    for (name, view), (_, targets) in zip(views(z), views(t), strict=True):
        got = results(view, y, targets)
        assert [key for key in expected if not same_bits(got[key], expected[key])] == [], name


def test_zero_strides(isa):
    z = np.broadcast_to(np.float32([1, 2, 5]), (40, 3))
    assert same_bits(nf.softmax(z), np.tile(nf.softmax(z[0]), (40, 1)))
    z = np.broadcast_to(np.float32(3), (5, 7))
    assert np.all(nf.softmax(z) == np.float32(1 / 7))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, (0, 2), (1, 2), None])
def test_axes(isa, axis):
    z = np.random.default_rng(5).standard_normal((6, 21, 18)).astype("f4")
    axes = range(3) if axis is None else [a % 3 for a in np.atleast_1d(axis)]
    to_end = list(range(3 - len(axes), 3))
    moved = np.moveaxis(z, list(axes), to_end)
    flat = np.ascontiguousarray(moved).reshape(*moved.shape[: 3 - len(axes)], -1)
    for f in (nf.softmax, nf.log_softmax, nf.hardmax):
        expected = np.moveaxis(f(flat).reshape(moved.shape), to_end, list(axes))
        assert same_bits(f(z, axis), expected)
    assert same_bits(np.asarray(nf.logsumexp(z, axis)), np.asarray(nf.logsumexp(flat)))
    assert nf.logsumexp(z, axis, keepdims=True).shape == tuple(
        1 if d in axes else n for d, n in enumerate(z.shape)
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_axes_of_views(isa, axis):
    z = np.random.default_rng(0).standard_normal((6, 8, 9))
    for view in (z[::-1], z[:, ::2, ::-3], z.transpose(2, 0, 1), np.broadcast_to(z[:1], z.shape)):
        assert same_bits(nf.softmax(view, axis), nf.softmax(view.copy(), axis))
