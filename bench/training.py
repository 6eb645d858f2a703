"""Microseconds an example of training on MNIST, by everyone in turn, and of the step's matrix products alone:
``python bench/training.py FOLDER``."""

from __future__ import annotations

import argparse
import time
from statistics import median

import measure
import numpy as np
import trainers
from trainers import Array

import nndl_fast as nf
from nndl_fast import _training

EXAMPLES, ROUNDS = 5000, 5
NETWORKS = [(30, 10), (100, 10), (100, 128), (512, 128)]  # hidden neurons, mini-batch


def products(hidden: int, mini_batch: int) -> trainers.Epoch:
    """The five products of a step by SciPy's BLAS, as often as an epoch has steps, through its Python door
    (which costs a microsecond each: what is compiled has them for less)."""
    from scipy.linalg.blas import sgemm

    sizes = [(784, hidden), (hidden, 10)]
    rng = np.random.default_rng(0)
    w = [np.asfortranarray(rng.random((n, m), np.float32)) for n, m in sizes]
    a = [np.asfortranarray(rng.random((n, mini_batch), np.float32)) for n, _ in sizes]
    d = [np.asfortranarray(rng.random((m, mini_batch), np.float32)) for _, m in sizes]

    def epoch() -> trainers.Callable[[], trainers.Parameters]:
        for _ in range(0, EXAMPLES, mini_batch):
            for i in (0, 1):
                sgemm(1.0, w[i], a[i], trans_a=1, c=d[i], overwrite_c=1)
            sgemm(1.0, w[1], d[1], c=d[0], overwrite_c=1)
            for i in (0, 1):
                sgemm(-1e-9, a[i], d[i], beta=1.0, trans_b=1, c=w[i], overwrite_c=1)
        return lambda: ([], [])

    return epoch


def timed(epoch: trainers.Epoch) -> float:
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
        with _training.threads_of_blas([784, hidden, 10], mini_batch):
            found.setdefault("products alone", []).append(timed(products(hidden, mini_batch)))
    times = {name: median(values[1:]) for name, values in found.items()}
    times["PyTorch"] = min(times.pop(f"PyTorch {n}") for n in {1, threads})
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="where MNIST's IDX files are")
    x, y = nf.datasets.load_mnist(parser.parse_args().folder)[0]
    x, y = x[:EXAMPLES].copy(), y[:EXAMPLES].astype(np.int64)
    for hidden, mini_batch in NETWORKS:
        times = medians(x, y, hidden, mini_batch)
        ours = times["nndl_fast"]
        print(
            f"784-{hidden}-10, mini-batches of {mini_batch}: {ours:.2f} microseconds an example", flush=True
        )
        for name, value in times.items():
            if name != "nndl_fast":
                print(f"    {name:20} {value:8.2f}   {value / ours:6.2f} times ours", flush=True)


if __name__ == "__main__":
    main()
