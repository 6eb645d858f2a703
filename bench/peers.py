"""What the benchmarks measure: the shapes, their data, a float64 reference to check against, and the same
operations as ``nndl_fast`` and each of its peers do them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import results
from numpy.typing import ArrayLike, NDArray

import nndl_fast as nf

Array = NDArray[Any]
Call = Callable[[], Any]  # what is timed; everything that a peer can prepare is prepared before

# n x classes
SHAPES = [
    (10, 10),
    (128, 10),
    (60000, 10),
    (256, 100),
    (1024, 1000),
    (4096, 1000),
    (256, 32000),
    (64, 128256),
    (1, 1000000),
]

# Float32 of any peer against float64. The shift by the maximum rounds to about 1e-6 of a small activation
# and a long float32 sum drifts further.
RTOL = 2e-5
BLOCK = 1 << 18  # elements that are checked at a time, in cache

# A fresh result in every call, as a user has it, and the same array given as out= again and again.
OURS = [results.OURS, results.OURS_OUT]

MODULES: dict[str, list[str]] = {
    **{name: [] for name in OURS},
    "NumPy": [],
    "example by example": [],
    "SciPy": ["scipy"],
    "PyTorch": ["torch"],
    "PyTorch, one thread": ["torch"],
    "ONNX Runtime": ["onnxruntime", "onnx"],
    "scikit-learn": ["sklearn"],
    "Numba": ["numba"],
    "JAX": ["jax"],
    # of a last layer, beside it
    results.PARTS[0]: [],
    results.PARTS[1]: [],
    results.PARTS[2]: ["torch"],
}


def missing(peer: str) -> list[str]:
    """The modules that this peer needs and that are not installed."""
    return [module for module in MODULES[peer] if find_spec(module) is None]


class Batch(NamedTuple):
    z: Array  # float32, (n, classes)
    y: Array  # int64, (n,)
    a: Array  # float64: the softmax of z
    cost: float  # mean log-likelihood cost
    delta: Array  # its gradient, float64


def in_float64(z: Array) -> tuple[Array, Array, Array]:
    """By plain NumPy: the softmax of z, the logits less their row's maximum, and their exponentials' sums.

    Float64 is 5e8 times as fine as a float32, so its own error does not show."""
    shifted = z.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    a = np.exp(shifted)
    sums = a.sum(axis=1, keepdims=True)
    a /= sums
    return a, shifted, sums


def cost_and_error(z: Array, y: Array) -> tuple[float, Array, Array]:
    """By plain NumPy in float64: the mean log-likelihood cost, its gradient, and the softmax of z."""
    a, shifted, sums = in_float64(z)
    rows = np.arange(len(y))
    delta = a.copy()
    delta[rows, y] -= 1
    delta /= len(y)
    return float(np.mean(np.log(sums[:, 0]) - shifted[rows, y])), delta, a


@lru_cache(maxsize=1)  # one at a time: all nine would hold half a gigabyte
def batch(n: int, classes: int) -> Batch:
    """Seeded logits, N(0, 2^2), and labels, with their results by plain NumPy in float64."""
    rng = np.random.default_rng([n, classes])
    z = rng.standard_normal((n, classes), np.float32) * np.float32(2)
    y = rng.integers(classes, size=n)
    cost, delta, a = cost_and_error(z, y)
    return Batch(z, y, a, cost, delta)


def check_close(actual: Array, expected: Array, rtol: float, atol: float = 0.0) -> None:
    """NumPy's assert_allclose, but in blocks: over 8 million elements it takes longer than all peers do."""
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    step = max(1, BLOCK // expected.shape[1])
    for first in range(0, len(expected), step):
        part = expected[first : first + step]
        error = np.abs(actual[first : first + step] - part)
        if not np.all(error <= atol + rtol * np.abs(part)):  # written so that a NaN is an error
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def check_softmax(activations: ArrayLike, expected: Array) -> None:
    check_close(np.asarray(activations), expected, RTOL)


def check_cost_and_delta(result: tuple[Any, Any], expected: Batch, exact: bool = False) -> None:
    """Takes a mean cost with its gradient, or one cost per example with gradients that are not averaged;
    ``exact`` for float64."""
    cost, delta = (np.asarray(part) for part in result)
    n = len(expected.y)
    if cost.ndim:
        assert cost.shape == (n,)
        cost, delta = cost.mean(dtype=np.float64), delta / n
    rtol = 1e-12 if exact else RTOL
    np.testing.assert_allclose(cost, expected.cost, rtol=rtol)
    # a - 1 cancels where a is near 1, so its error is one of a, not of the difference
    check_close(delta, expected.delta, rtol, atol=(1e-14 if exact else 1e-6) / n)


def softmax_nndl_fast(z: Array, axis: int = -1) -> Call:
    return lambda: nf.softmax(z, axis)


def softmax_nndl_fast_out(z: Array, axis: int = -1) -> Call:
    out = np.empty_like(z)
    return lambda: nf.softmax(z, axis, out=out)


def softmax_numpy(z: Array, axis: int = -1) -> Call:
    def call() -> Array:
        a = np.exp(z - z.max(axis=axis, keepdims=True))
        a /= a.sum(axis=axis, keepdims=True)
        return a

    return call


def softmax_scipy(z: Array, axis: int = -1) -> Call:
    from scipy.special import softmax

    return lambda: softmax(z, axis=axis)


def softmax_pytorch(z: Array, axis: int = -1) -> Call:
    import torch

    if z.dtype.name == "bfloat16":  # which it takes from NumPy only as numbers of 16 bits
        tensor = torch.from_numpy(z.view(np.int16)).view(torch.bfloat16)
    else:
        tensor = torch.from_numpy(z)
    return lambda: torch.softmax(tensor, axis)


def softmax_onnxruntime(z: Array, axis: int = -1, spinning: bool = False) -> Call:
    """With ``spinning``, by a session as people have it."""
    import onnxruntime
    from onnx import TensorProto, helper

    node = helper.make_node("Softmax", ["z"], ["a"], axis=axis)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, z.shape) for name in ("z", "a")]
    graph = helper.make_graph([node], "softmax", ends[:1], ends[1:])
    # An IR version as old as the opset: onnx writes its newest otherwise, which the runtime may not know.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    if not spinning:
        # Its threads would go on spinning between calls, and take the cores from whoever is measured next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"z": z})[0]


