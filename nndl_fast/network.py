"""A network with the contract of the book's ``network2.Network``, whose mini-batches are arrays.

Examples stand in columns inside (``w @ a + b``, as in the book) and in rows in the arrays that a
caller hands over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _examples, _files, _progress
from . import functional as f
from ._config import num_threads
from .costs import LogLikelihoodCost

Array = NDArray[Any]
Data = tuple[ArrayLike, ArrayLike] | Iterable[tuple[ArrayLike, ArrayLike]]
Callback = Callable[[int, dict[str, float]], object]

# Columns that go through the network at a time where nothing is learned: bounds the memory.
_COLUMNS = 4096


def _beside_blas() -> AbstractContextManager[None]:
    """One thread of ours: BLAS's still spin after a product, and ours would wait milliseconds for a core."""
    return num_threads(1)


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
        The activation of the hidden layers: ``"sigmoid"``.
    dtype
        float32 or float64, of the parameters and of all that is computed.
    rng
        A ``numpy.random.Generator`` or a seed, for the initial parameters and for shuffling. The
        same seed gives the same network, bit for bit, for any number of threads of this library.

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
        if len(sizes) < 2 or any(int(n) != n or n < 1 for n in sizes):
            raise ValueError(
                f"Network: sizes is {list(sizes)}; it must be two or more numbers of neurons, each at least 1"
            )
        if hidden != "sigmoid":
            raise ValueError(f"Network: hidden is {hidden!r}; it may be 'sigmoid'")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"Network: dtype is {np.dtype(dtype)}; it may be float32 or float64")
        self.sizes = [int(n) for n in sizes]
        self.num_layers = len(self.sizes)
        self.cost = cost
        self.hidden = hidden
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(rng)
        self._parameters: tuple[list[Array], list[Array]] = ([], [])
        self.default_weight_initializer()

    # Both in one attribute, and replaced by one assignment: whatever interrupts training leaves the
    # parameters as they were after a whole mini-batch.
    @property
    def biases(self) -> list[Array]:
        return self._parameters[0]

    @biases.setter
    def biases(self, biases: Sequence[Array]) -> None:
        self._parameters = (list(biases), self.weights)

    @property
    def weights(self) -> list[Array]:
        return self._parameters[1]

    @weights.setter
    def weights(self, weights: Sequence[Array]) -> None:
        self._parameters = (self.biases, list(weights))

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
        columns = _examples.as_columns(a, self.sizes[0], self.dtype, "feedforward: a")
        return self._activate_output(self._forward(columns)[0][-1])

    def SGD(
        self,
        training_data: Data,
        epochs: int,
        mini_batch_size: int,
        eta: float,
        lmbda: float = 0.0,
        evaluation_data: Data | None = None,
        monitor_evaluation_cost: bool = False,
        monitor_evaluation_accuracy: bool = False,
        monitor_training_cost: bool = False,
        monitor_training_accuracy: bool = False,
        *,
        callback: Callback | None = None,
    ) -> tuple[list[float], list[int], list[float], list[int]]:
        """Trains by mini-batch stochastic gradient descent with L2 regularisation.

        Data is a pair of arrays, (n, features) and labels (n,) or targets (n, outputs), or what
        ``network2`` takes: a list, zip or generator of pairs (x, y) with x a column vector and y an
        integer or a column vector. The short last mini-batch is divided by its own length, and the
        weights decay by 1 - eta lmbda / n for each mini-batch.

        Returns four lists with an entry an epoch where they are monitored: the cost and the number
        of correct answers on ``evaluation_data``, then on ``training_data``. A terminal shows a bar
        (with tqdm installed). ``callback(epoch, values)`` is called after each epoch, from 1 on, with
        the monitored values by name. After an exception or Ctrl-C the parameters are those after
        the last whole mini-batch.
        """
        x, y = self._examples(training_data, "training_data")
        n = len(x)
        if epochs < 0 or mini_batch_size < 1:
            raise ValueError(
                f"SGD: epochs is {epochs} and mini_batch_size {mini_batch_size}; at least 0 and 1 are needed"
            )
        if evaluation_data is None and (monitor_evaluation_cost or monitor_evaluation_accuracy):
            raise ValueError(
                "SGD: evaluation_data is None, and monitor_evaluation_cost or _accuracy asks for it"
            )
        evaluation = (x, y) if evaluation_data is None else self._examples(evaluation_data, "evaluation_data")
        names = ("evaluation_cost", "evaluation_accuracy", "training_cost", "training_accuracy")
        wanted = (
            monitor_evaluation_cost,
            monitor_evaluation_accuracy,
            monitor_training_cost,
            monitor_training_accuracy,
        )
        history: dict[str, list[Any]] = {name: [] for name in names}
        with _progress.bar(epochs, "epoch") as bar:
            for epoch in range(1, epochs + 1):
                order = self.rng.permutation(n)
                with _beside_blas():
                    for start in range(0, n, mini_batch_size):
                        batch = order[start : start + mini_batch_size]
                        self._step(x[batch].T, y[batch].T, eta, lmbda, n)
                measured = (
                    *(
                        self._judge(*evaluation, lmbda if wanted[0] else None)
                        if any(wanted[:2])
                        else (0.0, 0)
                    ),
                    *(self._judge(x, y, lmbda if wanted[2] else None) if any(wanted[2:]) else (0.0, 0)),
                )
                values = {name: value for name, value, want in zip(names, measured, wanted) if want}
                for name, value in values.items():
                    history[name].append(value)
                bar.update_with(partial(self._shown, values, evaluation, lmbda))
                if callback is not None:
                    callback(epoch, values)
        return tuple(history.values())  # type: ignore[return-value]

    def update_mini_batch(self, mini_batch: Data, eta: float, lmbda: float, n: int) -> None:
        """One step of gradient descent; ``n`` is the size of the whole training set."""
        x, y = self._examples(mini_batch, "mini_batch")
        self._step(x.T, y.T, eta, lmbda, n)

    def _step(self, x: Array, y: Array, eta: float, lmbda: float, n: int) -> None:
        nabla_b, nabla_w = self._gradients(x, y)
        rate, decay = float(eta) / x.shape[1], 1 - float(eta) * float(lmbda) / float(n)
        for nabla in nabla_b + nabla_w:
            nabla *= rate  # in place: for the weights this and the next line are most of what a step costs
        weights = [decay * w for w in self.weights]
        for w, nw in zip(weights, nabla_w):
            w -= nw
        self._parameters = ([b - nb for b, nb in zip(self.biases, nabla_b)], weights)

    def backprop(self, x: ArrayLike, y: ArrayLike) -> tuple[list[Array], list[Array]]:
        """The gradients (nabla_b, nabla_w) of the cost, summed over the columns of ``x``.

        ``x`` is (features,) or (features, m); ``y`` is (outputs, m), or labels, (m,) or an integer.
        """
        columns = _examples.as_columns(x, self.sizes[0], self.dtype, "backprop: x")
        target = np.asarray(y)
        rows = target.T if target.ndim == 2 else target.reshape(-1)
        return self._gradients(columns, self._targets(rows, columns.shape[1], "backprop: y").T)

    def _gradients(self, x: Array, y: Array) -> tuple[list[Array], list[Array]]:
        zs, activations = self._forward(x)
        a = self._activate_output(zs[-1]) if getattr(self.cost, "delta_needs_a", True) else None
        delta = np.asarray(self.cost.delta(zs[-1], a, y), self.dtype)
        nabla_b, nabla_w = [], []
        for layer in range(self.num_layers - 2, -1, -1):
            nabla_b.append(delta.sum(axis=1, keepdims=True))
            nabla_w.append(delta @ activations[layer].T)
            if layer:
                delta = (self.weights[layer].T @ delta) * f.sigmoid_prime(zs[layer - 1])
        return nabla_b[::-1], nabla_w[::-1]

    def accuracy(self, data: Data, convert: bool = False) -> int:
        """How many of the examples get their largest output activation in the right place.

        With a single output neuron: how many are on the right side of 1/2. ``convert`` is there for
        callers of ``network2`` and changes nothing: labels and vectors are told apart by their shape.
        """
        return self._judge(*self._examples(data, "data"), None)[1]

    def total_cost(self, data: Data, lmbda: float, convert: bool = False) -> float:
        """The cost per example, with the regularisation term lmbda / 2n sum w^2. ``convert``: as above."""
        return self._judge(*self._examples(data, "data"), lmbda)[0]

    def save(self, filename: str | PathLike[str]) -> None:
        """Writes the network to an ``.npz`` file, beside an old one, which is then replaced as a whole."""
        header = {
            "sizes": self.sizes,
            "cost": self.cost.__name__,
            "hidden": self.hidden,
        }
        _files.save(filename, header, self.biases, self.weights)

    def _examples(self, data: Data, name: str) -> tuple[Array, Array]:
        x, y = _examples.from_data(data, self.sizes[0], self.dtype, f"Network: {name}")
        return x, self._targets(y, len(x), f"Network: {name}: y")

    def _targets(self, y: Array, n: int, name: str) -> Array:
        labels = getattr(self.cost, "takes_labels", False)
        return _examples.as_targets(y, n, self.sizes[-1], self.dtype, labels, name)

    def _forward(self, x: Array) -> tuple[list[Array], list[Array]]:
        """The weighted inputs of each layer after the first, the activations of each before the last."""
        zs: list[Array] = []
        activations = [x]
        for b, w in zip(self.biases, self.weights):
            if zs:
                activations.append(f.sigmoid(zs[-1]))
            zs.append(w @ activations[-1] + b)
        return zs, activations

    def _activate_output(self, z: Array) -> Array:
        return np.asarray(getattr(self.cost, "activation", f.sigmoid)(z))

    def _judge(self, x: Array, y: Array, lmbda: float | None) -> tuple[float, int]:
        """The cost per example, regularisation included (0 where lmbda is None), and the correct answers."""
        from_z = getattr(self.cost, "from_z", None)
        cost, correct = 0.0, 0
        with _beside_blas():
            for start in range(0, len(x), _COLUMNS):
                part = slice(start, start + _COLUMNS)
                z = self._forward(x[part].T)[0][-1]
                a = self._activate_output(z)
                correct += _examples.count_correct(a, y[part].T)
                if lmbda is not None:
                    cost += float(from_z(z, y[part].T) if from_z else self.cost.fn(a, y[part].T))
        if lmbda is None:
            return 0.0, correct
        squares = sum(float(np.sum(np.square(w, dtype=np.float64))) for w in self.weights)
        return (cost + 0.5 * float(lmbda) * squares) / len(x), correct

    def _shown(self, values: dict[str, float], data: tuple[Array, Array], lmbda: float) -> dict[str, str]:
        """What the bar says of an epoch: what is monitored, and where that is nothing, cost and accuracy."""
        if not values:
            values = dict(zip(("cost", "accuracy"), self._judge(*data, lmbda)))
        return {name: str(v) if isinstance(v, int) else f"{v:.4f}" for name, v in values.items()}


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
