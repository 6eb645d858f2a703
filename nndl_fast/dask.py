"""Softmax regression and networks on Dask's arrays: data beyond one memory or one machine. It needs the
extra ``dask``.

The functions themselves need nothing from here: ``z.map_blocks(nndl_fast.softmax)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dask
import dask.array as da
import numpy as np

from ._estimators import _dask, _objective
from ._estimators._estimator import Fitted, as_a_whole, check_parameters
from ._network._backpropagation import Parameters
from ._network._trainers import Optimizers
from ._runtime import _inputs
from ._runtime._types import Array


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
        L-BFGS ends if no element of the mean cost's gradient is larger, where the biases are those of
        features with their mean taken away.
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

    The sum does not depend on which worker did what, nor on where a block lies in memory. So a fit that loses
    a worker ends with the same bits, if the blocks can be made again and the workers are alike (the features
    of a block are measured with BLAS before the first step).

    A call that raises, or that Ctrl-C ends, leaves the estimator as it was, with what it had been fitted to
    before.

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

    @as_a_whole
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
            If ``X`` is not a Dask array of real numbers in dense blocks.
        RuntimeError
            If the estimator is being trained by another call.

        Warns
        -----
        UserWarning
            If ``max_iter`` is reached before ``tol``.
        """
        check_parameters(self)
        X, blocks, y = _dask.blocks_of(X, y, sample_weight)
        self.classes_ = np.asarray(_dask.computed(da.unique(y)))
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
        of_blocks = [dask.delayed(_dask.about_block)(*block, bounded) for block in blocks]
        about = _dask.tree(of_blocks, _dask.sum_of_abouts)
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

        Raises
        ------
        ValueError
            If the shape of ``X`` does not fit, or if a value is not finite. Of a Dask array, whose values
            are not known before, that is when the result is computed.
        """
        return self._mapped(_dask.predicted, X)

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

        Raises
        ------
        ValueError
            As for :meth:`predict`.
        """
        return self._mapped(_dask.probabilities, X, columns=True)

    def _mapped(self, function: Callable[..., Array], X: Any, columns: bool = False) -> Any:
        if not hasattr(self, "network_"):
            raise AttributeError("SoftmaxClassifier: there is nothing to predict with before fit")
        features = self.network_.sizes[0]
        if not isinstance(X, da.Array):
            rows = _inputs.as_rows(X, features, None, "SoftmaxClassifier", "X")
            return function(rows, self.network_, self.classes_, "SoftmaxClassifier: X")
        X = _dask.in_rows(X)
        if X.shape[1] != features:
            raise ValueError(f"SoftmaxClassifier: X has shape {X.shape}; it must be (n, {features})")
        shape: dict[str, Any] = {"drop_axis": 1}
        if columns:
            shape = {"chunks": (X.chunks[0], (len(self.classes_),))}
        meta = np.empty((0,) * (1 + columns), self.network_.dtype if columns else self.classes_.dtype)
        network = dask.delayed(self.network_, traverse=False)
        return X.map_blocks(function, network, self.classes_, dtype=meta.dtype, meta=meta, **shape)

    def _fit_lbfgs(self, blocks: list[Any], about: _dask.About) -> None:
        network, state = self.network_, np.geterr()

        def sums(parameters: Parameters) -> _objective.Sums:
            sent = dask.delayed(parameters, traverse=False)
            of_block = dask.delayed(_dask.sums_of_block)
            of_blocks = [of_block(sent, network.hidden, self.classes_, *block) for block in blocks]
            with np.errstate(**state):  # what makes X is the caller's, and may run in this thread
                return _dask.tree(of_blocks, _objective.add_up)  # type: ignore[no-any-return]

        ended_early = self._minimise(sums, about.weight, about.seen)
        if ended_early:
            self._warn(ended_early, UserWarning, 2)

    def _fit_mini_batches(self, blocks: list[Any], about: _dask.About) -> None:
        network = self.network_
        batch_size = 1024 if self.batch_size == "auto" else min(int(self.batch_size), 1 << 62)
        share = max(1, batch_size // len(blocks))
        optimizers = Optimizers(self._rule(about.weight))
        seeds = np.random.SeedSequence(self.random_state)
        for step in range(self.max_iter):
            sent = dask.delayed(network.parameters, traverse=False)
            of_blocks = [
                dask.delayed(_dask.sums_of_some)(
                    sent, network.hidden, self.classes_, *block, share, (seeds.entropy, step, i)
                )
                for i, block in enumerate(blocks)
            ]
            sums, weight = _dask.tree(of_blocks, _dask.sum_of_some)
            if weight:
                nabla = sums.nabla_b, sums.nabla_w
                network.parameters = optimizers.step(
                    network.parameters, nabla, weight, self.learning_rate_init
                )
                self._note(sums.cost / weight)
        self.n_iter_ = self.max_iter
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan
