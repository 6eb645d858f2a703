"""What the estimators share: their parameters, and what they show of the network that they fitted."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from importlib.metadata import metadata
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from .. import _core
from .._network import _backpropagation
from .._network._backpropagation import Parameters
from .._network._trainers import one_at_a_time
from .._runtime import _inputs
from .._runtime._errors import unheard
from .._runtime._types import Array
from ..network import Network
from . import _objective
from ._coordinates import Moments

P = ParamSpec("P")
S = TypeVar("S")
R = TypeVar("R")

ACTIVATIONS = {"logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
SOLVERS = ("lbfgs", "sgd", "adam")


def _are_neurons(sizes: Any) -> bool:
    sizes = np.atleast_1d(np.asarray(sizes))
    return bool(not sizes.size or (sizes.ndim == 1 and sizes.dtype.kind in "iu" and sizes.min() > 0))


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and bool(value > 0)


_LARGEST = float(np.finfo(np.float64).max)  # larger integers of Python are no floats

RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hidden_layer_sizes": (_are_neurons, "numbers of neurons, each at least 1"),
    "activation": (ACTIVATIONS.__contains__, f"one of {list(ACTIVATIONS)}"),
    "solver": (SOLVERS.__contains__, f"one of {list(SOLVERS)}"),
    "alpha": (lambda value: 0 <= value <= _LARGEST, "finite and at least 0"),
    "batch_size": (lambda value: value == "auto" or _is_count(value), "'auto' or an integer from 1 on"),
    "learning_rate_init": (lambda value: 0 < value <= _LARGEST, "finite and above 0"),
    "momentum": (lambda value: 0 <= value < 1, "at least 0 and less than 1"),
    "max_iter": (_is_count, "an integer from 1 on"),
    "tol": (lambda value: 0 <= value <= _LARGEST or value == np.inf, "at least 0"),
    "validation_fraction": (lambda value: 0 < value < 1, "between 0 and 1"),
    "n_iter_no_change": (_is_count, "an integer from 1 on"),
}


def check_parameters(estimator: Any) -> None:
    """ValueError that names the parameter, what it is and what it must be."""
    for name, (is_right, must_be) in RULES.items():
        if not hasattr(estimator, name):
            continue
        value = getattr(estimator, name)
        try:
            right = is_right(value)
        except (TypeError, ValueError):  # of a type that the question does not fit
            right = False
        if not right:
            raise ValueError(f"SoftmaxClassifier: {name} is {value!r}; it must be {must_be}")


def as_a_whole(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method that trains an estimator, one call at a time: one that raises leaves all as it was."""

    @one_at_a_time
    @wraps(method)
    def whole(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        before = dict(vars(self))
        network, trainer, losses = (before.get(name) for name in ("network_", "_trainer", "loss_curve_"))
        steps = len(losses or ())
        if network is not None:
            parameters, drawn = network.parameters, network.rng.bit_generator.state
        memory = trainer and trainer.memory
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            now = vars(self)  # which is never empty, whoever reads it meanwhile
            for name in now.keys() - before.keys():
                del now[name]
            now.update(before)
            # what a call changes in place
            if network is not None:
                network.parameters, network.rng.bit_generator.state = parameters, drawn
            if trainer is not None:
                trainer.go_on_from(memory)
            if losses is not None:
                del losses[steps:]
            raise

    return whole


def plain_column(column: Any, name: str) -> Any:
    """Returns a nullable column of pandas as its plain counterpart, and all else as it is."""
    dtype: Any = getattr(column, "dtype", None)
    if not (hasattr(dtype, "na_value") and hasattr(column, "isna")):
        return column
    if missing := np.flatnonzero(column.isna())[:1].tolist():
        raise ValueError(f"SoftmaxClassifier: {name} has no value for example {missing[0]}; fill or drop it")
    return column.to_numpy(dtype.numpy_dtype) if hasattr(dtype, "numpy_dtype") else column


def different(labels: Any, name: str) -> Array:
    """The different labels, in order."""
    try:
        return np.unique(labels)
    except TypeError as error:
        types = ", ".join(sorted({type(label).__name__ for label in labels}))
        raise TypeError(
            f"SoftmaxClassifier: {name} has labels of the types {types}; all must be of one, so that they "
            "have an order"
        ) from error


def blocks_of_inputs(
    x: Any, network: Network, name: str = "SoftmaxClassifier: X"
) -> Iterator[tuple[slice, Array]]:
    """Some rows at a time of examples, dense or sparse, and in columns the last layer's weighted inputs.

    Examples that are not finite, as numbers of the network's dtype, are a ValueError.
    """
    parameters = network.parameters
    weighted_inputs_of = _backpropagation.weighted_inputs_of(parameters, network.hidden)
    for rows in _objective.blocks(x, max(network.sizes)):
        part = _inputs.finite(x[rows], network.dtype, name, rows.start)
        if isinstance(part, np.ndarray):
            yield rows, weighted_inputs_of(part).T
        else:
            yield rows, _backpropagation.forward(parameters, network.hidden, part.T)[-1]


@unheard
def weighted_inputs(x: Any, network: Network, *name: str) -> Array:
    """Of the last layer, for examples in rows."""
    z = np.empty((x.shape[0], network.sizes[-1]), network.dtype)
    for rows, columns in blocks_of_inputs(x, network, *name):
        z[rows] = columns.T
    return z


class Fitted:
    """An estimator's network, by the names that scikit-learn has for its parts."""

    # What the link of scikit-learn's HTML representation is made of.
    _doc_link_module = "nndl_fast"

    hidden_layer_sizes: int | Sequence[int]
    activation: str
    solver: str
    alpha: float
    momentum: float
    nesterovs_momentum: bool
    verbose: bool
    max_iter: int
    tol: float
    classes_: Array
    network_: Network
    loss_curve_: list[float]
    n_iter_: int
    loss_: float

    @property
    def _doc_link_template(self) -> str:
        urls = dict(url.split(", ", 1) for url in metadata("nndl_fast").get_all("Project-URL") or [])
        return urls["Documentation"] + "/reference.html#{estimator_module}.{estimator_name}"

    @property
    def coef_(self) -> Array:
        """The weights without hidden layers: (classes, features), or (1, features) with two classes."""
        return self._of_regression(self.network_.weights)

    @property
    def intercept_(self) -> Array:
        """The biases without hidden layers: (classes,), or (1,) with two classes."""
        return self._of_regression(self.network_.biases).ravel()

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each layer, (inputs, neurons); the last has one neuron per class, also with two."""
        return [w.T for w in self.network_.weights]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each layer, (neurons,)."""
        return [b.ravel() for b in self.network_.biases]

    def _of_regression(self, layers: list[Array]) -> Array:
        if len(layers) != 1:
            raise AttributeError(
                "coef_ and intercept_ are there without hidden layers; see coefs_, intercepts_"
            )
        return layers[0][1:] - layers[0][:1] if len(self.classes_) == 2 else layers[0]

    def _sizes(self, features: int) -> list[int]:
        hidden = np.atleast_1d(np.asarray(self.hidden_layer_sizes, int)).tolist()
        return [features, *hidden, len(self.classes_)]

    def _new_network(self, features: int, dtype: Any, seed: Any) -> Network:
        hidden = ACTIVATIONS[self.activation]
        network = Network(self._sizes(features), hidden=hidden, dtype=dtype, rng=np.random.default_rng(seed))
        if len(network.sizes) == 2:  # one minimum, wherever it begins
            network.weights = [np.zeros_like(w) for w in network.weights]
        network.biases = [np.zeros_like(b) for b in network.biases]
        return network

    def _alpha(self) -> float:
        """Of the network's weights: with two classes two rows share what one row would have."""
        regression_of_two = len(self.network_.sizes) == 2 and len(self.classes_) == 2
        return self.alpha * (2 if regression_of_two else 1)

    def _rule(self, total: float) -> _core.Rule:
        """A step of the mini-batch solvers, the examples' weights having that sum."""
        kind = self.solver
        if kind == "sgd" and self.momentum:
            kind = "nesterov" if self.nesterovs_momentum else "momentum"
        momentum = 0.9 if kind == "adam" else float(self.momentum)
        return _core.rule(kind, weight_decay=self._alpha() / total, momentum=momentum)

    def _minimise(
        self,
        sums: Callable[[Parameters], _objective.Sums],
        total: float,
        seen: Moments,
    ) -> str:
        """L-BFGS from where the network is; returns what came before tol, if anything did. ``seen`` are the
        features, with all products where ``_objective.is_bounded`` says so of the cost."""
        options = self._alpha(), self.tol, self.max_iter, seen, self._note
        found = _objective.minimum(sums, self.network_.parameters, total, *options)
        self.network_.parameters = found.parameters
        self.n_iter_, self.loss_ = found.steps, found.cost
        return found.ended_early

    def _warn(self, what: str, kind: type[Warning], decorators: int) -> None:
        """Says to the caller of fit, which has so many decorators, what ended one of its solvers early."""
        message = f"SoftmaxClassifier: {what} came before tol, {self.tol}, in {self.n_iter_} iterations"
        warnings.warn(message, kind, stacklevel=4 + decorators)

    def _note(self, loss: float) -> None:
        if not np.isfinite(loss):
            raise ValueError(
                f"SoftmaxClassifier: the loss is {loss} after iteration {len(self.loss_curve_) + 1}; "
                "a lower learning_rate_init or smaller values in X or sample_weight may help"
            )
        self.loss_curve_.append(loss)
        if self.verbose:
            print(f"Iteration {len(self.loss_curve_)}, loss = {loss:.8f}")
