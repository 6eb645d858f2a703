"""Arrays of other libraries: PyTorch, pandas, polars, PyArrow, DLPack and the buffer protocol."""

import array

import numpy as np
import pytest

import nndl_fast as nf
from nndl_fast import _core

Z = np.random.default_rng(0).standard_normal((6, 4))
Y = np.array([0, 1, 2, 3, 0, 1])


class OnlyDLPack:
    """What hands over its memory by DLPack and in no other way."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def imported(name, make):
    def of(array):
        return make(pytest.importorskip(name), array)

    return of


def arrow_chunks(pa, a):
    return pa.chunked_array([pa.array(a[:2]), pa.array(a[2:])])


MATRICES = {
    "DLPack": OnlyDLPack,
    "memoryview": memoryview,
    "PyTorch": imported("torch", lambda torch, a: torch.from_numpy(a)),
    "pandas": imported("pandas", lambda pd, a: pd.DataFrame(a, copy=False)),
    "polars": imported("polars", lambda pl, a: pl.DataFrame(a)),
    "PyArrow": imported("pyarrow", lambda pa, a: pa.table({str(i): c for i, c in enumerate(a.T)})),
    "JAX": imported("jax.numpy", lambda jnp, a: jnp.asarray(a, np.float32)),
}
VECTORS = {
    "DLPack": OnlyDLPack,
    "array": lambda a: array.array("q", a),
    "PyTorch": imported("torch", lambda torch, a: torch.from_numpy(a)),
    "pandas": imported("pandas", lambda pd, a: pd.Series(a, copy=False)),
    "polars": imported("polars", lambda pl, a: pl.Series(a)),
    "PyArrow": imported("pyarrow", lambda pa, a: pa.array(a)),
    "PyArrow, chunks": imported("pyarrow", arrow_chunks),
}
COPIED = {"polars", "PyArrow", "JAX", "PyArrow, chunks"}  # columns apart, another dtype, chunks


def reads(given, base):
    """Whether the core reads that memory, and not a copy of it."""
    return np.shares_memory(_core.as_real(given, "f", "x"), base)


@pytest.mark.parametrize("kind", MATRICES)
def test_weighted_inputs_of_others_are_taken_and_not_copied_where_that_can_be(kind):
    z = Z.copy()
    given = MATRICES[kind](z)
    a = nf.softmax(given)
    np.testing.assert_allclose(a, nf.softmax(Z), rtol=1e-5 if kind == "JAX" else 0)
    assert type(a) is np.ndarray
    if kind not in COPIED:
        assert reads(given, z)


@pytest.mark.parametrize("kind", VECTORS)
def test_labels_of_others_are_taken_and_not_copied_where_that_can_be(kind):
    y = Y.copy()
    given = VECTORS[kind](y)
    np.testing.assert_array_equal(nf.log_likelihood_delta(Z, given), nf.log_likelihood_delta(Z, Y))
    if kind not in (COPIED - {"PyArrow", "polars"}) | {"array"}:
        assert reads(given, y) or kind == "PyArrow"  # whose arrays own their memory
    assert nf.Network([4, 4], rng=0).accuracy((Z, given)) == nf.Network([4, 4], rng=0).accuracy((Z, Y))


@pytest.mark.parametrize("library", ["PyTorch", "pandas", "polars"])
def test_a_network_learns_from_them(library):
    net, plain = nf.Network([4, 5, 4], rng=0), nf.Network([4, 5, 4], rng=0)
    net.SGD((MATRICES[library](Z.copy()), VECTORS[library](Y.copy())), 3, 2, 0.5)
    plain.SGD((Z, Y), 3, 2, 0.5)
    assert net.digest() == plain.digest()
    np.testing.assert_array_equal(net.predict(MATRICES[library](Z.copy())), plain.predict(Z))


def test_a_tensor_that_requires_a_gradient_gets_pytorchs_own_advice():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"softmax: z .*requires grad\. Use tensor\.detach\(\)\.numpy\(\)"):
        nf.softmax(torch.from_numpy(Z).requires_grad_())
    with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\)"):
        nf.softmax(torch.empty(3, 4, device="meta"))


def test_columns_that_are_no_numbers_are_refused():
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="softmax: z has dtype object"):
        nf.softmax(pd.DataFrame(Z).assign(name="x"))


@pytest.mark.parametrize("kinds", [["Int64", "Float64"], ["int8", "Float32"], ["UInt8", "Int64"]])
def test_nullable_columns_and_frames_of_pandas(kinds):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": [0, 1, 2]}).astype(dict(zip("ab", kinds)))
    plain = frame.astype({name: kind.lower() for name, kind in zip("ab", kinds)}).to_numpy()
    assert np.array_equal(nf.softmax(frame), nf.softmax(plain))
    assert nf.softmax(frame).dtype == nf.softmax(plain).dtype
    one_hot = pandas.DataFrame(np.eye(2, dtype=int)[[0, 1, 1]])
    for kind in ("Int64", "boolean"):
        assert nf.log_likelihood_cost(plain, one_hot.astype(kind)) == nf.log_likelihood_cost(plain, one_hot)
    assert np.array_equal(nf.softmax(frame["b"]), nf.softmax(np.asarray(frame["b"])))
    labels = pandas.Series([0, 1, 1], dtype="Int64")
    assert nf.log_likelihood_cost(frame, labels) == nf.log_likelihood_cost(plain, [0, 1, 1])
    net = nf.Network([2, 3], rng=0)
    assert np.array_equal(net.predict_proba(frame), net.predict_proba(plain))


def test_missing_values_are_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, None], "b": [0.5, 1, 2]}).astype({"a": "Int64", "b": "Float64"})
    for call in (nf.softmax, lambda x: nf.log_likelihood_cost(x, [0, 1, 1]), nf.Network([2, 3]).predict):
        with pytest.raises(ValueError, match=r"[zx] has no value at \(2, 0\); fill or drop it"):
            call(frame)
    for kind in ("Int64", "Float64", "boolean"):
        column = pandas.Series([0, None, 1], dtype=kind)
        for call in (nf.softmax, lambda y: nf.log_likelihood_cost(np.zeros((3, 2)), y)):
            with pytest.raises(ValueError, match=r"[zy] has no value at \(1\); fill or drop it"):
                call(column)
    mixed = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}).astype({"a": "Int64"})
    with pytest.raises(TypeError, match="z has dtype object"):
        nf.softmax(mixed)


def test_sparse_arrays_are_told_what_to_do():
    scipy = pytest.importorskip("scipy.sparse")
    for x in (scipy.csr_array(np.eye(3)), scipy.coo_matrix(np.eye(3))):
        for call in (
            nf.softmax,
            nf.sigmoid,
            nf.Network([3, 3]).predict,
            lambda x: nf.log_likelihood_cost(x, x),
        ):
            with pytest.raises(
                TypeError, match=r"is a c.._(array|matrix); it must be dense: give its .toarray\(\)"
            ):
                call(x)
