"""The very bits of affine layers and products: each element is one chain of fused multiply-adds, whatever
the instruction set, the threads, the batch, the strides and the axis. And no byte beside the operands is
touched."""

import sys
from fractions import Fraction

import numpy as np
import pytest
import reference as ref
from arrays import DTYPES, same_bits, views
from layers import ACTIVATIONS, SIZES, layer, turned
from programs import ended

import nndl_fast as nf
from nndl_fast import _core

LARGE = [(300, 200, 170), (1100, 40, 90), (3, 700, 1300), (1300, 700, 3), (2000, 33, 50), (40, 3000, 40)]


def results(x, w, b, delta, axis=-1):
    """Every result, as it is for axis=-1."""
    start = nf.activate(delta, "tanh")
    nabla_w, nabla_b, below = nf.affine_backward(delta, x, w, axis=axis, activation="sigmoid")
    of_two = [nf.affine(x, w, b, axis=axis), nf.affine(x, w, start, axis=axis), nabla_w, below]
    of_two.append(nf.matmul(x, w) if axis else nf.matmul(w, x))
    return [*turned(axis, *of_two), nabla_b.ravel()]


def assert_same(got, expected, what=""):
    assert [i for i, (one, other) in enumerate(zip(got, expected)) if not same_bits(one, other)] == [], what


# Chains


def rounded(x, dtype):
    """A fraction to the nearest number, to the even one of two."""
    low = dtype(float(x))
    near = [np.nextafter(low, dtype(-np.inf)), low, np.nextafter(low, dtype(np.inf))]
    return min(near, key=lambda y: (abs(Fraction(float(y)) - x), int(y.view(f"i{y.itemsize}")) % 2))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reference_rounds_once(dtype):
    rng, places = np.random.default_rng(0), np.finfo(dtype).nmant
    for _ in range(500):
        a, b = (rng.standard_normal(2) * 2.0 ** rng.integers(-9, 9, 2)).astype(dtype)
        near = -float(a) * float(b) * (1 + rng.choice([0, 1, -1]) * 2.0 ** -rng.integers(2, 2 * places))
        for c in (dtype(near), dtype(rng.standard_normal()), dtype(2.0**places * a)):
            exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
            got = ref.fused(*(np.array([x]) for x in (a, b, c)))
            assert got.dtype == dtype and got[0] == rounded(exact, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_each_element_is_one_chain(every_isa, sizes, dtype):
    x, w, b, delta = layer(*sizes, dtype)
    ones = np.ones((1, len(x)), dtype)
    assert same_bits(nf.affine(x, w, b), ref.chain(x, w, b))
    assert same_bits(nf.affine(x, w, delta), ref.chain(x, w, delta))
    assert same_bits(nf.matmul(x, w), ref.chain(x, w))
    nabla_w, nabla_b, below = nf.affine_backward(delta, x, w)
    assert same_bits(nabla_w, ref.chain(x.T, delta)) and same_bits(nabla_b[None], ref.chain(ones, delta))
    assert same_bits(below, ref.chain(delta, w.T))


@pytest.fixture(scope="module")
def at_baseline():
    """What the baseline gives, computed once."""
    before = _core.isa()
    _core.use_isa("baseline")
    expected = {(sizes, dtype): results(*layer(*sizes, dtype)) for sizes in LARGE[:3] for dtype in DTYPES}
    _core.use_isa(before)
    return expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", LARGE[:3], ids=str)
def test_every_instruction_set(every_isa, at_baseline, sizes, dtype):
    assert_same(results(*layer(*sizes, dtype)), at_baseline[sizes, dtype])


def activations(z, delta):
    forward = [nf.activate(z, name) for name in ACTIVATIONS]
    return forward + [nf.activation_backward(delta, z, name) for name in ACTIVATIONS]


@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_at_every_instruction_set(every_isa, dtype):
    z, delta = 4 * np.random.default_rng(0).standard_normal((2, 3001)).astype(dtype)
    found = activations(z, delta)
    _core.use_isa("baseline")
    assert_same(found, activations(z, delta))


# Threads and batches


@pytest.mark.usefixtures("many_processors")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", LARGE, ids=str)
def test_any_number_of_threads(isa, sizes, dtype):
    given = layer(*sizes, dtype)
    given_in_columns = turned(0, *given)
    with nf.num_threads(1):
        expected = results(*given)
    for count in (2, 7):
        with nf.num_threads(count):
            assert_same(results(*given), expected)
            assert_same(results(*given_in_columns, axis=0), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(37, 20, 50), (530, 17, 33), (20, 530, 9)], ids=str)
