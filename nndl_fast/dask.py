"""Softmax regression and networks on Dask's arrays: data beyond one memory or one machine. It needs the
extra ``dask``.

The functions themselves need nothing from here: ``z.map_blocks(nndl_fast.softmax)``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np

from . import _objective
from . import functional as f
from ._backpropagation import Parameters
from ._blas import one_thread_of_blas
from ._errors import unheard
from ._estimator import Fitted, check_parameters, weighted_inputs
from ._optimizers import Optimizer
from ._trainers import one_at_a_time
from ._types import Array
from .network import Network

# Results that meet in one task of the tree that adds them up.
_ARITY = 8


class SoftmaxClassifier(Fitted):
    """Softmax regression, or a network with a softmax layer, fitted to Dask's arrays.

    The minimum is that of :class:`nndl_fast.sklearn.SoftmaxClassifier` on the same data in one array.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=()
        The number of neurons in each hidden layer; ``()`` means no hidden layer.
    activation : {'relu', 'tanh', 'logistic'}, default='relu'
        The activation of hidden neurons.
    solver : {'lbfgs', 'sgd', 'adam'}, default='lbfgs'
        ``"lbfgs"`` takes all examples in each step. ``"sgd"`` and ``"adam"`` take synchronous mini-batches;
        every block gives its share, which is drawn anew for each step.
    alpha : float, default=1.0
        The strength of the L2 regularisation, at least 0; the book calls it lambda.
    batch_size : int or 'auto', default='auto'
        The number of examples in a step, from all blocks together; ``"auto"`` is 1024. Each block gives one
        at least.
    learning_rate_init : float, default=0.001
        The learning rate of mini-batches.
    momentum : float, default=0.9
        The momentum of ``"sgd"``, at least 0 and less than 1.
    nesterovs_momentum : bool, default=True
        Whether the momentum is Nesterov's.
    max_iter : int, default=200
        The largest number of steps; mini-batches take all of them.
    tol : float, default=1e-4
        L-BFGS ends if no element of the mean cost's gradient is larger.
    random_state : int, optional
        The seed of the first weights of hidden layers and of what is drawn.
    verbose : bool, default=False
        Whether the loss is printed after each step.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_iter_ : int
        The number of steps that were taken.
    loss_ : float
        The minimised cost per example, at the end.
    loss_curve_ : list of float
        The same after each step; with mini-batches, the cost of each.
    network_ : Network
        The :class:`nndl_fast.Network`, which can be saved or trained further.
    coef_, intercept_
        Without hidden layers, the weights and biases, as of :class:`nndl_fast.sklearn.SoftmaxClassifier`.
    coefs_, intercepts_
        The weights and biases of each layer, as there.

    See Also
    --------
    nndl_fast.sklearn.SoftmaxClassifier : The estimator for arrays in memory.

    Notes
    -----
    The estimator minimises the sum of the log-likelihood costs of all examples plus ``alpha`` / 2 times the
    sum of the squares of the weights. In every step the cost and the gradient of each block are computed
    where the block is, and are added up in a tree; only parameters and gradients travel.

    The sum does not depend on which worker did what. So a fit that loses a worker ends with the same bits,
    if the blocks can be made again and the workers are alike (the products in a block are BLAS's).

    Examples
    --------
    >>> import dask.array as da
    >>> from nndl_fast.dask import SoftmaxClassifier
    >>> rng = da.random.default_rng(0)
    >>> x = rng.standard_normal((1000, 2), chunks=(250, 2))
    >>> y = (x[:, 0] > x[:, 1]).astype(int)
    >>> model = SoftmaxClassifier().fit(x, y)
    >>> float((model.predict(x) == y).mean().compute()) > 0.98
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (),
        *,
        activation: str = "relu",
        solver: str = "lbfgs",
        alpha: float = 1.0,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        max_iter: int = 200,
        tol: float = 1e-4,
        random_state: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.verbose = verbose

    @one_at_a_time
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SoftmaxClassifier:
        """Fit to examples and their labels.

        Arrays that are not persisted are made again in every step, for example read from the disk.

        Parameters
        ----------
        X : dask.array.Array of shape (n, n_features)
            The examples, in any blocks of rows.
        y : dask.array.Array or array_like of shape (n,)
            The labels, all of one type.
        sample_weight : dask.array.Array or array_like of shape (n,), optional
            A weight for each example, at least 0.

        Returns
        -------
        SoftmaxClassifier
            The estimator itself.

        Raises
        ------
        ValueError
            If a parameter has a value that it cannot have, if shapes do not fit, if there are fewer than
            two classes, if values are not finite, or if no example has a weight above 0.
        TypeError
            If ``X`` is not a Dask array of real numbers.

        Warns
        -----
        UserWarning
            If ``max_iter`` is reached before ``tol``.
        """
        check_parameters(self)
        X, blocks, y = _blocks(X, y, sample_weight)
        self.classes_ = np.asarray(_computed(da.unique(y)))
        kind = self.classes_.dtype.kind
        if len(self.classes_) < 2 or (
            kind == "f" and not np.array_equal(self.classes_, self.classes_.round())
        ):
            raise ValueError(
                f"SoftmaxClassifier: y has the values {self.classes_[:10]}; they must be labels of two "
                "classes or more"
            )
        self.network_ = self._new_network(X.shape[1], X.dtype, self.random_state)
        self.loss_curve_ = []
        bounded = _objective.is_bounded(self.network_.sizes)
        about = _tree([dask.delayed(_about)(*block, bounded) for block in blocks], _sum_of_abouts)
        if not np.isfinite(about.greatest):
            raise ValueError("SoftmaxClassifier: X has values that are not finite")
        if not (about.least >= 0 and 0 < about.weight < np.inf):
            raise ValueError(
                f"SoftmaxClassifier: sample_weight is {about.least} at least and sums to {about.weight}; "
                "weights must be 0 or above, finite, and not all 0"
            )
        if self.solver == "lbfgs":
            self._fit_lbfgs(blocks, about)
        else:
            self._fit_mini_batches(blocks, about)
        return self

    def predict(self, X: Any) -> Any:
        """Predict the most probable label of each example.

        Parameters
        ----------
        X : dask.array.Array or array_like of shape (n, n_features)
            The examples.

        Returns
        -------
        dask.array.Array or ndarray of shape (n,)
            The labels: a Dask array if ``X`` is one.
        """
        return self._mapped(_predicted, X)

    def predict_proba(self, X: Any) -> Any:
        """Compute the probabilities of the classes, which are the activations of the softmax layer.

        Parameters
        ----------
        X : dask.array.Array or array_like of shape (n, n_features)
            The examples.

        Returns
        -------
        dask.array.Array or ndarray of shape (n, n_classes)
            The probabilities, in the order of ``classes_``: a Dask array if ``X`` is one.
        """
        return self._mapped(_probabilities, X, columns=True)

    def _mapped(self, function: Callable[..., Array], X: Any, columns: bool = False) -> Any:
        if not hasattr(self, "network_"):
            raise AttributeError("SoftmaxClassifier: there is nothing to predict with before fit")
        if np.ndim(X) != 2 or X.shape[1] != self.network_.sizes[0]:
            raise ValueError(
                f"SoftmaxClassifier: X has shape {np.shape(X)}; it must be (n, {self.network_.sizes[0]})"
            )
        if not isinstance(X, da.Array):
            return function(np.asarray(X), self.network_, self.classes_)
        X = _in_rows(X)
        shape: dict[str, Any] = {"drop_axis": 1}
        if columns:
            shape = {"chunks": (X.chunks[0], (len(self.classes_),))}
        meta = np.empty((0,) * (1 + columns), self.network_.dtype if columns else self.classes_.dtype)
        network = dask.delayed(self.network_, traverse=False)
        return X.map_blocks(function, network, self.classes_, dtype=meta.dtype, meta=meta, **shape)

    def _fit_lbfgs(self, blocks: list[Any], about: _About) -> None:
        network, state = self.network_, np.geterr()

        def sums(parameters: Parameters) -> _objective.Sums:
            sent = dask.delayed(parameters, traverse=False)
            of_blocks = [dask.delayed(_sums)(sent, network.hidden, self.classes_, *b) for b in blocks]
            with np.errstate(**state):  # what makes X is the caller's, and may run in this thread
                return _tree(of_blocks, _objective.add_up)  # type: ignore[no-any-return]

        ended_early = self._minimise(sums, about.weight, about.products)
        if ended_early:
            warnings.warn(
                f"SoftmaxClassifier: {ended_early} came before tol, {self.tol}, in {self.n_iter_} iterations",
                stacklevel=4,  # a decorator is between
            )

    def _fit_mini_batches(self, blocks: list[Any], about: _About) -> None:
        network = self.network_
        batch_size = 1024 if self.batch_size == "auto" else int(self.batch_size)
        share = max(1, batch_size // len(blocks))
        optimizer = Optimizer(self._rule(about.weight), network.parameters)
        seeds = np.random.SeedSequence(self.random_state)
        for step in range(self.max_iter):
            sent = dask.delayed(network.parameters, traverse=False)
            of_blocks = [
                dask.delayed(_sums_of_some)(
                    sent, network.hidden, self.classes_, *block, share, (seeds.entropy, step, i)
                )
                for i, block in enumerate(blocks)
            ]
            sums, weight = _tree(of_blocks, _sum_of_some)
            if weight:
                nabla = sums.nabla_b, sums.nabla_w
                network.parameters = optimizer.step(
                    network.parameters, nabla, weight, self.learning_rate_init
                )
                self._note(sums.cost / weight)
        self.n_iter_ = self.max_iter
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan


class _About(NamedTuple):
    """What has to be known of all examples before the first step."""

    weight: float
    least: float
    greatest: float
    products: Array | None


def _blocks(X: Any, y: Any, sample_weight: Any) -> tuple[Any, list[Any], Any]:
    """X and y as Dask's arrays, and for each block of rows what it takes to make its parts."""
    if not isinstance(X, da.Array):
        raise TypeError(
            f"SoftmaxClassifier: X is {type(X)}; it must be a dask.array (see dask.array.from_array)"
        )
    X = _in_rows(X)
    if X.dtype not in (np.float32, np.float64):
        if X.dtype.kind not in "fiu":
            raise TypeError(f"SoftmaxClassifier: X has dtype {X.dtype}; it must hold real numbers")
        X = X.astype(np.float64)
    columns = []
    for name, column in (("y", y), ("sample_weight", sample_weight)):
        if column is None:
            columns.append([None] * X.numblocks[0])
            continue
        column = column if isinstance(column, da.Array) else da.asarray(column)
        if column.ndim != 1 or (not np.isnan(X.shape[0]) and column.shape != X.shape[:1]):
            raise ValueError(
                f"SoftmaxClassifier: {name} has shape {column.shape}; for X of shape {X.shape} "
                f"it must be {X.shape[:1]}"
            )
        if not np.isnan(X.shape[0]):
            column = column.rechunk((X.chunks[0],))
        elif column.numblocks != X.numblocks[:1]:
            raise ValueError(
                f"SoftmaxClassifier: {name} has {column.numblocks[0]} blocks; X, of unknown length, has "
                f"{X.numblocks[0]}, and they must match"
            )
        columns.append(column.to_delayed().tolist())
        y = column if name == "y" else y
    return X, list(zip(X.to_delayed().ravel().tolist(), *columns)), y


def _in_rows(X: Any) -> Any:
    """Blocks of whole rows."""
    if X.ndim != 2:
        raise ValueError(f"SoftmaxClassifier: X has shape {X.shape}; it must be (n, features)")
    return X if X.numblocks[1] == 1 else X.rechunk({1: -1})


def _computed(what: Any) -> Any:
    """On whatever scheduler is there. One in this process has its own threads: BLAS and we take one."""
    with one_thread_of_blas():
        return dask.compute(what)[0]


def _tree(parts: list[Any], add_up: Callable[[list[Any]], Any]) -> Any:
    while len(parts) > 1:
        parts = [dask.delayed(add_up)(parts[i : i + _ARITY]) for i in range(0, len(parts), _ARITY)]
    return _computed(parts[0])


@unheard
def _about(x: Array, y: Array, weight: Array | None, with_products: bool) -> _About:
    for name, column in (("y", y), ("sample_weight", weight)):
        if column is not None and len(column) != len(x):
            raise ValueError(
                f"SoftmaxClassifier: a block of X has {len(x)} examples, and that of {name} {len(column)}"
            )
    weight = _weight(x, weight)
    least, greatest = float(weight.min(initial=0)), float(np.abs(x).max(initial=0))
    good = least >= 0 and np.isfinite(greatest)
    products = _objective.products_of_features(x, weight) if with_products and good else None
    return _About(float(weight.sum(dtype=np.float64)), least, greatest, products)


@unheard
def _sum_of_abouts(abouts: list[_About]) -> _About:
    products = [a.products for a in abouts]
    total = None if any(p is None for p in products) else sum(products)  # type: ignore[arg-type]
    weight, least = sum(a.weight for a in abouts), min(a.least for a in abouts)
    return _About(weight, least, float(np.max([a.greatest for a in abouts])), total)  # type: ignore[arg-type]


def _weight(x: Array, weight: Array | None) -> Array:
    return np.ones(len(x), x.dtype) if weight is None else weight.astype(x.dtype)


@unheard
def _sums(
    parameters: Parameters, hidden: str, classes: Array, x: Array, y: Array, weight: Array | None
) -> _objective.Sums:
    """Of one block, whose labels are among the classes."""
    return _objective.cost_and_gradients(
        parameters, hidden, np.ascontiguousarray(x), np.searchsorted(classes, y), _weight(x, weight)
    )


@unheard
def _sums_of_some(
    parameters: Parameters,
    hidden: str,
    classes: Array,
    x: Array,
    y: Array,
    weight: Array | None,
    share: int,
    seed: tuple[int, ...],
) -> tuple[_objective.Sums, float]:
    rows = np.random.default_rng(seed).integers(0, max(1, len(x)), min(share, len(x)))
    # each stands for as many as the block has of them, so that blocks may be of any length
    times = x.dtype.type(len(x) / max(1, len(rows)))
    some = x[rows]
    weight = _weight(some, None if weight is None else weight[rows]) * times
    return _sums(parameters, hidden, classes, some, y[rows], weight), float(weight.sum(dtype=np.float64))


def _sum_of_some(parts: list[tuple[_objective.Sums, float]]) -> tuple[_objective.Sums, float]:
    sums, weights = zip(*parts)
    return _objective.add_up(sums), sum(weights)


@unheard
def _predicted(x: Array, network: Network, classes: Array) -> Array:
    return np.asarray(classes[weighted_inputs(x, network).argmax(axis=1)])


def _probabilities(x: Array, network: Network, classes: Array) -> Array:
    z = weighted_inputs(x, network)
    return f.softmax(z, out=z)
