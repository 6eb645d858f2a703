"""The same training as nndl_fast and each of its peers do it: 784-hidden-10, sigmoid hidden layer, softmax
with the log-likelihood cost, L2 regularisation, mini-batches of 10."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nndl_fast as nf

Array = NDArray[Any]
Parameters = tuple[list[Array], list[Array]]  # weights (n, inputs) and biases (n, 1) of each layer
Epoch = Callable[[], Callable[[], Parameters]]  # trains for an epoch; what that returns reads the parameters

MINI_BATCH, ETA, LAMBDA = 10, 0.5, 5.0


def start(hidden: int) -> nf.Network:
    """The same untrained network for everyone who takes one."""
    return nf.Network([784, hidden, 10], rng=1)


def epoch_nndl_fast(x: Array, y: Array, hidden: int) -> Epoch:
    net = start(hidden)

    def epoch() -> Callable[[], Parameters]:
        net.SGD((x, y), 1, MINI_BATCH, ETA, LAMBDA)
        return lambda: (net.weights, net.biases)

    return epoch


def epoch_numpy(x: Array, y: Array, hidden: int) -> Epoch:
    n, net = len(x), start(hidden)
    (w1, w2), (b1, b2) = (w.copy() for w in net.weights), (b.ravel().copy() for b in net.biases)
    rng = np.random.default_rng(2)
    rows = np.arange(MINI_BATCH)
    rate, decay = np.float32(ETA / MINI_BATCH), np.float32(1 - ETA * LAMBDA / n)

    def epoch() -> Callable[[], Parameters]:
        order = rng.permutation(n)
        for first in range(0, n, MINI_BATCH):
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


def epoch_pytorch(x: Array, y: Array, hidden: int) -> Epoch:
    import torch

    n = len(x)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    layers = [torch.nn.Linear(784, hidden), torch.nn.Linear(hidden, 10)]
    net = start(hidden)
    with torch.no_grad():
        for layer, w, b in zip(layers, net.weights, net.biases, strict=True):
            layer.weight.copy_(torch.from_numpy(w))
            layer.bias.copy_(torch.from_numpy(b.ravel()))
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
        for batch in torch.randperm(n, generator=generator).split(MINI_BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[batch]), labels[batch]).backward()
            optimizer.step()
        return lambda: (
            [layer.weight.detach().numpy() for layer in layers],
            [layer.bias.detach().numpy()[:, None] for layer in layers],
        )

    return epoch


def epoch_sklearn(x: Array, y: Array, hidden: int) -> Epoch:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        [hidden],
        activation="logistic",
        solver="sgd",
        alpha=LAMBDA * MINI_BATCH / len(x),  # it divides by the mini-batch, where the book divides by n
        batch_size=MINI_BATCH,
        learning_rate_init=ETA,
        max_iter=1,
        momentum=0,
        random_state=2,
    )

    def epoch() -> Callable[[], Parameters]:
        model.fit(x, y)
        return lambda: ([w.T for w in model.coefs_], [b[:, None] for b in model.intercepts_])

    return epoch


EPOCH: dict[str, Callable[[Array, Array, int], Epoch]] = {
    "nndl_fast": epoch_nndl_fast,
    "NumPy": epoch_numpy,
    "PyTorch": epoch_pytorch,
    "scikit-learn": epoch_sklearn,
}
