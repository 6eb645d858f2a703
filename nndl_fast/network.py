"""A network with the contract of the book's ``network2.Network``, whose mini-batches are arrays.

Examples stand in columns inside (``w @ a + b``, as in the book) and in rows in the arrays that a
caller hands over.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _core, _examples, _files, _progress, _training
from . import functional as f
from .costs import CrossEntropyCost, LogLikelihoodCost

Array = NDArray[Any]
Data = tuple[ArrayLike, ArrayLike] | Iterable[tuple[ArrayLike, ArrayLike]]
Callback = Callable[[int, dict[str, float]], object]

# Columns, and bytes of the widest layer, that go through the network at a time where nothing is learned.
_COLUMNS, _BYTES = 4096, 32 << 20


class Network:
    """A feedforward network trained by stochastic gradient descent.

    Parameters
    ----------
    sizes
        Neurons in each layer, the inputs first: ``[784, 30, 10]``.
    cost
        A class with ``fn(a, y)`` and ``delta(z, a, y)`` as in ``network2.py``; see
        :mod:`nndl_fast.costs`. With :class:`LogLikelihoodCost` the output layer is softmax, with
        another it is sigmoid, or what the class's own ``activation`` says.
    hidden
        The activation of the hidden layers: ``"sigmoid"``, ``"tanh"`` or ``"relu"``.
    dtype
        float32 or float64, of the parameters and of all that is computed.
    rng
        A ``numpy.random.Generator`` or a seed, for the initial parameters and for shuffling. The
        same seed, data and options give the same network, bit for bit, on every machine and for any
        number of threads (with the same version of NumPy, whose generator may change with it).

    Notes
    -----
    ``biases`` and ``weights`` are lists of arrays (n, 1) and (n, n of the layer before), one for each
    layer after the first. Training replaces them, and never changes an array in place.

    >>> net = Network([64, 16, 10], rng=0)
    >>> training, validation, test = datasets.load_digits()
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
    ) -> None:
        try:
            good = len(sizes) >= 2 and all(int(n) == n >= 1 for n in sizes)
        except (TypeError, ValueError, OverflowError):  # of what is no list, or no number
            good = False
        if not good:
            raise ValueError(
                f"Network: sizes is {sizes!r}; it must be two or more numbers of neurons, each at least 1"
            )
        if hidden not in _training.ACTIVATIONS:
            known = ", ".join(map(repr, _training.ACTIVATIONS))
            raise ValueError(f"Network: hidden is {hidden!r}; it may be one of {known}")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"Network: dtype is {np.dtype(dtype)}; it may be float32 or float64")
        self.sizes: list[int] = [int(n) for n in sizes]
        self.num_layers: int = len(self.sizes)
        self.cost = cost
        self.hidden = hidden
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.rng: np.random.Generator = np.random.default_rng(rng)
        self._parameters: tuple[list[Array], list[Array]] = ([], [])
        self._seen: list[Array] = []  # the parameters that were checked last
        self.default_weight_initializer()

    # Both in one attribute, and replaced by one assignment: whatever interrupts training leaves the
    # parameters as they were after a whole mini-batch.
    @property
    def biases(self) -> list[Array]:
        return self._parameters[0]

    @biases.setter
    def biases(self, biases: Sequence[ArrayLike]) -> None:
        self._parameters = (self._layers(biases, "biases"), self.weights)

    @property
    def weights(self) -> list[Array]:
        return self._parameters[1]

    @weights.setter
    def weights(self, weights: Sequence[ArrayLike]) -> None:
        self._parameters = (self.biases, self._layers(weights, "weights"))

    def _layers(self, arrays: Sequence[ArrayLike], name: str) -> list[Array]:
        """Biases or weights as arrays of the network's dtype; what does not fit the sizes is refused."""
        if len(arrays) != self.num_layers - 1:
            raise ValueError(
                f"Network: {name} has {len(arrays)} arrays; it must have {self.num_layers - 1}, one for each "
                "layer after the first"
            )
        result = []
        for layer, (given, inputs, n) in enumerate(zip(arrays, self.sizes, self.sizes[1:]), 1):
            shape = (n, inputs if name == "weights" else 1)
            if type(given) is np.ndarray and given.shape == shape and given.dtype == self.dtype:
                result.append(given)
                continue
            array = _core.as_real(given, "Network", f"{name} of layer {layer}")
            if array.shape != shape:
                raise ValueError(
                    f"Network: {name} of layer {layer} has shape {array.shape}; it must be {shape}"
                )
            result.append(array.astype(self.dtype, copy=False))
        return result

    def _checked(self) -> _training.Parameters:
        """The parameters, of which a caller may have changed the lists in place."""
        biases, weights = self._parameters
        now = [*biases, *weights]
        if len(now) == len(self._seen) and all(map(operator.is_, now, self._seen)):
            return self._parameters
        checked = self._layers(biases, "biases"), self._layers(weights, "weights")
        self._seen = [*checked[0], *checked[1]]
        return checked

    def default_weight_initializer(self) -> None:
        """Draws biases from N(0, 1), then weights from N(0, 1 / the neuron's number of inputs)."""
        self.large_weight_initializer()
        self.weights = [w / self.dtype.type(np.sqrt(w.shape[1])) for w in self.weights]

    def large_weight_initializer(self) -> None:
        """Draws biases and weights from N(0, 1), as the book's first chapter does."""
        layers = list(zip(self.sizes[:-1], self.sizes[1:]))
        biases = [self.rng.standard_normal((n, 1)).astype(self.dtype) for _, n in layers]
        weights = [self.rng.standard_normal((n, inputs)).astype(self.dtype) for inputs, n in layers]
        self._parameters = (biases, weights)

    def feedforward(self, a: ArrayLike) -> Array:
        """The output activations for inputs in columns: (features,) or (features, m) to (outputs, 1 or m)."""
        columns = _examples.as_columns(a, self.sizes[0], self.dtype, "feedforward", "a")
        weighted_inputs_of = _training.weighted_inputs_of(self._checked(), self.hidden)
        return _training.activate_output(self.cost, weighted_inputs_of(columns.T).T)

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
        """Trains by mini-batch stochastic gradient descent with L2 regularisation.

        Data is a pair of arrays, (n, features) and labels (n,) or targets (n, outputs), or what
        ``network2`` takes: a list, zip or generator of pairs (x, y) with x a column vector and y an
        integer or a column vector. The short last mini-batch is divided by its own length, and the
        weights decay by 1 - eta lmbda / n for each mini-batch.

        ``eta`` is the learning rate, or a function that gives it for an epoch, from 1 on.
        ``optimizer`` is ``"sgd"``; ``"momentum"``, the book's (107) and (108), with ``momentum`` as
        its mu; ``"nesterov"``; or ``"adam"`` (Kingma and Ba, 2014), with ``momentum`` as beta_1 and
        0.999 as beta_2. With these the regularisation is a part of the gradient, and what they
        remember is forgotten when SGD returns. ``early_stopping_n`` ends the training after so many
        epochs without a better accuracy on ``evaluation_data``, with the parameters of the best.

        Returns four lists with an entry an epoch where they are monitored: the cost and the number
        of correct answers on ``evaluation_data``, then on ``training_data``. A terminal shows a bar
        (with tqdm installed). ``callback(epoch, values)`` is called after each epoch, from 1 on, with
        the monitored values by name. After an exception or Ctrl-C the parameters are those after
        the last whole mini-batch.

        Where the cost is one of ours, mini-batches run in compiled code, and the same seed, data and
        options give the same network, bit for bit, on every machine; with a cost class of your own
        they run in NumPy.
        """
        x, y = self._examples(training_data, "training_data")
        n = len(x)
        epochs = _count(epochs, "epochs", 0)
        mini_batch_size = min(n, _count(mini_batch_size, "mini_batch_size", 1))
        early_stopping_n = _count(early_stopping_n, "early_stopping_n", 0)
        lmbda, momentum = _number(lmbda, "SGD", "lmbda"), _number(momentum, "SGD", "momentum")
        if not callable(eta):
            _number(eta, "SGD", "eta")
        if optimizer not in _training.OPTIMIZERS:
            known = ", ".join(map(repr, _training.OPTIMIZERS))
            raise ValueError(f"SGD: optimizer is {optimizer!r}; it may be one of {known}")
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum is {momentum}; it must be at least 0 and less than 1")
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
        self._parameters = self._checked()
        best, best_epoch, best_parameters = -1, 0, self._parameters
        rule = _training.Rule(optimizer, lmbda / n, momentum)
        trainer = _training.trainer_for(self, rule)
        with _progress.bar(epochs, "epoch") as bar:
            for epoch in range(1, epochs + 1):
                rate = _number(eta(epoch) if callable(eta) else eta, "SGD", "eta")
                order = self.rng.permutation(n)
                trainer.run(x, y, order, mini_batch_size, rate)
                values = self._measured(wanted, evaluation, (x, y), lmbda)
                for name, value in values.items():
                    history[name].append(value)
                bar.update_with(partial(self._shown, values, evaluation, lmbda))
                if callback is not None:
                    callback(epoch, values)
                if early_stopping_n:
                    if values["evaluation_accuracy"] > best:
                        best, best_epoch = int(values["evaluation_accuracy"]), epoch
                        best_parameters = self._parameters
                    if epoch - best_epoch >= early_stopping_n:
                        break
        if early_stopping_n:
            self._parameters = best_parameters
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

    def update_mini_batch(self, mini_batch: Data, eta: float, lmbda: float, n: float) -> None:
        """One step of gradient descent; ``n`` is the size of the whole training set."""
        x, y = self._examples(mini_batch, "mini_batch")
        given = {"eta": eta, "lmbda": lmbda, "n": n}
        rate, lmbda, n = (_number(value, "update_mini_batch", name) for name, value in given.items())
        if n <= 0:
            raise ValueError(f"update_mini_batch: n is {n}; it must be at least 1")
        self._parameters = self._checked()
        rule = _training.Rule(shrink=lmbda / n)
        trainer = _training.trainer_for(self, rule)
        trainer.run(x, y, np.arange(len(x)), len(x), rate)

    def backprop(self, x: ArrayLike, y: ArrayLike) -> tuple[list[Array], list[Array]]:
        """The gradients (nabla_b, nabla_w) of the cost, summed over the columns of ``x``.

        ``x`` is (features,) or (features, m); ``y`` is (outputs, m), or labels, (m,) or an integer.
        """
        columns = _examples.as_columns(x, self.sizes[0], self.dtype, "backprop", "x")
        target = _core.as_real(y, "backprop", "y")
        rows = target.T if target.ndim == 2 else target.reshape(-1)
        targets = self._targets(rows, columns.shape[1], "backprop: y").T
        return _training.gradients(self._checked(), self.hidden, self.cost, columns, targets)

    def accuracy(self, data: Data, convert: bool = False) -> int:
        """How many of the examples get their largest output activation in the right place.

        With a single output neuron: how many are on the right side of 1/2. ``convert`` is there for
        callers of ``network2`` and changes nothing: labels and vectors are told apart by their shape.
        """
        return self._judge(*self._examples(data, "data"), None)[1]

    def total_cost(self, data: Data, lmbda: float, convert: bool = False) -> float:
        """The cost per example, with the regularisation term lmbda / 2n sum w^2. ``convert``: as above."""
        lmbda = _number(lmbda, "total_cost", "lmbda")
        return self._judge(*self._examples(data, "data"), lmbda)[0]

    def digest(self) -> str:
        """A number of 16 hexadecimal digits that tells networks apart: the same for the same parameters, bit
        for bit, so that what was trained on two machines can be compared.

        >>> Network([4, 3], rng=0).digest() == Network([4, 3], rng=0).digest()
        True
        """
        return _files.digest(self.biases + self.weights)

    def save(self, filename: str | PathLike[str]) -> None:
        """Writes the network to an ``.npz`` file, beside an old one, which is then replaced as a whole.

        As with ``open(filename, "wb")`` links are followed, and an old file keeps its permissions. What
        could not be loaded again is a ``ValueError``, and the old file stays.
        """
        header = {
            "sizes": self.sizes,
            "cost": _files.name_of(self.cost),
            "hidden": self.hidden,
        }
        _files.save(filename, header, self.biases, self.weights)

    def _examples(self, data: Data, name: str) -> tuple[Array, Array]:
        x, y = _examples.from_data(data, self.sizes[0], self.dtype, name)
        return x, self._targets(y, len(x), f"Network: {name}: y")

    def _targets(self, y: Array, n: int, name: str) -> Array:
        labels = getattr(self.cost, "takes_labels", False)
        targets = _examples.as_targets(y, n, self.sizes[-1], self.dtype, labels, name)
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
        weighted_inputs_of = _training.weighted_inputs_of(self._checked(), self.hidden)
        cost, correct = 0.0, 0
        at_once = max(1, min(_COLUMNS, _BYTES // (max(self.sizes) * self.dtype.itemsize)))
        for start in range(0, len(x), at_once):
            part = slice(start, start + at_once)
            z = weighted_inputs_of(x[part]).T
            a = _training.activate_output(self.cost, z)
            correct += _examples.count_correct(a, y[part].T)
            if lmbda is not None:
                cost += float(from_z(z, y[part].T) if from_z else self.cost.fn(a, y[part].T))
        if lmbda is None:
            return 0.0, correct
        squares = _training.sum_of_squares(self.weights)
        return (cost + 0.5 * lmbda * squares) / len(x), correct

    def _shown(self, values: dict[str, float], data: tuple[Array, Array], lmbda: float) -> dict[str, str]:
        """What the bar says of an epoch: what is monitored, and where that is nothing, cost and accuracy."""
        if not values:
            values = dict(zip(("cost", "accuracy"), self._judge(*data, lmbda)))
        return {name: str(v) if isinstance(v, int) else f"{v:.4f}" for name, v in values.items()}


def _number(value: Any, function: str, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{function}: {name} is {value!r}; it must be a number") from error
    if not np.isfinite(number):
        raise ValueError(f"{function}: {name} is {number}; it must be finite")
    return number


def _count(value: Any, name: str, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError as error:
        raise TypeError(f"SGD: {name} is {value!r}; it must be an integer") from error
    if number < least:
        raise ValueError(f"SGD: {name} is {number}; it must be at least {least}")
    return number


def load(filename: str | PathLike[str], cost: Any = None) -> Network:
    """The network that :meth:`Network.save` or the book's ``network2.Network.save`` (JSON) wrote.

    A cost class of your own is not in the file: give it as ``cost``. A damaged or foreign file is a
    ``ValueError`` that names it; nothing in a file is ever executed.
    """
    header, biases, weights = _files.load(filename)
    net = Network(
        header["sizes"],
        cost=_files.cost_named(header["cost"], filename) if cost is None else cost,
        hidden=header["hidden"],
        dtype=weights[0].dtype,
    )
    net.biases, net.weights = biases, weights
    return net
