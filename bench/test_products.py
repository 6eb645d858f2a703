"""The matrix products of a network, ours and NumPy's: the smaller ones of products.py."""

from __future__ import annotations

from typing import Any

import products
import pytest

SMALL = [product for product in products.PRODUCTS if product.rows * product.columns < 1 << 20]


@pytest.mark.parametrize("who", ["ours", "NumPy"])
@pytest.mark.parametrize("product", SMALL, ids=lambda product: product.what)
def test_product(benchmark: Any, product: products.Product, who: str) -> None:
    benchmark.group = product.what
    benchmark(products.ways(product)[who])
