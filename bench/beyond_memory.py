"""The fit on Dask's arrays to data several times larger than what the workers may hold, beside the fit of one
process to the same file: ``python bench/beyond_memory.py FOLDER`` (3.2 GB are written there; minutes)."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import dask
import dask.array as da
import machine
import numpy as np
from distributed import Client, LocalCluster

from nndl_fast import dask as nf_dask
from nndl_fast import sklearn as nf_sklearn

N, FEATURES, CLASSES, BLOCKS = 1_600_000, 500, 10, 80
LIMIT = 400  # MB per worker
TOL, ALPHA = 1e-5, 1.0


def write(folder: Path) -> None:
    rng = np.random.default_rng(0)
    true = rng.standard_normal((FEATURES, CLASSES), np.float32) / 10
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (N, FEATURES))
    y = np.lib.format.open_memmap(folder / "y.npy", "w+", np.int64, (N,))
    for start in range(0, N, N // BLOCKS):
        rows = slice(start, start + N // BLOCKS)
        x[rows] = rng.standard_normal((N // BLOCKS, FEATURES), np.float32)
        y[rows] = (x[rows] @ true + rng.gumbel(size=(N // BLOCKS, CLASSES))).argmax(1)


def block(path: str, i: int) -> np.ndarray:
    rows = slice(i * N // BLOCKS, (i + 1) * N // BLOCKS)
    return np.array(np.load(path, mmap_mode="r")[rows])


def blocks(path: Path, shape: tuple[int, ...], dtype: type) -> da.Array:
    shape = (N // BLOCKS, *shape)
    parts = [dask.delayed(block)(str(path), i) for i in range(BLOCKS)]
    return da.concatenate([da.from_delayed(part, shape, dtype) for part in parts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    write(folder)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=LIMIT * 10**6) as cluster,
        Client(cluster),
    ):
        x, y = blocks(folder / "x.npy", (FEATURES,), np.float32), blocks(folder / "y.npy", (), np.int64)
        start = time.perf_counter()
        model = nf_dask.SoftmaxClassifier(tol=TOL, alpha=ALPHA).fit(x, y)
        took = time.perf_counter() - start
    print(
        f"{x.nbytes / 1e6:.0f} MB in {BLOCKS} blocks, two workers of {LIMIT} MB: {took:.1f} s, "
        f"{model.n_iter_} steps"
    )
    x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
    start = time.perf_counter()
    own = nf_sklearn.SoftmaxClassifier(tol=TOL, alpha=ALPHA).fit(x, y)
    print(f"one process, all in memory: {time.perf_counter() - start:.1f} s, {own.n_iter_} steps")
    print(f"objectives {model.loss_:.9f} and {own.loss_:.9f}: {abs(model.loss_ / own.loss_ - 1):.1e} apart")


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
