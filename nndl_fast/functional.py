"""The functions of the output layer.

Some rules are common to all of them. ``z`` are weighted inputs, of any shape and strides, whose classes
stand along ``axis`` (``axis=-1``: examples in rows; ``axis=0``: examples in columns, as in the book).
float32 and float64 are computed and returned as they are, float16 and bfloat16 are computed in float32 and
returned as they came, integers become float64. A bool, complex, object, string or masked array is a
``TypeError``. ``out`` may be ``z`` itself; if it does not fit, a ``ValueError`` or ``TypeError`` is raised
before anything is written. The bits of a result depend on the example alone: not on the machine, the number
of threads, the rest of the batch, the strides, or the thread's rounding mode.

Signals are handled about 16 times a second in a long call. If a handler raises, as for Ctrl-C, the call
ends with that exception, and an array that was given as ``out`` is unfinished. Labels, targets and
inputs may not be changed by another thread during a call: the result is then unspecified, but nothing outside
of the arrays is read or written.
"""

from __future__ import annotations

from ._functions._affine import Activation, activate, activation_backward, affine, affine_backward, matmul
from ._functions._likelihood import (
    cost_and_delta_from_activations,
    log_likelihood_cost,
    log_likelihood_cost_and_delta,
    log_likelihood_delta,
)
from ._functions._linear import linear_log_likelihood
from ._functions._sharpness import fit_sharpness
from ._functions._sigmoid import (
    binary_cross_entropy_cost,
    binary_cross_entropy_cost_and_delta,
    binary_cross_entropy_delta,
    sigmoid,
    sigmoid_prime,
)
from ._functions._softmax import (
    hardmax,
    inverse_softmax,
    log_softmax,
    logsumexp,
    softmax,
    softmax_backward,
    softmax_jacobian,
)
from ._runtime._types import Array, Axis, Reduction

__all__ = [
    "Activation",
    "Array",
    "Axis",
    "Reduction",
    "activate",
    "activation_backward",
    "affine",
    "affine_backward",
    "binary_cross_entropy_cost",
    "binary_cross_entropy_cost_and_delta",
    "binary_cross_entropy_delta",
    "cost_and_delta_from_activations",
    "fit_sharpness",
    "hardmax",
    "inverse_softmax",
    "linear_log_likelihood",
    "log_likelihood_cost",
    "log_likelihood_cost_and_delta",
    "log_likelihood_delta",
    "log_softmax",
    "logsumexp",
    "matmul",
    "sigmoid",
    "sigmoid_prime",
    "softmax",
    "softmax_backward",
    "softmax_jacobian",
]

# Pickles and the documentation have the functions by this module's name, wherever they are defined.
for _name in set(__all__) - {"Activation", "Array", "Axis", "Reduction"}:
    globals()[_name].__module__ = __name__
