"""Word embeddings by CBOW: a word is predicted from the mean of the embeddings of the two words before it and
the two after it, by softmax over the whole vocabulary; Adam."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import nndl_fast as nf

Array = NDArray[Any]


class Words:
    """As written. The text is an array of words, each a number below the vocabulary's size."""

    def __init__(
        self,
        text: Array,
        dtype: DTypeLike = np.float64,
        seed: int = 0,
        vocabulary: int = 7600,
        dimensions: int = 100,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.mini_batch, self.lr = 128, 0.001
        windows = np.lib.stride_tricks.sliding_window_view(text, 5)
        self.contexts, self.targets = windows[:, [0, 1, 3, 4]], text[2:-2]
        self.w_in = (0.01 * self.rng.standard_normal((vocabulary, dimensions))).astype(dtype)
        self.w_out = (0.01 * self.rng.standard_normal((dimensions, vocabulary))).astype(dtype)
        self.start_optimizer()

    @property
    def parameters(self) -> list[Array]:
        return [self.w_in, self.w_out]

    def epoch(self) -> float:
        order = self.rng.permutation(len(self.targets))
        total = 0.0
        for first in range(0, len(order), self.mini_batch):
            batch = order[first : first + self.mini_batch]
            contexts, targets = self.contexts[batch], self.targets[batch]
            h = self.w_in[contexts].mean(axis=1)
            loss, dz = self.loss(self.scores(h), targets)
            dw_out, dh = self.backward(h, dz)
            dw_in = np.zeros_like(self.w_in)
            np.add.at(dw_in, contexts, (dh / contexts.shape[1])[:, None])
            self.update([dw_in, dw_out])
            total += float(loss) * len(batch)
        return total / len(order)

    def scores(self, h: Array) -> Array:
        return h @ self.w_out

    def loss(self, z: Array, y: Array) -> tuple[Any, Array]:
        n = len(y)
        exps = np.exp(z - z.max(axis=1, keepdims=True))
        probs = exps / exps.sum(axis=1, keepdims=True)
        loss = -np.sum(np.log(probs[np.arange(n), y])) / n
        dz = probs.copy()
        dz[np.arange(n), y] -= 1
        return loss, dz / n

    def backward(self, h: Array, dz: Array) -> tuple[Array, Array]:
        return h.T @ dz, dz @ self.w_out.T

    def start_optimizer(self) -> None:
        self.m = [np.zeros_like(p) for p in self.parameters]
        self.v = [np.zeros_like(p) for p in self.parameters]
        self.t = 0

    def update(self, grads: list[Array], beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.t += 1
        correction = math.sqrt(1 - beta2**self.t)
        rate, eps = self.lr * correction / (1 - beta1**self.t), 1e-8 * correction
        for p, grad, m, v in zip(self.parameters, grads, self.m, self.v):
            m += (1 - beta1) * (grad - m)
            v += (1 - beta2) * (grad**2 - v)
            p -= rate * m / (np.sqrt(v) + eps)


class WithLayer(Words):
    """With softmax, the cost and the error by nndl_fast."""

    def loss(self, z: Array, y: Array) -> tuple[Any, Array]:
        return nf.log_likelihood_cost_and_delta(z, y, axis=1, reduction="mean", out=z)


class WithOptimizer(WithLayer):
    """With Adam by nndl_fast, too."""

    def start_optimizer(self) -> None:
        self.optimizer = nf.optimizers.Adam(self.lr)

    def update(self, grads: list[Array], beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.optimizer.step(self.parameters, grads)


class WithAffine(WithOptimizer):
    """With the products by nndl_fast, too."""

    def scores(self, h: Array) -> Array:
        return nf.matmul(h, self.w_out)

    def backward(self, h: Array, dz: Array) -> tuple[Array, Array]:
        return nf.matmul(h.T, dz), nf.matmul(dz, self.w_out.T)


STAGES = (Words, WithLayer, WithOptimizer, WithAffine)
