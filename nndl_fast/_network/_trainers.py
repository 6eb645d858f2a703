"""Gradient descent by mini-batches: many in one compiled call, or one by one for a cost of the user's own.

A trainer replaces a network's ``parameters`` by one assignment, so that whatever interrupts it leaves them as
they were after a whole mini-batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import ref

import numpy as np

from .. import _core, costs, optimizers
from .._runtime import _inputs
from .._runtime._errors import unheard
from .._runtime._types import Array
from ._backpropagation import Parameters, gradients, plain, weighted_inputs_of
from ._layers import Layers

# Moments as (biases, weights), and the powers of the two betas.
Memory = tuple[list[Parameters], float, float]

P = ParamSpec("P")
S = TypeVar("S")
R = TypeVar("R")


class _Call:
    """A call of a method that trains, which has not ended as long as this is there."""


_in_training: dict[int, ref[_Call]] = {}  # by the address of what is trained


def one_at_a_time(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method that trains its object: a call in the middle of another one, from another thread or from a
    signal's handler, is refused."""

    @wraps(method)
    def alone(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        call = _Call()
        # Forgotten when the call is: an exception may come at any line here, and no line need be reached.
        entry: ref[_Call] | None = ref(call, partial(_in_training.pop, id(self)))
        try:
            if _in_training.setdefault(id(self), entry) is not entry:  # type: ignore[arg-type]  # one atomic step
                entry = None  # before the call, which else would forget the other one
                raise RuntimeError(
                    f"{method.__name__}: this {type(self).__name__} is being trained by another call"
                )
            return method(self, *args, **kwargs)
        finally:
            del call

    return alone


class Optimizers:
    """The optimizers of a rule: one for a network's biases, and one for its weights, which alone decay."""

    def __init__(self, rule: _core.Rule) -> None:
        self.both = [_optimizer(rule, 0.0), _optimizer(rule, rule.weight_decay)]

    @unheard
    def step(self, parameters: Parameters, nabla: Parameters, examples: float, eta: float) -> Parameters:
        """Returns new parameters after a step.

        ``nabla`` are the gradients by biases and weights, summed over so many examples.
        """
        moved = tuple([p.copy() for p in side] for side in parameters)
        for optimizer, side, gradients_of_side in zip(self.both, moved, nabla):
            optimizer.lr = eta
            optimizer.step(side, [gradient / examples for gradient in gradients_of_side])
        return moved  # type: ignore[return-value]


def _optimizer(rule: _core.Rule, weight_decay: float) -> Any:
    if rule.optimizer == "adam":
        betas = rule.momentum, rule.beta2
        return optimizers.Adam(betas=betas, eps=rule.epsilon, weight_decay=weight_decay)
    if rule.optimizer == "sgd":
        return optimizers.SGD(weight_decay=weight_decay)
    kind = optimizers.Nesterov if rule.optimizer == "nesterov" else optimizers.Momentum
    return kind(momentum=rule.momentum, weight_decay=weight_decay)


class PythonTrainer:
    """Computes each step with a cost that is called from Python."""

    def __init__(self, net: Layers, rule: _core.Rule) -> None:
        self.net, self.rule = net, rule
        self.optimizers = Optimizers(rule)
        self.remember()

    def remember(self) -> None:
        """As that of :class:`CompiledTrainer`."""
        self.memory = copy.deepcopy(self.optimizers)

    def go_on_from(self, memory: Optimizers) -> None:
        """As that of :class:`CompiledTrainer`."""
        self.optimizers = memory
        self.remember()

    def run(
        self, x: Array, y: Array, order: Array, mini_batch: int, eta: float, weight: Array | None = None
    ) -> None:
        """As that of :class:`CompiledTrainer`."""
        net, parameters = self.net, self.net.parameters
        for start in range(0, len(order), mini_batch):
            batch = order[start : start + mini_batch]
            of_batch = None if weight is None else weight[batch]
            nabla = gradients(parameters, net.hidden, net.cost, x[batch].T, y[batch].T, of_batch)
            net.parameters = parameters = self.optimizers.step(parameters, nabla, len(batch), eta)

    def weighted_inputs_of(self) -> Callable[[Array], Array]:
        """As that of :class:`CompiledTrainer`."""
        return weighted_inputs_of(self.net.parameters, self.net.hidden)


class CompiledTrainer:
    """Takes all steps of a call in compiled code. The parameters are new arrays after each call.

    What it remembers of earlier gradients is in ``memory`` as of the last :meth:`remember`, and goes with
    copies and pickles.
    """

    memory: Memory
    compiled: _core.Network | None

    def __init__(self, net: Layers, rule: _core.Rule, cost: str) -> None:
        self.net, self.rule, self.cost = net, rule, cost
        self.go_on_from(([], 1.0, 1.0))

    def run(
        self, x: Array, y: Array, order: Array, mini_batch: int, eta: float, weight: Array | None = None
    ) -> None:
        """Takes a step for each mini-batch of the examples that ``order`` lists, times their weights if there
        are any."""
        x = plain(x)
        y = plain(y, np.int64 if y.ndim == 1 else y.dtype)
        compiled = self.compiled
        if compiled is None:
            single = self.net.dtype == np.float32
            compiled = _core.network(self.net.sizes, self.net.hidden, self.cost, single)
            moments, *powers = self.memory
            compiled.use_memory([_plain_sides(sides) for sides in moments], *powers)
            self.compiled = compiled
        biases, weights = _plain_sides(self.net.parameters)
        compiled.use(weights, biases)
        try:
            weight = None if weight is None else plain(weight, np.float64)
            compiled.train(x, y, order, mini_batch, self.rule, eta, weight)
        finally:  # an interruption comes between mini-batches
            self.net.parameters = compiled.parameters()

    def weighted_inputs_of(self) -> Callable[[Array], Array]:
        """Returns what :func:`weighted_inputs_of` does, for the parameters that :meth:`run` has left."""
        assert self.compiled is not None
        return self.compiled.weighted_inputs

    def remember(self) -> None:
        """Takes what the steps so far have left into ``memory``, as arrays that nothing changes."""
        if self.compiled is not None:
            self.memory = self.compiled.memory()

    def go_on_from(self, memory: Memory) -> None:
        """Takes the next steps as if those since then had not been."""
        self.memory = memory
        self.compiled = None

    def __getstate__(self) -> dict[str, Any]:
        rule = self.rule.optimizer, self.rule.weight_decay, self.rule.momentum
        return {**vars(self), "rule": rule, "compiled": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        optimizer, weight_decay, momentum = state["rule"]
        vars(self).update(state)
        self.rule = _core.rule(optimizer, weight_decay=weight_decay, momentum=momentum)


class Best:
    """The epoch with the best accuracy on the evaluation data; what follows if none is better for long."""

    least_factor = 1 / 128  # at which a training ends, in the book's exercise

    def __init__(
        self, early_stopping_n: int, halving_n: int, keep_best: bool, parameters: Parameters
    ) -> None:
        self.early_stopping_n = _inputs.count(early_stopping_n, "SGD", "early_stopping_n", 0)
        self.halving_n = _inputs.count(halving_n, "SGD", "halving_n", 0)
        self.is_kept = bool(keep_best) or self.early_stopping_n > 0
        self.is_sought = self.is_kept or self.halving_n > 0  # which takes accuracies
        self.accuracy, self.epoch, self.parameters = -1.0, 0, parameters
        self.factor = 1.0  # of the learning rate
        self._waiting_since = 0  # the best epoch, or that of the last halving

    def goes_on_after(self, epoch: int, values: dict[str, float], parameters: Parameters) -> bool:
        """Takes note of an epoch and what was measured after it; returns whether there is another."""
        if not self.is_sought:
            return True
        accuracy = values["evaluation_accuracy"]
        if accuracy > self.accuracy:
            self.accuracy, self.epoch, self.parameters = accuracy, epoch, parameters
            self._waiting_since = epoch
        if self.halving_n and epoch - self._waiting_since >= self.halving_n:
            self.factor /= 2
            self._waiting_since = epoch
        stopped = self.early_stopping_n and epoch - self.epoch >= self.early_stopping_n
        return not stopped and self.factor > self.least_factor


def _plain_sides(sides: Parameters) -> Parameters:
    """As compiled code takes them."""
    return [*map(plain, sides[0])], [*map(plain, sides[1])]


def trainer_for(net: Layers, rule: _core.Rule) -> PythonTrainer | CompiledTrainer:
    """Returns a trainer in compiled code if that computes what the network's cost says."""
    delta = getattr(net.cost, "delta", None)
    name = next((name for name, known in costs.BY_NAME.items() if known.delta is delta), None)
    return PythonTrainer(net, rule) if name is None else CompiledTrainer(net, rule, name)
