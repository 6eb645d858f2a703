"""What affine layers and products write to, and what they refuse before anything is written."""

import warnings

import numpy as np
import pytest
from arrays import DTYPES, example, same_bits
from layers import ACTIVATIONS, layer, turned

import nndl_fast as nf

F4, F8 = np.float32, np.float64


# The array for the result


def locked():
    out = np.full((4, 6), 7.0)
    out.flags.writeable = False
    return out


def calls_with_out():
    x, w, b, delta = layer(4, 5, 6)
    yield "affine", lambda out: nf.affine(x, w, b, out=out)
    yield "affine", lambda out: nf.affine(x.T, w.T, axis=0, activation="relu", out=out.T)
    yield "matmul", lambda out: nf.matmul(x, w, out)
    yield "activate", lambda out: nf.activate(delta, "tanh", out=out)
    yield "activation_backward", lambda out: nf.activation_backward(delta, delta, "relu", out=out)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: np.full((4, 7), 7.0), ValueError, r"out has shape \(.*7.*\); it must be \(.*6.*\)"),
        (lambda: np.full((4, 6), 7, F4), TypeError, "out has dtype float32; it must be float64"),
        (lambda: np.full((4, 6), 7.0, ">f8"), TypeError, "out has dtype >f8; it must be float64"),
        (locked, ValueError, "out is read-only"),
        (lambda: np.broadcast_to(np.full(6, 7.0), (4, 6)), ValueError, "read-only"),
        (
            lambda: np.lib.stride_tricks.as_strided(np.full(9, 7.0), (4, 6), (8, 8)),
            ValueError,
            "share memory",
        ),
        (lambda: np.ma.masked_array(np.full((4, 6), 7.0)), TypeError, "out is a masked array"),
    ],
)
def test_an_out_that_does_not_fit_is_refused_and_nothing_is_written(make, error, match):
    for name, call in calls_with_out():
        out = make()
        with pytest.raises(error, match=f"{name}: .*{match}"):
            call(out)
        assert np.all(np.asarray(out) == 7)
    with pytest.raises(TypeError, match="affine: out is no NumPy array"):
        nf.affine([[1.0]], [[1.0]], out=[[7.0]])


def overlapping(shape, room, start):
    return room[start : start + int(np.prod(shape))].reshape(shape)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_out_over_each_operand_is_as_if_it_were_apart(isa, axis, dtype):
    for n in (1, 3, 20, 40):
        given = turned(axis, *layer(n, n, n, dtype))
        x, w, b, delta = (np.ascontiguousarray(array) for array in given)
        for start in (None, b, delta):
            expected = nf.affine(x, w, start, axis=axis, activation="tanh")
            for which in ("x", "w", "start"):
                if which == "start" and (start is None or start.ndim == 1):
                    continue
                for view in (lambda z: z, lambda z: z.T, lambda z: z[::-1], lambda z: z[:, ::-1]):
                    own = {"x": x.copy(), "w": w.copy(), "start": None if start is None else start.copy()}
                    out = view(own[which])
                    got = nf.affine(own["x"], own["w"], own["start"], axis=axis, activation="tanh", out=out)
                    assert got is out and same_bits(out, expected), (n, which)


@pytest.mark.parametrize("dtype", DTYPES)
def test_out_over_a_part_of_an_operand(isa, dtype):
    x, w, _, delta = layer(30, 30, 30, dtype)
    z, a = nf.affine(x, w, delta), nf.activation_backward(delta, x, "sigmoid")
    for shift in (0, 1, 17, 30, 450, 899):
        for first in (0, shift):
            for which in range(3):
                room = np.zeros(1800, dtype)
                operands = [x, w, delta]
                part = operands[which] = overlapping((30, 30), room, first)
                part[...] = (x, w, delta)[which]
                out = overlapping((30, 30), room, shift - first)
                assert nf.affine(*operands, out=out) is out and same_bits(out, z)
                part[...] = (x, w, delta)[which]
                given = {0: (delta, part), 2: (part, x)}.get(which)
                if given:
                    assert same_bits(nf.activation_backward(*given, "sigmoid", out=out), a)
                    part[...] = x
                    assert same_bits(nf.activate(part, "sigmoid", out=out), nf.activate(x, "sigmoid"))
                else:
                    assert same_bits(nf.matmul(x, part, out), nf.matmul(x, w))


