"""Every public function beside NumPy's lines, in small calls, and matrix products beside NumPy's."""

from __future__ import annotations

import functions
import measure
import numpy as np
import pytest
from functions import CASES, PRODUCTS, Case, Product

import nndl_fast as nf

CALLS = [(case, name) for case in CASES for name in functions.calls(case)]


@pytest.mark.parametrize("peer", ["nndl_fast", "NumPy"])
@pytest.mark.parametrize(("case", "name"), CALLS, ids=str)
def test_call(timed: measure.Timed, case: Case, name: str, peer: str) -> None:
    ours, theirs = functions.calls(case)[name]
    n, classes = case.shape if len(case.shape) == 2 else (1, *case.shape)
    call = theirs if peer == "NumPy" else ours
    result = timed(f"call: {name}, {case}", peer, n, classes, lambda: call)
    if peer == "nndl_fast" and not name.endswith(".step"):  # a step changes what the next one begins with
        functions.check(name, result, theirs())


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("name", [f"{kind}.step" for kind in functions.OPTIMIZERS])
def test_steps_are_those_of_numpy(case: Case, name: str) -> None:
    ours, theirs = functions.calls.__wrapped__(case)[name]
    for _ in range(3):
        functions.check(name, ours(), theirs())


@pytest.mark.parametrize("peer", ["nndl_fast", "NumPy"])
@pytest.mark.parametrize("threads", sorted({1, nf.get_num_threads()}))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.what)
def test_product(timed: measure.Timed, product: Product, dtype: type, threads: int, peer: str) -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    make = functions.product_by
    name = f"product: {product.what}, {np.dtype(dtype)}, threads: {threads}"
    with nf.num_threads(threads), threadpoolctl.threadpool_limits(threads):
        result = timed(name, peer, product.rows, product.columns, lambda: make(peer, product, dtype))
    if peer == "nndl_fast":
        functions.check_product(result, product, dtype)
