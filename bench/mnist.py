"""Trains on MNIST for 30 epochs with nndl_fast and with plain batched NumPy, and prints a table of accuracies
and seconds: ``python bench/mnist.py FOLDER``."""

from __future__ import annotations

import argparse
import time

import numpy as np
import trainers

import nndl_fast as nf

EPOCHS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="where MNIST's IDX files are")
    parser.add_argument("--hidden", type=int, nargs="+", default=[30, 100])
    arguments = parser.parse_args()
    training, validation, test = nf.datasets.load_mnist(arguments.folder)
    print(
        "| network | by | best validation accuracy | test accuracy at that epoch | seconds, training alone |"
    )
    print("| --- | --- | --- | --- | --- |")
    for hidden in arguments.hidden:
        for name in ("nndl_fast", "NumPy"):
            epoch = trainers.EPOCH[name](*training, hidden)
            judge, seconds, history = trainers.start(hidden), 0.0, []
            for _ in range(EPOCHS):
                start = time.perf_counter()
                parameters = epoch()
                seconds += time.perf_counter() - start
                weights, biases = parameters()
                judge.weights, judge.biases = [np.array(w) for w in weights], [np.array(b) for b in biases]
                history.append((judge.accuracy(validation), judge.accuracy(test)))
            best = max(history)
            shares = best[0] / len(validation[1]), best[1] / len(test[1])
            print(
                f"| 784-{hidden}-10 | {name} | {shares[0]:.2%} | {shares[1]:.2%} | {seconds:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
