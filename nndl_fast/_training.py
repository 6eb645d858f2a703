"""Steps of gradient descent: many mini-batches in one compiled call, or NumPy for costs of one's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core, _linear, costs
from . import functional as f

Array = NDArray[Any]
Parameters = tuple[list[Array], list[Array]]  # biases, weights

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam")


class Activation(NamedTuple):
    """Of hidden neurons: the function, and its derivative, both of the weighted inputs."""

    of: Callable[[Array], Array]
    prime: Callable[[Array], Array]


ACTIVATIONS = {
    "sigmoid": Activation(f.sigmoid, f.sigmoid_prime),
    "tanh": Activation(np.tanh, lambda z: 1 - np.square(np.tanh(z))),
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z: z > 0),
}


class Rule(NamedTuple):
    """What a step does with the gradient of the mean cost: the optimizer, and lambda / n."""

    optimizer: str = "sgd"
    shrink: float = 0.0
    momentum: float = 0.9


class Trains(Protocol):
    """What is trained: a network, whose parameters are replaced by one assignment."""

    sizes: list[int]
    hidden: str
    cost: Any
    dtype: np.dtype[Any]
    _parameters: Parameters


def forward(parameters: Parameters, hidden: str, x: Array) -> tuple[list[Array], list[Array]]:
    """The weighted inputs of each layer after the first, the activations of each before the last: columns."""
    zs: list[Array] = []
    activations = [x]
    for b, w in zip(*parameters):
        if zs:
            activations.append(ACTIVATIONS[hidden].of(zs[-1]))
        zs.append(w @ activations[-1] + b)
    return zs, activations


def sum_of_squares(weights: list[Array]) -> float:
    """Of all weights, which the regularisation takes half lambda of."""
    return sum(float(np.sum(np.square(w, dtype=np.float64))) for w in weights)


def activate_output(cost: Any, z: Array) -> Array:
    return np.asarray(getattr(cost, "activation", f.sigmoid)(z))


def _is_wide(cost: Any, outputs: int, examples: int, dtype: np.dtype[Any]) -> bool:
    """Whether the last layer's weighted inputs are too many to be held as a whole, and need not be."""
    known = getattr(cost, "delta", None) is costs.LogLikelihoodCost.delta
    return known and outputs * examples * dtype.itemsize > _linear.ROOM


def gradients(parameters: Parameters, hidden: str, cost: Any, x: Array, y: Array) -> Parameters:
    """(nabla_b, nabla_w), summed over the columns: BP1 to BP4."""
    if _is_wide(cost, len(parameters[1][-1]), x.shape[1], x.dtype):
        return without_logits(parameters, hidden, x, y)[1:]
    zs, activations = forward(parameters, hidden, x)
    output = activate_output(cost, zs[-1]) if getattr(cost, "delta_needs_a", True) else None
    delta = np.asarray(cost.delta(zs[-1], output, y), x.dtype)
    return backward(parameters[1], hidden, zs, activations, delta)


def without_logits(
    parameters: Parameters, hidden: str, x: Array, y: Array, weight: Array | None = None
) -> tuple[Any, list[Array], list[Array]]:
    """(cost, nabla_b, nabla_w), summed over the columns, of a wide layer of softmax and those before it."""
    biases, weights = parameters
    zs, activations = forward((biases[:-1], weights[:-1]), hidden, x)
    a = ACTIVATIONS[hidden].of(zs[-1]) if zs else x
    cost, last_w, last_b, handed_down = f.linear_log_likelihood(
        a.T, weights[-1], biases[-1], y.T, reduction="sum", sample_weight=weight
    )
    return cost, *_below(weights[:-1], hidden, zs, activations, handed_down.T, ([last_b], [last_w]))


def backward(
    weights: list[Array], hidden: str, zs: list[Array], activations: list[Array], delta: Array
) -> Parameters:
    """(nabla_b, nabla_w) from what :func:`forward` gave and the error of the output layer."""
    last = ([delta.sum(axis=1, keepdims=True)], [delta @ activations[-1].T])
    handed_down = weights[-1].T @ delta if len(weights) > 1 else delta
    return _below(weights[:-1], hidden, zs[:-1], activations[:-1], handed_down, last)


def _below(
    weights: list[Array],
    hidden: str,
    zs: list[Array],
    activations: list[Array],
    handed_down: Array,
    above: Parameters,
) -> Parameters:
    """The gradients of the hidden layers, before those of the layers above them."""
    nabla_b, nabla_w = above
    delta = handed_down
    for layer in range(len(weights) - 1, -1, -1):
        delta = delta * ACTIVATIONS[hidden].prime(zs[layer])
        nabla_b.append(delta.sum(axis=1, keepdims=True))
        nabla_w.append(delta @ activations[layer].T)
        if layer:
            delta = weights[layer].T @ delta
    return nabla_b[::-1], nabla_w[::-1]


