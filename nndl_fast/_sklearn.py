"""How the estimator for scikit-learn is fitted: by L-BFGS, or by mini-batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from . import _objective, _trainers
from . import functional as f
from ._backpropagation import Parameters, sum_of_squares
from ._estimator import Fitted, blocks_of_inputs
from ._types import Array

_DENSE = 1 << 24  # bytes of a sparse array's rows that are made dense at a time


class Fitting(Fitted):
    """What minimises the cost. :class:`nndl_fast.sklearn.SoftmaxClassifier` says what the parameters mean."""

    batch_size: int | str
    learning_rate_init: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    score: Callable[..., float]

    def _start(self, weight: Array) -> None:
        self.loss_curve_: list[float] = []
        self.n_iter_ = 0
        self._total = float(weight.sum(dtype=np.float64))  # what alpha is shared out among
        self._trainer: Any = None

    def _fit_lbfgs(self, X: Any, labels: Array, weight: Array) -> None:
        network, x_parts = self.network_, _objective.parts(X.shape[0])
        bounded = _objective.is_bounded(network.sizes) and not sparse.issparse(X)

        def products(rows: slice) -> Array:
            return _objective.products_of_features(X[rows], weight[rows])

        def sums(parameters: Parameters) -> _objective.Sums:
            def of(rows: slice) -> _objective.Sums:
                given = X[rows], labels[rows], weight[rows]
                return _objective.cost_and_gradients(parameters, network.hidden, *given)

            return _objective.add_up(mapped(of, x_parts))

        with _objective.in_threads(X.shape[0] * sum(w.size for w in network.weights)) as mapped:
            of_all = sum(mapped(products, _objective.quarters(X.shape[0]))) if bounded else None
            ended_early = self._minimise(sums, self._total, of_all)
        if ended_early:
            self._warn(ended_early)

    def _fit_mini_batches(self, X: Any, labels: Array, weight: Array) -> None:
        held_out = None
        if self.early_stopping:
            X, held_x, labels, held_labels, weight, held_weight = train_test_split(
                X,
                labels,
                weight,
                test_size=self.validation_fraction,
                stratify=labels,
                random_state=self.network_.rng.integers(2**31),
            )
            held_out = held_x, self.classes_[held_labels], held_weight
            self._total = float(weight.sum(dtype=np.float64))
            self.validation_scores_: list[float] = []
        best, best_epoch, best_parameters = -np.inf, 0, self.network_.parameters
        passed = -np.inf  # what the next gain has to pass by tol to count
        for epoch in range(1, self.max_iter + 1):
            self._epoch(X, labels, weight)
            self._note(self._loss(X, labels, weight))
            self.n_iter_, self.loss_ = epoch, self.loss_curve_[-1]
            gain = -self.loss_
            if held_out is not None:
                gain = self.score(*held_out)
                self.validation_scores_.append(gain)
            if gain > best:
                best, best_parameters = gain, self.network_.parameters
            if gain > passed + self.tol:
                passed, best_epoch = gain, epoch
            if epoch - best_epoch >= self.n_iter_no_change:
                break
        else:
            self._warn("max_iter")
        if held_out is not None:
            self.network_.parameters = best_parameters
            self.best_validation_score_ = best

    def _epoch(self, X: Any, labels: Array, weight: Array) -> None:
        network, n = self.network_, len(labels)
        mini_batch = min(200, n) if self.batch_size == "auto" else int(self.batch_size)
        rule = self._rule(self._total)
        if self._trainer is None or self._trainer.rule != rule:
            self._trainer = _trainers.trainer_for(network, rule)
        trainer, rate, order = self._trainer, self.learning_rate_init, network.rng.permutation(n)
        alike = bool(np.all(weight == weight[0]))
        if alike and not sparse.issparse(X):
            trainer.run(X, labels, order, mini_batch, rate)
            return
        width = X.shape[1] + (0 if alike else len(self.classes_))
        at_once = max(1, _DENSE // (mini_batch * width * X.dtype.itemsize)) * mini_batch
        for start in range(0, n, at_once):
            some = order[start : start + at_once]
            x, y, every = X[some], labels[some], np.arange(len(some))
            if not alike:  # a target times a weight is an example times that weight
                y = np.zeros((len(some), len(self.classes_)), X.dtype)
                y[every, labels[some]] = weight[some] / weight.mean()
            trainer.run(x.toarray() if sparse.issparse(x) else x, y, every, mini_batch, rate)

    def _loss(self, X: Any, labels: Array, weight: Array) -> float:
        cost = 0.0
        for rows, z in blocks_of_inputs(X, self.network_):
            of_rows = f.log_likelihood_cost(z, labels[rows], 0, reduction="sum", sample_weight=weight[rows])
            cost += float(of_rows)
        squares = sum_of_squares(self.network_.weights)
        return (cost + 0.5 * self._alpha() * squares) / float(weight.sum(dtype=np.float64))

    def _warn(self, what: str) -> None:
        warnings.warn(
            f"SoftmaxClassifier: {what} came before tol, {self.tol}, in {self.n_iter_} iterations",
            ConvergenceWarning,
            stacklevel=6,  # two decorators are between
        )
