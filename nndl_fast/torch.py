"""The output layer for PyTorch on the CPU: losses of ``torch.nn.functional`` from the kernels of nndl_fast.

Tensors of float16, float32 or float64 are read where they are, whatever their strides. If a gradient is
needed, it is made in one pass with the cost and kept for ``backward``; it has no derivative of its own.

As in PyTorch, and unlike elsewhere in nndl_fast, the mean over probabilities divides by the number of rows
whatever the classes weigh. Unlike in PyTorch, a target of 0 counts 0 at a logit of -inf, and the gradient is
0 if all rows have the weight 0 (PyTorch: NaN); targets and class weights must be finite and not negative, and
get no gradient; labels may be of any integer dtype. An ``IndexError`` names the row of a label that is out of
range; a ``TypeError`` or ``ValueError`` names the argument that does not fit.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from . import _core
from . import functional as f
from .network import Network

_FLOATS = (torch.float16, torch.float32, torch.float64)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def cross_entropy(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    ignore_index: int = -100,
    reduction: f.Reduction = "mean",
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Compute what ``torch.nn.functional.cross_entropy`` does, by the kernels of nndl_fast.

    Parameters
    ----------
    input : torch.Tensor of shape (n, n_classes)
        The logits, of float16, float32 or float64, on the CPU.
    target : torch.Tensor of shape (n,) or (n, n_classes)
        Integer labels, or probabilities, which must be finite and not negative.
    weight : torch.Tensor of shape (n_classes,), optional
        One weight per class, finite and not negative.
    ignore_index : int, default=-100
        Rows with this label cost nothing and do not count in the mean.
    reduction : {'mean', 'sum', 'none'}, default='mean'
        ``"mean"`` divides as PyTorch does: with labels by the weights of the rows that count, with
        probabilities by the number of rows. ``"none"`` gives one cost per row.
    label_smoothing : float, default=0.0
        A number s from 0 to 1. The targets of n classes become (1 - s) y + s / n.

    Returns
    -------
    torch.Tensor
        The cost, of the dtype of ``input``: a scalar, or of shape (n,) for ``"none"``.

    Raises
    ------
    ValueError
        If shapes do not fit, if a target or a class weight is negative or not finite or requires a
        gradient, or if an option has another value than those above.
    TypeError
        If an argument is not a tensor on the CPU, or has another dtype.
    IndexError
        If a label is not one of the classes; the message names its row.

    See Also
    --------
    linear_cross_entropy : Compute the cost of a layer whose logits do not fit in memory.
    nndl_fast.log_likelihood_cost : Compute the cost of NumPy arrays.

    Examples
    --------
    >>> import torch
    >>> from nndl_fast.torch import cross_entropy
    >>> z = torch.tensor([[2.0, 3.0, 4.0]], requires_grad=True)
    >>> cost = cross_entropy(z, torch.tensor([1]))
    >>> cost.backward()
    >>> round(cost.item(), 4), z.grad
    (1.4076, tensor([[ 0.0900, -0.7553,  0.6652]]))
    """
    z = _array("cross_entropy: input", input, _FLOATS, ("n", "classes"))
    names = "cross_entropy: target", "cross_entropy: weight"
    y, options = _options(names, z.shape, target, weight, ignore_index, reduction)
    if input.requires_grad and torch.is_grad_enabled():
        return _Cost.apply((z, y, options, label_smoothing), input)
    return _tensor(f.log_likelihood_cost(z, y, -1, **options._asdict(), label_smoothing=label_smoothing))


