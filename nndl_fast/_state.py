"""Parameters by the names that PyTorch has for them: ``0.weight``, ``0.bias``, ``2.weight``, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _core
from ._types import Array


def of_layers(biases: Sequence[Array], weights: Sequence[Array]) -> dict[str, Array]:
    """As ``torch.nn.Sequential(Linear, activation, Linear, ...)`` names them; the arrays are copies."""
    state = {}
    for layer, (b, w) in enumerate(zip(biases, weights)):
        state[f"{2 * layer}.weight"] = w.copy()
        state[f"{2 * layer}.bias"] = b.ravel().copy()
    return state


def to_layers(state: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """(biases, weights) of layers in the order of their weights, whatever stands before ``.weight``."""
    biases, weights = [], []
    left = dict(state)
    for name in state:
        before, dot, kind = name.rpartition(".")
        if kind != "weight":
            continue
        if f"{before}{dot}bias" not in state:
            raise ValueError(f"load_state_dict: {name} has no {before}{dot}bias beside it")
        weights.append(left.pop(name))
        bias = f"{before}{dot}bias"
        biases.append(_core.as_real(left.pop(bias), "load_state_dict", bias).reshape(-1, 1))
    if left:
        raise ValueError(
            f"load_state_dict: {next(iter(left))} is neither the weight nor the bias of a linear layer"
        )
    return biases, weights
