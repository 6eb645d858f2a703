"""784-128-64-10 by a framework from scratch: layers are objects with ``forward`` and ``backward``, and a
network is a list of them; relu, and gradient descent with momentum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import nndl_fast as nf

Array = NDArray[Any]


class Dense:
    def __init__(self, inputs: int, neurons: int, dtype: DTypeLike, rng: np.random.Generator) -> None:
        self.W = (np.sqrt(2 / inputs) * rng.standard_normal((inputs, neurons))).astype(dtype)
        self.b = np.zeros(neurons, dtype)

    def forward(self, x: Array) -> Array:
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad: Array) -> Array:
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T


class ReLU:
    def forward(self, x: Array) -> Array:
        self.out = np.maximum(x, 0)
        return self.out

    def backward(self, grad: Array) -> Array:
        return grad * (self.out > 0)


class SoftmaxCrossEntropy:
    def forward(self, logits: Array, labels: Array) -> float:
        exps = np.exp(logits - logits.max(axis=1, keepdims=True))
        self.probs, self.labels = exps / exps.sum(axis=1, keepdims=True), labels
        return float(-np.log(self.probs[np.arange(len(labels)), labels]).mean())

    def backward(self) -> Array:
        grad = self.probs.copy()
        grad[np.arange(len(grad)), self.labels] -= 1
        return grad / len(grad)


class Sequential:
    """As written. Images (n, pixels) and labels (n,)."""

    dense, relu, cross_entropy = Dense, ReLU, SoftmaxCrossEntropy

    def __init__(self, x: Array, y: Array, dtype: DTypeLike = np.float64, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.x, self.y = np.asarray(x, dtype), y
        self.mini_batch, self.lr, self.momentum = 100, 0.05, 0.9
        self.layers: list[Dense | ReLU] = [self.dense(x.shape[1], 128, dtype, self.rng), self.relu()]
        self.layers += [self.dense(128, 64, dtype, self.rng), self.relu()]
        self.layers += [self.dense(64, 10, dtype, self.rng)]
        self.loss = self.cross_entropy()
        self.start_optimizer()

    @property
    def parameters(self) -> list[Array]:
        return [p for layer in self.layers if isinstance(layer, Dense) for p in (layer.W, layer.b)]

    @property
    def gradients(self) -> list[Array]:
        return [g for layer in self.layers if isinstance(layer, Dense) for g in (layer.dW, layer.db)]

    def epoch(self) -> float:
        order = self.rng.permutation(len(self.x))
        total = 0.0
        for first in range(0, len(order), self.mini_batch):
            batch = order[first : first + self.mini_batch]
            out = self.x[batch]
            for layer in self.layers:
                out = layer.forward(out)
            total += self.loss.forward(out, self.y[batch]) * len(batch)
            grad = self.loss.backward()
            for layer in reversed(self.layers):
                grad = layer.backward(grad)
            self.update()
        return total / len(order)

    def start_optimizer(self) -> None:
        self.velocities = [np.zeros_like(p) for p in self.parameters]

    def update(self) -> None:
        for p, grad, v in zip(self.parameters, self.gradients, self.velocities):
            v *= self.momentum
            v -= self.lr * grad
            p += v


class FastSoftmaxCrossEntropy(SoftmaxCrossEntropy):
    def forward(self, logits: Array, labels: Array) -> float:
        cost, self.grad = nf.log_likelihood_cost_and_delta(
            logits, labels, axis=1, reduction="mean", out=logits
        )
        return float(cost)

    def backward(self) -> Array:
        return self.grad


class WithLayer(Sequential):
    """With softmax, the cost and the error by nndl_fast."""

    cross_entropy = FastSoftmaxCrossEntropy


class WithOptimizer(WithLayer):
    """With momentum by nndl_fast, too."""

    def start_optimizer(self) -> None:
        self.optimizer = nf.optimizers.Momentum(self.lr, self.momentum)

    def update(self) -> None:
        self.optimizer.step(self.parameters, self.gradients)


class FastDense(Dense):
    def forward(self, x: Array) -> Array:
        self.x = x
        return nf.affine(x, self.W, self.b)

    def backward(self, grad: Array) -> Array:
        self.dW, self.db, handed_down = nf.affine_backward(grad, self.x, self.W)
        return handed_down


class FastReLU(ReLU):
    def forward(self, x: Array) -> Array:
        self.out = nf.activate(x, "relu", out=x)
        return self.out

    def backward(self, grad: Array) -> Array:
        return nf.activation_backward(grad, self.out, "relu", out=grad)


class WithAffine(WithOptimizer):
    """With the products, biases and activations by nndl_fast, too."""

    dense, relu = FastDense, FastReLU


STAGES = (Sequential, WithLayer, WithOptimizer, WithAffine)
