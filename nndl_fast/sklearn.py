"""Softmax regression and networks as an estimator of scikit-learn. It needs the extra ``sklearn``."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from . import functional as f
from ._estimators._estimator import ACTIVATIONS, as_a_whole, check_parameters, different, weighted_inputs
from ._estimators._sklearn import Fitting
from ._runtime._errors import unheard
from ._runtime._types import Array


def _by_mini_batches(estimator: SoftmaxClassifier) -> bool:
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is there for the solvers 'sgd' and 'adam', not for 'lbfgs'")
    return True


class SoftmaxClassifier(Fitting, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Softmax regression, or a network with hidden layers and a softmax layer, as a scikit-learn estimator.

    Without hidden layers it is multinomial logistic regression, or with two classes the logistic one: the
    same minimum as ``LogisticRegression(C=1 / alpha)``. With hidden layers, three classes or more and the
    solver ``"lbfgs"``, it is what ``MLPClassifier`` minimises with the same ``alpha``. (In mini-batches
    theirs counts n / batch_size times as much.)

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=()
        The number of neurons in each hidden layer; ``()`` means no hidden layer.
    activation : {'relu', 'tanh', 'logistic'}, default='relu'
        The activation of hidden neurons.
    solver : {'lbfgs', 'sgd', 'adam'}, default='lbfgs'
        ``"lbfgs"`` takes all examples in each step, and is the choice without hidden layers. ``"sgd"`` and
        ``"adam"`` take mini-batches, in compiled code.
    alpha : float, default=1.0
        The strength of the L2 regularisation, at least 0; the book calls it lambda.
    class_weight : dict or 'balanced', optional
        Weights by label; ``"balanced"`` gives all classes the same total weight.
    batch_size : int or 'auto', default='auto'
        The size of mini-batches; ``"auto"`` is min(200, n).
    learning_rate_init : float, default=0.001
        The learning rate of mini-batches.
    momentum : float, default=0.9
        The momentum of ``"sgd"``, at least 0 and less than 1.
    nesterovs_momentum : bool, default=True
        Whether the momentum is Nesterov's.
    max_iter : int, default=200
        The largest number of steps of L-BFGS, or of epochs.
    tol : float, default=1e-4
        L-BFGS ends if no element of the mean cost's gradient is larger, where the biases are those of
        features with their mean taken away. Mini-batches end if the loss, or with ``early_stopping`` the
        accuracy on the part left out, has not become better by this much for ``n_iter_no_change`` epochs.
    early_stopping : bool, default=False
        Whether mini-batches leave out a part of the examples that have a weight, which decides when to end.
        The parameters are then those of its best epoch. ``partial_fit`` refuses it.
    validation_fraction : float, default=0.1
        The size of the part that ``early_stopping`` leaves out, as a fraction of the examples.
    n_iter_no_change : int, default=10
        The number of epochs without an improvement after which mini-batches end.
    warm_start : bool, default=False
        Whether ``fit`` begins with the parameters that the last call left.
    random_state : int or numpy.random.RandomState, optional
        The seed of the first weights of hidden layers, of shuffling and of the part left out.
    verbose : bool, default=False
        Whether the loss is printed after each step or epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        The names of the features, if ``X`` has names that are all strings.
    n_iter_ : int
        The number of steps or epochs that were taken.
    loss_ : float
        The minimised cost per example, at the end.
    loss_curve_ : list of float
        The same after each step or epoch.
    validation_scores_ : list of float
        With ``early_stopping``, the accuracies on the part left out.
    best_validation_score_ : float
        With ``early_stopping``, the best of these accuracies.
    network_ : Network
        The :class:`nndl_fast.Network`, which can be saved or trained further.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Without hidden layers, the weights; with two classes they are one row, as those of
        ``LogisticRegression``.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Without hidden layers, the biases.
    coefs_ : list of ndarray of shape (n_inputs, n_neurons)
        The weights of each layer. The last layer has one neuron per class, also with two classes.
    intercepts_ : list of ndarray of shape (n_neurons,)
        The biases of each layer.

    See Also
    --------
    nndl_fast.dask.SoftmaxClassifier : The same for data beyond one memory or one machine.

    Notes
    -----
    The estimator minimises the sum of the log-likelihood costs, equation (80) of the book, of the examples,
    each multiplied by its weight, plus ``alpha`` / 2 times the sum of the squares of the weights (not of
    the biases).

    A call that raises, or that Ctrl-C ends, leaves the estimator as it was, with what it had been fitted to
    before; only a RandomState that was given as ``random_state`` has advanced. Pickles and copies have all
    that the next ``partial_fit`` depends on, what Adam and momentum keep of earlier gradients included.

    float32 input is computed in float32, all else in float64, and so is float32 input with ``"lbfgs"`` if
    features are far from zero for their spread. Sparse input stays sparse in the first layer with
    ``"lbfgs"``, and is made dense some rows at a time with mini-batches. Fits have the same bits for any
    number of threads; with mini-batches on every machine, with ``"lbfgs"`` on machines with the same
    BLAS and SciPy.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from nndl_fast.sklearn import SoftmaxClassifier
    >>> x, y = load_iris(return_X_y=True)
    >>> round(SoftmaxClassifier().fit(x, y).score(x, y), 2)
    0.97
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (),
        *,
        activation: str = "relu",
        solver: str = "lbfgs",
        alpha: float = 1.0,
        class_weight: dict[Any, float] | str | None = None,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        max_iter: int = 200,
        tol: float = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.class_weight = class_weight
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @as_a_whole
    @unheard
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> SoftmaxClassifier:
        """Fit to examples and their labels.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n, n_features)
            The examples.
        y : array_like of shape (n,)
            The labels, all of one type.
        sample_weight : array_like of shape (n,), optional
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
            If labels are of several types.
        RuntimeError
            If the estimator is being trained by another call.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` is reached before ``tol``.
        """
        check_parameters(self)
        X, y = self._examples(X, y, reset=True)
        classes = different(y, "y")
        if len(classes) < 2:
            raise ValueError(f"SoftmaxClassifier: y has one class, {classes[0]}; at least two are needed")
        goes_on = self.warm_start and hasattr(self, "network_") and self._fits(X, classes)
        weight = self._weights(X, y, classes, sample_weight)
        if not goes_on:
            self.classes_ = classes
            self.network_ = self._new_network(X.shape[1], X.dtype, self._seed())
        self._start(weight)
        labels = np.searchsorted(classes, y)
        if self.solver == "lbfgs":
            self._fit_lbfgs(X, labels, weight)
        else:
            self._fit_mini_batches(X, labels, weight)
        return self

    @available_if(_by_mini_batches)  # type: ignore[untyped-decorator]
    @as_a_whole
    @unheard
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> SoftmaxClassifier:
        """Train for one epoch on these examples.

        The method exists only for the solvers ``"sgd"`` and ``"adam"``. In every call ``alpha`` is divided by
        the total weight of the examples of the first call.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n, n_features)
            The examples.
        y : array_like of shape (n,)
            The labels.
        classes : array_like of shape (n_classes,), optional
            All labels that there will be. The first call needs them.
        sample_weight : array_like of shape (n,), optional
            A weight for each example, at least 0.

        Returns
        -------
        SoftmaxClassifier
            The estimator itself.

        Raises
        ------
        ValueError
            If the first call has no ``classes`` or a later one other ones, if ``y`` has a label that is not
            among them, if ``class_weight`` is ``"balanced"`` or ``early_stopping`` is true, which take all
            examples, if values are not finite in the dtype of the first call, or for the reasons of
            :meth:`fit`.
        """
        check_parameters(self)
        first = not hasattr(self, "network_")
        if first and classes is None:
            raise ValueError("partial_fit: classes is None; the first call needs all labels there will be")
        X, y = self._examples(X, y, reset=first)
        known = different(classes, "classes") if first else self.classes_
        if classes is not None and not np.array_equal(different(classes, "classes"), known):
            raise ValueError(f"partial_fit: classes is {classes}; the first call was given {known}")
        unknown = np.setdiff1d(different(y, "y"), known)
        if len(unknown):
            raise ValueError(f"partial_fit: y has {unknown[0]}, which is not among classes")
        if self.early_stopping:
            raise ValueError(
                "partial_fit: early_stopping is True, which takes all examples; set it to False, and end by "
                "the score on examples of your own"
            )
        if self.class_weight == "balanced":
            raise ValueError(
                "partial_fit: class_weight is 'balanced', which takes all examples; give weights"
            )
        weight = self._weights(X, y, known, sample_weight)
        if first:
            self.classes_ = known
            self.network_ = self._new_network(X.shape[1], X.dtype, self._seed())
            self._start(weight)
        labels = np.searchsorted(known, y)
        self._epoch(X, labels, weight)
        self._note(self._loss(X, labels, weight))
        self.n_iter_ += 1
        self.loss_ = self.loss_curve_[-1]
        self._trainer.remember()
        return self

    @unheard
    def decision_function(self, X: Any) -> Array:
        """Compute the weighted inputs of the last layer.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n, n_features)
            The examples.

        Returns
        -------
        ndarray of shape (n, n_classes) or (n,)
            The weighted inputs; with two classes, that of the second less that of the first.
        """
        z = self._weighted_inputs(X)
        return z[:, 1] - z[:, 0] if len(self.classes_) == 2 else z

    def predict(self, X: Any) -> Array:
        """Predict the most probable label of each example.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n, n_features)
            The examples.

        Returns
        -------
        ndarray of shape (n,)
            The labels.
        """
        best = self._weighted_inputs(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> Array:
        """Compute the probabilities of the classes, which are the activations of the softmax layer.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n, n_features)
            The examples.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The probabilities, in the order of ``classes_``.
        """
        z = self._weighted_inputs(X)
        return f.softmax(z, out=z)

    def predict_log_proba(self, X: Any) -> Array:
        """Compute the logarithms of the probabilities.

        The rounding of the probabilities does not affect them.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n, n_features)
            The examples.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The logarithms, in the order of ``classes_``.
        """
        z = self._weighted_inputs(X)
        return f.log_softmax(z, out=z)

    def to_onnx(self, path: str | PathLike[str]) -> None:
        """Write an ONNX model with the outputs of ``predict`` and ``predict_proba``.

        It needs the extra ``onnx``. See :mod:`nndl_fast.onnx`.

        Parameters
        ----------
        path : str or path-like
            The name of the file.
        """
        from ._files._onnx import to_onnx

        check_is_fitted(self, "network_")
        to_onnx(self.network_, path, self.classes_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _fits(self, X: Any, classes: Array) -> bool:
        """Whether the network that is there is the one to go on with."""
        if not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"SoftmaxClassifier: warm_start is True, and y has {classes} instead of {self.classes_}"
            )
        network = self.network_
        shown = network.sizes, network.dtype, network.hidden
        return shown == (self._sizes(X.shape[1]), X.dtype, ACTIVATIONS[self.activation])

    @unheard
    def _weighted_inputs(self, X: Any) -> Array:
        check_is_fitted(self, "network_")
        return weighted_inputs(self._validated(X, reset=False), self.network_)
