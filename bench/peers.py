"""What the benchmarks measure: the shapes, their data, a float64 reference to check against, and the same
operations as ``nndl_fast`` and each of its peers do them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
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

MODULES = {
    "nndl_fast": ["nndl_fast"],
    "NumPy": ["numpy"],
    "SciPy": ["scipy"],
    "PyTorch": ["torch"],
    "ONNX Runtime": ["onnxruntime", "onnx"],
    "scikit-learn": ["sklearn"],
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


@lru_cache(maxsize=1)  # one at a time: all nine would hold half a gigabyte
def batch(n: int, classes: int) -> Batch:
    """Seeded logits, N(0, 2^2), and labels, with their results by plain NumPy in float64."""
    rng = np.random.default_rng([n, classes])
    z = rng.standard_normal((n, classes), np.float32) * np.float32(2)
    y = rng.integers(classes, size=n)
    shifted = z.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    a = np.exp(shifted)
    sums = a.sum(axis=1, keepdims=True)
    a /= sums
    rows = np.arange(n)
    cost = float(np.mean(np.log(sums[:, 0]) - shifted[rows, y]))
    delta = a.copy()
    delta[rows, y] -= 1
    delta /= n
    return Batch(z, y, a, cost, delta)


def check_softmax(activations: ArrayLike, expected: Array) -> None:
    np.testing.assert_allclose(np.asarray(activations), expected, rtol=RTOL, atol=0)


def check_cost_and_delta(result: tuple[Any, Any], expected: Batch) -> None:
    """Takes a mean cost with its gradient, or one cost an example with gradients that are not averaged."""
    cost, delta = (np.asarray(part) for part in result)
    n = len(expected.y)
    if cost.ndim:
        assert cost.shape == (n,)
        cost, delta = cost.mean(dtype=np.float64), delta / n
    np.testing.assert_allclose(cost, expected.cost, rtol=RTOL)
    # a - 1 cancels where a is near 1, so its error is one of a, not of the difference
    np.testing.assert_allclose(delta, expected.delta, rtol=RTOL, atol=1e-6 / n)


def softmax_nndl_fast(z: Array, axis: int = -1) -> Call:
    return lambda: nf.softmax(z, axis)


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

    tensor = torch.from_numpy(z)
    return lambda: torch.softmax(tensor, axis)


def softmax_onnxruntime(z: Array, axis: int = -1) -> Call:
    import onnxruntime
    from onnx import TensorProto, helper

    node = helper.make_node("Softmax", ["z"], ["a"], axis=axis)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, z.shape) for name in ("z", "a")]
    graph = helper.make_graph([node], "softmax", ends[:1], ends[1:])
    # An IR version as old as the opset: onnx writes its newest otherwise, which the runtime may not know.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    # Its threads would go on spinning between calls, and take the cores from whoever is measured next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"z": z})[0]


def cost_and_delta_nndl_fast(z: Array, y: Array) -> Call:
    return lambda: nf.log_likelihood_cost_and_delta(z, y)


def cost_and_delta_numpy(z: Array, y: Array) -> Call:
    n = len(y)
    rows = np.arange(n)

    def call() -> tuple[Any, Array]:
        shifted = z - z.max(axis=1, keepdims=True)
        at_label = shifted[rows, y]
        delta = np.exp(shifted, out=shifted)
        sums = delta.sum(axis=1, keepdims=True)
        cost = np.mean(np.log(sums[:, 0]) - at_label)
        delta /= sums * np.float32(n)
        delta[rows, y] -= np.float32(1 / n)
        return cost, delta

    return call


def cost_and_delta_sklearn(z: Array, y: Array) -> Call:
    from sklearn._loss.loss import HalfMultinomialLoss

    loss = HalfMultinomialLoss(n_classes=z.shape[1])
    labels = y.astype(np.float32)  # exact: below 2^24
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


SOFTMAX: dict[str, Callable[..., Call]] = {
    "nndl_fast": softmax_nndl_fast,
    "NumPy": softmax_numpy,
    "SciPy": softmax_scipy,
    "PyTorch": softmax_pytorch,
    "ONNX Runtime": softmax_onnxruntime,
}

COST_AND_DELTA: dict[str, Callable[[Array, Array], Call]] = {
    "nndl_fast": cost_and_delta_nndl_fast,
    "NumPy": cost_and_delta_numpy,
    "scikit-learn": cost_and_delta_sklearn,
    "PyTorch": cost_and_delta_pytorch,
}