def softmax_jax(z: Array, axis: int = -1) -> Call:
    import jax

    compute = jax.jit(jax.nn.softmax, static_argnames="axis")
    on_device = jax.device_put(z)
    return lambda: np.asarray(compute(on_device, axis=axis))  # awaits the result and does not copy it


def cost_and_delta_nndl_fast(z: Array, y: Array) -> Call:
    return lambda: nf.log_likelihood_cost_and_delta(z, y)


def cost_and_delta_nndl_fast_out(z: Array, y: Array) -> Call:
    out = np.empty_like(z)
    return lambda: nf.log_likelihood_cost_and_delta(z, y, out=out)


def cost_and_delta_numpy(z: Array, y: Array) -> Call:
    n = len(y)
    rows = np.arange(n)

    def call() -> tuple[Any, Array]:
        shifted = z - z.max(axis=1, keepdims=True)
        at_label = shifted[rows, y]
        delta = np.exp(shifted, out=shifted)
        sums = delta.sum(axis=1, keepdims=True)
        cost = np.mean(np.log(sums[:, 0]) - at_label)
        delta /= sums * z.dtype.type(n)
        delta[rows, y] -= z.dtype.type(1 / n)
        return cost, delta

    return call


def cost_and_delta_sklearn(z: Array, y: Array) -> Call:
    from sklearn._loss.loss import HalfMultinomialLoss

    loss = HalfMultinomialLoss(n_classes=z.shape[1])
    labels = y.astype(z.dtype)  # exact: below 2^24
    threads = os.cpu_count() or 1
    return lambda: loss.loss_gradient(labels, z, n_threads=threads)


def cost_and_delta_pytorch(z: Array, y: Array) -> Call:
    import torch

    leaf = torch.from_numpy(z).requires_grad_()
    labels = torch.from_numpy(y)

    def call() -> tuple[Any, Any]:
        leaf.grad = None
        cost = torch.nn.functional.cross_entropy(leaf, labels)
        cost.backward()
        return cost.detach(), leaf.grad

    return call


