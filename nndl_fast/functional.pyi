from typing import Any, Literal, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

# The last overload of each function is what functional.py says itself: tests/test_typing.py compares them. An
# array without dimensions comes back as a scalar, which these types, as NumPy's own, do not tell apart.

Axis = int | tuple[int, ...] | None
Reduction = Literal["mean", "sum", "none"]
Array = NDArray[Any]
_F = TypeVar("_F", np.float16, np.float32, np.float64)

@overload
def softmax(z: NDArray[_F], axis: Axis = -1, *, c: float = 1.0, out: Array | None = None) -> NDArray[_F]: ...
@overload
def softmax(z: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None) -> Any: ...
@overload
def log_softmax(
    z: NDArray[_F], axis: Axis = -1, *, c: float = 1.0, out: Array | None = None
) -> NDArray[_F]: ...
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
    a: NDArray[_F], grad: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None
) -> NDArray[_F]: ...
@overload
def softmax_backward(
    a: ArrayLike, grad: ArrayLike, axis: Axis = -1, *, c: float = 1.0, out: Array | None = None
) -> Any: ...
@overload
def log_likelihood_cost(
    z: NDArray[_F],
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> _F: ...
@overload
def log_likelihood_cost(
    z: NDArray[_F],
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Literal["none"],
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
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
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
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
    z: NDArray[_F],
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
) -> tuple[_F, NDArray[_F]]: ...
@overload
def log_likelihood_cost_and_delta(
    z: NDArray[_F],
    y: ArrayLike,
    axis: int = -1,
    *,
    reduction: Literal["none"],
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    out: Array | None = None,
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
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    gradients: Literal[True] = True,
) -> tuple[_F, NDArray[_F], NDArray[_F], NDArray[_F]]: ...
@overload
def linear_log_likelihood(
    a: NDArray[_F],
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    reduction: Literal["none"],
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    gradients: Literal[True] = True,
) -> tuple[NDArray[_F], NDArray[_F], NDArray[_F], NDArray[_F]]: ...
@overload
def linear_log_likelihood(
    a: NDArray[_F],
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    gradients: Literal[False],
) -> _F: ...
@overload
def linear_log_likelihood(
    a: NDArray[_F],
    w: ArrayLike,
    b: ArrayLike | None,
    y: ArrayLike,
    *,
    reduction: Literal["none"],
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    gradients: Literal[False],
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
def sigmoid(z: NDArray[_F], *, out: Array | None = None) -> NDArray[_F]: ...
@overload
def sigmoid(z: ArrayLike, *, out: Array | None = None) -> Any: ...
@overload
def sigmoid_prime(z: NDArray[_F], *, out: Array | None = None) -> NDArray[_F]: ...
@overload
def sigmoid_prime(z: ArrayLike, *, out: Array | None = None) -> Any: ...
@overload
def binary_cross_entropy_cost(
    z: NDArray[_F],
    y: ArrayLike,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    sample_weight: ArrayLike | None = None,
) -> _F: ...
@overload
def binary_cross_entropy_cost(
    z: NDArray[_F], y: ArrayLike, *, reduction: Literal["none"], sample_weight: ArrayLike | None = None
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
    sample_weight: ArrayLike | None = None,
    out: Array | None = None,
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
    z: NDArray[_F],
    y: ArrayLike,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    sample_weight: ArrayLike | None = None,
    out: Array | None = None,
) -> tuple[_F, NDArray[_F]]: ...
@overload
def binary_cross_entropy_cost_and_delta(
    z: NDArray[_F],
    y: ArrayLike,
    *,
    reduction: Literal["none"],
    sample_weight: ArrayLike | None = None,
    out: Array | None = None,
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