def test_an_example_alone_and_in_parts_of_the_batch(isa, sizes, dtype):
    x, w, b, delta = layer(*sizes, dtype)
    z, below = nf.affine(x, w, b), nf.affine_backward(delta, x, w, activation="relu")[2]
    n = len(x)
    for part in [*(slice(i, i + 1) for i in range(0, n, 7)), slice(1, n), slice(3, 19), slice(n - 2, n)]:
        assert same_bits(nf.affine(x[part], w, b), z[part])
        got = nf.affine_backward(delta[part], x[part], w, activation="relu")
        assert same_bits(got[2], below[part])
    assert same_bits(nf.affine(x[5], w, b), z[5]) and same_bits(nf.matmul(x[5], w), nf.matmul(x, w)[5])
    assert same_bits(nf.matmul(x, w[:, 3]), nf.matmul(x, w)[:, 3])


# Strides and axes


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES[:-4], ids=str)
def test_strides(isa, sizes, dtype, axis):
    x, w, b, delta = layer(*sizes, dtype)
    expected = results(x, w, b, delta)
    x, w, b, delta = turned(axis, x, w, b, delta)
    assert_same(results(x, w, b, delta, axis), expected)
    backwards = b[::-1].copy()[::-1]
    for (name, x_view), (_, w_view), (_, of_delta) in zip(views(x), views(w), views(delta), strict=True):
        assert_same(results(x_view, w, b, delta, axis), expected, f"x: {name}")
        assert_same(results(x, w_view, backwards, delta, axis), expected, f"w: {name}")
        assert_same(results(x, w, np.repeat(b, 3)[::3], of_delta, axis), expected, f"delta: {name}")
        assert_same(results(x_view, w_view, b, of_delta, axis), expected, f"all: {name}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_strides_and_views_that_overlap_themselves(isa, dtype):
    for n, inputs, neurons in ((20, 30, 40), (3, 70, 33), (70, 3, 33), (1, 20, 20), (20, 20, 1)):
        given, line = layer(n, inputs, neurons, dtype), layer(1, 1, n + inputs + neurons, dtype)[1][0]
        shapes = [array.shape for array in given]
        repeated = [
            [np.broadcast_to(array[..., :1], shape) for array, shape in zip(given, shapes)],
            [np.broadcast_to(array[:1], shape) for array, shape in zip(given, shapes)],
            [np.broadcast_to(array.ravel()[0], shape) for array, shape in zip(given, shapes)],
            [np.lib.stride_tricks.as_strided(line, shape, line.strides * len(shape)) for shape in shapes],
        ]
        for x, w, b, delta in repeated:
            expected = results(x.copy(), w.copy(), b.copy(), delta.copy())
            assert_same(results(x, w, b, delta), expected)
            assert_same(results(*turned(0, x, w, b, delta), axis=0), expected)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(1, 9, 33), (33, 9, 1), (20, 30, 49), (49, 3, 20)], ids=str)