def linear_cross_entropy(
    input: torch.Tensor,
    weight: torch.Tensor,
    target: torch.Tensor,
    bias: torch.Tensor | None = None,
    class_weight: torch.Tensor | None = None,
    ignore_index: int = -100,
    reduction: f.Reduction = "mean",
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Compute the cross-entropy of a linear layer, whose logits are never in memory as a whole.

    The logits are ``input @ weight.T + bias``.

    Parameters
    ----------
    input : torch.Tensor of shape (n, n_features)
        The inputs of the layer, of float16, float32 or float64, on the CPU.
    weight : torch.Tensor of shape (n_classes, n_features)
        The weights of the layer, of the dtype of ``input``.
    target : torch.Tensor of shape (n,) or (n, n_classes)
        Integer labels, or probabilities, which must be finite and not negative.
    bias : torch.Tensor of shape (n_classes,), optional
        The biases of the layer, of the dtype of ``input``.
    class_weight : torch.Tensor of shape (n_classes,), optional
        One weight per class, finite and not negative.
    ignore_index : int, default=-100
        Rows with this label cost nothing and do not count in the mean.
    reduction : {'mean', 'sum', 'none'}, default='mean'
        As for :func:`cross_entropy`. With ``"none"`` the gradients are computed in ``backward``.
    label_smoothing : float, default=0.0
        A number s from 0 to 1. The targets of n classes become (1 - s) y + s / n.

    Returns
    -------
    torch.Tensor
        The cost, of the dtype of ``input``: a scalar, or of shape (n,) for ``"none"``.

    Raises
    ------
    ValueError
        As for :func:`cross_entropy`.
    TypeError
        As for :func:`cross_entropy`.
    IndexError
        If a label is not one of the classes; the message names its row.

    See Also
    --------
    cross_entropy : Compute the cost from logits.
    nndl_fast.linear_log_likelihood : Compute the cost and its gradients of NumPy arrays.

    Examples
    --------
    >>> import torch
    >>> from nndl_fast.torch import linear_cross_entropy
    >>> layer = torch.nn.Linear(5, 1000)
    >>> cost = linear_cross_entropy(torch.ones(3, 5), layer.weight, torch.tensor([0, 1, 999]), layer.bias)
    >>> cost.backward()
    >>> layer.weight.grad.shape
    torch.Size([1000, 5])
    """
    name = "linear_cross_entropy"
    a = _array(f"{name}: input", input, _FLOATS, ("n", "features"))
    w = _array(f"{name}: weight", weight, (input.dtype,), ("classes", "features"), (None, a.shape[1]))
    b = None if bias is None else _array(f"{name}: bias", bias, (input.dtype,), ("classes",), (len(w),))
    names, shape = (f"{name}: target", f"{name}: class_weight"), (len(a), len(w))
    y, options = _options(names, shape, target, class_weight, ignore_index, reduction)
    given = options._asdict() | {"label_smoothing": label_smoothing}
    compute = partial(f.linear_log_likelihood, a, w, b, y, **given)
    if not _needed(input, weight, bias):
        return _tensor(compute(gradients=False))
    if reduction == "none":
        return _LinearCosts.apply(compute, weight, bias, input, target, class_weight)
    return _LinearCost.apply(compute, weight, bias, input)


def state_dict(net: Network) -> dict[str, torch.Tensor]:
    """Return the parameters of a network as tensors.

    Their names are those of ``torch.nn.Sequential(Linear, activation, ...)``. The softmax or sigmoid of the
    output is not among the layers, since PyTorch's losses take the weighted inputs.

    Parameters
    ----------
    net : Network
        The network.

    Returns
    -------
    dict of torch.Tensor
        Copies of the weights and biases, by name.

    See Also
    --------
    nndl_fast.Network.load_state_dict : Take the parameters from such a dictionary.

    Examples
    --------
    >>> import torch
    >>> from nndl_fast import Network
    >>> from nndl_fast.torch import state_dict
    >>> net = Network([64, 30, 10])
    >>> model = torch.nn.Sequential(torch.nn.Linear(64, 30), torch.nn.Sigmoid(), torch.nn.Linear(30, 10))
    >>> model.load_state_dict(state_dict(net))
    <All keys matched successfully>
    """
    return {name: torch.from_numpy(array) for name, array in net.state_dict().items()}


class _Cost(torch.autograd.Function):  # type: ignore[misc]
    """The cost, and its gradient kept. In a step of a small network the kernel takes few microseconds: hence
    the core's own function."""

    @staticmethod
    def forward(ctx: Any, given: Any, input: Any) -> Any:
        z, y, (reduction, of_rows, of_classes, ignored), smoothing = given
        cost, delta = _core.log_likelihood_cost_and_delta(
            z, y, -1, reduction, of_rows, of_classes, ignored, smoothing, None
        )
        ctx.save_for_backward(torch.from_numpy(delta))
        return _tensor(cost)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return _times_once(ctx, grad) if torch.is_grad_enabled() else _times(ctx, grad)


class _LinearCost(torch.autograd.Function):  # type: ignore[misc]
    """The cost of a last layer, with the gradients kept that are needed."""

    @staticmethod
    def forward(ctx: Any, compute: Any, *tensors: Any) -> Any:
        cost, *gradients = compute()
        ctx.save_for_backward(*_wanted(ctx, gradients))
        return _tensor(cost)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return _times_once(ctx, grad) if torch.is_grad_enabled() else _times(ctx, grad)


def _times(ctx: Any, grad: Any) -> Any:
    """The kept gradients times that of the cost; 1, the usual one, copies nothing. Not in place, as a
    retained graph asks again."""
    if not grad.ndim and grad.item() == 1:
        return None, *ctx.saved_tensors
    factor = grad[:, None] if grad.ndim else grad
    return None, *(None if g is None else g * factor for g in ctx.saved_tensors)


# It takes longer than all of the above, and only counts if a graph of the gradients is made.
_times_once = once_differentiable(_times)


class _LinearCosts(torch.autograd.Function):  # type: ignore[misc]
    """A cost per row. The gradients are sums over rows, made when it is known what each row counts."""

    @staticmethod
    def forward(ctx: Any, compute: Any, *tensors: Any) -> Any:
        ctx.compute = compute
        ctx.save_for_backward(*tensors)
        return _tensor(compute(gradients=False))

    @staticmethod
    @once_differentiable  # type: ignore[misc, untyped-decorator]
    def backward(ctx: Any, grad: Any) -> Any:
        _ = ctx.saved_tensors  # raises if one has changed since; compute reads their memory
        more, less = grad.clamp(min=0).numpy(), -grad.clamp(max=0).numpy()  # no weight is negative
        gradients = ctx.compute(reduction="sum", sample_weight=more)[1:]
        if less.any():
            for g, other in zip(gradients, ctx.compute(reduction="sum", sample_weight=less)[1:]):
                g -= other
        return None, *_wanted(ctx, gradients), None, None


def _wanted(ctx: Any, gradients: Any) -> Any:
    return [torch.from_numpy(g) if needed else None for g, needed in zip(gradients, ctx.needs_input_grad[1:])]


def _tensor(cost: Any) -> torch.Tensor:
    return torch.from_numpy(np.asarray(cost))  # as_tensor takes five times as long for a number


def _needed(*tensors: Any) -> bool:
    return torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)