@pytest.mark.parametrize("axis", [-1, 0])
def test_out_over_the_biases(axis):
    for n in (1, 6):
        x, w, _, _ = turned(axis, *layer(n, 4, 6))
        room = np.arange(36.0).reshape(6, 6)
        b, out = room[2], room[:n] if axis else room[:, :n]
        expected = nf.affine(x, w, b.copy(), axis=axis)
        assert nf.affine(x, w, b, axis=axis, out=out) is out and same_bits(out, expected)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("axis", [-1, 0])
def test_the_product_is_added_to_what_is_there(isa, axis, dtype):
    for sizes in ((1, 9, 33), (33, 9, 1), (70, 600, 50), (5, 0, 4)):
        x, w, _, total = (np.array(a, dtype) for a in turned(axis, *layer(*sizes)))
        expected = nf.affine(x, w, total, axis=axis)
        for order in "CF":
            out = np.array(total, order=order)
            assert nf.affine(x, w, out, axis=axis, out=out) is out and same_bits(out, expected)
        wide = np.repeat(np.repeat(total, 2, 0), 3, 1)
        out = wide[::2, ::3]
        assert nf.affine(x, w, out, axis=axis, out=out) is out and same_bits(out, expected)
        assert same_bits(wide[1::2, 1::3], total)


@pytest.mark.usefixtures("many_processors")
def test_out_by_several_threads(threads):
    for dtype in DTYPES:
        x, w, b, total = layer(400, 300, 300, dtype)
        with nf.num_threads(1):
            expected = nf.affine(x, w, b, activation="relu"), nf.affine(x, w, total)
        for _ in range(3):
            own = x.copy()
            assert same_bits(nf.affine(own, w, b, activation="relu", out=own[:, :300]), expected[0])
            own = total.copy()
            assert same_bits(nf.affine(x, w, own, out=own), expected[1])


def test_half_precision_out():
    x, w, b, delta = (array.astype("f2") for array in layer(4, 5, 6))
    out = np.zeros((6, 8), "f2").T[::2]
    assert nf.affine(x, w, b, out=out) is out and same_bits(out, nf.affine(x, w, b))
    assert nf.activate(delta, "tanh", out=delta) is delta
    with pytest.raises(TypeError, match="affine: out has dtype float32; it must be float16"):
        nf.affine(x, w, b, out=np.zeros((4, 6), F4))


# What is refused: the function and the argument are named, and the shapes


