"""How the estimator for scikit-learn is fitted: by L-BFGS, or by mini-batches."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from .. import functional as f
from .._network import _trainers
from .._network._backpropagation import Parameters, for_blas, sum_of_squares
from .._runtime import _inputs
from .._runtime._types import Array
from . import _coordinates, _objective
from ._estimator import Fitted, blocks_of_inputs, plain_column

_DENSE = 1 << 24  # bytes of a sparse array's rows that are made dense at a time


def _in_numpy() -> Any:
    """Arrays of other libraries become NumPy's, also where scikit-learn would dispatch to their library."""
    return config_context(array_api_dispatch=False)


class Fitting(Fitted):
    """What minimises the cost. :class:`nndl_fast.sklearn.SoftmaxClassifier` says what the parameters mean."""

    batch_size: int | str
    learning_rate_init: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    class_weight: dict[Any, float] | str | None
    random_state: Any
    score: Callable[..., float]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # type: ignore[misc]
        if trainer := state.get("_trainer"):
            state["_trainer"] = copy.copy(trainer)  # a copy of the estimator goes on by itself
        return state

    def _validated(self, *given: Any, **options: Any) -> Any:
        """X, or X and y, as scikit-learn takes them; whether X is finite is asked in the network's dtype."""
        options |= {"accept_sparse": "csr", "dtype": [np.float64, np.float32], "ensure_all_finite": False}
        with _in_numpy():
            return validate_data(self, *given, **options)

    def _examples(self, X: Any, y: Any, reset: bool) -> tuple[Any, Array]:
        """To train on, where X has the dtype of the network that is there if that stays."""
        X, y = self._validated(X, plain_column(y, "y"), order="C", reset=reset)
        with _in_numpy():
            check_classification_targets(y)
        X = _inputs.finite(X, X.dtype if reset else self.network_.dtype, "SoftmaxClassifier: X")
        return for_blas(X), y

    def _weights(self, X: Any, y: Array, classes: Array, sample_weight: ArrayLike | None) -> Array:
        """Of each example, its class's weight included."""
        sample_weight = plain_column(sample_weight, "sample_weight")
        with _in_numpy():
            weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
        if not weight.any():
            raise ValueError("SoftmaxClassifier: sample_weight is 0 for every example")
        total, may_be = float(weight.sum(dtype=np.float64)), np.finfo(weight.dtype)
        if not may_be.tiny <= total <= may_be.max:
            raise ValueError(
                f"SoftmaxClassifier: sample_weight has the sum {total}; with X of {X.dtype} it must be from "
                f"{may_be.tiny} to {may_be.max}"
            )
        if self.class_weight is not None:
            of_class = compute_class_weight(self.class_weight, classes=classes, y=y, sample_weight=weight)
            weight = weight * of_class.astype(X.dtype)[np.searchsorted(classes, y)]
            total = float(weight.sum(dtype=np.float64))
            if not (weight.min() >= 0 and may_be.tiny <= total <= may_be.max):
                raise ValueError(
                    f"SoftmaxClassifier: class_weight is {self.class_weight!r}, by which classes weigh "
                    f"{of_class}; with sample_weight that must be finite, at least 0, and not all 0"
                )
        return for_blas(weight)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _start(self, weight: Array) -> None:
        self.loss_curve_: list[float] = []
        self.n_iter_ = 0
        self._total = float(weight.sum(dtype=np.float64))  # what alpha is shared out among
        self._trainer: Any = None

    def _fit_lbfgs(self, X: Any, labels: Array, weight: Array) -> None:
        network, x_parts = self.network_, _coordinates.parts(X.shape[0])
        bounded = _objective.is_bounded(network.sizes) and not sparse.issparse(X)

        def moments(rows: slice) -> _coordinates.Moments:
            return _coordinates.moments(X[rows], weight[rows], bounded)

        def sums(parameters: Parameters) -> _objective.Sums:
            def of(rows: slice) -> _objective.Sums:
                given = X[rows], labels[rows], weight[rows]
                return _objective.cost_and_gradients(parameters, network.hidden, *given)

            return _objective.add_up(mapped(of, x_parts))

        with _objective.in_threads(X.shape[0] * sum(w.size for w in network.weights)) as mapped:
            seen = reduce(_coordinates.Moments.plus, mapped(moments, _objective.quarters(X.shape[0])))
            ended_early = self._minimise(sums, self._total, seen)
        if ended_early:
            self._warn(ended_early, ConvergenceWarning, 3)

    def _fit_mini_batches(self, X: Any, labels: Array, weight: Array) -> None:
        held_out = None
        if self.early_stopping:
            # An accuracy on examples that weigh nothing says nothing, and a class's only example trains.
            examples_of = np.bincount(labels[weight > 0], minlength=len(self.classes_))
            may_be = (weight > 0) & (examples_of > 1)[labels]
            kept, held = train_test_split(
                np.flatnonzero(may_be),
                test_size=self.validation_fraction,
                stratify=labels[may_be],
                random_state=self.network_.rng.integers(2**31),
            )
            held_out = X[held], self.classes_[labels[held]], weight[held]
            kept = np.concatenate([kept, np.flatnonzero(~may_be)])
            X, labels, weight = X[kept], labels[kept], weight[kept]
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
            self._warn("max_iter", ConvergenceWarning, 3)
        if held_out is not None:
            self.network_.parameters = best_parameters
            self.best_validation_score_ = best
        self._trainer.remember()

    def _epoch(self, X: Any, labels: Array, weight: Array) -> None:
        network, n = self.network_, len(labels)
        mini_batch = min(200, n) if self.batch_size == "auto" else min(int(self.batch_size), n)
        rule = self._rule(self._total)
        if self._trainer is None or self._trainer.rule != rule:
            self._trainer = _trainers.trainer_for(network, rule)
        trainer, rate, order = self._trainer, self.learning_rate_init, network.rng.permutation(n)
        parts = None if np.all(weight == weight[0]) else weight / weight.mean()
        if not sparse.issparse(X):
            trainer.run(X, labels, order, mini_batch, rate, parts)
            return
        at_once = max(1, _DENSE // (mini_batch * X.shape[1] * X.dtype.itemsize)) * mini_batch
        for start in range(0, n, at_once):
            some = order[start : start + at_once]
            of_some = None if parts is None else parts[some]
            trainer.run(X[some].toarray(), labels[some], np.arange(len(some)), mini_batch, rate, of_some)

    def _loss(self, X: Any, labels: Array, weight: Array) -> float:
        cost = 0.0
        for rows, z in blocks_of_inputs(X, self.network_):
            of_rows = f.log_likelihood_cost(z, labels[rows], 0, reduction="sum", sample_weight=weight[rows])
            cost += float(of_rows)
        squares = sum_of_squares(self.network_.weights)
        return (cost + 0.5 * self._alpha() * squares) / float(weight.sum(dtype=np.float64))
