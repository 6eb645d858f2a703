"""The very bits of optimizers' steps, whatever the instruction set, the threads, the strides, the other
arrays and what shares memory with what. And no byte beside the arrays is touched."""

import sys

import numpy as np
import pytest
from arrays import same_bits
from programs import ended
from stepping import KINDS, drawn, gradients_of, made, of, taken

import nndl_fast as nf
from nndl_fast import _core, optimizers

F4, F8 = np.float32, np.float64
LARGE = [(300, 400), (70_001,), (3, 50_000), (5,)]


def expected_of(kind, parameters, steps=range(3), **options):
    """The optimizer and contiguous parameters after these steps on one thread."""
    with nf.num_threads(1):
        own = [p.copy() for p in parameters]
        return taken(made(kind, **options), own, steps), own


# Instruction sets and threads


@pytest.mark.parametrize("kind", KINDS)
def test_every_instruction_set(every_isa, kind):
    parameters = drawn()
    got = of(taken(made(kind, max_norm=0.3), parameters, range(4)), parameters)
    _core.use_isa("baseline")
    parameters = drawn()
    assert of(taken(made(kind, max_norm=0.3), parameters, range(4)), parameters) == got


@pytest.mark.usefixtures("many_processors")
@pytest.mark.parametrize("max_norm", [None, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_threads(isa, kind, max_norm):
    expected = of(*expected_of(kind, drawn(LARGE), range(2), max_norm=max_norm))
    for count in (2, 7):
        parameters = drawn(LARGE)
        with nf.num_threads(count):
            assert of(taken(made(kind, max_norm=max_norm), parameters, range(2)), parameters) == expected


def test_arrays_together_and_apart():
    for kind in KINDS:
        _, expected = expected_of(kind, drawn())
        parameters = drawn()
        for i, p in enumerate(parameters):
            optimizer = made(kind)
            for step in range(3):
                optimizer.step([p], [gradients_of(parameters, step)[i]])
        assert all(map(same_bits, parameters, expected))


# Strides


def laid_out(array, how):
    """The same numbers behind other strides."""
    if how == "Fortran order" or not array.ndim:
        return np.array(array, order="F")
    if how == "gaps":
        wide = np.full([3 * n for n in array.shape], 7, array.dtype)
        result = wide[(slice(1, None, 3),) * array.ndim]
    elif how == "backwards":
        result = np.empty_like(array)[(slice(None, None, -1),) * array.ndim]
    elif how == "rows of more":
        result = np.full((*array.shape[:-1], array.shape[-1] + 5), 7, array.dtype)[..., : array.shape[-1]]
    else:  # dimensions in another order, the last one backwards
        result = np.moveaxis(np.empty_like(np.moveaxis(array, 0, -1)), -1, 0)[..., ::-1]
    result[...] = array
    return result


HOW = ["Fortran order", "gaps", "backwards", "rows of more", "moved"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", KINDS)
def test_strides_of_parameters(isa, kind, how):
    optimizer, expected = expected_of(kind, drawn())
    parameters = [laid_out(p, how) for p in drawn()]
    assert of(taken(made(kind), parameters, range(3)), parameters) == of(optimizer, expected)
    for p in parameters:
        if p.ndim and p.size and how in ("gaps", "rows of more"):  # what stands between them is as it was
            assert np.count_nonzero(p.base == 7) >= p.base.size - p.size


@pytest.mark.parametrize("kind", KINDS)
def test_strides_of_gradients(isa, kind):
    optimizer, expected = expected_of(kind, drawn())
    for of_parameters in ("C", *HOW):
        parameters, other = drawn(), made(kind)
        parameters = [p if of_parameters == "C" else laid_out(p, of_parameters) for p in parameters]
        for step, how in enumerate(HOW[:3]):
            other.step(parameters, [laid_out(g, how) for g in gradients_of(parameters, step)])
        assert of(other, parameters) == of(optimizer, expected)


def test_parameters_may_move_between_steps():
    for kind in KINDS:
        optimizer, expected = expected_of(kind, drawn(), range(5))
        parameters, other = drawn(), made(kind)
        for step, how in enumerate(HOW):
            parameters = [laid_out(p, how) for p in parameters]
            taken(other, parameters, [step])
        assert of(other, parameters) == of(optimizer, expected)


def test_one_number_for_all_elements():
    for kind in KINDS:
        one, parameters, expected = made(kind), drawn(), drawn()
        other = made(kind)
        for _ in range(3):
            one.step(parameters, [np.broadcast_to(p.dtype.type(0.3), p.shape) for p in parameters])
            other.step(expected, [np.full(p.shape, 0.3, p.dtype) for p in parameters])
        assert of(one, parameters) == of(other, expected)


@pytest.mark.parametrize("dims", [9, 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32])
def test_many_dimensions(dims):
    shape = (2, *(1,) * (dims - 8), 2, 1, 3, 2, 1, 1, 3)
    for kind in KINDS:
        optimizer, expected = expected_of(kind, [drawn([72])[0].reshape(shape)])
        parameters = [laid_out(expected[0], "moved")]
        parameters[0][...] = drawn([72])[0].reshape(shape)
        assert of(taken(made(kind), parameters, range(3)), parameters) == of(optimizer, expected)


def test_the_norm_follows_memory_and_is_near():
    parameters = [laid_out(p, "Fortran order") for p in drawn()]
    _, expected = expected_of("SGD", drawn(), max_norm=0.01)
    taken(made("SGD", max_norm=0.01), parameters, range(3))
    for p, q in zip(parameters, expected):
        np.testing.assert_allclose(p, q, rtol=1e-6 if p.dtype == F4 else 1e-14)


# Memory that is shared


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_that_share_memory_with_parameters(isa, kind):
    def gradients(w, v):
        yield "themselves", [w, v]
        yield "each other", [v, w]
        yield "backwards", [w[::-1], v[:, ::-1]]
        yield "transposed", [w.T, v.T]
        yield "one row", [np.broadcast_to(w[3], w.shape), np.broadcast_to(w[:, :1], w.shape)]
        yield "bytes", [w.view(np.uint16)[:, ::2], v]

    for dtype in (F4, F8):
        names = [name for name, _ in gradients(*drawn([(90, 90)] * 2, [dtype]))]
        for i, name in enumerate(names):
            (w, v), one, other = drawn([(90, 90)] * 2, [dtype]), made(kind), made(kind)
            if name == "bytes" and dtype == F8:
                continue
            expected = [w.copy(), v.copy()]
            for _ in range(2):
                given = [*gradients(w, v)][i][1]
                other.step(expected, [g.copy() for g in given])
                one.step([w, v], given)
            assert of(one, [w, v]) == of(other, expected), name


def test_gradients_over_a_part_of_a_parameter():
    for kind in KINDS:
        for shift in (-900, -31, -1, 1, 31, 900):
            room = drawn([3000], [F4])[0]
            p, g = room[1000:2000], room[1000 + shift : 2000 + shift]
            expected = p.copy()
            made(kind).step([expected], [g.copy()])
            made(kind).step([p], [g])
            assert same_bits(p, expected)


def test_parameters_that_lie_between_each_other():
    for kind in KINDS:
        room = drawn([(40, 41)], [F4])[0]
        expected = [room[:, ::2].copy(), room[:, 1::2].copy()]
        parameters = [room[:, ::2], room[:, 1::2]]
        assert of(taken(made(kind), parameters, [0, 1]), parameters) == of(
            taken(made(kind), expected, [0, 1]), expected
        )


def test_two_views_of_one_number_are_refused():
    room = np.zeros(101)
    for parameters in (
        [room, room],
        [room[:60], room[59:]],
        [room[::2], room[::3]],
        [room[50:51], room],
        [np.zeros(3), room[10:20], np.zeros(4), room[19:]],
        [room[:100].reshape(10, 10), room[:100].reshape(10, 10)[:, 3]],
    ):
        with pytest.raises(ValueError, match=r"SGD: parameters\[\d\] and parameters\[\d\] share memory"):
            optimizers.SGD().step(parameters, [np.ones(p.shape) for p in parameters])
        assert not room.any()


def test_two_views_of_one_number_beside_a_third_array_are_refused():
    room = np.zeros(101)
    parameters = [room[::2], room[1::2], room[1::2]]
    with pytest.raises(ValueError, match=r"SGD: parameters\[1\] and parameters\[2\] share memory"):
        optimizers.SGD().step(parameters, [np.ones(p.shape) for p in parameters])
    assert not room.any()


# Memory beside the arrays

BESIDE = """
import ctypes, mmap, sys
import numpy as np, nndl_fast as nf
from nndl_fast import _core
sys.path[:0] = FOLDERS
from stepping import KINDS, made
PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

rooms = []
for _ in range(2):  # between two pages that may not be touched
    room = mmap.mmap(-1, 17 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(room))
    for beside in (start, start + 16 * PAGE):
        assert libc.mprotect(beside, PAGE, 0) == 0
    rooms.append(np.frombuffer(room, np.uint8)[PAGE:-PAGE])

for isa in _core.isas():
    _core.use_isa(isa)
    for kind in KINDS:
        for dtype in ("f4", "f8"):
            for n in (1, 7, 8, 15, 17, 33, 255, 257, 4097):
                for gap in (1, -1):
                    size = n * np.dtype(dtype).itemsize
                    for part in (slice(0, size), slice(-size, None)):
                        p, g = (room[part].view(dtype)[::gap] for room in rooms)
                        made(kind, max_norm=1).step([p], [g])
                        made(kind).step([p], [g[::-1]])
print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the pages are protected as on Linux")
def test_nothing_beside_the_arrays_is_touched():
    folders = [path for path in sys.path if path.endswith("helpers")]
    assert ended(BESIDE.replace("FOLDERS", repr(folders))) == "done"