class _Options(NamedTuple):
    """By the names that nndl_fast's own functions have for them."""

    reduction: str
    sample_weight: Any
    class_weight: Any
    ignore_index: int | None


def _options(
    names: Any, shape: Any, target: Any, weight: Any, ignore: int | None, reduction: Any
) -> tuple[Any, _Options]:
    """The targets, and what is given beside them."""
    soft = isinstance(target, torch.Tensor) and target.ndim == 2
    if soft:
        y = _array(names[0], target, _FLOATS, ("n", "classes"), shape)
    else:
        y = _array(names[0], target, _INTEGERS, ("n",), shape[:1])
    if target.requires_grad and torch.is_grad_enabled():
        raise ValueError(f"{names[0]} requires a gradient, and gets none")
    if soft and ignore is not None and ignore < 0:
        ignore = None  # PyTorch's default; with probabilities any other is refused
    if weight is None:
        return y, _Options(reduction, None, None, ignore)
    of_classes, of_rows = _array(names[1], weight, _FLOATS, ("classes",), shape[1:]), None
    if _needed(weight):
        raise ValueError(f"{names[1]} requires a gradient, and gets none")
    if soft and shape[0] and reduction == "mean":
        reduction, of_rows = "sum", np.full(shape[0], 1 / shape[0])
    return y, _Options(reduction, of_rows, of_classes, ignore)


def _array(name: str, tensor: Any, dtypes: Any, axes: tuple[str, ...], sizes: Any = None) -> Any:
    """The tensor's own memory, once it is what it should be; ``sizes`` has None for an axis of any size."""
    if not isinstance(tensor, torch.Tensor) or not tensor.is_cpu:
        given = getattr(tensor, "device", type(tensor).__name__)
        raise TypeError(f"{name} is {given}; it must be a tensor on the CPU")
    if tensor.dtype not in dtypes:
        raise TypeError(f"{name} has dtype {tensor.dtype}; it must be {' or '.join(map(str, dtypes))}")
    shape = tensor.shape
    if shape != sizes:  # the quickest way to see that all is well
        sizes = sizes or [None] * len(axes)
        if len(shape) != len(axes) or any(m not in (None, k) for m, k in zip(sizes, shape)):
            wanted = ", ".join(axis if m is None else f"{axis} = {m}" for axis, m in zip(axes, sizes))
            raise ValueError(f"{name} has shape {tuple(shape)}; it must be ({wanted})")
    return tensor.numpy(force=True)
