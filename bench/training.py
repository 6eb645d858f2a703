"""Training on MNIST by nndl_fast and each of its peers.

``python bench/training.py FOLDER`` prints the microseconds that an example takes each of them, in turn. With
``--whole`` it trains for 30 epochs with nndl_fast and with plain batched NumPy, and prints a table of
accuracies and seconds."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import machine
import measure
import numpy as np
from numpy.typing import NDArray

import nndl_fast as nf

Array = NDArray[Any]
Parameters = tuple[list[Array], list[Array]]  # weights (n, inputs) and biases (n, 1) of each layer
Epoch = Callable[[], Callable[[], Parameters]]  # trains for an epoch; what that returns reads the parameters

MINI_BATCH, ETA, LAMBDA = 10, 0.5, 5.0
EXAMPLES, ROUNDS = 5000, 5
NETWORKS = [(30, 10), (100, 10), (100, 128), (512, 128)]  # hidden neurons, mini-batch
WHOLE_EPOCHS, WHOLE_HIDDEN = 30, [30, 100]

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
    "scikit-learn": epoch_sklearn,
    "example by example": epoch_by_example,
}


def timed_call(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def timed(epoch: Callable[[], object]) -> float:
    """Of the second of two epochs, unless they are long: a core that was idle takes some milliseconds to be
    as fast as it is in a training."""
    measure.wait_for_idle_threads()
    for _ in range(2):
        seconds = timed_call(epoch)
        if seconds > 0.3:
            break
    return seconds / EXAMPLES * 1e6


def medians(x: Array, y: Array, hidden: int, mini_batch: int) -> dict[str, float]:
    """PyTorch with one thread and with all, whichever is faster."""
    import torch

    threads = torch.get_num_threads()
    epochs = {name: make(x, y, hidden, mini_batch) for name, make in EPOCH.items()}
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS + 1):  # the first warms up
        for name, epoch in epochs.items():
            for n in (1, threads) if name == "PyTorch" else (threads,):
                torch.set_num_threads(n)
                found.setdefault(f"{name} {n}" if name == "PyTorch" else name, []).append(timed(epoch))
    times = {name: median(values[1:]) for name, values in found.items()}
    times["PyTorch"] = min(times.pop(f"PyTorch {n}") for n in {1, threads})
    return times


def deep(x: Array, y: Array) -> dict[str, float]:
    """784-512-512-10 with relu and Adam, by 128: PyTorch's adam and ours."""
    import torch

    net = nf.Network([784, 512, 512, 10], hidden="relu", rng=1)
    layers = torch_layers(net)
    model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)

    def epoch_torch() -> None:
        for batch in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[batch]), labels[batch]).backward()
            optimizer.step()

    def epoch_ours() -> None:
        net.SGD((x, y), 1, 128, 0.001, optimizer="adam")

    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS + 1):
        for name, epoch in (("nndl_fast", epoch_ours), ("PyTorch", epoch_torch)):
            found.setdefault(name, []).append(timed(epoch))
    costs = [
        float(torch.nn.functional.cross_entropy(model(inputs), labels).detach()),
        net.total_cost((x, y), 0),
    ]
    if max(costs) > 0.3:  # both have learned
        raise AssertionError(f"costs after {ROUNDS + 1} epochs: {costs}")
    return {name: median(values[1:]) for name, values in found.items()}


def show(title: str, times: dict[str, float]) -> None:
    ours = times["nndl_fast"]
    print(f"{title}: {ours:.2f} microseconds per example", flush=True)
    for name, value in times.items():
        if name != "nndl_fast":
            print(f"    {name:20} {value:8.2f}   {value / ours:6.2f} times ours", flush=True)


def microseconds(folder: str) -> None:
    x, y = nf.datasets.load_mnist(folder)[0]
    x, y = x[:EXAMPLES].copy(), y[:EXAMPLES].astype(np.int64)
    for hidden, mini_batch in NETWORKS:
        times = medians(x, y, hidden, mini_batch)
        show(f"784-{hidden}-10, mini-batches of {mini_batch}", times)
    show("784-512-512-10, relu, Adam, mini-batches of 128", deep(x, y))


def whole(folder: str, sizes: list[int]) -> None:
    """Whole trainings by nndl_fast and by plain batched NumPy."""
    training, validation, test = nf.datasets.load_mnist(folder)
    print(
        "| network | by | best validation accuracy | test accuracy at that epoch | seconds, training alone |"
    )
    print("| --- | --- | --- | --- | --- |")
    for hidden in sizes:
        for name in ("nndl_fast", "NumPy"):
            epoch = EPOCH[name](*training, hidden)
            judge, seconds, history = start(hidden), 0.0, []
            for _ in range(WHOLE_EPOCHS):
                begin = time.perf_counter()
                parameters = epoch()
                seconds += time.perf_counter() - begin
                weights, biases = parameters()
                judge.weights, judge.biases = [np.array(w) for w in weights], [np.array(b) for b in biases]
                history.append((judge.accuracy(validation), judge.accuracy(test)))
            best = max(history)
            shares = best[0] / len(validation[1]), best[1] / len(test[1])
            print(
                f"| 784-{hidden}-10 | {name} | {shares[0]:.2%} | {shares[1]:.2%} | {seconds:.1f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="where MNIST's IDX files are")
    parser.add_argument(
        "--whole",
        type=int,
        nargs="*",
        metavar="HIDDEN",
        help=f"whole trainings, with so many hidden neurons (without a number: {WHOLE_HIDDEN})",
    )
    given = parser.parse_args()
    if given.whole is None:
        microseconds(given.folder)
    else:
        whole(given.folder, given.whole or WHOLE_HIDDEN)


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
