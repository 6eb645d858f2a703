"""Hashes of results, which are the same on every machine. ``python tests/tools/hashes.py > tests/hashes.txt``
makes the table that test_same_bits.py compares with, and the core's own test, which needs no Python.

Inputs come from integers and powers of two alone, so that no library's rounding is in them."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import nndl_fast as nf

TABLE = Path(__file__).parents[1] / "hashes.txt"
SIZES = [1, 2, 3, 9, 10, 15, 16, 17, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 4097, 8193]
ROWS = 35  # neither a tile nor half of one
Array = np.ndarray[Any, np.dtype[Any]]


def numbers(count: int, seed: int) -> Array:
    """splitmix64: 64 random bits each."""
    with np.errstate(over="ignore"):
        x = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def inputs(dtype: type[np.floating[Any]], classes: int) -> tuple[Array, Array, Array]:
    """Logits from -8 to 8 times a power of two, with rows of special values; targets from 0 to 1; labels."""
    bits = np.finfo(dtype).nmant + 1
    x, t = (numbers(ROWS * classes, s) >> np.uint64(64 - bits) for s in (1, 2))
    z = (x.astype(np.int64) - (1 << (bits - 1))).astype(dtype).reshape(ROWS, classes) * dtype(
        2.0 ** (4 - bits)
    )
    z *= dtype(2) ** np.array([-20, -3, 0, 1, 4, 10, 16])[np.arange(ROWS) % 7, None].astype(dtype)
    z[3, 0], z[5, -1], z[7], z[9, ::2], z[11] = np.nan, np.inf, -np.inf, -np.inf, -0.0
    targets = t.astype(dtype).reshape(ROWS, classes) * dtype(2.0**-bits)
    return z, targets, (numbers(ROWS, 3) % np.uint64(classes)).astype(np.int64)


def results(z: Array, t: Array, y: Array, axis: int) -> Iterator[tuple[str, Array]]:
    with np.errstate(all="ignore"):
        yield "softmax", nf.softmax(z, axis)
        yield "softmax_c", nf.softmax(z, axis, c=0.7)
        yield "log_softmax", nf.log_softmax(z, axis)
        yield "logsumexp", nf.logsumexp(z, axis)
        yield "hard", nf.softmax(z, axis, c=np.inf)
        yield "backward", nf.softmax_backward(z, t, axis)
        for name, targets in (("labels", y), ("targets", t)):
            cost, delta = nf.log_likelihood_cost_and_delta(z, targets, axis, reduction="none")
            yield from ((f"{name}_cost", cost), (f"{name}_delta", delta))


def digest(array: Array) -> str:
    """CRC-32 of the numbers in C order, least significant byte first; NaNs are all the same."""
    array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    return f"{zlib.crc32(array.astype(array.dtype.newbyteorder('<')).tobytes()):08x}"


def lines(axis: int = -1) -> Iterator[str]:
    """The table's lines, from examples in rows or, with ``axis`` 0, in columns."""
    for dtype in (np.float32, np.float64):
        for classes in SIZES:
            z, t, y = inputs(dtype, classes)
            if axis == 0:
                z, t = np.ascontiguousarray(z.T), np.ascontiguousarray(t.T)
            for name, result in results(z, t, y, axis):
                rows = result.T if axis == 0 else result
                yield f"{np.dtype(dtype).name} {classes} {name} {digest(rows)}"


if __name__ == "__main__":
    sys.stdout.writelines(line + "\n" for line in lines())
