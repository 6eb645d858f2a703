"""A last layer of 50,000 classes, whose logits are never there as a whole:
``python examples/many_classes.py`` (a minute or two).

Each class is a direction in 128 dimensions, an example one of them with noise. The logits of a batch of 4096
are 800 MB, and their gradient is as much again; linear_log_likelihood needs 32 MB beside its results."""

from __future__ import annotations

import sys
import time

import numpy as np

import nndl_fast as nf


def main(classes: int = 50_000, steps: int = 30, batch: int = 4096, features: int = 128) -> float:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((classes, features), dtype=np.float32)

    def examples(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(0, classes, n)
        noise = rng.standard_normal((n, features), dtype=np.float32)
        return (directions[y] + 0.5 * noise) / np.float32(features**0.5), y

    w, b = np.zeros((classes, features), np.float32), np.zeros(classes, np.float32)
    test_a, test_y = examples(1000)
    eta = np.float32(2 * batch)  # a class is seen once in many batches, and has 1 / batch of the mean then
    start = time.perf_counter()
    for step in range(1, steps + 1):
        a, y = examples(batch)
        cost, nabla_w, nabla_b, _ = nf.linear_log_likelihood(a, w, b, y)
        w -= eta * nabla_w
        b -= eta * nabla_b
        if step % 5 == 0 or step == steps:
            seconds = (time.perf_counter() - start) / step
            print(
                f"step {step}: cost {float(cost):.3f} (ln {classes} is {np.log(classes):.3f}), "
                f"{seconds:.2f} s a step"
            )
    right = float(np.mean((test_a @ w.T + b).argmax(axis=1) == test_y))
    print(f"{right:.1%} of new examples are right")
    return right


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
