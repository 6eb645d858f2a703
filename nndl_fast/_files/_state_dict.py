"""Parameters by the names that PyTorch has for them: ``0.weight``, ``0.bias``, ``2.weight``, ..."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import _core
from .._runtime._text import printable
from .._runtime._types import Array

_DIGITS = re.compile("[0-9]+")


def of_layers(biases: Sequence[Array], weights: Sequence[Array]) -> dict[str, Array]:
    """As ``torch.nn.Sequential(Linear, activation, Linear, ...)`` names them; the arrays are copies."""
    state = {}
    for layer, (b, w) in enumerate(zip(biases, weights)):
        state[f"{2 * layer}.weight"] = w.copy()
        state[f"{2 * layer}.bias"] = b.ravel().copy()
    return state


def to_layers(state: Mapping[str, Any], sizes: Sequence[int]) -> tuple[list[Any], list[Any]]:
    """(biases, weights), layer after layer, whatever stands before ``weight`` in their names."""
    biases, weights = [], []
    left = dict(state)
    modules = [name.removesuffix("weight") for name in state if name.rpartition(".")[2] == "weight"]
    for module in _in_order(modules, state, sizes):
        weight, bias = f"{module}weight", f"{module}bias"
        if bias not in state:
            raise ValueError(f"load_state_dict: {printable(weight)} has no {printable(bias)} beside it")
        weights.append(left.pop(weight))
        biases.append(_core.as_real(left.pop(bias), "load_state_dict", printable(bias)).reshape(-1, 1))
    if left:
        name = printable(next(iter(left)))
        raise ValueError(f"load_state_dict: {name} is neither the weight nor the bias of a linear layer")
    return biases, weights


def _in_order(modules: list[str], state: Mapping[str, Any], sizes: Sequence[int]) -> list[str]:
    """As an OrderedDict has them; else as the numbers in their names say, if they fit so, or by the shapes.

    The order of a plain dictionary says nothing: a safetensors file has its arrays by the alphabet, where
    10 comes before 2 and ``output`` before ``prepare``.
    """
    if isinstance(state, OrderedDict):  # state_dict() of a module is one
        return modules
    shapes: list[tuple[int, ...]] = list(zip(sizes[1:], sizes))
    shape_of = {module: tuple(np.shape(state[f"{module}weight"])) for module in modules}
    numbered = _by_number(modules)
    if numbered is not None and [shape_of[module] for module in numbered] == shapes:
        return numbered
    of_shape: dict[tuple[int, ...], list[str]] = {shape: [] for shape in shapes}
    for module in modules:
        of_shape.setdefault(shape_of[module], []).append(module)
    if any(len(same) != shapes.count(shape) for shape, same in of_shape.items()):
        return numbered or modules  # which do not fit in any order, and the network says so
    for shape, same in of_shape.items():
        numbered = _by_number(same)
        if numbered is None:
            first, second = (printable(f"{module}weight") for module in same[:2])
            raise ValueError(
                f"load_state_dict: {first} and {second} are both of shape {shape}, and their names do not "
                "say which layer comes first; give a collections.OrderedDict with the layers in their order, "
                "as state_dict() of a PyTorch module has them"
            )
        of_shape[shape] = numbered
    return [of_shape[shape].pop(0) for shape in shapes]


def _by_number(modules: list[str]) -> list[str] | None:
    """In the order of the numbers in their names, if these are all that tells them apart."""
    numbers = {module: [int(digits) for digits in _DIGITS.findall(module)] for module in modules}
    rest = {_DIGITS.sub("0", module) for module in modules}
    ordered = sorted(modules, key=numbers.__getitem__)
    twice = any(numbers[a] == numbers[b] for a, b in pairwise(ordered))
    return None if len(rest) > 1 or twice else ordered
