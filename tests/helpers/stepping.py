"""Optimizers, and parameters and gradients for them."""

import numpy as np

from nndl_fast import optimizers

# Each kind, with options that are not the defaults.
OPTIONS = {
    "SGD": {},
    "Momentum": {"momentum": 0.8},
    "Nesterov": {"momentum": 0.7},
    "AdaGrad": {"eps": 1e-6},
    "RMSprop": {"alpha": 0.9, "eps": 1e-6},
    "Adam": {"betas": (0.8, 0.99), "eps": 1e-7},
    "AdamW": {"betas": (0.7, 0.98), "weight_decay": 0.1},
}
KINDS = list(OPTIONS)
SHAPES = [(33, 17), (17,), (), (0, 3), (2, 3, 4, 5), (1, 1), (5000,)]


def made(kind, **options):
    return getattr(optimizers, kind)(**{"lr": 0.1} | OPTIONS[kind] | options)


def drawn(shapes=tuple(SHAPES), dtypes=(np.float32, np.float64), seed=0):
    """Arrays of these shapes, of each of the dtypes in turn."""
    rng = np.random.default_rng(seed)
    return [
        np.asarray(rng.standard_normal(shape)).astype(dtypes[i % len(dtypes)])
        for i, shape in enumerate(shapes)
    ]


def gradients_of(parameters, step):
    rng = np.random.default_rng([1, step])
    return [np.asarray(rng.standard_normal(p.shape)).astype(p.dtype) for p in parameters]


def taken(optimizer, parameters, steps):
    """The optimizer, after these steps with gradients that only the number of the step decides."""
    for step in steps:
        optimizer.step(parameters, gradients_of(parameters, step))
    return optimizer


def of(optimizer, parameters):
    """All that a step may change, as bytes."""
    arrays = [*optimizer.state_dict().items(), *enumerate(parameters)]
    return [(name, x.dtype, x.shape, x.tobytes()) for name, x in arrays]
