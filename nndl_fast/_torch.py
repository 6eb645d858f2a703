"""What is behind the bridge to PyTorch: arguments as arrays, and costs that autograd can differentiate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.autograd.forward_ad import unpack_dual

from . import _core
from . import functional as f

FLOATS = (torch.float16, torch.float32, torch.float64)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class Cost(torch.autograd.Function):  # type: ignore[misc]
    """The cost of logits, and its gradient kept. In a step of a small network the kernel takes few
    microseconds: hence the core's own function."""

    @staticmethod
    def forward(ctx: Any, z: Any, targets: Targets, input: Any, target: Any, weight: Any) -> Any:
        y, reduction, of_rows, of_classes, ignored, smoothing = targets
        cost, delta = _core.log_likelihood_cost_and_delta(
            z, y, -1, reduction, of_rows, of_classes, ignored, smoothing, None
        )
        ctx.targets = targets
        ctx.save_for_backward(torch.from_numpy(delta), input, target, weight)
        return as_tensor(cost)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        delta, input, target, weight = ctx.saved_tensors
        if torch.is_grad_enabled():
            masses = _masses(ctx.targets, input.shape[1], target, weight).to(input.dtype)
            delta = _differentiable(delta, input, masses)
        return None, None, _times(delta, grad), None, None


class LinearCost(torch.autograd.Function):  # type: ignore[misc]
    """The cost of a last layer. Its gradients are sums over rows: they are made with the cost and kept, or
    for a cost per row in ``backward``, when it is known what each row counts."""

    @staticmethod
    def forward(ctx: Any, compute: Any, targets: Targets, *tensors: Any) -> Any:
        ctx.compute, ctx.targets = compute, targets
        if targets.reduction == "none":
            cost, kept = compute(gradients=False), []
        else:
            cost, *gradients = compute()
            kept = _wanted(ctx, gradients)
        ctx.save_for_backward(*tensors, *kept)
        return as_tensor(cost)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        # raises if one has changed since; compute reads their memory
        weight, bias, input, target, class_weight, *kept = ctx.saved_tensors
        if torch.is_grad_enabled():
            gradients = _by_whole_logits(ctx, grad, weight, bias, input, target, class_weight)
        elif kept:
            gradients = [None if g is None else _times(g, grad) for g in kept]
        else:
            gradients = _of_costs(ctx, grad)
        return None, None, *gradients, None, None


def _of_costs(ctx: Any, grad: Any) -> list[Any]:
    """The gradients of a cost per row. No weight of the kernel is negative, so it has to be asked twice."""
    name = "linear_cross_entropy: the gradient of the costs"
    more, less = (_memory(name, side) for side in (grad.clamp(min=0), -grad.clamp(max=0)))
    gradients = ctx.compute(reduction="sum", sample_weight=more)[1:]
    if less.any():
        for g, other in zip(gradients, ctx.compute(reduction="sum", sample_weight=less)[1:]):
            g -= other
    return _wanted(ctx, gradients)


def _by_whole_logits(
    ctx: Any, grad: Any, weight: Any, bias: Any, input: Any, target: Any, class_weight: Any
) -> list[Any]:
    """The gradients by PyTorch's own operations, so that they have a graph."""
    wide = torch.promote_types(input.dtype, torch.float32)  # as the kernel computes
    w, a = weight.to(wide), input.to(wide)
    masses = _masses(ctx.targets, len(w), target, class_weight).to(wide)
    a = torch.where(masses != 0, a, 0)  # as in _differentiable
    z = torch.nn.functional.linear(a, w, None if bias is None else bias.to(wide))
    y, options = ctx.targets.y, ctx.targets.options()
    delta = f.log_likelihood_delta(_memory("linear_cross_entropy: the logits", z), y, **options)
    delta = _times(_differentiable(torch.from_numpy(delta), z, masses), grad.to(wide))
    made: tuple[Callable[[], Any], ...] = (lambda: delta.T @ a, lambda: delta.sum(0), lambda: delta @ w)
    return [
        make().to(input.dtype) if needed else None for make, needed in zip(made, ctx.needs_input_grad[2:])
    ]


def _differentiable(delta: Any, z: Any, masses: Any) -> Any:
    """The gradient with respect to the logits, which is masses * softmax(z) less what does not depend on z.

    Its value is that of the kernel; its derivatives, of all orders, are those of the softmax.
    """
    # a row that does not count may hold NaN, and 0 times NaN is NaN
    activations = masses * torch.softmax(torch.where(masses != 0, z, 0), -1)
    return delta + (activations - activations.detach())


