"""Each matrix product of a network and of a layer with many classes, ours and NumPy's, in Gflop/s:
``python bench/products.py``. The results are compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import machine
import measure
import numpy as np
from numpy.typing import NDArray

import nndl_fast as nf
from nndl_fast import _core

Array = NDArray[np.float32]
LANES, ROUNDS = 16, 9


class Product(NamedTuple):
    """rows x columns, of so many steps, and what the operands are."""

    what: str
    rows: int
    columns: int
    depth: int
    form: str


PRODUCTS = [
    Product("784-30 by 10, weighted inputs", 10, 30, 784, "forward"),
    Product("784-30 by 10, update", 784, 30, 10, "update"),
    Product("784-100 by 10, weighted inputs", 10, 100, 784, "forward"),
    Product("784-100 by 10, update", 784, 100, 10, "update"),
    Product("784-100 by 128, weighted inputs", 128, 100, 784, "forward"),
    Product("784-100 by 128, update", 784, 100, 128, "update"),
    Product("784-512 by 128, weighted inputs", 128, 512, 784, "forward"),
    Product("784-512 by 128, update", 784, 512, 128, "update"),
    Product("512-512 by 128, weighted inputs", 128, 512, 512, "forward"),
    Product("512-10 by 128, handed down", 128, 512, 10, "forward"),
    Product("192 x 512 x 32000, logits", 32000, 192, 512, "logits"),
    Product("192 x 512 x 32000, gradient of w", 32000, 512, 192, "gradient"),
    Product("192 x 512 x 32000, handed down", 512, 192, 32000, "down"),
]


def panels(matrix: Array) -> Array:
    """(k, n) as (n / LANES, k, LANES), with zeros beyond the last column."""
    k, n = matrix.shape
    whole = np.zeros((k, -(-n // LANES) * LANES), np.float32)
    whole[:, :n] = matrix
    return np.ascontiguousarray(whole.reshape(k, -1, LANES).swapaxes(0, 1))


def ours(product: Product, left: Array, right: Array) -> tuple[Callable[[], Any], Callable[[], Array]]:
    """A call, and what reads its result as (rows, columns). Operands stand as a network has them."""
    m, n, k = product.rows, product.columns, product.depth
    strides = (k, 1, 0)
    if product.form in ("update", "down"):  # of the activations, and of w, as they stand: (k, m)
        left, strides = np.ascontiguousarray(left.T), (1, m, 0)
    elif product.form == "gradient":  # errors with examples in lanes
        left, strides = panels(left), (LANES, 1, m * LANES)
    in_panels = panels(right)
    whole = len(in_panels) * LANES
    out = np.zeros((m, n) if product.form == "gradient" else (whole // LANES, m, LANES), np.float32)
    out_strides, columns = ((n, LANES), n) if product.form == "gradient" else ((LANES, m * LANES), whole)
    arguments = (left, strides, in_panels, (LANES, k * LANES), out, out_strides, (m, columns, k), 0.0)

    def result() -> Array:
        return out if out.ndim == 2 else out.swapaxes(0, 1).reshape(m, -1)[:, :n]

    return lambda: _core.product(*arguments), result


def numpy(product: Product, left: Array, right: Array) -> Callable[[], Any]:
    """In the layouts of NumPy code: w is (neurons, inputs), and an example is a row."""
    if product.form in ("update", "gradient", "down"):
        left = np.ascontiguousarray(left.T).T
    if product.form in ("forward", "logits"):
        right = np.ascontiguousarray(right.T).T
    out = np.empty((product.rows, product.columns), np.float32)
    return lambda: np.matmul(left, right, out=out)


def seconds(call: Callable[[], Any], flops: float) -> float:
    repeats = max(1, int(4e7 / flops))
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def peak() -> float:
    """Fused multiply-adds of one core, in Gflop/s."""
    z = np.ones(50_000_000, np.float32)
    return 2 * z.size / min(seconds(lambda: _core.yardstick("fma", z, z), 1e9) for _ in range(ROUNDS)) / 1e9


def main() -> None:
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    with nf.num_threads(1):
        top = peak()
    print(f"one core's multiply-adds: {top:.1f} Gflop/s; then Gflop/s and share of that")
    for threads in (1, nf.get_num_threads()):
        print(f"{threads} threads")
        for product in PRODUCTS:
            m, n, k = product.rows, product.columns, product.depth
            left, right = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
            call, result = ours(product, left, right)
            ways = {"ours": call, "NumPy": numpy(product, left, right)}
            call()
            np.testing.assert_allclose(result(), ways["NumPy"](), rtol=1e-3, atol=1e-5 * k)
            flops = 2.0 * m * n * k
            times: dict[str, list[float]] = {name: [] for name in ways}
            with nf.num_threads(threads), threadpool_limits(threads):
                for _ in range(ROUNDS):
                    for name, call in ways.items():
                        measure.wait_for_idle_threads()
                        times[name].append(seconds(call, flops))
            speed = {name: flops / median(values) / 1e9 for name, values in times.items()}
            text = "   ".join(f"{name} {s:6.1f} ({s / top / threads:4.0%})" for name, s in speed.items())
            print(f"    {product.what:34} {text}", flush=True)


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
