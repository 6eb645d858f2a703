"""Where results are written: over the input and over what else is read, and what ``out`` may not be."""

import numpy as np
import pytest
from arrays import example, same_bits

import nndl_fast as nf

F4 = np.float32


def locked():
    out = np.full((2, 3), 7.0)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: np.full((3, 2), 7.0), ValueError, r"out has shape \(3, 2\); it must be \(2, 3\)"),
        (lambda: np.full((2, 3), 7, F4), TypeError, "out has dtype float32; it must be float64"),
        (locked, ValueError, "out is read-only"),
        (lambda: np.broadcast_to(np.full(3, 7.0), (2, 3)), ValueError, "read-only"),
        (
            lambda: np.lib.stride_tricks.as_strided(np.full(4, 7.0), (2, 3), (8, 8)),
            ValueError,
            "share memory",
        ),
        (lambda: np.ma.masked_array(np.full((2, 3), 7.0)), TypeError, "out is a masked array"),
        (lambda: [[7.0] * 3] * 2, TypeError, "out is no NumPy array"),
    ],
)
def test_an_out_that_does_not_fit_is_refused_and_nothing_is_written(make, error, match):
    z = np.zeros((2, 3))
    for call in (
        lambda out: nf.softmax(z, out=out),
        lambda out: nf.log_softmax(z, out=out),
        lambda out: nf.sigmoid(z, out=out),
        lambda out: nf.log_likelihood_delta(z, [0, 1], out=out),
        lambda out: nf.softmax_backward(z, z, out=out),
        lambda out: nf.binary_cross_entropy_delta(z, z, out=out),
        lambda out: nf.cost_and_delta_from_activations(z, [0, 1], out=out),
    ):
        out = make()
        with pytest.raises(error, match=match):
            call(out)
        assert np.all(np.asarray(out) == 7)


def test_out_without_elements():
    out = np.empty((0, 10))
    assert nf.softmax(np.zeros((0, 10)), out=out) is out


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("classes", [10, 64, 65, 300])
@pytest.mark.parametrize("order", ["rows", "columns", "gaps"])
def test_in_place_and_overlapping_output(isa, classes, order, dtype):
    base, y, t = example(33, classes, dtype)
    make = {
        "rows": lambda: (base.copy(), -1),
        "columns": lambda: (base.T.copy(), 0),
        "gaps": lambda: (np.repeat(base, 2, 1)[:, ::2], -1),
    }[order]
    for f in (
        lambda z, axis, out: nf.softmax(z, axis, out=out),
        lambda z, axis, out: nf.log_softmax(z, axis, out=out),
        lambda z, axis, out: nf.sigmoid(z, out=out),
        lambda z, axis, out: nf.log_likelihood_delta(z, y, axis, out=out),
        lambda z, axis, out: nf.log_likelihood_delta(z, t if axis else t.T, axis, out=out),
        lambda z, axis, out: nf.log_likelihood_cost_and_delta(z, y, axis, label_smoothing=0.2, out=out)[1],
    ):
        z, axis = make()
        expected = f(z, axis, None)
        assert f(z, axis, z) is z and same_bits(z, expected)
    room = np.zeros(34 * classes, dtype)
    z, out = room[:-classes].reshape(33, classes), room[classes:].reshape(33, classes)
    z[:] = base
    expected = nf.softmax(base)
    assert nf.softmax(z, out=out) is out and same_bits(out, expected)


@pytest.mark.usefixtures("many_processors")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(6000, 10), (300, 400)])
def test_in_place_by_several_threads(threads, shape, dtype):
    """A row that two threads took would be replaced by the result of its result."""
    z = (np.random.default_rng(0).standard_normal(shape) * 3).astype(dtype)
    with nf.num_threads(1):
        expected = nf.softmax(z), nf.sigmoid(z)
    for _ in range(20):
        a, b = z.copy(), z.copy()
        assert same_bits(nf.softmax(a, out=a), expected[0])
        assert same_bits(nf.sigmoid(b, out=b), expected[1])


def test_output_over_what_the_kernel_reads():
    """As if computed in a temporary: labels, say, are checked once and must not change afterwards."""
    z = np.random.default_rng(0).standard_normal((40, 5))
    for make in (
        lambda room: {"y": room.view(np.int64).ravel()[:40]},
        lambda room: {"class_weight": room[0]},
        lambda room: {"sample_weight": room.ravel()[:40]},
        lambda room: {"y": room[::-1, ::-1]},
    ):
        room = np.full((40, 5), 0.25)
        options = {"y": np.zeros(40, int), **make(room)}
        if options["y"].dtype == np.int64 and options["y"].base is not None:
            options["y"][:] = np.arange(40) % 5
        expected = nf.log_likelihood_delta(z, **{name: x.copy() for name, x in options.items()})
        assert nf.log_likelihood_delta(z, **options, out=room) is room
        assert np.array_equal(room, expected)