GIVEN = {"x": (2, 4), "w": (4, 5), "b": (5,), "delta": (2, 5), "a": (2, 4)}


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"x": (2, 3)}, r"x has shape {x}; it must be .*inputs.*, for w of shape {w}"),
        ({"x": ()}, r"x has shape \(\); it must be .*, for w of shape {w}"),
        ({"w": (4,)}, r"w has shape \(4,\); it must be \({inputs}, {neurons}\)"),
        ({"w": (2, 4, 5)}, r"w has shape {w}; it must be \({inputs}, {neurons}\)"),
        ({"w": (5, 4)}, r"x has shape {x}; it must be .*, for w of shape {w}"),
        ({"b": (4,)}, r"b has shape \(4,\); it must be \(5,\), {one} or that of the result, {delta}"),
        ({"b": ()}, r"b has shape \(\); it must be \(5,\)"),
        ({"b": (2, 4)}, r"b has shape {b}; it must be \(5,\)"),
        ({"b": (5, 1)}, r"b has shape {b}; it must be \(5,\)"),
        ({"delta": (2, 4)}, r"delta has shape {delta}; it must be .*, for x of shape {x} and w of shape {w}"),
        ({"delta": (2,)}, r"delta has shape \(2,\); it must be"),
        ({"delta": (1, 2, 5)}, r"delta has shape {delta}; it must be"),
        ({"a": (2, 5)}, r"a has shape {a}; it must be that of x, {x}"),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit(wrong, match, axis):
    shapes = {name: shape if axis else shape[::-1] for name, shape in (GIVEN | wrong).items()}
    words = {name: str(shape).replace("(", r"\(").replace(")", r"\)") for name, shape in shapes.items()}
    inputs, neurons = ("inputs", "neurons")[:: 1 if axis else -1]
    one = r"\(1, 5\)" if axis else r"\(5, 1\)"
    match = match.format(**words, inputs=inputs, neurons=neurons, one=one)
    of = {name: np.ones(shape) for name, shape in shapes.items()}
    out = np.full((2, 5) if axis else (5, 2), 7.0)
    if not {"delta", "a"} & set(wrong):
        with pytest.raises(ValueError, match=f"affine: {match}"):
            nf.affine(of["x"], of["w"], of["b"], axis=axis, out=out)
        assert np.all(out == 7)
    if "b" not in wrong:
        with pytest.raises(ValueError, match=f"affine_backward: {match}"):
            nf.affine_backward(of["delta"], of["x"], of["w"], axis=axis, a=of["a"], activation="relu")


def test_columns_have_at_most_two_dimensions():
    with pytest.raises(ValueError, match=r"affine: x has shape \(4, 2, 3\); it must be \(inputs, n\)"):
        nf.affine(np.ones((4, 2, 3)), np.ones((5, 4)), axis=0)


@pytest.mark.parametrize(
    ("a", "b", "match"),
    [
        ((2, 3), (2, 4), r"b has shape \(2, 4\); it must be \(3, ...\), for a of shape \(2, 3\)"),
        ((2, 3), (2,), r"b has shape \(2,\); it must be \(3,\), for a of shape \(2, 3\)"),
        ((3,), (2,), r"b has shape \(2,\); it must be \(3,\), for a of shape \(3,\)"),
        ((), (2,), r"a has shape \(\); it must be of one dimension or two"),
        ((2, 3), (), r"b has shape \(\); it must be of one dimension or two"),
        ((2, 2, 2), (2, 2), r"a has shape \(2, 2, 2\); it must be of one dimension or two"),
        ((2, 2), (2, 2, 2), r"b has shape \(2, 2, 2\); it must be of one dimension or two"),
    ],
)
def test_products_that_there_are_not(a, b, match):
    with pytest.raises(ValueError, match=f"matmul: {match}"):
        nf.matmul(np.ones(a), np.ones(b))


def test_errors_and_activations_of_different_shapes():
    with pytest.raises(
        ValueError, match=r"activation_backward: a has shape \(3,\); it must be that of delta"
    ):
        nf.activation_backward(np.ones(2), np.ones(3), "relu")


def test_an_activation_that_there_is_not():
    x, w, b, delta = layer(2, 4, 5)
    known = ", ".join(f"'{name}'" for name in ACTIVATIONS)
    for wrong in ("gelu", "", 3, b"relu"):
        for name, call in (
            ("affine", lambda f: nf.affine(x, w, b, activation=f)),
            ("affine_backward", lambda f: nf.affine_backward(delta, x, w, activation=f)),
            ("activate", lambda f: nf.activate(x, f)),
            ("activation_backward", lambda f: nf.activation_backward(x, x, f)),
        ):
            with pytest.raises(
                ValueError, match=f"{name}: activation is {wrong!r}; it must be one of {known}"
            ):
                call(wrong)
    with pytest.raises(ValueError, match="activate: activation is None"):
        nf.activate(x, None)
    with pytest.raises(ValueError, match="affine_backward: a is given, and activation is None"):
        nf.affine_backward(delta, x, w, a=x)


