"""A network with the contract of the book's ``network2.Network``, whose mini-batches are arrays.

Data has examples in rows. Only ``backprop``, ``feedforward`` and the trainer in NumPy have them in columns,
as the book does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._files import _serialization
from ._network import _backpropagation, _progress, _trainers
from ._network._layers import classes_of
from ._network._predicting import Data, Predicting
from ._runtime import _inputs
from ._runtime._types import Array

Callback = Callable[[int, dict[str, float]], object]


class Network(Predicting):
    """A feedforward network that is trained by stochastic gradient descent.

    It has the methods of the book's ``network2.Network``, with mini-batches as arrays.

    Parameters
    ----------
    sizes : sequence of int
        The numbers of neurons in each layer, the inputs first: ``[784, 30, 10]``.
    cost : {'log-likelihood', 'cross-entropy', 'quadratic'} or class, default=LogLikelihoodCost
        A name; or a class with ``fn(a, y)`` and ``delta(z, a, y)`` as in ``network2.py``, or an instance of
        one; see :mod:`nndl_fast.costs`. With :class:`LogLikelihoodCost` the output layer is softmax; with
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
    initializer : {'book', 'glorot', 'he'}, optional
        How the first parameters are drawn: weights from N(0, 1 / inputs) and biases from N(0, 1), as the
        book's third chapter does; or biases 0, and weights from N(0, 2 / (inputs + neurons)) after Glorot
        and Bengio [1]_, or from N(0, 2 / inputs) after He et al. [2]_. By default it is ``'book'`` for
        sigmoid, ``'glorot'`` for tanh and ``'he'`` for relu.

    Attributes
    ----------
    sizes : list of int
        The numbers of neurons in each layer.
    num_layers : int
        The number of layers.
    cost, hidden, dtype, rng, initializer
        The arguments of these names.
    table : dict or None
        How the columns of a table become the inputs: ``nndl-fast train`` writes it, and ``predict`` reads it.

    Raises
    ------
    ValueError
        If an argument has another value than those above.
    TypeError
        If ``classes`` has something else than strings or numbers, or if ``cost`` has no ``fn`` or ``delta``.

    See Also
    --------
    load : Load a network from a file.

    Notes
    -----
    Training replaces the arrays in ``biases`` and ``weights``, and never changes one in place.

    The same seed, data and options give the same network, bit for bit, on every machine and for any number
    of threads (with the same version of NumPy, whose generator may change with it).

    References
    ----------
    .. [1] Glorot, X. and Bengio, Y., "Understanding the difficulty of training deep feedforward neural
       networks", AISTATS 2010.
    .. [2] He, K., Zhang, X., Ren, S. and Sun, J., "Delving Deep into Rectifiers: Surpassing Human-Level
       Performance on ImageNet Classification", ICCV 2015, arXiv:1502.01852.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> net = nf.Network([64, 16, 10], rng=0)
    >>> training, validation, test = nf.datasets.load_digits()
    >>> lists = net.SGD(training, 10, 10, 0.5)
    >>> net.accuracy(test) / len(test[1]) > 0.9
    True
    """

    @_trainers.one_at_a_time
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
        halving_n: int = 0,
        keep_best: bool = False,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        callback: Callback | None = None,
    ) -> _progress.History:
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
            The learning rate, at least 0, or a function that gives it for an epoch, from 1 on.
        lmbda : float, default=0.0
            The regularisation parameter lambda, at least 0.
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
        halving_n : int, default=0
            If it is not 0, the learning rate is halved after so many epochs without a better accuracy on
            ``evaluation_data``, and so many after each halving, until it has fallen to 1/128, where training
            ends. This is the schedule of an exercise in the book's third chapter.
        keep_best : bool, default=False
            Whether the network has in the end the parameters of the epoch with the best accuracy on
            ``evaluation_data``, as with ``early_stopping_n``.
        sample_weight : array_like of shape (n,), optional
            A number, at least 0, for each example of ``training_data``: its part in a step is multiplied by
            it. What is monitored has no weights.
        class_weight : dict or 'balanced', optional
            Such numbers by label, 1 for labels that are left out. With ``'balanced'`` they are n / (classes
            x examples of the class), by which all classes have the same part.
        callback : callable, optional
            A function that is called as ``callback(epoch, values)`` after each epoch, from 1 on, with the
            monitored values by name.

        Returns
        -------
        History
            A named tuple of the lists ``evaluation_cost``, ``evaluation_accuracy``, ``training_cost`` and
            ``training_accuracy``, with what was monitored after each epoch; the others are empty.

        Raises
        ------
        ValueError
            If shapes do not fit, if features are NaN or infinite, or if an option has another value than
            those above, before anything is trained.
        TypeError
            If a number is something else, if labels are not integers, or if ``callback`` cannot be called.
        IndexError
            If a label has no output neuron.
        RuntimeError
            If the network is being trained by another call, in another thread, say.

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
        are calls from Python, one after the other.

        References
        ----------
        Kingma, D. P. and Ba, J., "Adam: A Method for Stochastic Optimization", 2014, arXiv:1412.6980.
        """
        x, y = self._examples(training_data, "training_data")
        n, epochs = len(x), _inputs.count(epochs, "SGD", "epochs", 0)
        mini_batch_size = min(n, _inputs.count(mini_batch_size, "SGD", "mini_batch_size", 1))
        best = _trainers.Best(early_stopping_n, halving_n, keep_best, self.parameters)
        lmbda = _inputs.number(lmbda, "SGD", "lmbda", 0)
        momentum = _inputs.number(momentum, "SGD", "momentum")
        if not callable(eta):
            _inputs.number(eta, "SGD", "eta", 0)
        weight = _inputs.weights_of(sample_weight, class_weight, y, classes_of(self))
        rule = _core.rule(optimizer, weight_decay=lmbda / n, momentum=momentum)
        if not (callback is None or callable(callback)):
            raise TypeError(f"SGD: callback is {callback!r}; it must be a function")
        wanted = {
            "evaluation_cost": bool(monitor_evaluation_cost),
            "evaluation_accuracy": bool(monitor_evaluation_accuracy) or best.is_sought,
            "training_cost": bool(monitor_training_cost),
            "training_accuracy": bool(monitor_training_accuracy),
        }
        evaluation = None if evaluation_data is None else self._examples(evaluation_data, "evaluation_data")
        monitor = _progress.Monitor(self, wanted, evaluation, (x, y), lmbda)
        trainer = _trainers.trainer_for(self, rule)
        with _progress.bar(epochs, "epoch") as bar:
            for epoch in range(1, epochs + 1):
                rate = _inputs.number(eta(epoch) if callable(eta) else eta, "SGD", "eta", 0) * best.factor
                trainer.run(x, y, self.rng.permutation(n), mini_batch_size, rate, weight)
                values = monitor.measure(trainer.weighted_inputs_of)
                bar.update_with(partial(monitor.shown, values, trainer.weighted_inputs_of))
                if callback is not None:
                    callback(epoch, values)
                if not monitor.can_go_on(values, epoch, rate):
                    break  # no further epoch changes it
                if not best.goes_on_after(epoch, values, self.parameters):
                    break
        if best.is_kept:
            self.parameters = best.parameters
        return monitor.history

    @_trainers.one_at_a_time
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
            If shapes do not fit, if ``n`` is below 1, if ``eta`` or ``lmbda`` is negative, or if a number is
            not finite.
        TypeError
            If ``eta``, ``lmbda`` or ``n`` is not a number.
        RuntimeError
            If the network is being trained by another call.
        """
        x, y = self._examples(mini_batch, "mini_batch")
        name = "update_mini_batch"
        rate, lmbda = _inputs.number(eta, name, "eta", 0), _inputs.number(lmbda, name, "lmbda", 0)
        n = _inputs.number(n, name, "n", 1)
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
        target = _inputs.real_targets(_inputs.numbers_of(y, self.classes, "backprop"), "backprop", "y")
        rows = target.T if target.ndim == 2 else target.reshape(-1)
        targets = self._targets(rows, columns.shape[1], "backprop: y").T
        return _backpropagation.gradients(self.parameters, self.hidden, self.cost, columns, targets)

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
        from ._files._onnx import to_onnx

        to_onnx(self, path)


def load(filename: str | PathLike[str], cost: Any = None) -> Network:
    """Load a network that :meth:`Network.save` or the book's ``network2.Network.save`` wrote.

    Nothing in a file is ever executed.

    Parameters
    ----------
    filename : str or path-like
        The name of the file: ``.npz``, ``.safetensors``, or the JSON of ``network2``.
    cost : str or class, optional
        The network's cost if it is a class of your own, which is not in the file; as for :class:`Network`.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    ValueError
        If the file is damaged or foreign; the message names it.
    TypeError
        If ``cost`` is neither a name nor a class with ``fn`` and ``delta``.
    ModuleNotFoundError
        If the file is a ``.safetensors`` file, and the package of that name is not installed.

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
    net.features, net.table = header.get("features"), header.get("table")
    net.parameters = biases, weights
    return net
