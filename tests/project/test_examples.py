"""The examples run, in small, and do what they say."""

import importlib.util
import itertools
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import nndl_fast as nf

FOLDER = Path(__file__).parents[2] / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_learning_slowdown_and_its_cures(tmp_path):
    pytest.importorskip("matplotlib").use("agg")
    module = example("learning_slowdown")
    outputs = {name: module.one_neuron(cost, 100) for name, cost in module.COSTS.items()}
    assert all(abs(curve[0] - 0.982) < 1e-3 for curve in outputs.values())
    assert outputs["quadratic"][100] > 0.9
    assert outputs["cross-entropy"][100] < 0.1 and outputs["softmax, log-likelihood"][100] < 0.1
    module.main(str(tmp_path / "picture.png"), 2)
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_many_classes():
    assert example("many_classes").main(classes=500, steps=30, batch=100, features=64) > 0.5


def test_own_network():
    assert example("own_network").main(5) > 0.9


@pytest.mark.skipif("NNDL_FAST_MNIST" not in os.environ, reason="NNDL_FAST_MNIST names no folder")
def test_mnist():
    assert example("mnist").main(os.environ["NNDL_FAST_MNIST"], 5) > 0.96


def test_in_network2(monkeypatch, tmp_path):
    """With a network of network2's contract: column vectors, cost.delta(z, a, y), one at a time."""
    net = types.ModuleType("network2")

    class Network:
        def __init__(self, sizes, cost):
            rng = np.random.default_rng(0)
            self.cost = cost
            self.biases = [rng.standard_normal((n, 1)) for n in sizes[1:]]
            self.weights = [rng.standard_normal((n, m)) / np.sqrt(m) for m, n in itertools.pairwise(sizes)]

        def SGD(self, training_data, epochs, mini_batch_size, eta):
            for _ in range(epochs):
                for x, y in training_data:
                    activations, zs = [x], []
                    for w, b in zip(self.weights, self.biases):
                        zs.append(w @ activations[-1] + b)
                        activations.append(nf.sigmoid(zs[-1]))
                    delta = self.cost.delta(zs[-1], activations[-1], y)
                    before = (self.weights[-1].T @ delta) * nf.sigmoid_prime(zs[-2])
                    for i, error in ((-1, delta), (-2, before)):
                        self.weights[i] = self.weights[i] - eta / 10 * error @ activations[i - 1].T
                        self.biases[i] = self.biases[i] - eta / 10 * error

        def accuracy(self, data):
            def output(a):
                for w, b in zip(self.weights, self.biases):
                    a = nf.sigmoid(w @ a + b)
                return a.argmax()

            return sum(int(output(x) == y) for x, y in data)

    net.Network = Network
    monkeypatch.setitem(sys.modules, "network2", net)
    assert example("in_network2").main(str(tmp_path), 2) > 0.9
