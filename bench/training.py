"""Microseconds an example of training on MNIST, by everyone in turn, and what the machine needs at least:
``python bench/training.py FOLDER``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import measure
import numpy as np
import trainers
from trainers import Array

import nndl_fast as nf
from nndl_fast import _core

EXAMPLES, ROUNDS = 5000, 5
NETWORKS = [(30, 10), (100, 10), (100, 128), (512, 128)]  # hidden neurons, mini-batch


def floor(hidden: int) -> float:
    """What an example takes at least on one core: the two products of the first layer at the peak of its
    multiply-adds, and 3,136 bytes read from memory."""
    n = 50_000_000
    z, out = np.ones(n, np.float32), np.empty(n, np.float32)
    with nf.num_threads(1):
        per_fma, per_byte = (
            min(timed_call(partial(_core.yardstick, kind, z, out)) for _ in range(ROUNDS)) / count
            for kind, count in (("fma", n), ("copy_past_cache", 8 * n))
        )
    return (2 * 784 * hidden * per_fma + 784 * 4 * per_byte) * 1e6


def timed_call(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def timed(epoch: Callable[[], object]) -> float:
    """Of the second of two epochs, unless they are long: a core that was idle takes some milliseconds to be
    as fast as it is in a training."""
    measure.wait_for_idle_threads()
    for _ in range(2):
        start = time.perf_counter()
        epoch()
        seconds = time.perf_counter() - start
        if seconds > 0.3:
            break
    return seconds / EXAMPLES * 1e6


def medians(x: Array, y: Array, hidden: int, mini_batch: int) -> dict[str, float]:
    """PyTorch with one thread and with all, whichever is faster."""
    import torch

    threads = torch.get_num_threads()
    epochs = {name: make(x, y, hidden, mini_batch) for name, make in trainers.EPOCH.items()}
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
    layers = [torch.nn.Linear(784, 512), torch.nn.Linear(512, 512), torch.nn.Linear(512, 10)]
    with torch.no_grad():
        for layer, w, b in zip(layers, net.weights, net.biases, strict=True):
            layer.weight.copy_(torch.from_numpy(w))
            layer.bias.copy_(torch.from_numpy(b.ravel()))
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


def show(title: str, times: dict[str, float], floor_of: float | None = None) -> None:
    ours = times["nndl_fast"]
    beside = "" if floor_of is None else f", {ours / floor_of:.2f} times one core's floor"
    print(f"{title}: {ours:.2f} microseconds an example{beside}", flush=True)
    for name, value in times.items():
        if name != "nndl_fast":
            print(f"    {name:20} {value:8.2f}   {value / ours:6.2f} times ours", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="where MNIST's IDX files are")
    x, y = nf.datasets.load_mnist(parser.parse_args().folder)[0]
    x, y = x[:EXAMPLES].copy(), y[:EXAMPLES].astype(np.int64)
    for hidden, mini_batch in NETWORKS:
        times = medians(x, y, hidden, mini_batch)
        show(f"784-{hidden}-10, mini-batches of {mini_batch}", times, floor(hidden))
    show("784-512-512-10, relu, Adam, mini-batches of 128", deep(x, y))


if __name__ == "__main__":
    main()
