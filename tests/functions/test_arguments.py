"""Which arrays, shapes, axes and numbers the functions take, what they give for them, and what they refuse.

Labels, targets and weights are in test_labels_and_weights.py, and ``out`` is in test_out.py."""

import sys

import numpy as np
import pytest

import nndl_fast as nf

COSTS = [nf.log_likelihood_cost, nf.log_likelihood_delta, nf.log_likelihood_cost_and_delta]
F4, F8 = np.float32, np.float64


# Types


def test_integers_become_float64():
    assert nf.softmax([1, 2]).dtype == F8
    for integer in (np.int8, np.uint8):
        assert nf.softmax(np.array([1, 2], integer)).dtype == F8


def test_float32_and_float16_stay():
    assert nf.softmax(F4([1, 2])).dtype == F4
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


@pytest.mark.parametrize(
    "z, match",
    [
        (np.array([True, False]), "dtype bool"),
        ([True, False], "dtype bool"),
        (np.array([1j]), "dtype complex128"),
        ([1j, 2], "dtype complex128"),
        (np.array([None]), "dtype object"),
        (np.array([1, None]), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        (["a", "b"], "dtype <U1"),
        (np.ma.masked_array([1.0], [True]), "masked"),
        (np.ma.masked_array([1.0, 2.0]), "masked"),
        (np.array([1], "M8[s]"), r"dtype datetime64\[s\]"),
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
        with pytest.raises(TypeError, match=f"{f.__name__}: [az] .*{match}"):
            f(z)
    with pytest.raises(TypeError, match=f"log_likelihood_cost: z .*{match}"):
        nf.log_likelihood_cost(z, 0)


ROW_FUNCTIONS = [nf.softmax, nf.log_softmax, nf.logsumexp, nf.hardmax, nf.sigmoid, nf.inverse_softmax]


def types_of_ml_dtypes():
    """All that it has, whatever letter and size they have; some look like NumPy's own."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    found = [getattr(ml_dtypes, name) for name in dir(ml_dtypes) if name not in ("finfo", "iinfo")]
    return [np.dtype(kind) for kind in found if isinstance(kind, type)]


def test_types_of_other_packages():
    others = [dtype for dtype in types_of_ml_dtypes() if dtype != "bfloat16"]
    assert "float8_e5m2" in map(str, others)
    for dtype in others:
        z = np.zeros((2, 4), dtype)
        for f in ROW_FUNCTIONS:
            with pytest.raises(TypeError, match=f"{f.__name__}: [az] has dtype {dtype}"):
                f(z)
        for wrong in (
            {"z": z},
            {"sample_weight": z[:, 0]},
            {"class_weight": z[0]},
            {"y": z},
            {"y": z[:, 0]},
        ):
            (name,) = wrong
            with pytest.raises(TypeError, match=f"{name} has dtype {dtype}"):
                nf.log_likelihood_cost(**{"z": np.zeros((2, 4)), "y": [0, 1]} | wrong)
        with pytest.raises(TypeError, match=f"dtype {dtype}"):
            nf.softmax(np.zeros((2, 4)), out=z)
        for name in "awb":
            arguments = {"a": np.zeros((2, 4)), "w": np.zeros((3, 4)), "b": np.zeros(3), "y": [0, 1]}
            arguments[name] = arguments[name].astype(dtype)
            with pytest.raises(TypeError, match=f"linear_log_likelihood: {name} has dtype {dtype}"):
                nf.linear_log_likelihood(**arguments)
        for call, names in (
            (nf.affine, "xwb"),
            (nf.matmul, "ab"),
            (
                lambda delta, x, w, a: nf.affine_backward(delta, x, w, a=a, activation="relu"),
                ["delta", *"xwa"],
            ),
            (lambda z: nf.activate(z, "relu"), "z"),
            (lambda delta, a: nf.activation_backward(delta, a, "relu"), ["delta", "a"]),
            (lambda a: nf.cost_and_delta_from_activations(a, np.zeros(4, int)), "a"),
            (lambda gradients: nf.optimizers.SGD().step([np.zeros((4, 4))], [gradients]), ["gradients"]),
            (lambda parameters: nf.optimizers.SGD().step([parameters], [np.zeros((4, 4))]), ["parameters"]),
        ):
            for name in names:
                wrong = dict.fromkeys(names, np.zeros((4, 4))) | {name: np.zeros((4, 4), dtype)}
                with pytest.raises(TypeError, match=rf"\w+: {name}\S* has dtype {dtype}"):
                    call(**wrong)
        net = nf.Network([4, 3])
        for give, what in ((net.predict_proba, z), (net.feedforward, z.T), (net.accuracy, (z, [0, 1]))):
            with pytest.raises(TypeError, match=f"dtype {dtype}"):
                give(what)


@pytest.mark.parametrize(
    "z",
    [
        np.broadcast_to(F4(1), (1, 2**64 // 12)),
        np.broadcast_to(np.float16(1), (1, 2**62 - 1)),
        np.broadcast_to(F8(1), (2**29, 2**29)),
    ],
    ids=lambda z: f"{z.dtype}-{z.shape[-1]}",
)
def test_arrays_that_no_memory_holds(z):
    """Strides of 0 make them; the sizes of buffers would wrap around."""
    if sys.maxsize < 2**62:
        pytest.skip("such arrays cannot be made here")
    for f in (*ROW_FUNCTIONS, lambda z: nf.log_likelihood_cost(z, np.broadcast_to(0, len(z)))):
        with pytest.raises(ValueError, match=r"[az] has shape \(.*\), more than 281474976710656 elements"):
            f(z)
    for of_a in (True, False):
        a, w = (z, np.ones((2, 3), z.dtype)) if of_a else (np.ones((1, 3), z.dtype), z)
        with pytest.raises(ValueError, match=r"linear_log_likelihood: [aw] has shape"):
            nf.linear_log_likelihood(a, w, None, [0])


def test_subclasses_are_read_as_plain_arrays():
    class Named(np.ndarray):
        pass

    z = np.arange(6.0).reshape(2, 3)
    for f in (nf.softmax, nf.softmax_jacobian, nf.inverse_softmax, lambda z: nf.softmax(z, None)):
        result = f(z.view(Named))
        assert type(result) is np.ndarray and np.array_equal(result, f(z))


def test_memory_maps_are_read(tmp_path):
    z = np.random.default_rng(0).standard_normal((5, 7))
    np.save(tmp_path / "z.npy", z)
    assert np.array_equal(nf.softmax(np.load(tmp_path / "z.npy", mmap_mode="r")), nf.softmax(z))


# Shapes and axes


@pytest.mark.parametrize("dtype", [F4, F8])
def test_empty_batch(dtype):
    """The sum of no costs is 0 and their mean NaN, without a warning."""
    z = np.zeros((0, 5), dtype)
    y = np.zeros(0, int)
    assert nf.softmax(z).shape == (0, 5) and nf.logsumexp(z).shape == (0,)
    assert nf.log_likelihood_cost(z, y, reduction="none").shape == (0,)
    assert nf.log_likelihood_cost(z, y, reduction="sum") == 0
    assert np.isnan(nf.log_likelihood_cost(z, y))
    assert nf.log_likelihood_delta(z, y).shape == (0, 5)
    assert np.isnan(nf.binary_cross_entropy_cost(z, z)) and nf.sigmoid(z).shape == (0, 5)


@pytest.mark.parametrize("dtype", [F4, F8])
def test_no_classes(dtype):
    z = np.zeros((3, 0), dtype)
    assert nf.softmax(z).shape == (3, 0) and np.array_equal(nf.logsumexp(z), [-np.inf] * 3)
    for f in COSTS:
        with pytest.raises(ValueError, match="no classes"):
            f(z, np.zeros(3, int))


@pytest.mark.parametrize("dtype", [F4, F8])
def test_one_class(dtype):
    z = np.array([[3], [-8]], dtype)
    assert np.all(nf.softmax(z) == 1) and np.all(nf.log_softmax(z) == 0)
    cost, delta = nf.log_likelihood_cost_and_delta(z, [0, 0])
    assert cost == 0 and np.all(delta == 0)
    assert np.array_equal(nf.log_likelihood_delta(z, [0, 0]), [[0], [0]])


def test_scalars():
    """A scalar is one class; for a cost it says too little."""
    assert nf.softmax(2.5) == 1 and nf.log_softmax(2.5) == 0 and nf.logsumexp(2.5) == 2.5
    assert nf.softmax(np.array(2.5), axis=None) == 1
    for f in COSTS:
        with pytest.raises(ValueError, match="scalar"):
            f(2.5, 0)


@pytest.mark.slow
def test_more_than_2_to_the_31_elements_in_a_view():
    z = np.broadcast_to(np.linspace(0, 1, 513, dtype=F4), (2**22, 513))  # with a stride of zero
    assert z.size > 2**31
    expected = float(nf.log_likelihood_cost(z[0], 7, reduction="none"))
    y = np.full(2**22, 7)
    assert float(nf.log_likelihood_cost(z, y, reduction="sum")) == pytest.approx(expected * 2**22, rel=1e-6)


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


# The sharpness


@pytest.mark.parametrize("c", [0, -1, np.nan, -np.inf])
def test_sharpness_that_may_not_be(c):
    for f in (nf.softmax, nf.log_softmax):
        with pytest.raises(ValueError, match=f"{f.__name__}: c is"):
            f([1.0, 2.0], c=c)
    with pytest.raises(ValueError, match="softmax_backward: c is"):
        nf.softmax_backward([0.5, 0.5], [1.0, 2.0], c=c)


@pytest.mark.parametrize("c", ["x", None])
def test_sharpness_that_is_no_number(c):
    with pytest.raises(TypeError, match=f"softmax: c is {c!r}; it must be a number"):
        nf.softmax(np.zeros(3), c=c)


# What objects raise that are asked for numbers


X, Y = np.random.default_rng(0).standard_normal((60, 4)), np.arange(60) % 3


def network():
    return nf.Network([4, 5, 3], rng=0, dtype=F8)


class Raises:
    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error

    def __float__(self):
        raise self.error

    def __index__(self):
        raise self.error

    def __bool__(self):
        raise self.error


ASKED = {
    "z": lambda thing: nf.softmax(thing),
    "c": lambda thing: nf.softmax([1.0], c=thing),
    "axis": lambda thing: nf.softmax([1.0], thing),
    "y": lambda thing: nf.log_likelihood_cost([[1.0]], thing),
    "sample_weight": lambda thing: nf.log_likelihood_cost([[1.0]], [0], sample_weight=thing),
    "class_weight": lambda thing: nf.log_likelihood_cost([[1.0]], [0], class_weight=thing),
    "ignore_index": lambda thing: nf.log_likelihood_cost([[1.0]], [0], ignore_index=thing),
    "label_smoothing": lambda thing: nf.log_likelihood_cost([[1.0]], [0], label_smoothing=thing),
    "a of": lambda thing: network().feedforward(thing),
    "eta": lambda thing: network().SGD((X, Y), 1, 10, thing),
    "epochs": lambda thing: network().SGD((X, Y), thing, 10, 0.5),
    "x": lambda thing: network().accuracy((thing, Y)),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_is_no_ordinary_exception_goes_through(name, error):
    with pytest.raises(error, match="mine"):
        ASKED[name](Raises(error("mine")))


@pytest.mark.parametrize(
    "name, error", [(name, TypeError) for name in ASKED] + [("z", RuntimeError), ("x", ValueError)]
)
def test_other_exceptions_are_the_cause(name, error):
    with pytest.raises(TypeError, match=name.split()[0]) as caught:
        ASKED[name](Raises(error("use .detach()")))
    assert isinstance(caught.value.__cause__, error) and "use .detach()" in str(caught.value.__cause__)


def test_the_truth_of_an_object_may_raise():
    with pytest.raises(RuntimeError, match="mine"):
        nf.logsumexp([1.0], keepdims=Raises(RuntimeError("mine")))


def test_integers_that_are_no_floats():
    assert np.array_equal(nf.softmax([1.0, 2.0], c=10**400), [0, 1])
    with pytest.raises(ValueError, match="c is -inf"):
        nf.softmax([1.0], c=-(10**400))
    with pytest.raises(ValueError, match="label_smoothing is inf"):
        nf.log_likelihood_cost([[1.0]], [0], label_smoothing=10**400)


def test_what_is_no_number():
    with pytest.raises(TypeError, match="inverse_softmax: constant has dtype <U1"):
        nf.inverse_softmax([0.5, 0.5], constant="1")
    for n in (2.5, "2", None):
        with pytest.raises(TypeError, match=r"set_num_threads: n is .*; it must be an integer"):
            nf.set_num_threads(n)
    before = nf.get_num_threads()
    with nf.num_threads(2**70):
        assert nf.get_num_threads() >= before
