"""Our costs in the book's own program: ``python examples/in_network2.py FOLDER``, where FOLDER has a
network2.py for Python 3 (any of its ports).

A cost class is all that network2 needs to train a softmax output layer: it calls delta(z, a, y), and ours
takes the softmax of z. What network2 itself then shows as output are still its sigmoid activations, but the
largest of them is the same neuron."""

from __future__ import annotations

import sys

import numpy as np

import nndl_fast as nf


def main(folder: str, epochs: int = 10) -> float:
    sys.path.insert(0, folder)
    import network2  # type: ignore[import-not-found]

    (x, y), _, (test_x, test_y) = nf.datasets.load_digits()
    # as network2 wants it: pairs of column vectors; labels as they are where it evaluates
    training = [(row[:, None].astype(float), np.eye(10)[:, [label]]) for row, label in zip(x, y)]
    test = [(row[:, None].astype(float), int(label)) for row, label in zip(test_x, test_y)]
    net = network2.Network([64, 30, 10], cost=nf.LogLikelihoodCost)
    net.SGD(training, epochs, 10, 0.5)
    accuracy = net.accuracy(test) / len(test)
    print(f"network2 with softmax and the log-likelihood: {accuracy:.1%} of the test digits are right")
    return float(accuracy)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
