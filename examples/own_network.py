"""A network of one's own, in NumPy arrays and a few calls: ``python examples/own_network.py [EPOCHS]``.

64-30-10 on the digits that come with the package, with examples in rows, a relu hidden layer, softmax with
the log-likelihood cost, and Adam. The four steps of backpropagation are all there to be seen and changed:
weighted inputs and activations of each layer, the output error, the gradients with the error handed down, and
the step. Each is a call, for a layer or for all, and what stands between the calls is NumPy."""

from __future__ import annotations

import sys

import numpy as np

import nndl_fast as nf

MINI_BATCH = 32


def start(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights (inputs, neurons) whose relu activations keep the size of the inputs, and biases of 0."""

    def weights(inputs: int, neurons: int) -> np.ndarray:
        return (rng.standard_normal((inputs, neurons)) * np.sqrt(2 / inputs)).astype(np.float32)

    return {
        "w1": weights(64, 30),
        "b1": np.zeros(30, np.float32),
        "w2": weights(30, 10),
        "b2": np.zeros(10, np.float32),
    }


def gradients(
    net: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """The mean cost of a mini-batch, and its gradient with respect to each parameter."""
    a = nf.affine(x, net["w1"], net["b1"], activation="relu")
    z = nf.affine(a, net["w2"], net["b2"])
    cost, delta = nf.log_likelihood_cost_and_delta(z, y, out=z)
    nabla_w2, nabla_b2, delta = nf.affine_backward(delta, a, net["w2"], activation="relu")
    nabla_w1, nabla_b1, _ = nf.affine_backward(delta, x, net["w1"], handed_down=False)
    return float(cost), {"w1": nabla_w1, "b1": nabla_b1, "w2": nabla_w2, "b2": nabla_b2}


def accuracy(net: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    a = nf.affine(x, net["w1"], net["b1"], activation="relu")
    z = nf.affine(a, net["w2"], net["b2"])
    return float(np.mean(z.argmax(axis=1) == y))


def main(epochs: int = 20) -> float:
    (x, y), validation, test = nf.datasets.load_digits()
    rng = np.random.default_rng(0)
    net = start(rng)
    adam = nf.optimizers.Adam(lr=0.005)
    for epoch in range(1, epochs + 1):
        costs = []
        order = rng.permutation(len(x))
        for first in range(0, len(x), MINI_BATCH):
            batch = order[first : first + MINI_BATCH]
            cost, nabla = gradients(net, x[batch], y[batch])
            adam.step(net, nabla)
            costs.append(cost)
        print(
            f"epoch {epoch}: cost {np.mean(costs):.3f}, "
            f"{accuracy(net, *validation):.1%} of the validation digits are right"
        )
    right = accuracy(net, *test)
    print(f"{right:.1%} of the test digits are right")
    return right


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