def _masses(targets: Targets, classes: int, target: Any, weight: Any) -> Any:
    """What the targets of each row add up to, smoothed, weighted and divided as in the cost: (n, 1)."""
    smoothing = targets.smoothing
    averaged = targets.reduction == "mean" or targets.of_rows is not None
    of_classes = torch.ones(classes, dtype=torch.float64) if weight is None else weight.detach().double()
    if target.ndim == 2:
        probabilities = (1 - smoothing) * target.detach().double() + smoothing / classes
        masses, total = probabilities @ of_classes, len(target)
    else:
        if averaged:
            of_classes = of_classes / (of_classes.max() or 1)  # the sum of large ones might be infinite
        counts = torch.from_numpy(np.asarray(targets.y != targets.ignored))
        of_labels = torch.zeros(len(target), dtype=torch.float64)
        of_labels[counts] = of_classes[target[counts].long()]
        masses = (1 - smoothing) * of_labels + smoothing * of_classes.mean() * counts
        total = of_labels.sum()
    if averaged:
        masses = masses / total if total else torch.zeros_like(masses)
    return masses[:, None]


def _times(gradient: Any, grad: Any) -> Any:
    """A kept gradient times that of the cost; 1, the usual one, copies nothing. Not in place, as a
    retained graph asks again."""
    if grad.ndim:
        return gradient * grad[:, None]
    if not torch.is_grad_enabled():
        try:
            if grad.item() == 1:
                return gradient
        except RuntimeError:  # several at once (is_grads_batched), which have no single value
            pass
    return gradient * grad


def _wanted(ctx: Any, gradients: Any) -> list[Any]:
    return [torch.from_numpy(g) if needed else None for g, needed in zip(gradients, ctx.needs_input_grad[2:])]


def as_tensor(cost: Any) -> torch.Tensor:
    return torch.from_numpy(np.asarray(cost))  # torch.as_tensor takes five times as long for a number


def needed(*tensors: Any) -> bool:
    return torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)


class Targets(NamedTuple):
    """The targets, and what is given beside them, in the order of the core's function."""

    y: Any
    reduction: str
    of_rows: Any
    of_classes: Any
    ignored: int | None
    smoothing: float

    def options(self) -> dict[str, Any]:
        """By the names that nndl_fast's own functions have for them."""
        names = "reduction", "sample_weight", "class_weight", "ignore_index", "label_smoothing"
        return dict(zip(names, self[1:]))


def targets_of(
    names: tuple[str, str],
    shape: Any,
    target: Any,
    weight: Any,
    ignore: int | None,
    reduction: str,
    smoothing: float,
) -> Targets:
    """The targets of logits of this shape, and what is given beside them."""
    soft = isinstance(target, torch.Tensor) and target.ndim == 2
    if soft:
        _refuse_integers(names[0], target)
        y = array(names[0], target, FLOATS, ("n", "classes"), shape)
    else:
        y = array(names[0], target, _INTEGERS, ("n",), shape[:1])
    if target.requires_grad and torch.is_grad_enabled():
        raise ValueError(f"{names[0]} requires a gradient, and gets none")
    if soft and ignore is not None and ignore < 0:
        ignore = None  # PyTorch's default; with probabilities any other is refused
    if weight is None:
        return Targets(y, reduction, None, None, ignore, smoothing)
    of_classes, of_rows = array(names[1], weight, FLOATS, ("classes",), shape[1:]), None
    if needed(weight):
        raise ValueError(f"{names[1]} requires a gradient, and gets none")
    if soft and shape[0] and reduction == "mean":
        reduction, of_rows = "sum", np.full(shape[0], 1 / shape[0])
    return Targets(y, reduction, of_rows, of_classes, ignore, smoothing)


def _refuse_integers(name: str, target: torch.Tensor) -> None:
    """Says what to give instead of labels in a column and of a one-hot matrix, which PyTorch refuses too."""
    if target.is_floating_point():
        return
    if target.shape[1] == 1:
        raise ValueError(
            f"{name} has shape {tuple(target.shape)}; labels have the shape (n,): give target.squeeze(1)"
        )
    raise TypeError(
        f"{name} has dtype {target.dtype} and shape {tuple(target.shape)}; labels have the shape (n,), and "
        "probabilities are floats: give target.to(input.dtype)"
    )


def array(name: str, tensor: Any, dtypes: Any, axes: tuple[str, ...], sizes: Any = None) -> Any:
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
    return _memory(name, tensor)


_INSTEAD = (
    "nndl_fast.torch works with torch.autograd alone: use torch.autograd.grad, or jacobian, hessian, jvp and "
    "vhp of torch.autograd.functional; or the function of torch.nn.functional"
)


def _memory(name: str, tensor: torch.Tensor) -> Any:
    try:
        result = tensor.numpy(force=True)
    except RuntimeError as error:
        raise RuntimeError(
            f"{name} has no memory that can be read, as inside torch.func (grad, vmap, jacrev, hessian, ...) "
            f"and with is_grads_batched; {_INSTEAD}"
        ) from error
    if unpack_dual(tensor).tangent is not None:  # numpy() drops it without a word
        raise RuntimeError(f"{name} is a dual tensor of torch.autograd.forward_ad; {_INSTEAD}")
    return result
