"""MNIST to 98 %: ``python examples/mnist.py FOLDER``, with the four IDX files in FOLDER (ten seconds)."""

from __future__ import annotations

import sys

import nndl_fast as nf


def main(folder: str, epochs: int = 30) -> float:
    training, validation, test = nf.datasets.load_mnist(folder)
    net = nf.Network([784, 100, 10], hidden="relu", rng=1)
    net.SGD(training, epochs, 10, lambda epoch: 0.1 if epoch <= 20 else 0.02, lmbda=5.0)
    accuracy = net.accuracy(test) / len(test[1])
    print(f"validation {net.accuracy(validation) / len(validation[1]):.2%}, test {accuracy:.2%} are right")
    return accuracy


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
