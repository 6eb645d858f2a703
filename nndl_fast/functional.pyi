from typing import Any, Literal, TypedDict, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Unpack

from ._functions._affine import Activation as Activation
from ._functions._affine import activate as activate
from ._functions._affine import activation_backward as activation_backward
from ._functions._affine import affine as affine
from ._functions._affine import affine_backward as affine_backward
from ._functions._affine import matmul as matmul
from ._functions._likelihood import cost_and_delta_from_activations as cost_and_delta_from_activations
from ._functions._sharpness import fit_sharpness as fit_sharpness
from ._runtime._types import Array as Array
from ._runtime._types import Axis as Axis
from ._runtime._types import Reduction as Reduction

# The last overload of each function is its own signature; tests/project/test_typing.py compares the two. An
# array without dimensions comes back as a scalar, which these types, like NumPy's own, do not tell apart.

_F = TypeVar("_F", np.float16, np.float32, np.float64)
_One = Literal["mean", "sum"]
_Each = Literal["none"]
_True = Literal[True]
_False = Literal[False]
_Maybe = ArrayLike | None
_Out = Array | None

class _Options(TypedDict, total=False):
    sample_weight: _Maybe
    class_weight: _Maybe
    ignore_index: int | None
    label_smoothing: float

# The options of a call whose cost is one number, and of one that gives a cost per example.
class _ToOne(_Options, total=False):
    reduction: _One

class _ToEach(_Options):
    reduction: _Each

