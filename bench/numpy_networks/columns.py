"""784-100-10 with examples in columns, sigmoid and plain gradient descent, as lecture notes have it: weights
are (neurons, inputs), biases (neurons, 1), and the labels are one-hot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import nndl_fast as nf

Array = NDArray[Any]
Named = dict[str, Array]


class Columns:
    """As written. Images (pixels, m) and one-hot labels (10, m)."""

    def __init__(
        self, X: Array, Y: Array, dtype: DTypeLike = np.float64, seed: int = 0, hidden: int = 100
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.X, self.Y = np.asarray(X, dtype), np.asarray(Y, dtype)
        self.mini_batch, self.learning_rate = 64, 0.5
        inputs, classes = len(X), len(Y)
        self.params = {
            "W1": (self.rng.standard_normal((hidden, inputs)) / np.sqrt(inputs)).astype(dtype),
            "b1": np.zeros((hidden, 1), dtype),
            "W2": (self.rng.standard_normal((classes, hidden)) / np.sqrt(hidden)).astype(dtype),
            "b2": np.zeros((classes, 1), dtype),
        }
        self.start_optimizer()

    @property
    def parameters(self) -> list[Array]:
        return list(self.params.values())

    def epoch(self) -> float:
        m = self.X.shape[1]
        permutation = self.rng.permutation(m)
        shuffled_X, shuffled_Y = self.X[:, permutation], self.Y[:, permutation]
        total = 0.0
        for first in range(0, m, self.mini_batch):
            X = shuffled_X[:, first : first + self.mini_batch]
            Y = shuffled_Y[:, first : first + self.mini_batch]
            A1, Z2 = self.forward(X)
            cost, dZ2 = self.cost(Z2, Y)
            self.update(self.backward(X, A1, dZ2))
            total += float(cost) * X.shape[1]
        return total / m

    def forward(self, X: Array) -> tuple[Array, Array]:
        Z1 = np.dot(self.params["W1"], X) + self.params["b1"]
        A1 = 1 / (1 + np.exp(-Z1))
        Z2 = np.dot(self.params["W2"], A1) + self.params["b2"]
        return A1, Z2

    def cost(self, Z2: Array, Y: Array) -> tuple[Any, Array]:
        m = Y.shape[1]
        exps = np.exp(Z2 - np.max(Z2, axis=0, keepdims=True))
        A2 = exps / np.sum(exps, axis=0, keepdims=True)
        cost = -np.sum(Y * np.log(A2)) / m
        return cost, (A2 - Y) / m

    def backward(self, X: Array, A1: Array, dZ2: Array) -> Named:
        dW2 = np.dot(dZ2, A1.T)
        db2 = np.sum(dZ2, axis=1, keepdims=True)
        dZ1 = np.dot(self.params["W2"].T, dZ2) * A1 * (1 - A1)
        dW1 = np.dot(dZ1, X.T)
        db1 = np.sum(dZ1, axis=1, keepdims=True)
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}

    def start_optimizer(self) -> None:
        """Plain gradient descent remembers nothing."""

    def update(self, grads: Named) -> None:
        for key, grad in grads.items():
            self.params[key] = self.params[key] - self.learning_rate * grad


class WithLayer(Columns):
    """With softmax, the cost and the error by nndl_fast."""

    def cost(self, Z2: Array, Y: Array) -> tuple[Any, Array]:
        return nf.log_likelihood_cost_and_delta(Z2, Y, axis=0, reduction="mean", out=Z2)


class WithOptimizer(WithLayer):
    """With gradient descent by nndl_fast, too."""

    def start_optimizer(self) -> None:
        self.optimizer = nf.optimizers.SGD(self.learning_rate)

    def update(self, grads: Named) -> None:
        self.optimizer.step(self.params, grads)


class WithAffine(WithOptimizer):
    """With the products, biases and activations by nndl_fast, too."""

    def forward(self, X: Array) -> tuple[Array, Array]:
        A1 = nf.affine(X, self.params["W1"], self.params["b1"], axis=0, activation="sigmoid")
        return A1, nf.affine(A1, self.params["W2"], self.params["b2"], axis=0)

    def backward(self, X: Array, A1: Array, dZ2: Array) -> Named:
        dW2, db2, dZ1 = nf.affine_backward(dZ2, A1, self.params["W2"], axis=0, activation="sigmoid")
        dW1, db1, _ = nf.affine_backward(dZ1, X, self.params["W1"], axis=0, handed_down=False)
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


STAGES = (Columns, WithLayer, WithOptimizer, WithAffine)
