"""Every public function beside the lines of NumPy that it replaces, in small calls: the lines are those that
one finds in programs, of the dtype that the arrays have. And matrix products, whose operands stand as
programs have them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import nndl_fast as nf

Array = NDArray[Any]
Pair = tuple[Callable[[], Any], Callable[[], Any]]  # ours, NumPy's

OPTIMIZERS = ("SGD", "Momentum", "AdaGrad", "RMSprop", "Adam")


class Case(NamedTuple):
    """Weighted inputs of a shape, whose classes stand along an axis, and one-hot targets of a dtype."""

    shape: tuple[int, ...]
    axis: int = -1
    targets: type = np.float64
    dtype: type = np.float64
    slice_of: int = 0  # columns of the array that z is a slice of

    def __str__(self) -> str:
        text = " x ".join(map(str, self.shape)) + (", axis=0" if self.axis == 0 else "")
        text += ", int8 one-hot" if self.targets is np.int8 else ""
        text += f", slice of {self.slice_of}" if self.slice_of else ""
        return text + (", float32" if self.dtype is np.float32 else "")


CASES = [
    Case((10,)),
    Case((10, 1), 0),
    Case((1, 10)),
    Case((128, 10)),
    Case((128, 10), dtype=np.float32),
    Case((128, 100)),
    Case((10, 128), 0),
    Case((100, 128), 0),
    Case((128, 10), targets=np.int8),
    Case((128, 20), slice_of=2600),
]


class Data:
    """What the calls of a case take."""

    def __init__(self, case: Case) -> None:
        rng = np.random.default_rng(0)
        self.axis = axis = case.axis
        self.z: Array = rng.standard_normal(case.shape).astype(case.dtype)
        if case.slice_of:
            self.z = rng.standard_normal((case.shape[0], case.slice_of))[:, 30 : 30 + case.shape[1]]
        self.g: Array = rng.standard_normal(case.shape).astype(case.dtype)
        self.a = nf.softmax(self.z, axis)
        self.h = nf.activate(self.z, "relu")
        self.n = self.z.size // self.z.shape[axis]
        classes = np.arange(self.z.shape[axis]).reshape(
            [-1 if d == axis % self.z.ndim else 1 for d in range(self.z.ndim)]
        )
        labels = rng.integers(self.z.shape[axis], size=self.a.sum(axis).shape)
        targets = case.targets if case.targets is np.int8 else case.dtype
        self.y = (np.expand_dims(labels, axis) == classes).astype(targets)
        self.x, inputs = self.z, self.z.shape[axis]
        self.w: Array = rng.standard_normal((inputs, 10)).astype(case.dtype)
        if axis == 0 and self.z.ndim == 2:
            self.w = np.ascontiguousarray(self.w.T)
        self.b: Array = rng.standard_normal((10, 1) if axis == 0 else 10).astype(case.dtype)
        self.delta = nf.affine(self.x, self.w, self.b, axis=axis)


def softmax(z: Array, axis: int) -> Array:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def cost_numpy(z: Array, y: Array, axis: int, n: int) -> Any:
    return -np.sum(y * np.log(softmax(z, axis))) / n


def both_numpy(z: Array, y: Array, axis: int, n: int) -> Any:
    a = softmax(z, axis)
    return -np.sum(y * np.log(a)) / n, (a - y) / n


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def prime(z: Array) -> Array:
    a = sigmoid(z)
    return a * (1 - a)


def binary(z: Array, y: Array) -> tuple[Any, Array]:
    a = sigmoid(z)
    return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a)), (a - y) / a.size


def backward_numpy(d: Data) -> tuple[Array, Array, Array]:
    if d.axis == 0:
        return d.delta @ d.x.T, d.delta.sum(axis=1, keepdims=True), (d.w.T @ d.delta) * (d.x > 0)
    x, delta = np.atleast_2d(d.x), np.atleast_2d(d.delta)
    return x.T @ delta, delta.sum(axis=0), (d.delta @ d.w.T) * (d.x > 0)


def steps(kind: str, d: Data) -> Pair:
    """A step of an optimizer for a layer's two arrays, each by itself."""
    lr, t = 0.001, 0
    gradients = [np.array(d.g), d.b]
    p, q = ([np.array(d.z, order="C"), d.b.copy()] for _ in range(2))
    m, s = ([np.zeros_like(x) for x in p] for _ in range(2))
    optimizer = getattr(nf.optimizers, kind)(lr)

    def ours() -> tuple[Array, ...]:
        optimizer.step(p, gradients)
        return tuple(p)

    def theirs() -> tuple[Array, ...]:
        nonlocal t
        t += 1
        for i, g in enumerate(gradients):
            if kind == "SGD":
                q[i] -= lr * g
            elif kind == "Momentum":
                m[i] *= 0.9
                m[i] -= lr * g
                q[i] += m[i]
            elif kind == "AdaGrad":
                s[i] += g * g
                q[i] -= lr * g / (np.sqrt(s[i]) + 1e-10)
            elif kind == "RMSprop":
                s[i] *= 0.99
                s[i] += 0.01 * g * g
                q[i] -= lr * g / (np.sqrt(s[i]) + 1e-8)
            else:
                m[i] += (1 - 0.9) * (g - m[i])
                s[i] += (1 - 0.999) * (g * g - s[i])
                q[i] -= lr / (1 - 0.9**t) * m[i] / (np.sqrt(s[i] / (1 - 0.999**t)) + 1e-8)
        return tuple(q)

    return ours, theirs