@overload
def softmax(z: NDArray[_F], axis: Axis = -1, *, c: float = 1.0, out: _Out = None) -> NDArray[_F]: ...
@overload
def softmax(z: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None) -> Any: ...
@overload
def log_softmax(z: NDArray[_F], axis: Axis = -1, *, c: float = 1.0, out: _Out = None) -> NDArray[_F]: ...
@overload
def log_softmax(z: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None) -> Any: ...
@overload
def logsumexp(z: NDArray[_F], axis: None, *, keepdims: Literal[False] = False) -> _F: ...
@overload
def logsumexp(z: NDArray[_F], axis: Axis = -1, *, keepdims: Literal[True]) -> NDArray[_F]: ...
@overload
def logsumexp(z: ArrayLike, axis: Axis = -1, *, keepdims: bool = False) -> Any: ...
@overload
def hardmax(z: NDArray[_F], axis: Axis = -1) -> NDArray[_F]: ...
@overload
def hardmax(z: ArrayLike, axis: Axis = -1) -> Any: ...
@overload
def inverse_softmax(a: NDArray[_F], axis: int = -1, *, constant: ArrayLike = 0.0) -> NDArray[_F]: ...
@overload
def inverse_softmax(a: ArrayLike, axis: int = -1, *, constant: ArrayLike = 0.0) -> Any: ...
@overload
def softmax_jacobian(a: NDArray[_F], axis: int = -1) -> NDArray[_F]: ...
@overload
def softmax_jacobian(a: ArrayLike, axis: int = -1) -> Any: ...
@overload
def softmax_backward(
    a: NDArray[_F], grad: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: _Out = None
) -> NDArray[_F]: ...
@overload
def softmax_backward(
    a: ArrayLike, grad: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None
) -> Any: ...
@overload
def log_likelihood_cost(z: NDArray[_F], y: ArrayLike, axis: int = -1, **options: Unpack[_ToOne]) -> _F: ...
@overload
def log_likelihood_cost(
    z: NDArray[_F], y: ArrayLike, axis: int = -1, **options: Unpack[_ToEach]
) -> NDArray[_F]: ...
@overload
def log_likelihood_cost(
    z: ArrayLike,
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Any: ...
@overload
def log_likelihood_delta(
    z: NDArray[_F],
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Reduction = "mean",
    out: _Out = None,
    **options: Unpack[_Options],
) -> NDArray[_F]: ...
@overload
def log_likelihood_delta(
    z: ArrayLike,
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
) -> Any: ...
@overload
def log_likelihood_cost_and_delta(
    z: NDArray[_F], y: ArrayLike, axis: int = -1, *, out: _Out = None, **options: Unpack[_ToOne]
) -> tuple[_F, NDArray[_F]]: ...
@overload
def log_likelihood_cost_and_delta(
    z: NDArray[_F], y: ArrayLike, axis: int = -1, *, out: _Out = None, **options: Unpack[_ToEach]
) -> tuple[NDArray[_F], NDArray[_F]]: ...
@overload
def log_likelihood_cost_and_delta(
    z: ArrayLike,
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
) -> tuple[Any, Any]: ...
@overload
def linear_log_likelihood(
    a: NDArray[_F],
    w: ArrayLike,
    b: _Maybe,
    y: ArrayLike,
    *,
    gradients: _True = True,
    **options: Unpack[_ToOne],
) -> tuple[_F, NDArray[_F], NDArray[_F], NDArray[_F]]: ...
@overload
def linear_log_likelihood(
    a: NDArray[_F],
    w: ArrayLike,
    b: _Maybe,
    y: ArrayLike,
    *,
    gradients: _True = True,
    **options: Unpack[_ToEach],
) -> tuple[NDArray[_F], NDArray[_F], NDArray[_F], NDArray[_F]]: ...
@overload
def linear_log_likelihood(
    a: NDArray[_F], w: ArrayLike, b: _Maybe, y: ArrayLike, *, gradients: _False, **options: Unpack[_ToOne]
) -> _F: ...
@overload
def linear_log_likelihood(
    a: NDArray[_F], w: ArrayLike, b: _Maybe, y: ArrayLike, *, gradients: _False, **options: Unpack[_ToEach]
) -> NDArray[_F]: ...
@overload
def linear_log_likelihood(
    a: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    gradients: bool = True,
) -> Any: ...
@overload
def sigmoid(z: NDArray[_F], *, out: _Out = None) -> NDArray[_F]: ...
@overload
def sigmoid(z: ArrayLike, *, out: Array | None = None) -> Any: ...
@overload
def sigmoid_prime(z: NDArray[_F], *, out: _Out = None) -> NDArray[_F]: ...
@overload
def sigmoid_prime(z: ArrayLike, *, out: Array | None = None) -> Any: ...
@overload
def binary_cross_entropy_cost(
    z: NDArray[_F], y: ArrayLike, *, reduction: _One = "mean", sample_weight: _Maybe = None
) -> _F: ...
@overload
def binary_cross_entropy_cost(
    z: NDArray[_F], y: ArrayLike, *, reduction: _Each, sample_weight: _Maybe = None
) -> NDArray[_F]: ...
@overload
def binary_cross_entropy_cost(
    z: ArrayLike, y: ArrayLike, *, reduction: Reduction = "mean", sample_weight: ArrayLike | None = None
) -> Any: ...
@overload
def binary_cross_entropy_delta(
    z: NDArray[_F],
    y: ArrayLike,
    *,
    reduction: Reduction = "mean",
    sample_weight: _Maybe = None,
    out: _Out = None,
) -> NDArray[_F]: ...
@overload
def binary_cross_entropy_delta(
    z: ArrayLike,
    y: ArrayLike,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    out: Array | None = None,
) -> Any: ...
@overload
def binary_cross_entropy_cost_and_delta(
    z: NDArray[_F], y: ArrayLike, *, reduction: _One = "mean", sample_weight: _Maybe = None, out: _Out = None
) -> tuple[_F, NDArray[_F]]: ...
@overload
def binary_cross_entropy_cost_and_delta(
    z: NDArray[_F], y: ArrayLike, *, reduction: _Each, sample_weight: _Maybe = None, out: _Out = None
) -> tuple[NDArray[_F], NDArray[_F]]: ...
@overload
def binary_cross_entropy_cost_and_delta(
    z: ArrayLike,
    y: ArrayLike,
    *,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    out: Array | None = None,
) -> tuple[Any, Any]: ...