@cache  # compiling takes seconds
def numba_kernel() -> Any:
    from numba import njit, prange

    @njit(parallel=True, fastmath=True)
    def kernel(z, y):  # type: ignore[no-untyped-def]  # Numba infers them
        n, classes = z.shape
        delta = np.empty_like(z)
        costs = np.empty(n, z.dtype)
        for i in prange(n):
            largest = z[i, 0]
            for j in range(1, classes):
                largest = max(largest, z[i, j])
            total = np.float32(0)
            for j in range(classes):
                delta[i, j] = np.exp(z[i, j] - largest)
                total += delta[i, j]
            factor = np.float32(1) / (total * np.float32(n))
            for j in range(classes):
                delta[i, j] *= factor
            delta[i, y[i]] -= np.float32(1) / np.float32(n)
            costs[i] = np.log(total) - (z[i, y[i]] - largest)
        return costs.mean(), delta

    return kernel


def cost_and_delta_numba(z: Array, y: Array) -> Call:
    kernel = numba_kernel()
    return lambda: kernel(z, y)


def cost_and_delta_jax(z: Array, y: Array) -> Call:
    import jax
    import jax.numpy as jnp

    def cost(z: Any, y: Any) -> Any:
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1))

    compute = jax.jit(jax.value_and_grad(cost))
    arguments = jax.device_put(z), jax.device_put(y.astype(np.int32))

    def call() -> tuple[Any, Array]:
        # The array awaits both, as they come from one program; block_until_ready costs 2 µs more.
        value, gradient = compute(*arguments)
        return value, np.asarray(gradient)

    return call


SOFTMAX: dict[str, Callable[..., Call]] = {
    "nndl_fast": softmax_nndl_fast,
    "nndl_fast, out=": softmax_nndl_fast_out,
    "ONNX Runtime": softmax_onnxruntime,
    "PyTorch": softmax_pytorch,
    "JAX": softmax_jax,
    "SciPy": softmax_scipy,
    "NumPy": softmax_numpy,
}

COST_AND_DELTA: dict[str, Callable[[Array, Array], Call]] = {
    "nndl_fast": cost_and_delta_nndl_fast,
    "nndl_fast, out=": cost_and_delta_nndl_fast_out,
    "PyTorch": cost_and_delta_pytorch,
    "scikit-learn": cost_and_delta_sklearn,
    "NumPy": cost_and_delta_numpy,
    "Numba": cost_and_delta_numba,
    "JAX": cost_and_delta_jax,
}


# How far the softmax of each library is from the true one, in units in the last place of float32.
ERROR_SHAPES = [(1000, 10), (200, 1000), (10, 32000)]


def error_rows(kind: str, n: int, classes: int) -> Array:
    rng = np.random.default_rng([n, classes])
    z = rng.standard_normal((n, classes), np.float32)
    if kind == "random":
        return z * np.float32(2)
    if kind == "wide":
        return z * np.float32(25)
    z[np.arange(n), rng.integers(classes, size=n)] += np.float32(30)
    return z


ERROR_KINDS = {
    "random": "random rows, N(0, 2²)",
    "wide": "wide rows, N(0, 25²)",
    "dominant": "one dominant class, N(0, 1) and +30",
}


def largest_error(a: Array, true: Array) -> float:
    """In units in the last place, over the results that are normal float32 numbers."""
    # The exponent of the true value gives the unit; rounding it to float32 could give the next one's.
    _, exponents = np.frexp(true)
    unit = np.ldexp(1.0, np.maximum(exponents, -125) - 24)
    normal = true >= np.finfo(np.float32).tiny
    return float(np.max(np.abs(a - true)[normal] / unit[normal]))


def errors() -> list[dict[str, Any]]:
    """One record per library, kind of rows and shape."""
    found = []
    for kind in ERROR_KINDS:
        for n, classes in ERROR_SHAPES:
            z = error_rows(kind, n, classes)
            true, _, _ = in_float64(z)
            for library in SOFTMAX:
                if library == OURS[1] or missing(library):
                    continue
                a = np.asarray(SOFTMAX[library](z)(), np.float64)
                place = {"rows": kind, "n": n, "classes": classes, "library": library}
                found.append({**place, "ulp": largest_error(a, true)})
    return found
