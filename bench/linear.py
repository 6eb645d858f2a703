"""The last layer without logits: seconds, and the memory above inputs and results, beside its three matrix
products alone and PyTorch: ``python bench/linear.py [N FEATURES CLASSES]``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import machine
import measure
import numpy as np
import peers

import nndl_fast as nf

ROUNDS = 3
SHAPE = [2048, 512, 32_000]


def layer(n: int, features: int, classes: int) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(0)
    a, w = (
        rng.standard_normal((n, features), np.float32),
        rng.standard_normal((classes, features), np.float32),
    )
    w *= np.float32(features**-0.5)
    return a, w, np.zeros(classes, np.float32), rng.integers(0, classes, n)


def ours(a: Any, w: Any, b: Any, y: Any) -> Callable[[], Any]:
    return lambda: nf.linear_log_likelihood(a, w, b, y)


def cost_alone(a: Any, w: Any, b: Any, y: Any) -> Callable[[], Any]:
    return lambda: nf.linear_log_likelihood(a, w, b, y, gradients=False)


def products(a: Any, w: Any, b: Any, y: Any) -> Callable[[], Any]:
    z, nabla_w, delta_a = np.empty((len(a), len(w)), a.dtype), np.empty_like(w), np.empty_like(a)

    def call() -> None:
        np.matmul(a, w.T, out=z)
        np.matmul(z, w, out=delta_a)
        np.matmul(z.T, a, out=nabla_w)

    return call


def by_hand(a: Any, w: Any, b: Any, y: Any) -> tuple[Any, Any, Any]:
    """The gradients of the weights, the biases and the activations, with the logits as a whole."""
    delta = nf.log_likelihood_delta(a @ w.T + b, y)
    return delta.T @ a, delta.sum(axis=0), delta @ w


def pytorch(a: Any, w: Any, b: Any, y: Any) -> Callable[[], Any]:
    import torch

    inputs = [torch.from_numpy(x).requires_grad_() for x in (a, w, b)]
    labels = torch.from_numpy(y)

    def call() -> Any:
        for x in inputs:
            x.grad = None
        cost = torch.nn.functional.linear_cross_entropy(inputs[0], inputs[1], labels, linear_bias=inputs[2])
        cost.backward()
        return cost.detach().numpy(), inputs[1].grad.numpy(), inputs[2].grad.numpy(), inputs[0].grad.numpy()

    return call


WAYS = {"nndl_fast": ours, "the cost alone": cost_alone, "products alone": products, "PyTorch": pytorch}


def seconds(call: Callable[[], Any]) -> float:
    measure.wait_for_idle_threads()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def memory(way: str, shape: list[int]) -> float:
    """MB that a call of a process of its own needs at most, above the inputs and the results (Linux)."""
    code = f"""
import re, sys
sys.path[:0] = {sys.path!r}
import linear
def status(field):
    return int(re.search(field + r":\\s*(\\d+)", open("/proc/self/status").read()).group(1)) * 1024
given = linear.layer(*{shape!r})
make = linear.WAYS[{way!r}]
make(*linear.layer(16, 16, 16))()  # what is loaded and kept by the first call
call = make(*given)
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
before = status("VmRSS")
results = call()
print(status("VmHWM") - before - sum(x.nbytes for x in results))
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(result.stdout) / 1e6


def measured(shape: list[int], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of each way that is installed, in turn; what is timed is right, too."""
    given = layer(*shape)
    calls = {
        name: make(*given) for name, make in WAYS.items() if name != "PyTorch" or not peers.missing(name)
    }
    cost, *gradients = calls["nndl_fast"]()
    np.testing.assert_allclose(cost, calls["the cost alone"](), rtol=1e-6)
    others = calls["PyTorch"]() if "PyTorch" in calls else (cost, *by_hand(*given))
    for one, other in zip((cost, *gradients), others):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5 * np.abs(other).max())
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, call in calls.items():
            times.setdefault(name, []).append(seconds(call))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", type=int, nargs="*", default=SHAPE)
    shape = parser.parse_args().shape
    times = measured(shape)
    own = median(times["nndl_fast"])
    print(f"{shape[0]} examples, {shape[1]} features, {shape[2]} classes: {own:.2f} s")
    for name, values in times.items():
        print(f"    {name:16} {median(values):7.2f} s   {median(values) / own:5.2f} of ours")
    for name in ("nndl_fast", "PyTorch"):
        if name in times:
            print(f"    {name:16} {memory(name, shape):7.0f} MB above inputs and results")


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
