"""Each matrix product of a network and of a layer with many classes, by nf.matmul and by NumPy, in Gflop/s:
``python bench/products.py [float64]``.

The operands stand as programs have them, and the results are compared. After each number of threads it prints
the least ratio and the geometric mean."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import geometric_mean, median
from typing import Any, NamedTuple

import machine
import measure
import numpy as np
from numpy.typing import NDArray

import nndl_fast as nf

Array = NDArray[Any]
ROUNDS = 9


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


PRODUCTS = [
    product
    for shape in (
        (784, 30, 10),
        (784, 100, 10),
        (784, 100, 128),
        (784, 512, 128),
        (512, 512, 128),
        (512, 10, 128),
    )
    for product in of_layer(*shape)
] + [
    Product("192 x 512 x 32000, logits", 192, 32000, 512, "right"),
    Product("192 x 512 x 32000, gradient of w", 32000, 512, 192, "left"),
    Product("192 x 512 x 32000, handed down", 192, 512, 32000),
]


def ways(product: Product, dtype: Any = np.float32) -> dict[str, Callable[[], Array]]:
    left, right = product.operands(dtype)
    ours, theirs = (np.empty((product.rows, product.columns), dtype) for _ in range(2))
    found: dict[str, Callable[[], Array]] = {
        "ours": lambda: nf.matmul(left, right, ours),
        "NumPy": lambda: np.matmul(left, right, out=theirs),
    }
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(found["ours"](), found["NumPy"](), rtol=1e-3, atol=tolerance * product.depth)
    return found


def seconds(call: Callable[[], Any], flops: float) -> float:
    """Per call, after some that are not counted: a processor that slept is slow at first."""
    repeats = max(1, int(2e8 / flops))
    for _ in range(repeats):
        call()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    from threadpoolctl import threadpool_limits

    dtype = np.dtype(sys.argv[1] if len(sys.argv) > 1 else np.float32).type
    print("Gflop/s, and ours over NumPy's")
    for threads in (1, nf.get_num_threads()):
        print(f"{threads} threads")
        ratios = []
        for product in PRODUCTS:
            flops = 2.0 * product.rows * product.columns * product.depth
            times: dict[str, list[float]] = {}
            with nf.num_threads(threads), threadpool_limits(threads):
                for name, call in list(ways(product, dtype).items()) * ROUNDS:
                    measure.wait_for_idle_threads()
                    times.setdefault(name, []).append(seconds(call, flops))
            speed = {name: flops / median(values) / 1e9 for name, values in times.items()}
            ratios.append(speed["ours"] / speed["NumPy"])
            text = "   ".join(f"{name} {s:6.1f}" for name, s in speed.items())
            print(f"    {product.what:34} {text}   {ratios[-1]:5.2f}", flush=True)
        print(f"    the least {min(ratios):.2f}, geometric mean {geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