@cache
def calls(case: Case) -> dict[str, Pair]:
    """Each function's call, and NumPy's."""
    d = Data(case)
    z, y, a, g, h, axis, n = d.z, d.y, d.a, d.g, d.h, d.axis, d.n
    eye = np.eye(z.shape[axis], dtype=z.dtype)
    options: dict[str, Any] = {"axis": axis}

    def dot() -> Any:
        return d.w @ d.x if axis == 0 else d.x @ d.w

    found: dict[str, Pair] = {
        "softmax": (lambda: nf.softmax(z, axis), lambda: softmax(z, axis)),
        "log_softmax": (lambda: nf.log_softmax(z, axis), lambda: np.log(softmax(z, axis))),
        "logsumexp": (lambda: nf.logsumexp(z, axis), lambda: np.log(np.exp(z).sum(axis=axis))),
        "hardmax": (
            lambda: nf.hardmax(z, axis),
            lambda: eye[:, z.argmax(0)] if axis == 0 else eye[z.argmax(-1)],
        ),
        "inverse_softmax": (lambda: nf.inverse_softmax(a, axis, constant=1.0), lambda: np.log(a) + 1.0),
        "softmax_backward": (
            lambda: nf.softmax_backward(a, g, axis),
            lambda: a * (g - (g * a).sum(axis=axis, keepdims=True)),
        ),
        "log_likelihood_cost": (
            lambda: nf.log_likelihood_cost(z, y, **options),
            lambda: cost_numpy(z, y, axis, n),
        ),
        "log_likelihood_delta": (
            lambda: nf.log_likelihood_delta(z, y, **options),
            lambda: (softmax(z, axis) - y) / n,
        ),
        "log_likelihood_cost_and_delta": (
            lambda: nf.log_likelihood_cost_and_delta(z, y, **options),
            lambda: both_numpy(z, y, axis, n),
        ),
        "cost_and_delta_from_activations": (
            lambda: nf.cost_and_delta_from_activations(a, y, axis),
            lambda: (-np.sum(y * np.log(a)) / n, (a - y) / n),
        ),
        "LogLikelihoodCost.fn": (
            lambda: nf.LogLikelihoodCost.fn(a, y),
            lambda: np.sum(np.nan_to_num(-y * np.log(a))),
        ),
        "QuadraticCost.fn": (lambda: nf.QuadraticCost.fn(a, y), lambda: 0.5 * np.linalg.norm(a - y) ** 2),
        "QuadraticCost.delta": (
            lambda: nf.QuadraticCost.delta(z, a, y),
            lambda: (a - y) * prime(z),
        ),
        "CrossEntropyCost.fn": (
            lambda: nf.CrossEntropyCost.fn(a, y),
            lambda: np.sum(np.nan_to_num(-y * np.log(a) - (1 - y) * np.log(1 - a))),
        ),
        "CrossEntropyCost.delta": (lambda: nf.CrossEntropyCost.delta(z, a, y), lambda: a - y),
        "sigmoid": (lambda: nf.sigmoid(z), lambda: sigmoid(z)),
        "sigmoid_prime": (lambda: nf.sigmoid_prime(z), lambda: prime(z)),
        "binary_cross_entropy_cost": (
            lambda: nf.binary_cross_entropy_cost(z, y),
            lambda: binary(z, y)[0],
        ),
        "binary_cross_entropy_delta": (
            lambda: nf.binary_cross_entropy_delta(z, y),
            lambda: (sigmoid(z) - y) / z.size,
        ),
        "binary_cross_entropy_cost_and_delta": (
            lambda: nf.binary_cross_entropy_cost_and_delta(z, y),
            lambda: binary(z, y),
        ),
        "affine": (lambda: nf.affine(d.x, d.w, d.b, axis=axis), lambda: dot() + d.b),
        "affine, relu": (
            lambda: nf.affine(d.x, d.w, d.b, axis=axis, activation="relu"),
            lambda: np.maximum(dot() + d.b, 0),
        ),
        "affine_backward": (
            lambda: nf.affine_backward(d.delta, d.x, d.w, axis=axis, activation="relu"),
            lambda: backward_numpy(d),
        ),
        "matmul": (
            lambda: nf.matmul(d.w, d.x) if axis == 0 else nf.matmul(d.x, d.w),
            dot,
        ),
        "activate, relu": (lambda: nf.activate(z, "relu"), lambda: np.maximum(z, 0)),
        "activate, tanh": (lambda: nf.activate(z, "tanh"), lambda: np.tanh(z)),
        "activation_backward, relu": (lambda: nf.activation_backward(g, h, "relu"), lambda: g * (h > 0)),
        "activation_backward, tanh": (
            lambda: nf.activation_backward(g, h, "tanh"),
            lambda: g * (1 - h * h),
        ),
    }
    if axis == 0 or z.ndim == 1:  # the book's columns
        found["LogLikelihoodCost.delta"] = (
            lambda: nf.LogLikelihoodCost.delta(z, None, y),
            lambda: softmax(z, 0) - y,
        )
    if z.ndim == 2 and axis == -1:
        found["softmax_jacobian"] = (
            lambda: nf.softmax_jacobian(a),
            lambda: a[:, :, None] * (eye - a[:, None, :]),
        )
        found["linear_log_likelihood"] = linear(d)
    return found | {f"{kind}.step": steps(kind, d) for kind in OPTIMIZERS}


