"""Tensors to test the bridge to PyTorch with, and all of its options."""

import itertools

import numpy as np
import torch

N, FEATURES, CLASSES = 6, 3, 5


def drawn(*shape, dtype=torch.float64):
    values = np.random.default_rng(shape).standard_normal(shape)
    return torch.from_numpy(values).to(dtype).requires_grad_()


def labels():
    return torch.arange(N) % CLASSES


def probabilities(dtype=torch.float64):
    return torch.softmax(drawn(N, CLASSES, dtype=dtype).detach(), -1)


def class_weight(dtype=torch.float64):
    return torch.linspace(0.5, 2, CLASSES, dtype=dtype)


OPTIONS = [
    (kind, weighted, {"ignore_index": ignore, "label_smoothing": smoothing, "reduction": reduction})
    for (kind, ignore), weighted, smoothing, reduction in itertools.product(
        [("labels", -100), ("labels", 2), ("probabilities", -100)],
        [False, True],
        [0.0, 0.1],
        ["mean", "sum", "none"],
    )
]


def target_of(kind, dtype=torch.float64):
    return labels() if kind == "labels" else probabilities(dtype)
