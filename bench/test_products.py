"""The matrix products of a network, ours and NumPy's: the smaller ones of products.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import products
import pytest

SMALL = [product for product in products.PRODUCTS if product.rows * product.columns < 1 << 20]


@pytest.mark.parametrize("who", ["nndl_fast", "NumPy"])
@pytest.mark.parametrize("product", SMALL, ids=lambda product: product.what)
def test_product(benchmark: Any, product: products.Product, who: str) -> None:
    rng = np.random.default_rng(0)
    left = rng.standard_normal((product.rows, product.depth), np.float32)
    right = rng.standard_normal((product.depth, product.columns), np.float32)
    call, result = products.ours(product, left, right)
    theirs = products.numpy(product, left, right)
    call()
    np.testing.assert_allclose(result(), theirs(), rtol=1e-3, atol=1e-5 * product.depth)
    benchmark.group = product.what
    benchmark(call if who == "nndl_fast" else theirs)
