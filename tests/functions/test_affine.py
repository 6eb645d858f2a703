"""Affine layers and products: what they are, by the long double reference and by differences, of which shapes
and types, and what special values give. Their bits are in test_affine_bits.py, and what they refuse in
test_affine_arguments.py."""

import numpy as np
import pytest
import reference as ref
from arrays import DTYPES, central_differences, same_bits
from layers import ACTIVATIONS, SIZES, layer, turned

import nndl_fast as nf

F4, F8 = np.float32, np.float64
HALVES = ["float16", "bfloat16"]


def half_of(name):
    return np.dtype(pytest.importorskip("ml_dtypes").bfloat16 if name == "bfloat16" else name)


def assert_near(got, exact, depth, terms):
    """Within what the rounding of so many fused multiply-adds may come to, whose terms add up to that; twice,
    since a long double may be no longer than a double."""
    assert got.shape == np.shape(exact)
    assert np.all(np.abs(got - exact) <= (depth + 1) * np.finfo(got.dtype).eps * terms)


# What they are


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_affine_is_x_w_plus_b(every_isa, sizes, dtype, axis):
    x, w, b, _ = turned(axis, *layer(*sizes, dtype))
    terms = ref.affine(abs(x), abs(w), abs(b), axis)
    assert_near(nf.affine(x, w, b, axis=axis), ref.affine(x, w, b, axis), sizes[1], terms)
    assert_near(nf.affine(x, w, axis=axis), ref.affine(x, w, axis=axis), sizes[1], terms)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_affine_backward_is_bp2_to_bp4(every_isa, sizes, dtype, axis):
    x, w, _, delta = turned(axis, *layer(*sizes, dtype))
    exact = ref.affine_backward(delta, x, w, axis)
    terms = ref.affine_backward(abs(delta), abs(x), abs(w), axis)
    depths = sizes[0], sizes[0], sizes[2]
    for got, *expected in zip(nf.affine_backward(delta, x, w, axis=axis), exact, depths, terms, strict=True):
        assert_near(got, *expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_matmul_is_the_product(every_isa, sizes, dtype):
    a, b, *_ = layer(*sizes, dtype)
    for left in (a, a[0]) if len(a) else (a,):
        for right in (b, b[:, 0]) if b.shape[1] else (b,):
            exact, terms = (np.matmul(f(left), f(right)) for f in (ref.WIDE, lambda z: abs(ref.WIDE(z))))
            assert_near(nf.matmul(left, right), exact, sizes[1], terms)


def test_matmul_shapes_as_numpy_does():
    a, b = np.ones((2, 3)), np.ones((3, 4))
    assert nf.matmul(a, b).shape == (2, 4) and nf.matmul(a[0], b).shape == (4,)
    assert nf.matmul(a, b[:, 0]).shape == (2,)
    assert nf.matmul(F4([1, 2]), F4([3, 4])) == 11 and type(nf.matmul(F4([1, 2]), F4([3, 4]))) is F4


def wide_range(dtype):
    rng = np.random.default_rng(1)
    z = rng.standard_normal(4001) * rng.choice([1e-6, 0.1, 1, 10, 1000], 4001)
    return np.concatenate([z, [0.0, 1, -1]]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_and_their_derivatives(every_isa, activation, dtype):
    z, delta = wide_range(dtype), wide_range(dtype)[::-1]
    a = nf.activate(z, activation)
    assert ref.ulps(a, ref.activate(z, activation)) <= 1 + (activation == "leaky_relu")
    got, exact = nf.activation_backward(delta, a, activation), ref.activation_backward(delta, a, activation)
    assert np.all(np.abs(got - exact) <= 2 * np.finfo(dtype).eps * abs(delta))


def test_the_sigmoid_is_that_of_sigmoid():
    z = wide_range(F4)
    assert same_bits(nf.activate(z, "sigmoid"), nf.sigmoid(z))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("axis", [-1, 0])
def test_activations_in_a_layer_are_those_apart_from_it(isa, activation, axis):
    for dtype in DTYPES:
        x, w, b, delta = turned(axis, *layer(37, 21, 50, dtype))
        a = nf.activate(x, activation)
        z, below = nf.affine(x, w, b, axis=axis), nf.affine_backward(delta, x, w, axis=axis)[2]
        options = {"axis": axis, "activation": activation}
        assert same_bits(nf.affine(x, w, b, **options), nf.activate(z, activation))
        for given, by in ((x, None), (a, None), (x, a)):
            got = nf.affine_backward(delta, given, w, **options, a=by)
            at = given if by is None else by
            assert same_bits(got[2], nf.activation_backward(below, at, activation))
            assert same_bits(got[0], nf.affine_backward(delta, given, w, axis=axis)[0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("axis", [-1, 0])
def test_they_are_the_gradients_of_a_cost(activation, axis):
    x, w, b, _ = turned(axis, *layer(6, 4, 5))
    w2, b2 = turned(axis, *layer(6, 5, 3, seed=1)[1:3])
    y = np.arange(6) % 3

    def cost(x, w, b, w2, b2):
        a = nf.affine(x, w, b, axis=axis, activation=activation)
        return nf.log_likelihood_cost(nf.affine(a, w2, b2, axis=axis), y, axis)

    a = nf.affine(x, w, b, axis=axis, activation=activation)
    delta2 = nf.log_likelihood_delta(nf.affine(a, w2, b2, axis=axis), y, axis)
    nabla_w2, nabla_b2, delta = nf.affine_backward(delta2, a, w2, axis=axis, activation=activation)
    nabla_w, nabla_b, delta_x = nf.affine_backward(delta, x, w, axis=axis)
    given, found = [x, w, b, w2, b2], [delta_x, nabla_w, nabla_b, nabla_w2, nabla_b2]
    for i, gradient in enumerate(found):
        others = given[:i], given[i + 1 :]
        numeric = central_differences(lambda p, o=others: cost(*o[0], p, *o[1]), given[i])
        np.testing.assert_allclose(gradient.reshape(numeric.shape), numeric, rtol=1e-6, atol=1e-9)


# Shapes


@pytest.mark.parametrize("batch", [(), (1,), (7,), (2, 3), (1, 7, 1), (2, 0), (0, 2)], ids=str)
def test_examples_of_any_number_of_dimensions(batch):
    x, w, b, delta = layer(int(np.prod(batch)), 5, 9)
    z, (nabla_w, nabla_b, below) = nf.affine(x, w, b), nf.affine_backward(delta, x, w, activation="tanh")
    x, delta = x.reshape(*batch, 5), delta.reshape(*batch, 9)
    assert same_bits(nf.affine(x, w, b), z.reshape(delta.shape))
    got = nf.affine_backward(delta, x, w, activation="tanh")
    assert same_bits(got[0], nabla_w) and same_bits(got[1], nabla_b)
    assert same_bits(got[2], below.reshape(x.shape))


def test_one_example_as_a_vector_in_columns():
    x, w, b, delta = turned(0, *layer(1, 5, 9))
    assert same_bits(nf.affine(x[:, 0], w, b, axis=0), nf.affine(x, w, b, axis=0)[:, 0])
    nabla_w, nabla_b, below = nf.affine_backward(delta[:, 0], x[:, 0], w, axis=0)
    assert nabla_w.shape == (9, 5) and nabla_b.shape == (9,) and below.shape == (5,)
    of_columns = nf.affine_backward(delta, x, w, axis=0)
    assert of_columns[1].shape == (9, 1) and same_bits(of_columns[1][:, 0], nabla_b)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_biases_of_each_shape(axis, dtype):
    x, w, b, start = turned(axis, *layer(4, 5, 6, dtype))
    expected = nf.affine(x, w, b, axis=axis)
    assert same_bits(nf.affine(x, w, b[None] if axis else b[:, None], axis=axis), expected)
    assert same_bits(nf.affine(x, w, b.tolist() if dtype == F8 else b, axis=axis), expected)
    each = np.broadcast_to(b, (4, 6)) if axis else np.broadcast_to(b[:, None], (6, 4))
    assert same_bits(nf.affine(x, w, each, axis=axis), expected)
    exact, terms = (
        ref.affine(f(x), f(w), axis=axis) + f(start).astype(ref.WIDE) for f in (np.asarray, np.abs)
    )
    assert_near(nf.affine(x, w, start, axis=axis), exact, 5, terms)


@pytest.mark.parametrize("axis", [-1, 0])
def test_the_error_is_handed_down_only_if_it_is_asked_for(axis):
    x, w, _, delta = turned(axis, *layer(4, 5, 6))
    whole = nf.affine_backward(delta, x, w, axis=axis)
    nabla_w, nabla_b, below = nf.affine_backward(delta, x, w, axis=axis, handed_down=False)
    assert below is None and same_bits(nabla_w, whole[0]) and same_bits(nabla_b, whole[1])


@pytest.mark.parametrize("axis", [-1, 0])
def test_the_gradient_of_the_weights_stands_in_memory_as_they_do(axis):
    x, w, _, delta = turned(axis, *layer(4, 5, 6))
    expected = nf.affine_backward(delta, x, np.ascontiguousarray(w), axis=axis)[0]
    for order in "CF":
        nabla_w = nf.affine_backward(delta, x, np.array(w, order=order), axis=axis)[0]
        assert nabla_w.flags[f"{order}_CONTIGUOUS"] and same_bits(nabla_w, expected)


@pytest.mark.parametrize(("x", "w"), [("f2", "f2"), ("f8", "f4"), ("f4", "i8")])
def test_so_it_does_if_the_weights_are_converted(x, w):
    inputs, weights, _, delta = layer(4, 5, 6)
    given = delta.astype(x), inputs.astype(x), np.asfortranarray(weights.astype(w))
    assert nf.affine_backward(*given)[0].flags.f_contiguous


# Types


@pytest.mark.parametrize(
    ("x", "w", "b", "result"),
    [
        *[(name, name, name, name) for name in (*HALVES, "f4", "f8")],
        *[("f2", "f2", None, "f2"), ("f2", "bfloat16", "f2", "f4"), ("f2", "f4", "f4", "f4")],
        *[("f4", "f4", "f8", "f8"), ("f8", "f4", "f4", "f8"), ("bfloat16", "f8", None, "f8")],
        *[("i4", "i4", "i4", "f8"), ("u1", "f4", "f4", "f8"), ("i8", "f2", "f2", "f8")],
    ],
)
def test_the_type_of_a_result(x, w, b, result):
    types = [None if name is None else half_of(name) for name in (x, w, b)]
    x, w, b, delta = (a.round() for a in layer(3, 4, 5))
    x, w, delta = abs(x).astype(types[0]), w.astype(types[1]), delta.astype(types[1])
    b = None if types[2] is None else b.astype(types[2])
    z = nf.affine(x, w, b)
    wide = F8 if result == "f8" else F4
    expected = nf.affine(x.astype(wide), w.astype(wide), None if b is None else b.astype(wide))
    assert z.dtype == half_of(result) and np.array_equal(z, expected.astype(z.dtype))
    if types[2] == types[1] or b is None:
        results = [nf.matmul(x, w), *nf.affine_backward(delta, x, w), nf.activation_backward(x, x, "tanh")]
        assert [y.dtype for y in results[:4]] == [half_of(result)] * 4
        assert results[4].dtype == (F8 if x.dtype.kind in "iu" else x.dtype)


@pytest.mark.parametrize("name", HALVES)
def test_half_precision_is_rounded_once(name):
    half = half_of(name)
    for axis in (-1, 0):
        x, w, b, delta = turned(axis, *(array.astype(half) for array in layer(37, 20, 50)))
        wide = [array.astype(F4) for array in (x, w, b, delta)]
        for activation in (None, "tanh"):
            options = {"axis": axis, "activation": activation}
            got = [nf.affine(x, w, b, **options), *nf.affine_backward(delta, x, w, **options)]
            expected = [nf.affine(*wide[:3], **options), *nf.affine_backward(wide[3], *wide[:2], **options)]
            assert all(g.dtype == half and np.array_equal(g, e.astype(half)) for g, e in zip(got, expected))
        assert np.array_equal(nf.activate(x, "leaky_relu"), nf.activate(wide[0], "leaky_relu").astype(half))


def test_lists_and_integers_are_float64():
    assert same_bits(nf.affine([[1, 2]], [[1, 0], [0, 1]], [1, 1]), np.array([[2.0, 3.0]]))
    assert same_bits(nf.matmul([[1, 2]], [1, 1]), np.array([3.0]))
    assert same_bits(nf.activate([-1, 2], "relu"), np.array([0.0, 2.0]))
    assert nf.activate(np.uint8([1]), "tanh").dtype == F8


# Special values


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_special_values(every_isa, activation):
    infinite = {"relu": [np.inf, 0], "sigmoid": [1, 0], "tanh": [1, -1], "leaky_relu": [np.inf, -np.inf]}
    for dtype in DTYPES:
        a = nf.activate(np.array([np.inf, -np.inf, np.nan, 0, -0.0], dtype), activation)
        expected = [*infinite[activation], np.nan, *[0.5 * (activation == "sigmoid")] * 2]
        assert np.array_equal(a, np.array(expected, dtype), equal_nan=True)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_stays_where_it_belongs(isa, bad, axis):
    for dtype in DTYPES:
        x, w, b, delta = layer(35, 20, 50, dtype)
        z = nf.affine(x, w, b)
        x[7, 3] = bad
        got = nf.affine(*turned(axis, x, w, b), axis=axis)
        (got,) = turned(axis, got)
        assert not np.isfinite(got[7]).any() and same_bits(np.delete(got, 7, 0), np.delete(z, 7, 0))
        w[3, 9], delta[1, 2] = bad, bad
        nabla_w, nabla_b, below = nf.affine_backward(*turned(axis, delta, x, w), axis=axis)
        nabla_w, below = turned(axis, nabla_w, below)
        wrong = np.zeros((20, 50), bool)
        wrong[3], wrong[:, 2] = True, True
        assert np.array_equal(~np.isfinite(nabla_w), wrong)
        assert np.array_equal(~np.isfinite(nabla_b.ravel()), np.arange(50) == 2)
        wrong = np.zeros((35, 20), bool)
        wrong[1], wrong[:, 3] = True, True
        assert np.array_equal(~np.isfinite(below), wrong)


def test_subnormal_numbers_are_kept(every_isa):
    for dtype in DTYPES:
        tiny = np.finfo(dtype).smallest_subnormal
        x = np.arange(40, dtype=dtype)[:, None] * tiny
        ones = np.ones((1, 33), dtype)
        assert same_bits(nf.matmul(x, ones), np.repeat(x, 33, 1))
        assert same_bits(nf.affine(x, ones, np.full(33, tiny)), np.repeat(x + tiny, 33, 1))
        assert same_bits(nf.activate(x, "relu"), x)


def test_sums_of_nothing():
    for axis in (-1, 0):
        x, w, b, delta = turned(axis, *layer(3, 0, 4))
        assert same_bits(nf.affine(x, w, b, axis=axis), turned(axis, np.tile(b, (3, 1)))[0])
        assert np.all(nf.affine(x, w, axis=axis) == 0)
        x, w, b, delta = turned(axis, *layer(0, 3, 4))
        assert nf.affine(x, w, b, axis=axis).shape == turned(axis, np.empty((0, 4)))[0].shape
        nabla_w, nabla_b, below = nf.affine_backward(delta, x, w, axis=axis)
        assert same_bits(nabla_w, np.zeros(w.shape)) and same_bits(nabla_b.ravel(), np.zeros(4))
        assert below.shape == x.shape
    assert nf.matmul(np.ones(0), np.ones(0)) == 0
