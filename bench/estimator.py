"""SoftmaxClassifier beside scikit-learn's LogisticRegression on MNIST, and in a grid search with two
processes: ``python bench/estimator.py FOLDER`` (of MNIST's IDX files; minutes)."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import machine
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import nndl_fast as nf
from nndl_fast.sklearn import SoftmaxClassifier


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def objective(model: Any, x: Any, y: Any) -> float:
    """The sum that both minimise with alpha = C = 1, in float64."""
    z = x.astype(np.float64) @ model.coef_.T + model.intercept_
    cost = float(nf.log_likelihood_cost(z, y, reduction="sum"))
    return cost + 0.5 * float(np.square(model.coef_, dtype=np.float64).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    (x, y), more, test = nf.datasets.load_mnist(parser.parse_args().folder)
    x, y = np.concatenate([x, more[0]]), np.concatenate([y, more[1]])
    print(f"{len(x)} x {x.shape[1]}, {x.dtype}, 10 classes")
    for tol in (1e-3, 1e-4):
        peer = LogisticRegression(solver="lbfgs", tol=tol, max_iter=2000)
        took, _ = seconds(partial(peer.fit, x, y))
        goal = objective(peer, x, y)
        said = f"LogisticRegression, tol {tol:g}: {took:.1f} s, {peer.n_iter_[0]} steps, {goal:.1f}"
        print(f"{said}, {peer.score(*test):.2%} on test", flush=True)
        # to the same objective: the first tolerance that reaches it
        for own_tol in (tol * 3, tol, tol / 3):
            own = SoftmaxClassifier(tol=own_tol, max_iter=2000)
            own_took, _ = seconds(partial(own.fit, x, y))
            reached = objective(own, x, y)
            said = f"    SoftmaxClassifier, tol {own_tol:.1e}: {own_took:.1f} s, {own.n_iter_} steps"
            said += f", {reached:.1f}"
            print(f"{said}, {own.score(*test):.2%} on test; {took / own_took:.1f} times as fast", flush=True)
            if reached <= goal * (1 + 1e-4):
                break
    x, y = x[:10_000], y[:10_000]
    for jobs in (1, 2, 1, 2):
        search = GridSearchCV(SoftmaxClassifier(), {"alpha": [0.1, 1, 10, 100]}, cv=3, n_jobs=jobs)
        took, _ = seconds(partial(search.fit, x, y))
        print(f"GridSearchCV, 12 fits to 10,000 images, {jobs} processes: {took:.1f} s")


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
