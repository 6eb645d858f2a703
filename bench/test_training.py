"""One epoch of 784-30-10 and 784-100-10 over 5,000 examples. ``NNDL_FAST_MNIST`` may name a folder with MNIST
to learn from."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import measure
import numpy as np
import pytest
import training
from training import Array

import nndl_fast as nf

N = 5000


@cache
def examples() -> tuple[Array, Array]:
    if folder := os.environ.get("NNDL_FAST_MNIST"):
        x, y = nf.datasets.load_mnist(folder)[0]
        return x[:N], y[:N]
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=N)
    # Ten random images, half covered by noise: an epoch learns them, so a cost that stays up is a fault.
    images = rng.random((10, 784), np.float32)
    return (images[y] + rng.random((N, 784), np.float32)) / 2, y


def cost(weights: list[Array], biases: list[Array]) -> float:
    """The mean log-likelihood cost without regularisation, by plain NumPy in float64."""
    x, y = examples()
    a = 1 / (1 + np.exp(-(x @ weights[0].T.astype(np.float64) + biases[0].T)))
    z = a @ weights[1].T + biases[1].T
    z -= z.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]))


@pytest.mark.parametrize("peer", training.EPOCH)
@pytest.mark.parametrize("hidden", [30, 100])
def test_training(benchmark: Any, installed: str, hidden: int, interleaved: bool, turn: int) -> None:
    measure.describe(benchmark, f"training 784-{hidden}-10", installed, N, 10)
    net = training.start(hidden)
    before = cost(net.weights, net.biases)
    if not benchmark.disabled:
        measure.wait_for_idle_threads()
    # Every round starts anew: all of them do the same work, and the cost is that of one epoch.
    parameters = benchmark.pedantic(
        lambda epoch: epoch(),
        setup=lambda: ((training.EPOCH[installed](*examples(), hidden),), {}),
        rounds=1 if interleaved else 5,
        warmup_rounds=1,
    )
    if benchmark.stats is not None:  # None with --benchmark-disable
        benchmark.extra_info["microseconds per example"] = benchmark.stats.stats.median / N * 1e6
    after = cost(*parameters())
    # scikit-learn draws its own start, so it is also held to the cost of knowing nothing.
    assert np.isfinite(after) and after < min(before, np.log(10))
