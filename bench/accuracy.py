"""How far the softmax of each library is from the true one, in units in the last place of float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import peers

SHAPES = [(1000, 10), (200, 1000), (10, 32000)]


def rows(kind: str, n: int, classes: int) -> peers.Array:
    rng = np.random.default_rng([n, classes])
    z = rng.standard_normal((n, classes), np.float32)
    if kind == "random":
        return z * np.float32(2)
    if kind == "wide":
        return z * np.float32(25)
    z[np.arange(n), rng.integers(classes, size=n)] += np.float32(30)
    return z


KINDS = {
    "random": "random rows, N(0, 2²)",
    "wide": "wide rows, N(0, 25²)",
    "dominant": "one dominant class, N(0, 1) and +30",
}


def largest_error(a: peers.Array, true: peers.Array) -> float:
    """In units in the last place, over the results that are normal float32 numbers."""
    # The exponent of the true value gives the unit; rounding it to float32 could give the next one's.
    _, exponents = np.frexp(true)
    unit = np.ldexp(1.0, np.maximum(exponents, -125) - 24)
    normal = true >= np.finfo(np.float32).tiny
    return float(np.max(np.abs(a - true)[normal] / unit[normal]))


def errors() -> list[dict[str, Any]]:
    """One record per library, kind of rows and shape."""
    found = []
    for kind in KINDS:
        for n, classes in SHAPES:
            z = rows(kind, n, classes)
            true, _, _ = peers.in_float64(z)
            for library in peers.SOFTMAX:
                if library == peers.OURS[1] or peers.missing(library):
                    continue
                a = np.asarray(peers.SOFTMAX[library](z)(), np.float64)
                found.append(
                    {
                        "rows": kind,
                        "n": n,
                        "classes": classes,
                        "library": library,
                        "ulp": largest_error(a, true),
                    }
                )
    return found
