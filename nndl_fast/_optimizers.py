"""The optimizers' equations in NumPy; ``csrc/kernels/operations/step.cpp`` has them in compiled code."""

from __future__ import annotations

import math

import numpy as np

from . import _core
from ._backpropagation import Parameters
from ._errors import unheard
from ._types import Array


class Optimizer:
    """Steps by a rule, with what the rule remembers of earlier gradients."""

    def __init__(self, rule: _core.Rule, parameters: Parameters) -> None:
        self.name, self.weight_decay, self.mu = rule.optimizer, rule.weight_decay, rule.momentum
        self.beta2, self.epsilon = rule.beta2, rule.epsilon
        self.steps = 0
        remembered = [] if self.name == "sgd" else [p for side in parameters for p in side]
        self.first = [np.zeros_like(p) for p in remembered]
        self.second = [np.zeros_like(p) for p in remembered if self.name == "adam"]

    @unheard
    def step(self, parameters: Parameters, nabla: Parameters, examples: float, eta: float) -> Parameters:
        """Returns the parameters after a step.

        ``nabla`` are the gradients by biases and weights, summed over so many examples; they are overwritten.
        """
        biases, weights = parameters
        nabla_b, nabla_w = nabla
        rate = (eta if self.name == "sgd" else 1) / examples
        for gradient in nabla_b + nabla_w:
            gradient *= rate
        if self.name == "sgd":
            kept = [(1 - eta * self.weight_decay) * w for w in weights]
            for w, gradient in zip(kept, nabla_w):
                w -= gradient
            return [b - gradient for b, gradient in zip(biases, nabla_b)], kept
        for w, gradient in zip(weights, nabla_w):
            gradient += self.weight_decay * w
        self.steps += 1
        moves = [self._move(i, gradient, eta) for i, gradient in enumerate(nabla_b + nabla_w)]
        moved = [p + move for p, move in zip(biases + weights, moves)]
        return moved[: len(biases)], moved[len(biases) :]

    def _move(self, i: int, gradient: Array, eta: float) -> Array:
        """What is added to the i-th parameters: the book's (107) and (108), or Adam (Kingma and Ba, 2014)."""
        mu, beta2 = self.mu, self.beta2
        if self.name == "adam":
            self.first[i] = mu * self.first[i] + (1 - mu) * gradient
            self.second[i] = beta2 * self.second[i] + (1 - beta2) * gradient * gradient
            rate, root = eta / (1 - mu**self.steps), 1 / math.sqrt(1 - beta2**self.steps)
            divisor = np.sqrt(self.second[i]) * gradient.dtype.type(root) + self.epsilon
            return np.asarray(-rate * self.first[i] / divisor)
        self.first[i] = mu * self.first[i] - eta * gradient
        return mu * self.first[i] - eta * gradient if self.name == "nesterov" else self.first[i]
