"""Affine layers to test the functions with."""

import numpy as np

ACTIVATIONS = ["relu", "sigmoid", "tanh", "leaky_relu"]

# Examples, inputs and neurons: around the widths of vectors and tiles, the other way round, deep, and wide.
SIZES = [
    *[(1, 1, 1), (2, 1, 3), (3, 2, 1), (15, 16, 17), (16, 17, 15), (17, 15, 16), (1, 64, 33), (33, 1, 64)],
    *[(64, 33, 1), (63, 65, 49), (65, 63, 48), (5, 600, 7), (600, 5, 7), (7, 5, 600), (2, 520, 130)],
    *[(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)],
]


def layer(n, inputs, neurons, dtype=np.float64, seed=0):
    """Inputs of n examples in rows, weights, biases, and errors."""
    rng = np.random.default_rng([seed, n, inputs, neurons])
    shapes = (n, inputs), (inputs, neurons), (neurons,), (n, neurons)
    return [(rng.standard_normal(shape) * rng.choice([0.1, 1, 3])).astype(dtype) for shape in shapes]


def turned(axis, *arrays):
    """The arrays as they stand for axis=-1, or for axis=0, where those of two dimensions are transposed."""
    return [array.T if axis == 0 and array.ndim == 2 else array for array in arrays]
