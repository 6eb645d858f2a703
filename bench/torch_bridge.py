"""Forward and backward of the bridge to PyTorch beside PyTorch's own functions:
``python bench/torch_bridge.py [--rounds R] [N CLASSES | N FEATURES CLASSES]``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import linear
import machine
import measure
import numpy as np
import torch

import nndl_fast.torch as bridge

SHAPES = [[128, 10], [256, 100], [1024, 1000], [256, 32_000], [2048, 512, 32_000]]
Call = Callable[[], list[Any]]


def stepping(function: Callable[..., Any], leaves: list[Any], labels: Any) -> Call:
    """The cost and the gradients of the leaves, as arrays."""

    def call() -> list[Any]:
        for leaf in leaves:
            leaf.grad = None
        cost = function(*leaves, labels)
        cost.backward()
        return [cost.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)]

    return call


def calls_of(shape: list[int]) -> dict[str, Call]:
    theirs = torch.nn.functional
    if len(shape) == 2:
        rng = np.random.default_rng(0)
        arrays = [3 * rng.standard_normal(shape, np.float32)]
        y = rng.integers(0, shape[1], shape[0])
        functions = {"nndl_fast": bridge.cross_entropy, "PyTorch": theirs.cross_entropy}
    else:
        *arrays, y = linear.layer(*shape)
        functions = {
            "nndl_fast": lambda a, w, b, y: bridge.linear_cross_entropy(a, w, y, b),
            "PyTorch": lambda a, w, b, y: theirs.linear_cross_entropy(a, w, y, linear_bias=b),
            "PyTorch, logits": lambda a, w, b, y: theirs.cross_entropy(theirs.linear(a, w, b), y),
        }
    leaves = [torch.from_numpy(array).requires_grad_() for array in arrays]
    labels = torch.from_numpy(y)
    return {name: stepping(function, leaves, labels) for name, function in functions.items()}


def seconds(call: Call, repetitions: int) -> float:
    measure.wait_for_idle_threads()
    start = time.perf_counter()
    for _ in range(repetitions):
        call()
    return (time.perf_counter() - start) / repetitions


def measured(shape: list[int], rounds: int) -> dict[str, list[float]]:
    """Seconds of both in turn, once their results agree."""
    calls = calls_of(shape)
    expected = [np.copy(x) for x in calls["PyTorch"]()]
    for call in calls.values():  # the warm-up as well
        for got, other in zip(call(), expected):
            np.testing.assert_allclose(got, other, rtol=1e-3, atol=1e-5 * np.abs(other).max())
    repetitions = {
        name: max(1, round(measure.MEASUREMENT / measure.seconds_of_a_call(call)))
        for name, call in calls.items()
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call, repetitions[name]))
    return times


def compare(shape: list[int], rounds: int) -> None:
    times = measured(shape, rounds)
    own = median(times["nndl_fast"])
    print(" x ".join(map(str, shape)))
    for name, values in times.items():
        print(f"    {name:16} {median(values) * 1e6:12.1f} us   {median(values) / own:6.2f} of ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("shape", type=int, nargs="*")
    given = parser.parse_args()
    measure.keep_freed_memory()
    for shape in [given.shape] if given.shape else SHAPES:
        compare(shape, given.rounds)


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