def linear(d: Data) -> Pair:
    """A layer's cost and gradients from its inputs."""
    w, b = np.ascontiguousarray(d.w.T), d.b
    labels = np.arange(d.n) % len(b)
    rows = np.arange(d.n)

    def theirs() -> tuple[Any, Array, Array, Array]:
        a = softmax(d.x @ w.T + b, 1)
        cost = -np.log(a[rows, labels]).mean()
        a[rows, labels] -= 1
        a /= d.n
        return cost, a.T @ d.x, a.sum(axis=0), a @ w

    return lambda: nf.linear_log_likelihood(d.x, w, b, labels, gradients=True), theirs


def check(name: str, ours: Any, theirs: Any) -> None:
    """Raises unless the results are the same but for rounding."""
    for one, other in zip(*(x if isinstance(x, tuple) else (x,) for x in (ours, theirs)), strict=True):
        if other is not None:
            np.testing.assert_allclose(
                one, np.reshape(other, np.shape(one)), rtol=2e-4, atol=2e-5, err_msg=name
            )


class Product(NamedTuple):
    """(rows, depth) times (depth, columns); which of them are transposed views."""

    what: str
    rows: int
    columns: int
    depth: int
    transposed: str = ""

    def operands(self, dtype: Any) -> tuple[Array, Array]:
        rng = np.random.default_rng(0)
        left, right = (
            rng.standard_normal(shape[:: -1 if name in self.transposed else 1]).astype(dtype)
            for name, shape in (("left", (self.rows, self.depth)), ("right", (self.depth, self.columns)))
        )
        return left.T if "left" in self.transposed else left, right.T if "right" in self.transposed else right


def of_layer(inputs: int, neurons: int, n: int) -> list[Product]:
    """Weighted inputs by weights in both layouts, the gradient of the weights, the error handed down."""
    name = f"{inputs}-{neurons} by {n}"
    return [
        Product(f"{name}, x w", n, neurons, inputs),
        Product(f"{name}, x w^T", n, neurons, inputs, "right"),
        Product(f"{name}, w x", neurons, n, inputs),
        Product(f"{name}, x^T delta", inputs, neurons, n, "left"),
        Product(f"{name}, delta w^T", n, inputs, neurons, "right"),
    ]


# inputs, neurons, examples
PRODUCT_LAYERS = [
    (784, 30, 10),
    (784, 100, 10),
    (784, 100, 128),
    (784, 512, 128),
    (512, 512, 128),
    (512, 10, 128),
]
PRODUCTS = [product for shape in PRODUCT_LAYERS for product in of_layer(*shape)] + [
    Product("192 x 512 x 32000, logits", 192, 32000, 512, "right"),
    Product("192 x 512 x 32000, gradient of w", 32000, 512, 192, "left"),
    Product("192 x 512 x 32000, handed down", 192, 512, 32000),
]


def product_by(library: str, product: Product, dtype: Any) -> Callable[[], Array]:
    left, right = product.operands(dtype)
    out = np.empty((product.rows, product.columns), dtype)
    if library == "NumPy":
        return lambda: np.matmul(left, right, out=out)
    return lambda: nf.matmul(left, right, out)


def check_product(result: Array, product: Product, dtype: Any) -> None:
    expected = product_by("NumPy", product, dtype)()
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=tolerance * product.depth)
