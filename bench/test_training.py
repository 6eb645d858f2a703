"""One epoch of 784-30-10 and 784-100-10 over 5,000 examples: sigmoid hidden layer, softmax with the
log-likelihood cost, mini-batches of 10. ``NNDL_FAST_MNIST`` may name a folder with MNIST to learn from."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nndl_fast as nf

Array = NDArray[Any]
Parameters = tuple[list[Array], list[Array]]  # weights (n, inputs) and biases (n, 1) of each layer
Epoch = Callable[[], Callable[[], Parameters]]  # trains for an epoch; what that returns reads the parameters

N, MINI_BATCH, ETA, LAMBDA = 5000, 10, 0.5, 5.0


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


def start(hidden: int) -> nf.Network:
    """The same untrained network for everyone who takes one."""
    return nf.Network([784, hidden, 10], rng=1)


def cost(weights: list[Array], biases: list[Array]) -> float:
    """The mean log-likelihood cost without regularisation, by plain NumPy in float64."""
    x, y = examples()
    a = 1 / (1 + np.exp(-(x @ weights[0].T.astype(np.float64) + biases[0].T)))
    z = a @ weights[1].T + biases[1].T
    z -= z.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]))


def epoch_nndl_fast(hidden: int) -> Epoch:
    net = start(hidden)

    def epoch() -> Callable[[], Parameters]:
        net.SGD(examples(), 1, MINI_BATCH, ETA, LAMBDA)
        return lambda: (net.weights, net.biases)

    return epoch


def epoch_numpy(hidden: int) -> Epoch:
    x, y = examples()
    net = start(hidden)
    (w1, w2), (b1, b2) = (w.copy() for w in net.weights), (b.ravel().copy() for b in net.biases)
    rng = np.random.default_rng(2)
    rows = np.arange(MINI_BATCH)
    rate, decay = np.float32(ETA / MINI_BATCH), np.float32(1 - ETA * LAMBDA / N)

    def epoch() -> Callable[[], Parameters]:
        order = rng.permutation(N)
        for first in range(0, N, MINI_BATCH):
            batch = order[first : first + MINI_BATCH]
            inputs = x[batch]
            a = 1 / (1 + np.exp(-(inputs @ w1.T + b1)))
            z = a @ w2.T + b2
            delta = np.exp(z - z.max(axis=1, keepdims=True))
            delta /= delta.sum(axis=1, keepdims=True)
            delta[rows, y[batch]] -= 1
            delta_hidden = (delta @ w2) * a * (1 - a)
            for w, b, error, before in ((w2, b2, delta, a), (w1, b1, delta_hidden, inputs)):
                w *= decay
                w -= rate * (error.T @ before)
                b -= rate * error.sum(axis=0)
        return lambda: ([w1, w2], [b1[:, None], b2[:, None]])

    return epoch


def epoch_pytorch(hidden: int) -> Epoch:
    import torch

    x, y = map(torch.from_numpy, examples())
    layers = [torch.nn.Linear(784, hidden), torch.nn.Linear(hidden, 10)]
    net = start(hidden)
    with torch.no_grad():
        for layer, w, b in zip(layers, net.weights, net.biases, strict=True):
            layer.weight.copy_(torch.from_numpy(w))
            layer.bias.copy_(torch.from_numpy(b.ravel()))
    model = torch.nn.Sequential(layers[0], torch.nn.Sigmoid(), layers[1])
    optimizer = torch.optim.SGD(
        [
            {"params": [layer.weight for layer in layers], "weight_decay": LAMBDA / N},
            {"params": [layer.bias for layer in layers]},
        ],
        lr=ETA,
    )
    generator = torch.Generator().manual_seed(2)

    def epoch() -> Callable[[], Parameters]:
        for batch in torch.randperm(N, generator=generator).split(MINI_BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        return lambda: (
            [layer.weight.detach().numpy() for layer in layers],
            [layer.bias.detach().numpy()[:, None] for layer in layers],
        )

    return epoch


def epoch_sklearn(hidden: int) -> Epoch:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        [hidden],
        activation="logistic",
        solver="sgd",
        alpha=LAMBDA * MINI_BATCH / N,  # it divides by the mini-batch, where the book divides by n
        batch_size=MINI_BATCH,
        learning_rate_init=ETA,
        max_iter=1,
        momentum=0,
        random_state=2,
    )

    def epoch() -> Callable[[], Parameters]:
        model.fit(*examples())
        return lambda: ([w.T for w in model.coefs_], [b[:, None] for b in model.intercepts_])

    return epoch


EPOCH: dict[str, Callable[[int], Epoch]] = {
    "nndl_fast": epoch_nndl_fast,
    "NumPy": epoch_numpy,
    "PyTorch": epoch_pytorch,
    "scikit-learn": epoch_sklearn,
}


@pytest.mark.parametrize("peer", EPOCH)
@pytest.mark.parametrize("hidden", [30, 100])
def test_training(benchmark: Any, installed: str, hidden: int) -> None:
    benchmark.group = f"training 784-{hidden}-10"
    net = start(hidden)
    before = cost(net.weights, net.biases)
    # Every round starts anew: all of them do the same work, and the cost is that of one epoch.
    parameters = benchmark.pedantic(
        lambda epoch: epoch(), setup=lambda: ((EPOCH[installed](hidden),), {}), rounds=5, warmup_rounds=1
    )
    if benchmark.stats is not None:  # None with --benchmark-disable
        benchmark.extra_info["microseconds per example"] = benchmark.stats.stats.median / N * 1e6
    after = cost(*parameters())
    # scikit-learn draws its own start, so it is also held to the cost of knowing nothing.
    assert np.isfinite(after) and after < min(before, np.log(10))
