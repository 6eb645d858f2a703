"""What a network predicts, and how good that is."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from .. import functional as f
from .._files import _serialization
from .._runtime import _inputs
from .._runtime._errors import as_type
from .._runtime._types import Array
from ..costs import CrossEntropyCost, LogLikelihoodCost
from . import _backpropagation
from ._judging import judge, weighted_inputs
from ._layers import Layers
from ._trainers import one_at_a_time

Data = tuple[ArrayLike, ArrayLike] | Iterable[tuple[ArrayLike, ArrayLike]]


class Predicting(Layers):
    """The output activations of examples, and their cost and accuracy."""

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
        forward = _backpropagation.weighted_inputs_of(self.parameters, self.hidden)
        return _backpropagation.activate_output(self.cost, forward(columns.T).T)

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
        for part, z in weighted_inputs(self, rows):
            a[part] = as_type(_backpropagation.activate_output(self.cost, z), a.dtype).T
        return a

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
        return judge(self, *self._examples(data, "data"), None)[1]

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
        lmbda = _inputs.number(lmbda, "total_cost", "lmbda", 0)
        return judge(self, *self._examples(data, "data"), lmbda)[0]

    @one_at_a_time
    def calibrate(self, data: Data) -> float:
        """Make the output activations probabilities that can be believed.

        The weights and biases of the softmax layer are multiplied by the sharpness c for which the examples
        have the least cost; see :func:`nndl_fast.fit_sharpness`. No prediction changes.

        Parameters
        ----------
        data : tuple of array_like, or iterable of pairs
            Examples that the network was not trained on, as for :meth:`SGD`.

        Returns
        -------
        float
            The sharpness: below 1 if the network was too sure of itself.

        Raises
        ------
        ValueError
            If the output layer is not softmax, or if there is no such c; the parameters stay as they are.
        RuntimeError
            If the network is being trained by another call.

        Examples
        --------
        >>> import nndl_fast as nf
        >>> training, validation, test = nf.datasets.load_digits()
        >>> net = nf.Network([64, 100, 10], hidden="relu", rng=0)
        >>> history = net.SGD(training, 100, 10, 0.005, optimizer="adam")
        >>> before = net.total_cost(test, 0)
        >>> net.calibrate(validation) < 1 and net.total_cost(test, 0) < before
        True
        """
        if getattr(self.cost, "delta", None) is not LogLikelihoodCost.delta:
            raise ValueError(
                f"calibrate: the cost is {_serialization.name_of(self.cost)}; only the softmax layer that "
                "goes with LogLikelihoodCost has a sharpness"
            )
        x, y = self._examples(data, "data")
        z = np.hstack([part for _, part in weighted_inputs(self, x)])
        c = f.fit_sharpness(z, y.T, axis=0)
        biases, weights = self.parameters
        self.parameters = (
            [*biases[:-1], biases[-1] * self.dtype.type(c)],
            [*weights[:-1], weights[-1] * self.dtype.type(c)],
        )
        return c

    def _examples(self, data: Data, name: str) -> tuple[Array, Array]:
        x, y = _inputs.from_data(data, self.sizes[0], self.dtype, name, self.classes)
        return x, self._targets(y, len(x), f"Network: {name}: y")

    def _targets(self, y: Array, n: int, name: str) -> Array:
        labels = getattr(self.cost, "takes_labels", False)
        targets = _inputs.as_targets(y, n, self.sizes[-1], self.dtype, labels, name)
        # Training does not look at targets again.
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
