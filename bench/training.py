"""Training on MNIST by nndl_fast and each of its peers, and what is trained on."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nndl_fast as nf

Array = NDArray[Any]
Parameters = tuple[list[Array], list[Array]]  # weights (n, inputs) and biases (n, 1) of each layer
Epoch = Callable[[], Callable[[], Parameters]]  # trains for an epoch; what that returns reads the parameters

MINI_BATCH, ETA, LAMBDA = 10, 0.5, 5.0
NETWORKS = [(30, 10), (100, 10), (100, 128), (512, 128)]  # hidden neurons, mini-batch


def mnist() -> str | None:
    """The folder of its IDX files, if there is one."""
    return os.environ.get("NNDL_FAST_MNIST")


@cache
def images() -> tuple[Array, Array]:
    """MNIST's training images and labels, or random ones that can be learned."""
    if folder := mnist():
        x, y = nf.datasets.load_mnist(folder)[0]
        return x, y.astype(np.int64)
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=30_000)
    # Ten random images, half covered by noise: an epoch learns them, so a cost that stays up is a fault.
    return (rng.random((10, 784), np.float32)[y] + rng.random((len(y), 784), np.float32)) / 2, y


# The same training by everyone: 784-hidden-10, sigmoid hidden layer, softmax with the log-likelihood cost, L2
# regularisation, mini-batches of 10 unless said otherwise.


def start(hidden: int) -> nf.Network:
    """The same untrained network for everyone who takes one."""
    return nf.Network([784, hidden, 10], rng=1)


def epoch_nndl_fast(x: Array, y: Array, hidden: int, mini_batch: int = MINI_BATCH) -> Epoch:
    net = start(hidden)

    def epoch() -> Callable[[], Parameters]:
        net.SGD((x, y), 1, mini_batch, ETA, LAMBDA)
        return lambda: (net.weights, net.biases)

    return epoch


def epoch_numpy(x: Array, y: Array, hidden: int, mini_batch: int = MINI_BATCH) -> Epoch:
    n, net = len(x), start(hidden)
    (w1, w2), (b1, b2) = (w.copy() for w in net.weights), (b.ravel().copy() for b in net.biases)
    rng = np.random.default_rng(2)
    decay = np.float32(1 - ETA * LAMBDA / n)

    def epoch() -> Callable[[], Parameters]:
        order = rng.permutation(n)
        for first in range(0, n, mini_batch):
            batch = order[first : first + mini_batch]
            rows, rate = np.arange(len(batch)), np.float32(ETA / len(batch))
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


def torch_layers(net: nf.Network) -> list[Any]:
    """PyTorch's linear layers with a copy of the network's parameters."""
    import torch

    layers = []
    with torch.no_grad():
        for w, b in zip(net.weights, net.biases, strict=True):
            layer = torch.nn.Linear(w.shape[1], w.shape[0])
            layer.weight.copy_(torch.from_numpy(w))
            layer.bias.copy_(torch.from_numpy(b.ravel()))
            layers.append(layer)
    return layers


def epoch_pytorch(x: Array, y: Array, hidden: int, mini_batch: int = MINI_BATCH) -> Epoch:
    import torch

    n = len(x)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    layers = torch_layers(start(hidden))
    model = torch.nn.Sequential(layers[0], torch.nn.Sigmoid(), layers[1])
    optimizer = torch.optim.SGD(
        [
            {"params": [layer.weight for layer in layers], "weight_decay": LAMBDA / n},
            {"params": [layer.bias for layer in layers]},
        ],
        lr=ETA,
    )
    generator = torch.Generator().manual_seed(2)

    def epoch() -> Callable[[], Parameters]:
        for batch in torch.randperm(n, generator=generator).split(mini_batch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[batch]), labels[batch]).backward()
            optimizer.step()
        return lambda: (
            [layer.weight.detach().numpy() for layer in layers],
            [layer.bias.detach().numpy()[:, None] for layer in layers],
        )

    return epoch


def epoch_pytorch_alone(x: Array, y: Array, hidden: int, mini_batch: int = MINI_BATCH) -> Epoch:
    """On one thread, which is the faster way for small networks."""
    import torch

    epoch, threads = epoch_pytorch(x, y, hidden, mini_batch), torch.get_num_threads()

    def alone() -> Callable[[], Parameters]:
        torch.set_num_threads(1)
        try:
            return epoch()
        finally:
            torch.set_num_threads(threads)

    return alone


