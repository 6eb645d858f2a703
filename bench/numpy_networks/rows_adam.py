"""784-512-10 with examples in rows, relu and Adam, as course code has it: the parameters, their gradients and
what Adam remembers of them are dictionaries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import nndl_fast as nf

Array = NDArray[Any]
Named = dict[str, Array]


class Rows:
    """As written. Images (n, pixels) and labels (n,)."""

    def __init__(
        self, x: Array, y: Array, dtype: DTypeLike = np.float64, seed: int = 0, hidden: int = 512
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.x, self.y = np.asarray(x, dtype), y
        self.mini_batch, self.lr = 128, 0.001
        inputs, classes = x.shape[1], 10
        self.params = {
            "W1": (np.sqrt(2 / inputs) * self.rng.standard_normal((inputs, hidden))).astype(dtype),
            "b1": np.zeros(hidden, dtype),
            "W2": (np.sqrt(2 / hidden) * self.rng.standard_normal((hidden, classes))).astype(dtype),
            "b2": np.zeros(classes, dtype),
        }
        self.start_optimizer()

    @property
    def parameters(self) -> list[Array]:
        return list(self.params.values())

    def epoch(self) -> float:
        order = self.rng.permutation(len(self.x))
        total = 0.0
        for first in range(0, len(order), self.mini_batch):
            batch = order[first : first + self.mini_batch]
            x, y = self.x[batch], self.y[batch]
            h, z = self.forward(x)
            loss, dz = self.loss(z, y)
            self.update(self.backward(x, h, dz))
            total += float(loss) * len(batch)
        return total / len(order)

    def forward(self, x: Array) -> tuple[Array, Array]:
        h = np.maximum(0, x @ self.params["W1"] + self.params["b1"])
        return h, h @ self.params["W2"] + self.params["b2"]

    def loss(self, z: Array, y: Array) -> tuple[Any, Array]:
        n = len(y)
        shifted = z - np.max(z, axis=1, keepdims=True)
        log_probs = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
        loss = -np.sum(log_probs[np.arange(n), y]) / n
        dz = np.exp(log_probs)
        dz[np.arange(n), y] -= 1
        dz /= n
        return loss, dz

    def backward(self, x: Array, h: Array, dz: Array) -> Named:
        dh = dz @ self.params["W2"].T
        dh[h <= 0] = 0
        return {
            "W1": x.T @ dh,
            "b1": np.sum(dh, axis=0),
            "W2": h.T @ dz,
            "b2": np.sum(dz, axis=0),
        }

    def start_optimizer(self) -> None:
        self.m = {key: np.zeros_like(p) for key, p in self.params.items()}
        self.v = {key: np.zeros_like(p) for key, p in self.params.items()}
        self.t = 0

    def update(self, grads: Named, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        self.t += 1
        for key, grad in grads.items():
            self.m[key] = beta1 * self.m[key] + (1 - beta1) * grad
            self.v[key] = beta2 * self.v[key] + (1 - beta2) * grad**2
            m_hat = self.m[key] / (1 - beta1**self.t)
            v_hat = self.v[key] / (1 - beta2**self.t)
            self.params[key] -= self.lr * m_hat / (np.sqrt(v_hat) + eps)


class WithLayer(Rows):
    """With softmax, the cost and the error by nndl_fast."""

    def loss(self, z: Array, y: Array) -> tuple[Any, Array]:
        return nf.log_likelihood_cost_and_delta(z, y, axis=1, reduction="mean", out=z)


class WithOptimizer(WithLayer):
    """With Adam by nndl_fast, too."""

    def start_optimizer(self) -> None:
        self.optimizer = nf.optimizers.Adam(self.lr)

    def update(self, grads: Named, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        self.optimizer.step(self.params, grads)


class WithAffine(WithOptimizer):
    """With the products, biases and activations by nndl_fast, too."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        h = nf.affine(x, self.params["W1"], self.params["b1"], activation="relu")
        return h, nf.affine(h, self.params["W2"], self.params["b2"])

    def backward(self, x: Array, h: Array, dz: Array) -> Named:
        dw2, db2, dh = nf.affine_backward(dz, h, self.params["W2"], activation="relu")
        dw1, db1, _ = nf.affine_backward(dh, x, self.params["W1"], handed_down=False)
        return {"W1": dw1, "b1": db1, "W2": dw2, "b2": db2}


STAGES = (Rows, WithLayer, WithOptimizer, WithAffine)
