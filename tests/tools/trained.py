"""Writes a training on the digits for the core's own test, which does without Python, under an emulator say:
``python tests/tools/trained.py FILE``, then ``training_test FILE``.

Numbers as text: sizes, examples, mini-batch, learning rate, decay, epochs; weights and biases of each layer;
the examples, their labels, the order of each epoch; the CRC-32 of what the parameters become."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np

import nndl_fast as nf

MINI_BATCH, ETA, LAMBDA, EPOCHS = 10, 0.5, 0.1, 3


def training() -> tuple[str, nf.Network]:
    """The text, and the network that was trained."""
    net = nf.Network([64, 30, 10], rng=0)
    (x, y), _, _ = nf.datasets.load_digits()
    numbers = [p for pair in zip(net.weights, net.biases) for p in pair] + [x.astype(np.float32), y]
    generator = np.random.default_rng()
    generator.bit_generator.state = net.rng.bit_generator.state
    numbers += [generator.permutation(len(x)) for _ in range(EPOCHS)]
    net.SGD((x, y), EPOCHS, MINI_BATCH, ETA, LAMBDA)
    crc = zlib.crc32(b"".join(p.tobytes() for pair in zip(net.weights, net.biases) for p in pair))
    head = [*net.sizes, len(x), MINI_BATCH, ETA, repr(LAMBDA / len(x)), EPOCHS]
    lines = [" ".join(map(str, head)), *(" ".join(map(repr, a.ravel().tolist())) for a in numbers)]
    return "\n".join([*lines, f"{crc:08x}"]) + "\n", net


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(training()[0], encoding="ascii")