def epoch_sklearn(x: Array, y: Array, hidden: int, mini_batch: int = MINI_BATCH) -> Epoch:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        [hidden],
        activation="logistic",
        solver="sgd",
        alpha=LAMBDA * mini_batch / len(x),  # it divides by the mini-batch, where the book divides by n
        batch_size=mini_batch,
        learning_rate_init=ETA,
        max_iter=1,
        momentum=0,
        random_state=2,
    )

    def epoch() -> Callable[[], Parameters]:
        model.fit(x, y)
        return lambda: ([w.T for w in model.coefs_], [b[:, None] for b in model.intercepts_])

    return epoch


def epoch_by_example(x: Array, y: Array, hidden: int, mini_batch: int = MINI_BATCH) -> Epoch:
    """As the book's network2.py: one example after the other, column vectors of float64, lists of arrays."""
    n, net = len(x), start(hidden)
    weights, biases = ([p.astype(np.float64) for p in side] for side in (net.weights, net.biases))
    examples = [(row.astype(np.float64)[:, None], np.eye(10)[:, [label]]) for row, label in zip(x, y)]
    rng = np.random.default_rng(2)

    def backprop(a: Array, target: Array) -> tuple[list[Array], list[Array]]:
        activations = [a]
        for w, b in zip(weights[:-1], biases[:-1]):
            activations.append(1 / (1 + np.exp(-(w @ activations[-1] + b))))
        z = weights[-1] @ activations[-1] + biases[-1]
        delta = np.exp(z - z.max())
        delta = delta / delta.sum() - target
        nabla_b, nabla_w = [delta], [delta @ activations[-1].T]
        hidden_a = activations[-1]
        delta = (weights[-1].T @ delta) * hidden_a * (1 - hidden_a)
        return [delta, *nabla_b], [delta @ a.T, *nabla_w]

    def epoch() -> Callable[[], Parameters]:
        order = rng.permutation(n)
        for first in range(0, n, mini_batch):
            nabla_b, nabla_w = [np.zeros(b.shape) for b in biases], [np.zeros(w.shape) for w in weights]
            batch = order[first : first + mini_batch]
            for i in batch:
                of_b, of_w = backprop(*examples[i])
                nabla_b = [nb + d for nb, d in zip(nabla_b, of_b)]
                nabla_w = [nw + d for nw, d in zip(nabla_w, of_w)]
            weights[:] = [
                (1 - ETA * LAMBDA / n) * w - ETA / len(batch) * nw for w, nw in zip(weights, nabla_w)
            ]
            biases[:] = [b - ETA / len(batch) * nb for b, nb in zip(biases, nabla_b)]
        return lambda: (list(weights), list(biases))

    return epoch


EPOCH: dict[str, Callable[..., Epoch]] = {
    "nndl_fast": epoch_nndl_fast,
    "NumPy": epoch_numpy,
    "PyTorch": epoch_pytorch,
    "PyTorch, one thread": epoch_pytorch_alone,
    "scikit-learn": epoch_sklearn,
    "example by example": epoch_by_example,
}


# 784-512-512-10 with relu and Adam, by 128.
DEEP, DEEP_MINI_BATCH, DEEP_ETA = [784, 512, 512, 10], 128, 0.001


def deep_nndl_fast(x: Array, y: Array) -> Callable[[], Callable[[], float]]:
    """An epoch; what that returns gives the cost."""
    net = nf.Network(DEEP, hidden="relu", rng=1)

    def epoch() -> Callable[[], float]:
        net.SGD((x, y), 1, DEEP_MINI_BATCH, DEEP_ETA, optimizer="adam")
        return lambda: net.total_cost((x, y), 0)

    return epoch


def deep_pytorch(x: Array, y: Array) -> Callable[[], Callable[[], float]]:
    import torch

    first, second, last = torch_layers(nf.Network(DEEP, hidden="relu", rng=1))
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), last)
    optimizer = torch.optim.Adam(model.parameters(), lr=DEEP_ETA)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    cross_entropy = torch.nn.functional.cross_entropy

    def epoch() -> Callable[[], float]:
        for batch in torch.randperm(len(x)).split(DEEP_MINI_BATCH):
            optimizer.zero_grad()
            cross_entropy(model(inputs[batch]), labels[batch]).backward()
            optimizer.step()
        return lambda: float(cross_entropy(model(inputs), labels).detach())

    return epoch


DEEP_EPOCH = {"nndl_fast": deep_nndl_fast, "PyTorch": deep_pytorch}