def test_out_of_any_strides(isa, sizes, dtype, axis):
    x, w, b, delta = turned(axis, *layer(*sizes, dtype))
    for start in (b, delta, None):
        for activation in (None, "tanh"):
            options = {"axis": axis, "activation": activation}
            expected = nf.affine(x, w, start, **options)
            for name, out in views(np.full_like(expected, np.nan)):
                if name not in ("big endian", "read-only"):
                    assert nf.affine(x, w, start, **options, out=out) is out
                    assert same_bits(out, expected), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_out_of_more_dimensions(isa, dtype):
    x, w, b, delta = layer(24, 5, 7, dtype)
    expected = nf.affine(x, w, b).reshape(2, 3, 4, 7)
    room = np.zeros((4, 6, 8, 14), dtype)
    outs = [room[:2, :3, :4, :7], room[::2, ::2, ::2, ::2], room[1::-1, :3, 3::-1, 6::-1]]
    outs += [np.zeros(expected.shape[::-1], dtype).T, np.zeros((3, 2, 4, 7), dtype).swapaxes(0, 1)]
    for out in outs:
        assert nf.affine(x.reshape(2, 3, 4, 5), w, b, out=out) is out and same_bits(out, expected)
        out[...] = delta.reshape(expected.shape)
        nf.affine(x.reshape(2, 3, 4, 5), w, out, out=out)
        assert same_bits(out, nf.affine(x, w, delta).reshape(expected.shape))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(40, 50), (3, 2000), (2000, 3), (70, 8)], ids=str)
def test_strides_of_activations(isa, activation, shape):
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        z, delta = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
        expected = nf.activate(z, activation), nf.activation_backward(delta, z, activation)
        for (name, view), (_, errors) in zip(views(z), views(delta), strict=True):
            got = nf.activate(view, activation), nf.activation_backward(errors, view, activation)
            assert_same(got, expected, name)
            assert_same([nf.activation_backward(delta, view, activation)], expected[1:], name)
            if name not in ("big endian", "read-only"):
                assert nf.activate(z, activation, out=errors) is errors
                assert_same([errors], expected, name)
                assert nf.activation_backward(delta, z, activation, out=view) is view
                assert_same([view], expected[1:], name)


# Memory


BESIDE = """
import ctypes, mmap, sys
import numpy as np, nndl_fast as nf
from nndl_fast import _core
sys.path[:0] = FOLDERS
from layers import SIZES, layer
PAGE, ROOM = mmap.PAGESIZE, 1 << 20
libc = ctypes.CDLL(None)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

rooms = []
def placed(array, at_end, order):  # between two pages that may not be touched
    if placed.count == len(rooms):
        room = mmap.mmap(-1, ROOM + 2 * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(room))
        for beside in (start, start + PAGE + ROOM):
            assert libc.mprotect(beside, PAGE, 0) == 0
        rooms.append(np.frombuffer(room, np.uint8)[PAGE:-PAGE])
    room = rooms[placed.count]
    placed.count += 1
    part = room[len(room) - array.nbytes:] if at_end else room[:array.nbytes]
    result = part.view(array.dtype).reshape(array.shape, order=order)
    result[...] = array
    return result

for isa in _core.isas():
    _core.use_isa(isa)
    for sizes in SIZES[:-4]:
        for dtype in ("f4", "f8"):
            arrays = layer(*sizes, dtype)
            for at_end in (True, False):
                for order in "CF":
                    placed.count = 0
                    x, w, b, delta = (placed(array, at_end, order) for array in arrays)
                    out = placed(np.zeros_like(delta), at_end, order)
                    nf.affine(x, w, b, out=out, activation="relu")
                    nf.affine(x, w, delta, out=delta)
                    nf.affine(x.T, w.T, b, axis=0, out=out.T)
                    nf.affine_backward(delta, x, w, activation="tanh")
                    nf.matmul(x, w, out)
                    nf.matmul(w.T, x.T, out.T)
                    nf.activation_backward(delta, out, "sigmoid", out=delta)
print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the pages are protected as on Linux")
def test_nothing_beside_the_operands_is_touched():
    folders = [path for path in sys.path if path.endswith(("helpers", "tools"))]
    assert ended(BESIDE.replace("FOLDERS", repr(folders))) == "done"