def test_an_axis_that_there_is_not():
    x, w, _, delta = layer(4, 4, 4)
    for name, call in (
        ("affine", lambda axis: nf.affine(x, w, axis=axis)),
        ("affine_backward", lambda axis: nf.affine_backward(delta, x, w, axis=axis)),
    ):
        for axis in (1, -2, 2**70):
            with pytest.raises(ValueError, match=f"{name}: axis is {axis}; it must be -1 .* or 0"):
                call(axis)
        for axis in (None, 0.0, "0", (0,)):
            with pytest.raises(TypeError, match=f"{name}: axis is .*; it must be an integer"):
                call(axis)


WRONG = [
    *[
        (np.ones, bool, "dtype bool"),
        (np.ones, complex, "dtype complex128"),
        (np.ones, object, "dtype object"),
    ],
    *[
        (np.ones, "U1", "dtype <U1"),
        (np.ma.ones, float, "masked"),
        (np.ones, np.longdouble, "dtype (long|float)"),
    ],
]


@pytest.mark.parametrize(("make", "dtype", "match"), WRONG)
def test_types_that_may_not_be(make, dtype, match):
    if dtype is np.longdouble and np.finfo(dtype).nmant == 52:
        pytest.skip("the same as float64 here")
    for function, given, options in (
        (nf.affine, ("x", "w", "b"), {}),
        (nf.affine_backward, ("delta", "x", "w", "a"), {"activation": "relu"}),
        (nf.matmul, ("a", "b"), {}),
        (nf.activate, ("z",), {"activation": "relu"}),
        (nf.activation_backward, ("delta", "a"), {"activation": "relu"}),
    ):
        for wrong in given:
            of = {name: np.ones((3, 3)) for name in given} | {wrong: make((3, 3), dtype)}
            with pytest.raises(TypeError, match=f"{function.__name__}: {wrong} .*{match}"):
                function(**of, **options)


def test_results_that_no_memory_holds():
    column, row = (np.broadcast_to(F4(1), shape) for shape in ((2**30, 1), (1, 2**30)))
    for call in (nf.affine, nf.matmul):
        with pytest.raises(ValueError, match=r"the result would have shape \(1073741824, 1073741824\)"):
            call(column, row)
    huge = np.broadcast_to(F4(1), (2**25, 2**25))
    for call, name in ((nf.affine, "x"), (nf.matmul, "a")):
        with pytest.raises(ValueError, match=f"{name} has shape .*, more than 281474976710656 elements"):
            call(huge, np.ones((2**25, 1), F4))


# Other arrays


def test_subclasses_are_read_as_plain_arrays_and_written_as_they_are():
    class Named(np.ndarray):
        pass

    x, w, b, delta = layer(4, 5, 6)
    named = [array.view(Named) for array in (x, w, b, delta)]
    assert type(nf.affine(*named[:3])) is np.ndarray and type(nf.matmul(*named[:2])) is np.ndarray
    assert all(type(g) is np.ndarray for g in nf.affine_backward(named[3], *named[:2]))
    out = np.zeros((4, 6)).view(Named)
    assert nf.affine(*named[:3], out=out) is out and same_bits(np.asarray(out), nf.affine(x, w, b))


def test_operands_are_not_changed():
    x, w, b, delta = given = layer(20, 30, 40)
    kept = [array.copy() for array in given]
    for activation in (None, *ACTIVATIONS):
        nf.affine(x, w, b, activation=activation)
        nf.affine(x, w, delta, activation=activation)
        nf.affine_backward(delta, x, w, activation=activation)
    assert all(map(same_bits, given, kept))


def test_no_warning_of_numbers_that_overflow():
    z, _, t = example(20, 30, F4)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for dtype in (np.float16, F4, F8):
            with np.errstate(all="ignore"):
                narrow = z.astype(dtype)
            nf.matmul(narrow, t.T.astype(dtype))
            nf.affine_backward(narrow, narrow, np.ones((30, 30), dtype), activation="tanh")
