"""Whole fits of estimators beside scikit-learn's, in a grid search, and on Dask's arrays of data several
times larger than the workers may hold. What the fits reach is printed (``pytest -s``)."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import measure
import numpy as np
import peers
import pytest
import training
from results import Key

import nndl_fast as nf

pytest.importorskip("sklearn")
pytest.importorskip("scipy")


@lru_cache(maxsize=1)
def images(few: bool) -> tuple[peers.Array, peers.Array]:
    """MNIST's 60,000, or what can be learned instead of them; or some."""
    if folder := training.mnist():
        training_data, more, _ = nf.datasets.load_mnist(folder)
        x, y = (np.concatenate([training_data[i], more[i]]) for i in (0, 1))
    else:
        x, y = training.images()
    return (x[:1000], y[:1000]) if few else (x, y)


def softmax_regression(peer: str, tol: float) -> Any:
    if peer == "nndl_fast":
        from nndl_fast.sklearn import SoftmaxClassifier

        return SoftmaxClassifier(tol=tol, max_iter=2000)
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(solver="lbfgs", tol=tol, max_iter=2000)


def objective(model: Any, x: peers.Array, y: peers.Array) -> float:
    """The sum that both minimise with alpha = C = 1, in float64."""
    z = x.astype(np.float64) @ model.coef_.T + model.intercept_
    cost = float(nf.log_likelihood_cost(z, y, reduction="sum"))
    return cost + 0.5 * float(np.square(model.coef_, dtype=np.float64).sum())


@lru_cache
def reached_by_sklearn(tol: float, few: bool) -> float:
    x, y = images(few)
    return objective(softmax_regression("scikit-learn", tol).fit(x, y), x, y)


@pytest.mark.rounds(3)
@pytest.mark.parametrize("peer", ["nndl_fast", "scikit-learn"])
@pytest.mark.parametrize("tol", [1e-3, 1e-4])
def test_softmax_regression(timed: measure.Timed, installed: str, tol: float) -> None:
    x, y = images(few := timed.benchmark.disabled)
    model = softmax_regression(installed, tol)
    key = Key(f"fit: softmax regression, tol {tol:g}", len(x), 10, installed)
    timed.long(key, lambda: model.fit(x, y), warm_up=0)
    reached, steps = objective(model, x, y), np.ravel(model.n_iter_)[0]
    on_test = ""
    if folder := training.mnist():
        on_test = f", {model.score(*nf.datasets.load_mnist(folder)[2]):.2%} on test"
    print(f"{key.operation}, {installed}: {steps} steps to {reached:.1f}{on_test}")
    if installed == "nndl_fast":  # tol is not the same test in both
        assert reached <= 1.2 * reached_by_sklearn(tol, few)


@pytest.mark.rounds(3)
@pytest.mark.filterwarnings("ignore:.*iterations")  # neither is to converge
@pytest.mark.parametrize("peer", ["nndl_fast", "scikit-learn"])
def test_network(timed: measure.Timed, installed: str) -> None:
    from sklearn.neural_network import MLPClassifier

    from nndl_fast.sklearn import SoftmaxClassifier

    (x, y), _, test = nf.datasets.load_digits()
    make = SoftmaxClassifier if installed == "nndl_fast" else MLPClassifier
    model = make((100,), solver="adam", max_iter=60, n_iter_no_change=1000, random_state=0)
    key = Key("fit: 64-100-10 on the digits, Adam, 60 epochs", len(x), 10, installed)
    assert timed.long(key, lambda: model.fit(x.astype(np.float32), y)).score(*test) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_grid_search(jobs: int) -> None:
    from sklearn.model_selection import GridSearchCV

    x, y = (array[:10_000] for array in training.images())
    search = GridSearchCV(
        softmax_regression("nndl_fast", 1e-4), {"alpha": [0.1, 1, 10, 100]}, cv=3, n_jobs=jobs
    )
    start = time.perf_counter()
    search.fit(x, y)
    print(f"GridSearchCV, 12 fits to 10,000 images, {jobs} processes: {time.perf_counter() - start:.1f} s")
    assert search.best_score_ > 0.85


FEATURES, BLOCKS = 500, 80
LIMIT = 400  # MB per worker


@pytest.mark.slow
def test_beyond_memory(tmp_path: Path) -> None:
    """3.2 GB are written, and fitted to by two workers of 400 MB each, and in memory by one process."""
    dask, da = pytest.importorskip("dask"), pytest.importorskip("dask.array")
    distributed = pytest.importorskip("distributed")
    from nndl_fast import dask as on_dask
    from nndl_fast import sklearn as in_memory

    n, rng = 1_600_000, np.random.default_rng(0)
    rows = n // BLOCKS
    true = rng.standard_normal((FEATURES, 10), np.float32) / 10
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (n, FEATURES))
    y = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.int64, (n,))
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        x[part] = rng.standard_normal((rows, FEATURES), np.float32)
        y[part] = (x[part] @ true + rng.gumbel(size=(rows, 10))).argmax(1)

    def block(name: str, i: int) -> peers.Array:  # within the test, so that workers get it whole
        return np.array(np.load(tmp_path / name, mmap_mode="r")[i * rows : (i + 1) * rows])

    def blocks(name: str, shape: tuple[int, ...], dtype: type) -> Any:
        parts = [dask.delayed(block)(name, i) for i in range(BLOCKS)]
        return da.concatenate([da.from_delayed(part, (rows, *shape), dtype) for part in parts])

    options: dict[str, Any] = {"tol": 1e-5, "alpha": 1.0}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=LIMIT * 10**6) as cluster,
        distributed.Client(cluster),
    ):
        given = blocks("x.npy", (FEATURES,), np.float32), blocks("y.npy", (), np.int64)
        begin = time.perf_counter()
        model = on_dask.SoftmaxClassifier(**options).fit(*given)
        took = time.perf_counter() - begin
    begin = time.perf_counter()
    own = in_memory.SoftmaxClassifier(**options).fit(np.array(x), np.array(y))
    in_memory_took = time.perf_counter() - begin
    print(
        f"{x.nbytes / 1e6:.0f} MB, two workers of {LIMIT} MB: {took:.1f} s, {model.n_iter_} steps; ",
        end="",
    )
    print(
        f"in memory {in_memory_took:.1f} s; the objectives are {abs(model.loss_ / own.loss_ - 1):.1e} apart"
    )
    assert model.loss_ == pytest.approx(own.loss_, rel=1e-6)
    for name in ("x.npy", "y.npy"):  # pytest keeps folders for a while
        (tmp_path / name).unlink()
