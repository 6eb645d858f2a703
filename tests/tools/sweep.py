"""Looks for the largest errors of whole rows, for as long as it is given:
``python tests/tools/sweep.py --minutes 5``. The true values are long double's, or with ``--mpmath`` those of
mpmath at 128 bits, some hundred times as slow.

Prints the largest error of each function in units in the last place (for logsumexp, of the terms that
are added, |max| + ln n), with what it takes to get that row again, and ends with 1 where one is beyond
its bound."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import reference as ref

import nndl_fast as nf
from nndl_fast import _core

# What the docstrings promise. softmax: where the result is a normal number.
BOUNDS = {"softmax": (2, 2), "log_softmax": (4, 6), "cost": (4, 6), "logsumexp": (2, 3)}
SIZES = [1, 2, 3, 5, 10, 16, 17, 40, 100, 128, 129, 200, 1000, 1025, 5000, 128_256]

Rows = np.ndarray[Any, np.dtype[Any]]


def dominated(rng: np.random.Generator, n: int, m: int) -> Rows:
    z = rng.standard_normal((n, m)) * rng.choice([0.1, 1, 3], (n, 1))
    z[np.arange(n), rng.integers(0, m, n)] += rng.uniform(0, 40, n) + np.log(m)
    return z


def near(rng: np.random.Generator, n: int, m: int) -> Rows:
    spread = rng.choice([1e-6, 1e-3, 0.1], (n, 1))
    return rng.uniform(-50, 50, (n, 1)) + rng.standard_normal((n, m)) * spread


def far(rng: np.random.Generator, n: int, m: int) -> Rows:
    return rng.choice([-1, 1], (n, 1)) * 2.0 ** rng.uniform(5, 20, (n, 1)) + rng.standard_normal((n, m)) * 3


KINDS: dict[str, Callable[[np.random.Generator, int, int], Rows]] = {
    "random": lambda rng, n, m: rng.standard_normal((n, m)) * rng.choice([0.1, 1, 2, 5], (n, 1)),
    "wide": lambda rng, n, m: rng.uniform(-1, 1, (n, m)) * rng.choice([30, 90, 1e3, 1e4], (n, 1)),
    "near": near,
    "far": far,
    "dominated": dominated,
    "binades": lambda rng, n, m: (
        np.round(rng.uniform(-20, 0, (n, m))) * np.log(2) + rng.uniform(-1e-3, 1e-3, (n, m))
    ),
}


def rows(seed: int) -> tuple[str, Rows]:
    """A batch of one kind, size and dtype, all told by the seed."""
    rng = np.random.default_rng(seed)
    kind, classes = rng.choice(list(KINDS)), int(rng.choice(SIZES))
    n = max(1, min(2000, 40_000 // classes))
    return str(kind), KINDS[kind](rng, n, classes).astype(rng.choice(["f4", "f8"]))


class Mpmath:
    """The same functions as the reference's, row by row at 128 bits."""

    def __init__(self) -> None:
        import mpmath

        self.mp = mpmath.mp.clone()
        self.mp.prec = 128

    def sums(self, z: Rows) -> Iterator[tuple[Any, list[Any], Any]]:
        """Each row's largest logit, the exponentials below it, and the sum of all of them but one 1."""
        for row in z:
            top = self.mp.mpf(float(row.max()))
            e = [self.mp.exp(float(x) - top) for x in row]
            yield top, e, self.mp.fsum(sorted(e)[:-1])

    def wide(self, rows: list[list[Any]]) -> Rows:
        high = np.array([[float(x) for x in row] for row in rows])
        low = np.array([[float(x - float(x)) for x in row] for row in rows])
        return high.astype(np.longdouble) + low

    def softmax(self, z: Rows) -> Rows:
        return self.wide([[x / (1 + others) for x in e] for _, e, others in self.sums(z)])

    def log_softmax(self, z: Rows) -> Rows:
        logs = [(top, self.mp.log1p(others)) for top, _, others in self.sums(z)]
        return self.wide([[float(x) - top - log for x in row] for row, (top, log) in zip(z, logs)])

    def logsumexp(self, z: Rows) -> Rows:
        return self.wide([[top + self.mp.log1p(others)] for top, _, others in self.sums(z)])[:, 0]


def errors(z: Rows, true: Any = ref) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """The error of each function, row by row."""
    tiny = np.finfo(z.dtype).tiny
    exact = true.softmax(z)
    units = np.abs(nf.softmax(z) - exact) / np.spacing(np.maximum(exact, tiny).astype(z.dtype))
    yield "softmax", np.where(exact >= tiny, units, 0).max(-1)
    exact = true.log_softmax(z)
    unit = np.spacing(np.maximum(np.abs(exact), tiny).astype(z.dtype))
    yield "log_softmax", (np.abs(nf.log_softmax(z) - exact) / unit).max(-1)
    label = np.random.default_rng(0).integers(0, z.shape[-1], len(z))
    cost = nf.log_likelihood_cost(z, label, reduction="none")
    at = np.take_along_axis(-exact, label[:, None], -1)[:, 0]
    yield "cost", np.abs(cost - at) / np.spacing(np.maximum(at, tiny).astype(z.dtype))
    exact = true.logsumexp(z)
    size = (np.abs(z.max(-1)) + np.log(max(2, z.shape[-1]))).astype(z.dtype)
    yield "logsumexp", np.abs(nf.logsumexp(z) - exact) / np.spacing(size)


def sweep(
    seeds: Iterable[int],
    worst: dict[tuple[str, str], tuple[float, str]],
    true: Any = ref,
    logits: float = 1e9,
) -> None:
    """Puts the largest error of each function and dtype, and where it was, into `worst`. Of a batch, so many
    logits at the most, but one row."""
    for seed in seeds:
        kind, z = rows(seed)
        for name, units in errors(z[: max(1, int(logits / z.shape[-1]))], true):
            key = (name, z.dtype.name)
            row = int(np.argmax(units))
            if units[row] > worst.get(key, (-1.0, ""))[0]:
                worst[key] = (float(units[row]), f"seed {seed}, row {row} ({kind}, {z.shape[-1]} classes)")


def beyond(worst: dict[tuple[str, str], tuple[float, str]]) -> list[str]:
    return [
        f"{name} {dtype}: {units:.3f} units at {where}"
        for (name, dtype), (units, where) in worst.items()
        if not units <= BOUNDS[name][dtype == "float64"]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0, help="where to begin")
    parser.add_argument("--mpmath", action="store_true", help="true values from mpmath, of fewer rows")
    arguments = parser.parse_args()
    true, logits = (Mpmath(), 3000) if arguments.mpmath else (ref, 1e9)
    end = time.monotonic() + 60 * arguments.minutes
    worst: dict[tuple[str, str], tuple[float, str]] = {}
    seed = arguments.seed
    while time.monotonic() < end:
        sweep(range(seed, seed + 20), worst, true, logits)
        seed += 20
    print(f"{_core.isa()}: {seed - arguments.seed} batches, the largest error of each function")
    for (name, dtype), (units, where) in sorted(worst.items()):
        print(f"{name:12} {dtype:8} {units:6.3f} units  {where}")
    if found := beyond(worst):
        raise SystemExit("beyond the bound: " + "; ".join(found))


if __name__ == "__main__":
    main()
