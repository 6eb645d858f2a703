from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

def softmax(
    z: ArrayLike, axis: int | tuple[int, ...] | None, c: float, out: NDArray[Any] | None, /
) -> Any: ...
def log_softmax(
    z: ArrayLike, axis: int | tuple[int, ...] | None, c: float, out: NDArray[Any] | None, /
) -> Any: ...
def logsumexp(z: ArrayLike, axis: int | tuple[int, ...] | None, keepdims: bool, /) -> Any: ...
def hardmax(z: ArrayLike, axis: int | tuple[int, ...] | None, /) -> Any: ...
def softmax_backward(
    a: ArrayLike, grad: ArrayLike, axis: int | tuple[int, ...] | None, c: float, out: NDArray[Any] | None, /
) -> Any: ...
def as_real(z: ArrayLike, function: str, name: str, /) -> NDArray[Any]: ...
def as_floats(z: ArrayLike, function: str, name: str, /) -> tuple[NDArray[Any], np.dtype[Any]]: ...
def log_likelihood_cost(
    z: ArrayLike,
    y: ArrayLike,
    axis: int,
    reduction: str,
    sample_weight: ArrayLike | None,
    class_weight: ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    /,
) -> Any: ...
def log_likelihood_delta(
    z: ArrayLike,
    y: ArrayLike,
    axis: int,
    reduction: str,
    sample_weight: ArrayLike | None,
    class_weight: ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    out: NDArray[Any] | None,
    /,
) -> Any: ...
def log_likelihood_cost_and_delta(
    z: ArrayLike,
    y: ArrayLike,
    axis: int,
    reduction: str,
    sample_weight: ArrayLike | None,
    class_weight: ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    out: NDArray[Any] | None,
    /,
) -> tuple[Any, Any]: ...
def linear_log_likelihood(
    z: NDArray[Any],
    y: ArrayLike,
    reduction: str,
    sample_weight: ArrayLike | None,
    class_weight: ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    a: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any],
    gradients: bool,
    room: int,
    /,
) -> Any: ...
def sigmoid(z: ArrayLike, out: NDArray[Any] | None, /) -> Any: ...
def sigmoid_prime(z: ArrayLike, out: NDArray[Any] | None, /) -> Any: ...
def binary_cross_entropy_cost(
    z: ArrayLike, y: ArrayLike, reduction: str, sample_weight: ArrayLike | None, /
) -> Any: ...
def binary_cross_entropy_delta(
    z: ArrayLike, y: ArrayLike, reduction: str, sample_weight: ArrayLike | None, out: NDArray[Any] | None, /
) -> Any: ...
def binary_cross_entropy_cost_and_delta(
    z: ArrayLike, y: ArrayLike, reduction: str, sample_weight: ArrayLike | None, out: NDArray[Any] | None, /
) -> tuple[Any, Any]: ...

class Trainer:
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def use(self, weights: list[NDArray[Any]], biases: list[NDArray[Any]], /) -> None: ...
    def parameters(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]: ...
    def weighted_inputs(self, x: NDArray[Any], /) -> NDArray[Any]: ...
    def run(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        order: NDArray[Any],
        mini_batch: int,
        rule: str,
        eta: float,
        shrink: float,
        momentum: float,
        /,
    ) -> None: ...

def trainer(sizes: list[int], hidden: str, cost: str, single: bool, /) -> Trainer: ...

api: object

def isa() -> str: ...
def isas() -> list[str]: ...
def use_isa(name: str, /) -> None: ...
def threads_by() -> str: ...
def compiler() -> str: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int, /) -> None: ...
def thread_setting() -> int: ...
def restore_thread_setting(n: int, /) -> None: ...
def thread_limit() -> int: ...
def set_thread_limit(n: int, /) -> None: ...
def processors() -> int: ...
def assume_processors(n: int, /) -> None: ...
def yardstick(kind: str, z: NDArray[np.float32], out: NDArray[np.float32]) -> None: ...
def product(
    left: NDArray[np.float32],
    left_strides: Sequence[int],
    right: NDArray[np.float32],
    right_strides: Sequence[int],
    out: NDArray[np.float32],
    out_strides: Sequence[int],
    sizes: Sequence[int],
    keep: float,
) -> None: ...