class NumpyTrainer:
    """Steps in NumPy. What interrupts one leaves it undone or done."""

    def __init__(self, net: Trains, rule: Rule):
        self.net, self.rule = net, rule
        self.steps = 0
        parameters = [] if rule.optimizer == "sgd" else [p for side in net._parameters for p in side]
        self.first = [np.zeros_like(p) for p in parameters]
        self.second = [np.zeros_like(p) for p in parameters if rule.optimizer == "adam"]

    def run(self, x: Array, y: Array, order: Array, mini_batch: int, eta: float) -> None:
        """A step for each mini-batch of the examples that `order` lists."""
        for start in range(0, len(order), mini_batch):
            batch = order[start : start + mini_batch]
            self._step(x[batch].T, y[batch].T, eta)

    def _step(self, x: Array, y: Array, eta: float) -> None:
        net = self.net
        self.apply(*gradients(net._parameters, net.hidden, net.cost, x, y), x.shape[1], eta)

    def apply(self, nabla_b: list[Array], nabla_w: list[Array], examples: float, eta: float) -> None:
        """A step by gradients that are sums over so many examples; they are used up."""
        net, rule = self.net, self.rule
        biases, weights = net._parameters
        rate = (eta if rule.optimizer == "sgd" else 1) / examples
        for nabla in nabla_b + nabla_w:
            nabla *= rate
        if rule.optimizer == "sgd":
            kept = [(1 - eta * rule.shrink) * w for w in weights]
            for w, nabla in zip(kept, nabla_w):
                w -= nabla
            net._parameters = ([b - nabla for b, nabla in zip(biases, nabla_b)], kept)
            return
        for w, nabla in zip(weights, nabla_w):
            nabla += rule.shrink * w
        self.steps += 1
        moves = [self._move(i, g, eta) for i, g in enumerate(nabla_b + nabla_w)]
        moved = [p + move for p, move in zip(biases + weights, moves)]
        net._parameters = (moved[: len(biases)], moved[len(biases) :])

    def _move(self, i: int, gradient: Array, eta: float) -> Array:
        """Where the i-th parameters go: the book's (107) and (108); Kingma and Ba, 2014."""
        mu = self.rule.momentum
        if self.rule.optimizer == "adam":
            self.first[i] = mu * self.first[i] + (1 - mu) * gradient
            self.second[i] = 0.999 * self.second[i] + (1 - 0.999) * gradient * gradient
            rate, root = eta / (1 - mu**self.steps), 1 / np.sqrt(1 - 0.999**self.steps)
            return np.asarray(
                -rate * self.first[i] / (np.sqrt(self.second[i]) * gradient.dtype.type(root) + 1e-8)
            )
        self.first[i] = mu * self.first[i] - eta * gradient
        return mu * self.first[i] - eta * gradient if self.rule.optimizer == "nesterov" else self.first[i]


def plain(array: Array, dtype: DTypeLike | None = None) -> Array:
    """In C order and aligned, as compiled steps take it; a copy where it is not."""
    return np.require(array, dtype, ["C", "A"])


class CompiledTrainer:
    """Steps in compiled code, whose parameters are new arrays after each call."""

    def __init__(self, net: Trains, rule: Rule, cost: str):
        self.net, self.rule = net, rule
        self.trainer = _core.trainer(net.sizes, net.hidden, cost, net.dtype == np.float32)

    def run(self, x: Array, y: Array, order: Array, mini_batch: int, eta: float) -> None:
        """A step for each mini-batch of the examples that `order` lists."""
        net, rule = self.net, self.rule
        x = plain(x)
        y = plain(y, np.int64 if y.ndim == 1 else y.dtype)
        biases, weights = net._parameters
        self.trainer.use([*map(plain, weights)], [*map(plain, biases)])
        try:
            self.trainer.run(x, y, order, mini_batch, rule.optimizer, eta, rule.shrink, rule.momentum)
        finally:  # what interrupts it does so between mini-batches
            net._parameters = self.trainer.parameters()


def trainer_for(net: Trains, rule: Rule) -> NumpyTrainer | CompiledTrainer:
    """The compiled way where it computes what the network's cost says, else NumPy."""
    delta = getattr(net.cost, "delta", None)
    name = next((name for name, known in costs.BY_NAME.items() if known.delta is delta), None)
    return NumpyTrainer(net, rule) if name is None else CompiledTrainer(net, rule, name)


def weighted_inputs_of(parameters: Parameters, hidden: str) -> Callable[[Array], Array]:
    """What gives the output layer's weighted inputs, (n, outputs), for examples in rows."""
    biases, weights = parameters
    sizes = [weights[0].shape[1], *(len(w) for w in weights)]
    network = _core.trainer(sizes, hidden, "LogLikelihoodCost", weights[0].dtype == np.float32)
    network.use([*map(plain, weights)], [*map(plain, biases)])
    return network.weighted_inputs


@cache
def _controller() -> Any:
    try:
        import threadpoolctl
    except ImportError:
        return None
    return threadpoolctl.ThreadpoolController()


class _Limit:
    """One thread of BLAS, in the whole process, while any thread holds it.

    threadpoolctl's own limits can only be lifted by the thread that set them, and holders end in any order.
    """

    def __init__(self) -> None:
        self.forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        self.lock = threading.Lock()
        self.holders: set[object] = set()
        self.before: list[tuple[Any, int]] = []

    def take(self, holder: object) -> None:
        with self.lock:
            if not self.holders:
                libraries = _controller().select(user_api="blas").lib_controllers
                self.before = [(library, library.num_threads) for library in libraries]
            self.holders.add(holder)
            for library, _ in self.before:
                library.set_num_threads(1)

    def leave(self, holder: object) -> None:
        with self.lock:
            self.holders.discard(holder)
            if not self.holders:
                for library, threads in self.before:
                    library.set_num_threads(threads)


_one_of_blas = _Limit()


@contextmanager
def one_thread_of_blas() -> Iterator[None]:
    if _controller() is None:
        yield
        return
    holder = object()
    try:
        _one_of_blas.take(holder)
        yield
    finally:
        try:
            _one_of_blas.leave(holder)
        except BaseException:  # a second Ctrl-C
            _one_of_blas.leave(holder)
            raise
