"""A network with the contract of the book's ``network2.Network``, whose mini-batches are arrays.

Examples stand in columns inside (``w @ a + b``, as in the book) and in rows in the arrays that a
caller hands over.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _backpropagation, _core, _inputs, _progress, _serialization, _trainers
from . import functional as f
from ._layers import Layers
from .costs import CrossEntropyCost, LogLikelihoodCost

Array = NDArray[Any]
Data = tuple[ArrayLike, ArrayLike] | Iterable[tuple[ArrayLike, ArrayLike]]
Callback = Callable[[int, dict[str, float]], object]

# Columns, and bytes of the widest layer, that go through the network at a time where nothing is learned.
_COLUMNS, _BYTES = 4096, 32 << 20

_NO_NUMBERS = "weights or biases are NaN or infinite"


class Network(Layers):
    """A feedforward network that is trained by stochastic gradient descent.

    It has the methods of the book's ``network2.Network``, with mini-batches as arrays.

    Parameters
    ----------
    sizes : sequence of int
        The numbers of neurons in each layer, the inputs first: ``[784, 30, 10]``.
    cost : class, default=LogLikelihoodCost
        A class with ``fn(a, y)`` and ``delta(z, a, y)`` as in ``network2.py``; see
        :mod:`nndl_fast.costs`. With :class:`LogLikelihoodCost` the output layer is softmax; with
        another it is sigmoid, or what the class's own ``activation`` says.
    hidden : {'sigmoid', 'tanh', 'relu'}, default='sigmoid'
        The activation of the hidden layers.
    dtype : dtype, default=float32
        The dtype of the parameters and of all that is computed, float32 or float64.
    rng : numpy.random.Generator or int, optional
        A generator or a seed, for the initial parameters and for shuffling.
    classes : iterable of str or of numbers, optional
        The labels of the output neurons in their order, which then stand in the data and in what
        :meth:`predict` returns. Without them the labels are 0, 1, 2, ...

    Attributes
    ----------
    sizes : list of int
        The numbers of neurons in each layer.
    num_layers : int
        The number of layers.
    cost, hidden, dtype, rng
        The arguments of these names.

    Raises
    ------
    ValueError
        If an argument has another value than those above.
    TypeError
        If ``classes`` has something else than strings or numbers.

    See Also
    --------
    load : Load a network from a file.

    Notes
    -----
    Training replaces the arrays in ``biases`` and ``weights``, and never changes one in place.

    The same seed, data and options give the same network, bit for bit, on every machine and for any number
    of threads (with the same version of NumPy, whose generator may change with it).

    Examples
    --------
    >>> import nndl_fast as nf
    >>> net = nf.Network([64, 16, 10], rng=0)
    >>> training, validation, test = nf.datasets.load_digits()
    >>> lists = net.SGD(training, 10, 10, 0.5)
    >>> net.accuracy(test) / len(test[1]) > 0.9
    True
    """

    def __init__(
        self,
        sizes: Sequence[int],
        cost: Any = LogLikelihoodCost,
        hidden: str = "sigmoid",
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
        classes: Iterable[Any] | None = None,
    ) -> None:
        super().__init__(sizes, cost, hidden, dtype, rng, classes)

    def feedforward(self, a: ArrayLike, axis: int | None = None) -> Array:
        """Compute the output activations of inputs in columns, as in the book, or in rows.

        Parameters
        ----------
        a : array_like
            The inputs: (features, m) or a vector (features,); with ``axis=1`` (m, features).
        axis : {0, 1}, optional
            The axis along which the features stand, 0 by default.

        Returns
        -------
        ndarray
            The output activations: (outputs, m), or (outputs, 1) for a vector; with ``axis=1``
            (m, outputs).

        Raises
        ------
        ValueError
            If the shape of ``a`` does not fit, or if ``axis`` is neither 0 nor 1.

        Warns
        -----
        UserWarning
            If ``a`` is square and ``axis`` is not given. It could be either, and is taken by columns.

        See Also
        --------
        predict_proba : Compute the probabilities of the classes for examples in rows.
        """
        if axis not in (None, 0, 1):
            raise ValueError(f"feedforward: axis is {axis!r}; it must be 0 or 1")
        if axis == 1:
            return self._outputs(_inputs.as_rows(a, self.sizes[0], self.dtype, "feedforward", "a"))
        columns = _inputs.as_columns(a, self.sizes[0], self.dtype, "feedforward", "a")
        if axis is None and 1 < columns.shape[1] == len(columns):
            warnings.warn(
                f"feedforward: a has shape {columns.shape}, examples in columns or in rows; it is taken by "
                "columns. Give axis=0 for that, axis=1 for rows",
                stacklevel=2,
            )
        weighted_inputs_of = _backpropagation.weighted_inputs_of(self.parameters, self.hidden)
        return _backpropagation.activate_output(self.cost, weighted_inputs_of(columns.T).T)

    def predict_proba(self, x: ArrayLike) -> Array:
        """Compute the output activations of examples in rows.

        With a softmax layer they are the probabilities of the classes. The activations of sigmoid neurons
        are independent of each other and do not add up to 1; a single one, a, gives two columns, 1 - a and
        a.

        Parameters
        ----------
        x : array_like of shape (n, features)
            The examples.

        Returns
        -------
        ndarray of shape (n, outputs)
            The output activations; with a single output neuron, of shape (n, 2).

        Raises
        ------
        ValueError
            If the shape of ``x`` does not fit, or if a value is not finite; the message names its row.
        """
        return self._of_classes(x, "predict_proba")

    def predict(self, x: ArrayLike) -> Array:
        """Predict the most probable class of each example in rows.

        This is the number of the neuron with the largest activation, or its label in ``classes``. A single
        neuron gives class 0 if its activation is at most 1/2, and class 1 if it is larger.

        Parameters
        ----------
        x : array_like of shape (n, features)
            The examples.

        Returns
        -------
        ndarray of shape (n,)
            The classes.

        Raises
        ------
        ValueError
            If the shape of ``x`` does not fit, or if a value is not finite; the message names its row.

        Examples
        --------
        >>> import numpy as np
        >>> import nndl_fast as nf
        >>> net = nf.Network([2, 3, 2], rng=0)
        >>> net.classes = ["ham", "spam"]
        >>> net.predict(np.zeros((1, 2))).tolist()
        ['ham']
        """
        best = self._of_classes(x, "predict").argmax(axis=1)
        return best if self.classes is None else np.asarray(self.classes)[best]

    def _of_classes(self, x: ArrayLike, function: str) -> Array:
        """An activation for each class of each example, which has to be finite."""
        rows = _inputs.as_rows(x, self.sizes[0], self.dtype, function, "x")
        _inputs.check_finite(rows, f"{function}: x")
        a = self._outputs(rows)
        return np.hstack([1 - a, a]) if self.sizes[-1] == 1 else a

    def _outputs(self, rows: Array) -> Array:
        """The output activations, in rows as the examples are."""
        a = np.empty((len(rows), self.sizes[-1]), self.dtype)
        for part, z in self._weighted_inputs(rows):
            a[part] = _backpropagation.activate_output(self.cost, z).T
        return a

    def _weighted_inputs(self, rows: Array) -> Iterator[tuple[slice, Array]]:
        """Some examples at a time, and in columns the last layer's weighted inputs."""
        weighted_inputs_of = _backpropagation.weighted_inputs_of(self.parameters, self.hidden)
        at_once = max(1, min(_COLUMNS, _BYTES // (max(self.sizes) * self.dtype.itemsize)))
        for start in range(0, len(rows), at_once):
            part = slice(start, start + at_once)
            yield part, weighted_inputs_of(rows[part]).T

    def SGD(
        self,
        training_data: Data,
        epochs: int,
        mini_batch_size: int,
        eta: float | Callable[[int], float],
        lmbda: float = 0.0,
        evaluation_data: Data | None = None,
        monitor_evaluation_cost: bool = False,
        monitor_evaluation_accuracy: bool = False,
        monitor_training_cost: bool = False,
        monitor_training_accuracy: bool = False,
        *,
        optimizer: str = "sgd",
        momentum: float = 0.9,
        early_stopping_n: int = 0,
        callback: Callback | None = None,
    ) -> tuple[list[float], list[int], list[float], list[int]]:
        """Train by mini-batch stochastic gradient descent with L2 regularisation.

        Data is a pair of arrays, (n, features) and labels (n,) or targets (n, outputs); or it is what
        ``network2`` takes: a list, zip or generator of pairs (x, y), where x is a column vector and y is an
        integer or a column vector.

        Parameters
        ----------
        training_data : tuple of array_like, or iterable of pairs
            The examples to learn from.
        epochs : int
            How often all examples are gone through.
        mini_batch_size : int
            The number of examples in a mini-batch.
        eta : float or callable
            The learning rate, or a function that gives it for an epoch, from 1 on.
        lmbda : float, default=0.0
            The regularisation parameter lambda.
        evaluation_data : tuple of array_like, or iterable of pairs, optional
            Examples to measure the network on after each epoch.
        monitor_evaluation_cost, monitor_evaluation_accuracy : bool, default=False
            Whether the cost, and the number of correct answers, on ``evaluation_data`` are measured.
        monitor_training_cost, monitor_training_accuracy : bool, default=False
            Whether the cost, and the number of correct answers, on ``training_data`` are measured.
        optimizer : {'sgd', 'momentum', 'nesterov', 'adam'}, default='sgd'
            The rule for a step: plain gradient descent, momentum, Nesterov's momentum, or Adam. With all
            but ``"sgd"`` the regularisation is a part of the gradient, and what they remember is forgotten
            when SGD returns.
        momentum : float, default=0.9
            The book's mu of equations (107) and (108) for ``"momentum"`` and ``"nesterov"``, and beta_1 for
            ``"adam"``, whose beta_2 is 0.999; at least 0 and less than 1.
        early_stopping_n : int, default=0
            If it is not 0, training ends after so many epochs without a better accuracy on
            ``evaluation_data``, with the parameters of the best epoch.
        callback : callable, optional
            A function that is called as ``callback(epoch, values)`` after each epoch, from 1 on, with the
            monitored values by name.

        Returns
        -------
        evaluation_cost : list of float
            The cost on ``evaluation_data`` after each epoch; this list and the following ones are empty if
            they are not monitored.
        evaluation_accuracy : list of int
            The number of correct answers on ``evaluation_data``.
        training_cost : list of float
            The cost on ``training_data``.
        training_accuracy : list of int
            The number of correct answers on ``training_data``.

        Raises
        ------
        ValueError
            If shapes do not fit, if features are NaN or infinite, or if an option has another value than
            those above, before anything is trained.
        TypeError
            If a number is something else, or if labels are not integers.
        IndexError
            If a label has no output neuron.

        Warns
        -----
        RuntimeWarning
            If a monitored cost, a weight or a bias becomes NaN or infinite; the message names the epoch. If
            it is a parameter, training ends there, and the lists are shorter accordingly.

        Notes
        -----
        The last mini-batch, if it is shorter, is divided by its own length. With ``"sgd"`` the weights
        decay by the factor 1 - eta lmbda / n for each mini-batch.

        After an exception or Ctrl-C the parameters are those after the last whole mini-batch. A terminal
        shows a progress bar if tqdm is installed.

        If the cost is one of this package, mini-batches run in compiled code, and the same seed, data and
        options give the same network, bit for bit, on every machine. With a cost class of your own they
        run in NumPy.

        References
        ----------
        Kingma, D. P. and Ba, J., "Adam: A Method for Stochastic Optimization", 2014, arXiv:1412.6980.
        """
        x, y = self._examples(training_data, "training_data")
        n = len(x)
        epochs = _inputs.count(epochs, "epochs", 0)
        mini_batch_size = min(n, _inputs.count(mini_batch_size, "mini_batch_size", 1))
        early_stopping_n = _inputs.count(early_stopping_n, "early_stopping_n", 0)
        lmbda, momentum = _inputs.number(lmbda, "SGD", "lmbda"), _inputs.number(momentum, "SGD", "momentum")
        if not callable(eta):
            _inputs.number(eta, "SGD", "eta")
        rule = _core.rule(optimizer, weight_decay=lmbda / n, momentum=momentum)
        wanted = {
            "evaluation_cost": monitor_evaluation_cost,
            "evaluation_accuracy": monitor_evaluation_accuracy or early_stopping_n > 0,
            "training_cost": monitor_training_cost,
            "training_accuracy": monitor_training_accuracy,
        }
        if evaluation_data is None and (wanted["evaluation_cost"] or wanted["evaluation_accuracy"]):
            raise ValueError(
                "SGD: evaluation_data is None, and monitor_evaluation_cost or _accuracy or "
                "early_stopping_n asks for it"
            )
        evaluation = (x, y) if evaluation_data is None else self._examples(evaluation_data, "evaluation_data")
        history: dict[str, list[Any]] = {name: [] for name in wanted}
        best, best_epoch, best_parameters = -1, 0, self.parameters
        diverged = False
        trainer = _trainers.trainer_for(self, rule)
        with _progress.bar(epochs, "epoch") as bar:
            for epoch in range(1, epochs + 1):
                rate = _inputs.number(eta(epoch) if callable(eta) else eta, "SGD", "eta")
                order = self.rng.permutation(n)
                trainer.run(x, y, order, mini_batch_size, rate)
                values = self._measured(wanted, evaluation, (x, y), lmbda)
                for name, value in values.items():
                    history[name].append(value)
                bar.update_with(partial(self._shown, values, evaluation, lmbda))
                if callback is not None:
                    callback(epoch, values)
                fault = self._fault(values)
                if fault and not diverged:
                    diverged = True
                    warnings.warn(
                        f"SGD: the training diverges: {fault} after epoch {epoch}. A lower eta than "
                        f"{rate:g}, features of the size of 1 or a smaller lmbda may help",
                        RuntimeWarning,
                        stacklevel=2,
                    )
                if fault == _NO_NUMBERS:
                    break  # no further epoch changes it
                if early_stopping_n:
                    if values["evaluation_accuracy"] > best:
                        best, best_epoch = int(values["evaluation_accuracy"]), epoch
                        best_parameters = self.parameters
                    if epoch - best_epoch >= early_stopping_n:
                        break
        if early_stopping_n:
            self.parameters = best_parameters
        return tuple(history.values())  # type: ignore[return-value]

    def _measured(
        self,
        wanted: dict[str, bool],
        evaluation: tuple[Array, Array],
        training: tuple[Array, Array],
        lmbda: float,
    ) -> dict[str, float]:
        """What is monitored, by name."""
        values: dict[str, float] = {}
        for of, data in (("evaluation", evaluation), ("training", training)):
            cost, accuracy = f"{of}_cost", f"{of}_accuracy"
            if wanted[cost] or wanted[accuracy]:
                both = dict(zip((cost, accuracy), self._judge(*data, lmbda if wanted[cost] else None)))
                values |= {name: value for name, value in both.items() if wanted[name]}
        return values

    def _fault(self, values: dict[str, float]) -> str:
        """What has become NaN or infinite: the parameters, or a monitored cost."""
        if not all(np.isfinite(p).all() for side in self.parameters for p in side):
            return _NO_NUMBERS
        return next((f"{name} is {value}" for name, value in values.items() if not np.isfinite(value)), "")

    def update_mini_batch(self, mini_batch: Data, eta: float, lmbda: float, n: float) -> None:
        """Take one step of gradient descent.

        Parameters
        ----------
        mini_batch : tuple of array_like, or iterable of pairs
            The examples, as for :meth:`SGD`.
        eta : float
            The learning rate.
        lmbda : float
            The regularisation parameter lambda.
        n : float
            The size of the whole training set.

        Raises
        ------
        ValueError
            If shapes do not fit, if ``n`` is not positive, or if a number is not finite.
        TypeError
            If ``eta``, ``lmbda`` or ``n`` is not a number.
        """
        x, y = self._examples(mini_batch, "mini_batch")
        given = {"eta": eta, "lmbda": lmbda, "n": n}
        rate, lmbda, n = (_inputs.number(value, "update_mini_batch", name) for name, value in given.items())
        if n <= 0:
            raise ValueError(f"update_mini_batch: n is {n}; it must be at least 1")
        trainer = _trainers.trainer_for(self, _core.rule("sgd", weight_decay=lmbda / n))
        trainer.run(x, y, np.arange(len(x)), len(x), rate)

    def backprop(self, x: ArrayLike, y: ArrayLike) -> tuple[list[Array], list[Array]]:
        """Compute the gradients of the cost, summed over the columns of ``x``.

        Parameters
        ----------
        x : array_like of shape (features,) or (features, m)
            The examples, in columns.
        y : array_like
            Targets (outputs, m), or labels, (m,) or an integer.

        Returns
        -------
        nabla_b : list of ndarray
            The gradients with respect to the biases of each layer.
        nabla_w : list of ndarray
            The gradients with respect to the weights of each layer.

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        columns = _inputs.as_columns(x, self.sizes[0], self.dtype, "backprop", "x")
        target = _core.as_real(_inputs.numbers_of(y, self.classes, "backprop"), "backprop", "y")
        rows = target.T if target.ndim == 2 else target.reshape(-1)
        targets = self._targets(rows, columns.shape[1], "backprop: y").T
        return _backpropagation.gradients(self.parameters, self.hidden, self.cost, columns, targets)

    def accuracy(self, data: Data, convert: bool = False) -> int:
        """Count the examples whose largest output activation is in the right place.

        With a single output neuron, those whose activation is on the right side of 1/2 are counted.

        Parameters
        ----------
        data : tuple of array_like, or iterable of pairs
            The examples, as for :meth:`SGD`.
        convert : bool, default=False
            Callers of ``network2`` may give it, and it changes nothing: labels and vectors are told apart
            by their shape.

        Returns
        -------
        int
            The number of correct answers.
        """
        return self._judge(*self._examples(data, "data"), None)[1]

    def total_cost(self, data: Data, lmbda: float, convert: bool = False) -> float:
        """Compute the cost per example, with the regularisation term.

        Parameters
        ----------
        data : tuple of array_like, or iterable of pairs
            The examples, as for :meth:`SGD`.
        lmbda : float
            The regularisation parameter lambda.
        convert : bool, default=False
            Callers of ``network2`` may give it, and it changes nothing.

        Returns
        -------
        float
            The mean of the costs of the examples, plus lmbda / 2n sum w^2.

        Raises
        ------
        ValueError
            If ``lmbda`` is not finite, or if shapes do not fit.
        TypeError
            If ``lmbda`` is not a number.
        """
        lmbda = _inputs.number(lmbda, "total_cost", "lmbda")
        return self._judge(*self._examples(data, "data"), lmbda)[0]

    def save(self, filename: str | PathLike[str]) -> None:
        """Write the network to a file.

        The file is written beside an old one of the same name, which is then replaced as a whole. As with
        ``open(filename, "wb")``, links are followed, and an old file keeps its permissions.

        Parameters
        ----------
        filename : str or path-like
            The name of the file. If it ends in ``.safetensors``, the file has that format (with the extra
            ``safetensors``), and its arrays have the names of :meth:`state_dict`; otherwise it is an
            ``.npz`` file.

        Raises
        ------
        ValueError
            If the network could not be loaded again; the old file stays.

        See Also
        --------
        load : Load a network from a file.
        """
        header = {
            "sizes": self.sizes,
            "cost": _serialization.name_of(self.cost),
            "hidden": self.hidden,
            **{name: value for name in _serialization.OPTIONAL if (value := getattr(self, name)) is not None},
        }
        _serialization.save(filename, header, self.biases, self.weights)

    def to_onnx(self, path: str | PathLike[str]) -> None:
        """Write an ONNX model with the outputs of :meth:`predict` and :meth:`predict_proba`.

        It needs the extra ``onnx``.

        Parameters
        ----------
        path : str or path-like
            The name of the file.

        Raises
        ------
        ValueError
            If the cost is a class of your own with an ``activation``, since nobody knows what it computes.

        See Also
        --------
        nndl_fast.onnx.to_onnx : Return the model, and write it only if asked.
        """
        from .onnx import to_onnx

        to_onnx(self, path)

    def _examples(self, data: Data, name: str) -> tuple[Array, Array]:
        x, y = _inputs.from_data(data, self.sizes[0], self.dtype, name, self.classes)
        return x, self._targets(y, len(x), f"Network: {name}: y")

    def _targets(self, y: Array, n: int, name: str) -> Array:
        labels = getattr(self.cost, "takes_labels", False)
        targets = _inputs.as_targets(y, n, self.sizes[-1], self.dtype, labels, name)
        # in training nobody looks
        if labels and targets.ndim == 2:
            f.log_likelihood_cost(targets, targets)  # refuses what is no target
        elif getattr(self.cost, "delta", None) is CrossEntropyCost.delta:
            good = (targets >= 0) & (targets <= 1)
            if not good.all():
                row, j = np.argwhere(~good)[0]
                raise ValueError(
                    f"{name}: target {targets[row, j]} of example {row}, output {j}, is outside 0..1, where "
                    "the targets of the cross-entropy are"
                )
        return targets

    def _judge(self, x: Array, y: Array, lmbda: float | None) -> tuple[float, int]:
        """The cost per example, regularisation included (0 where lmbda is None), and the correct answers."""
        from_z = getattr(self.cost, "from_z", None)
        cost, correct = 0.0, 0
        for part, z in self._weighted_inputs(x):
            a = _backpropagation.activate_output(self.cost, z)
            correct += _inputs.count_correct(a, y[part].T)
            if lmbda is not None:
                cost += float(from_z(z, y[part].T) if from_z else self.cost.fn(a, y[part].T))
        if lmbda is None:
            return 0.0, correct
        squares = _backpropagation.sum_of_squares(self.weights)
        return (cost + 0.5 * lmbda * squares) / len(x), correct

    def _shown(self, values: dict[str, float], data: tuple[Array, Array], lmbda: float) -> dict[str, str]:
        """What the bar says of an epoch: what is monitored, and where that is nothing, cost and accuracy."""
        if not values:
            values = dict(zip(("cost", "accuracy"), self._judge(*data, lmbda)))
        return {name: str(v) if isinstance(v, int) else f"{v:.4f}" for name, v in values.items()}


def load(filename: str | PathLike[str], cost: Any = None) -> Network:
    """Load a network that :meth:`Network.save` or the book's ``network2.Network.save`` wrote.

    Nothing in a file is ever executed.

    Parameters
    ----------
    filename : str or path-like
        The name of the file: ``.npz``, ``.safetensors``, or the JSON of ``network2``.
    cost : class, optional
        The network's cost if it is a class of your own, which is not in the file.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    ValueError
        If the file is damaged or foreign; the message names it.

    See Also
    --------
    Network.save : Write a network to a file.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.Network([4, 3], rng=0).save("net.npz")  # doctest: +SKIP
    >>> nf.load("net.npz")  # doctest: +SKIP
    <Network 4-3: hidden sigmoid, LogLikelihoodCost, float32, 15 parameters>
    """
    header, biases, weights = _serialization.load(filename)
    net = Network(
        header["sizes"],
        cost=_serialization.cost_named(header["cost"], filename) if cost is None else cost,
        hidden=header["hidden"],
        dtype=weights[0].dtype,
        classes=header.get("classes"),
    )
    net.features = header.get("features")
    net.parameters = biases, weights
    return net
