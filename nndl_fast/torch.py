"""The output layer for PyTorch on the CPU: losses of ``torch.nn.functional`` from the kernels of nndl_fast.

Tensors of float16, float32 or float64 are read where they are, whatever their strides. Where a gradient is
needed, it is made in one pass with the cost and kept for ``backward``; it has no derivative of its own.

As in PyTorch, and unlike elsewhere in nndl_fast, the mean over probabilities divides by the number of rows
whatever the classes weigh. Unlike in PyTorch, a target of 0 counts 0 at a logit of -inf, and the gradient is
0 where all rows weigh nothing (PyTorch: NaN); targets and class weights must be finite and not negative, and
get no gradient; labels may be of any integer dtype. ``IndexError`` names the row of a label that is no class,
``TypeError`` and ``ValueError`` the argument that does not fit.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from . import functional as f

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
    """``torch.nn.functional.cross_entropy`` of logits (n, classes), with labels (n,) or probabilities.

    >>> z = torch.tensor([[2.0, 3.0, 4.0]], requires_grad=True)
    >>> cost = cross_entropy(z, torch.tensor([1]))
    >>> cost.backward()
    >>> round(cost.item(), 4), z.grad
    (1.4076, tensor([[ 0.0900, -0.7553,  0.6652]]))
    """
    z = _array("cross_entropy: input", input, _FLOATS, n=None, classes=None)
    names = "cross_entropy: target", "cross_entropy: weight"
    y, options = _options(names, z.shape, target, weight, ignore_index, reduction, label_smoothing)
    if _needed(input):
        return _Cost.apply(partial(f.log_likelihood_cost_and_delta, z, y, **options), input)
    return torch.as_tensor(f.log_likelihood_cost(z, y, **options))


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
    """:func:`cross_entropy` of the logits ``input @ weight.T + bias``, which are never there as a whole.

    ``input`` (n, features), ``weight`` (classes, features) and ``bias`` (classes,) are of one dtype. With
    ``reduction="none"`` the gradients are made in ``backward``. See :func:`nndl_fast.linear_log_likelihood`.

    >>> layer = torch.nn.Linear(5, 1000)
    >>> cost = linear_cross_entropy(torch.ones(3, 5), layer.weight, torch.tensor([0, 1, 999]), layer.bias)
    >>> cost.backward()
    >>> layer.weight.grad.shape
    torch.Size([1000, 5])
    """
    name = "linear_cross_entropy"
    a = _array(f"{name}: input", input, _FLOATS, n=None, features=None)
    w = _array(f"{name}: weight", weight, (input.dtype,), classes=None, features=a.shape[1])
    b = None if bias is None else _array(f"{name}: bias", bias, (input.dtype,), classes=len(w))
    names, shape = (f"{name}: target", f"{name}: class_weight"), (len(a), len(w))
    y, options = _options(names, shape, target, class_weight, ignore_index, reduction, label_smoothing)
    compute = partial(f.linear_log_likelihood, a, w, b, y, **options)
    if not _needed(input, weight, bias):
        return torch.as_tensor(compute(gradients=False))
    if reduction == "none":
        return _LinearCosts.apply(compute, weight, bias, input, target, class_weight)
    return _Cost.apply(compute, weight, bias, input)


class _Cost(torch.autograd.Function):  # type: ignore[misc]
    """What ``compute`` returns: a cost, and its gradients with respect to ``tensors``."""

    @staticmethod
    def forward(ctx: Any, compute: Any, *tensors: Any) -> Any:
        cost, *gradients = compute()
        ctx.save_for_backward(*_wanted(ctx, gradients))
        return torch.as_tensor(cost)

    @staticmethod
    @once_differentiable  # type: ignore[misc, untyped-decorator]
    def backward(ctx: Any, grad: Any) -> Any:
        # Not in place, as a retained graph asks again; but a factor of 1, the usual one, copies nothing.
        if not grad.ndim and grad == 1:
            return None, *ctx.saved_tensors
        factor = grad[:, None] if grad.ndim else grad
        return None, *(None if g is None else g * factor for g in ctx.saved_tensors)


class _LinearCosts(torch.autograd.Function):  # type: ignore[misc]
    """A cost a row. The gradients are sums over rows, made when it is known what each row counts."""

    @staticmethod
    def forward(ctx: Any, compute: Any, *tensors: Any) -> Any:
        ctx.compute = compute
        ctx.save_for_backward(*tensors)
        return torch.as_tensor(compute(gradients=False))

    @staticmethod
    @once_differentiable  # type: ignore[misc, untyped-decorator]
    def backward(ctx: Any, grad: Any) -> Any:
        _ = ctx.saved_tensors  # raises where one has changed since; compute reads their memory
        more, less = grad.clamp(min=0).numpy(), -grad.clamp(max=0).numpy()  # no weight is negative
        gradients = ctx.compute(reduction="sum", sample_weight=more)[1:]
        if less.any():
            for g, other in zip(gradients, ctx.compute(reduction="sum", sample_weight=less)[1:]):
                g -= other
        return None, *_wanted(ctx, gradients), None, None


def _wanted(ctx: Any, gradients: Any) -> Any:
    return [torch.from_numpy(g) if needed else None for g, needed in zip(gradients, ctx.needs_input_grad[1:])]


def _needed(*tensors: Any) -> bool:
    return torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)


def _options(
    names: Any, shape: Any, target: Any, weight: Any, ignore: int, reduction: Any, smoothing: float
) -> Any:
    """The targets, and the options of nndl_fast's own functions."""
    n, classes = shape
    soft = torch.is_tensor(target) and target.ndim == 2
    sizes = {"n": n, "classes": classes} if soft else {"n": n}
    y = _array(names[0], target, _FLOATS if soft else _INTEGERS, **sizes)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    if not soft or ignore >= 0:  # PyTorch's default; with probabilities any other is refused
        options["ignore_index"] = ignore
    if weight is not None:
        options["class_weight"] = _array(names[1], weight, _FLOATS, classes=classes)
        if soft and n and reduction == "mean":
            options |= {"reduction": "sum", "sample_weight": np.full(n, 1 / n)}
    if _needed(target, weight):
        raise ValueError(f"{names[0 if _needed(target) else 1]} requires a gradient, and gets none")
    return y, options


def _array(name: str, tensor: Any, dtypes: Any, **shape: int | None) -> Any:
    """The tensor's own memory, once it is what it should be."""
    if not torch.is_tensor(tensor) or tensor.device.type != "cpu":
        given = getattr(tensor, "device", type(tensor).__name__)
        raise TypeError(f"{name} is {given}; it must be a tensor on the CPU")
    if tensor.dtype not in dtypes:
        raise TypeError(f"{name} has dtype {tensor.dtype}; it must be {' or '.join(map(str, dtypes))}")
    if len(shape) != tensor.ndim or any(m not in (None, k) for m, k in zip(shape.values(), tensor.shape)):
        wanted = ", ".join(axis if size is None else f"{axis} = {size}" for axis, size in shape.items())
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; it must be ({wanted})")
    return tensor.numpy(force=True)
