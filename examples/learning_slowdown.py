"""The learning slowdown of the book's chapter 3 and its two cures, in one picture:
``python examples/learning_slowdown.py [PICTURE]``.

Left, one neuron that has to turn the input 1 into 0 and starts badly wrong (weight and bias 2): with the
quadratic cost it hardly moves at first, since sigma'(z) is nearly 0 there; the cross-entropy (57) and softmax
with the log-likelihood (80), here two neurons that start as wrong, have no such factor. Right, the same in a
network for handwritten digits whose first weights are large: many of its output neurons are saturated."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np

import nndl_fast as nf

COSTS = {
    "quadratic": nf.QuadraticCost,
    "cross-entropy": nf.CrossEntropyCost,
    "softmax, log-likelihood": nf.LogLikelihoodCost,
}


def one_neuron(cost: type, epochs: int = 300, eta: float = 0.15) -> list[float]:
    """The output for the input 1, epoch by epoch; it should become 0."""
    softmax = cost is nf.LogLikelihoodCost
    net = nf.Network([1, 2 if softmax else 1], cost=cost, dtype=np.float64)
    # For softmax the second neuron stays behind the first by as much as the sigmoid's z: 4.
    net.weights, net.biases = ([np.array([[2.0], [0.0]][: 1 + softmax])] for _ in range(2))
    x, y = np.ones((1, 1)), np.array([[0.0, 1.0]]) if softmax else np.zeros((1, 1))
    outputs = []

    def note(*_: object) -> None:
        outputs.append(float(net.feedforward([1.0])[0, 0]))

    note()
    net.SGD((x, y), epochs, 1, eta, callback=note)
    return outputs


def digits(cost: type, epochs: int) -> list[float]:
    """The share of the validation digits that are wrong, epoch by epoch."""
    training, validation, _ = nf.datasets.load_digits()
    net = nf.Network([64, 30, 10], cost=cost, rng=2)
    net.large_weight_initializer()
    wrong = [1 - net.accuracy(validation) / len(validation[1])]
    _, correct, _, _ = net.SGD(
        training, epochs, 10, 0.5, evaluation_data=validation, monitor_evaluation_accuracy=True
    )
    return wrong + [1 - c / len(validation[1]) for c in correct]


def main(picture: str = "learning-slowdown.png", epochs: int = 30) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, cost in COSTS.items():
        left.plot(one_neuron(cost), label=name)
        right.plot([100 * share for share in digits(cost, epochs)], label=name)
    left.set(xlabel="epoch", ylabel="output (should be 0)", title="One neuron, input 1", ylim=(0, 1))
    right.set(
        xlabel="epoch",
        ylabel="wrong, % of validation",
        title="64-30-10, digits, large first weights",
        ylim=(0, None),
    )
    right.legend()
    figure.savefig(picture, dpi=130)
    print(f"wrote {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
