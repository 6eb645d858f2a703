"""A recurrent language model of words, as min-char-rnn but of several sequences at once: tanh, 100 hidden
neurons, backpropagation through 20 steps, AdaGrad, and gradients whose norm is limited."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import nndl_fast as nf

Array = NDArray[Any]
Named = dict[str, Array]


class Recurrent:
    """As written. The text is an array of words, each a number below the vocabulary's size."""

    def __init__(
        self,
        text: Array,
        dtype: DTypeLike = np.float64,
        seed: int = 0,
        vocabulary: int = 7600,
        hidden: int = 100,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.steps, self.sequences, self.lr, self.max_norm = 20, 20, 0.1, 5.0
        length = len(text) // self.sequences
        self.text = text[: length * self.sequences].reshape(self.sequences, length).T  # a step is a row
        self.params = {
            "wx": (0.01 * rng.standard_normal((vocabulary, hidden))).astype(dtype),
            "wh": (0.01 * rng.standard_normal((hidden, hidden))).astype(dtype),
            "bh": np.zeros(hidden, dtype),
            "wy": (0.01 * rng.standard_normal((hidden, vocabulary))).astype(dtype),
            "by": np.zeros(vocabulary, dtype),
        }
        self.start_optimizer()

    @property
    def parameters(self) -> list[Array]:
        return list(self.params.values())

    def epoch(self) -> float:
        wh = self.params["wh"]
        h = np.zeros((self.sequences, len(wh)), wh.dtype)  # carried on from chunk to chunk
        costs = []
        for first in range(0, len(self.text) - self.steps, self.steps):
            words, targets = self.text[first : first + self.steps], self.text[first + 1 :][: self.steps]
            states, deltas = [h], []
            for inputs, target in zip(words, targets):
                h = self.hidden(inputs, h)
                cost, delta = self.loss(self.logits(h), target)
                states.append(h)
                deltas.append(delta)
                costs.append(float(cost))
            self.update(self.backward(words, states, deltas))
        return sum(costs) / len(costs)

    def hidden(self, words: Array, h: Array) -> Array:
        return np.tanh(self.params["wx"][words] + h @ self.params["wh"] + self.params["bh"])

    def logits(self, h: Array) -> Array:
        return h @ self.params["wy"] + self.params["by"]

    def loss(self, z: Array, y: Array) -> tuple[Any, Array]:
        rows = np.arange(len(y))
        exps = np.exp(z - z.max(axis=1, keepdims=True))
        p = exps / exps.sum(axis=1, keepdims=True)
        cost = -np.log(p[rows, y]).mean()
        delta = p.copy()
        delta[rows, y] -= 1
        return cost, delta / len(y)

    def backward(self, words: Array, states: list[Array], deltas: list[Array]) -> Named:
        wh, wy = self.params["wh"], self.params["wy"]
        grads = {key: np.zeros_like(p) for key, p in self.params.items()}
        dh_next = np.zeros_like(states[0])
        for t in reversed(range(len(words))):
            h, before, delta = states[t + 1], states[t], deltas[t]
            grads["wy"] += h.T @ delta
            grads["by"] += delta.sum(axis=0)
            dz = (delta @ wy.T + dh_next) * (1 - h * h)
            grads["wh"] += before.T @ dz
            grads["bh"] += dz.sum(axis=0)
            np.add.at(grads["wx"], words[t], dz)
            dh_next = dz @ wh.T
        return grads

    def start_optimizer(self) -> None:
        self.memory = {key: np.zeros_like(p) for key, p in self.params.items()}

    def update(self, grads: Named) -> None:
        norm = np.sqrt(sum(np.sum(grad**2) for grad in grads.values()))
        scale = min(1.0, float(self.max_norm / (norm + 1e-6)))
        for key, grad in grads.items():
            grad *= scale
            self.memory[key] += grad * grad
            self.params[key] -= self.lr * grad / (np.sqrt(self.memory[key]) + 1e-10)


class WithLayer(Recurrent):
    """With softmax, the cost and the error by nndl_fast."""

    def loss(self, z: Array, y: Array) -> tuple[Any, Array]:
        return nf.log_likelihood_cost_and_delta(z, y, axis=1, reduction="mean", out=z)


class WithOptimizer(WithLayer):
    """With AdaGrad and the limit of the norm by nndl_fast, too."""

    def start_optimizer(self) -> None:
        self.optimizer = nf.optimizers.AdaGrad(self.lr, max_norm=self.max_norm)

    def update(self, grads: Named) -> None:
        self.optimizer.step(self.params, grads)


class WithAffine(WithOptimizer):
    """With the products, biases and activations by nndl_fast, too."""

    def hidden(self, words: Array, h: Array) -> Array:
        z = self.params["wx"][words]
        z += self.params["bh"]
        return nf.affine(h, self.params["wh"], z, activation="tanh", out=z)

    def logits(self, h: Array) -> Array:
        return nf.affine(h, self.params["wy"], self.params["by"])

    def backward(self, words: Array, states: list[Array], deltas: list[Array]) -> Named:
        wh, wy = self.params["wh"], self.params["wy"]
        grads = {key: np.zeros_like(p) for key, p in self.params.items()}
        dh_next = np.zeros_like(states[0])
        for t in reversed(range(len(words))):
            h, before = states[t + 1], states[t]
            dwy, dby, dh = nf.affine_backward(deltas[t], h, wy)
            dh += dh_next
            dz = nf.activation_backward(dh, h, "tanh", out=dh)
            dwh, dbh, dh_next = nf.affine_backward(dz, before, wh)
            for key, grad in (("wy", dwy), ("by", dby), ("wh", dwh), ("bh", dbh)):
                grads[key] += grad
            np.add.at(grads["wx"], words[t], dz)
        return grads


STAGES = (Recurrent, WithLayer, WithOptimizer, WithAffine)
