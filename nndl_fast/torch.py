"""The output layer for PyTorch on the CPU: losses of ``torch.nn.functional`` from the kernels of nndl_fast.

Tensors of float16, float32 or float64 are read where they are, whatever their strides. If a gradient is
needed, it is made in one pass with the cost and kept for ``backward``.

Derivatives of every order are right: with ``create_graph=True`` the gradient has a graph of its own, as
``torch.autograd.functional.hessian`` and gradient penalties need it. Inside ``torch.func``'s transformations
(``grad``, ``vmap``, ``jacrev``, ``jvp``, ...) and with ``torch.autograd.forward_ad`` a ``RuntimeError`` says
what to use instead.

As in PyTorch, and unlike elsewhere in nndl_fast, the mean over probabilities divides by the number of rows
whatever the classes weigh. Unlike in PyTorch, a target of 0 counts 0 at a logit of -inf, and the gradient is
0 if all rows have the weight 0 (PyTorch: NaN); targets and class weights must be finite and not negative, and
get no gradient; labels may be of any integer dtype. An ``IndexError`` names the row of a label that is out of
range; a ``TypeError`` or ``ValueError`` names the argument that does not fit.
"""

from __future__ import annotations

from functools import partial

import torch

from . import _torch
from . import functional as f
from .network import Network


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
    RuntimeError
        If a tensor is one of ``torch.func``'s transformations or a dual one of forward-mode derivatives.

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
    z = _torch.array("cross_entropy: input", input, _torch.FLOATS, ("n", "classes"))
    names = "cross_entropy: target", "cross_entropy: weight"
    targets = _torch.targets_of(names, z.shape, target, weight, ignore_index, reduction, label_smoothing)
    if input.requires_grad and torch.is_grad_enabled():
        return _torch.Cost.apply(z, targets, input, target, weight)
    return _torch.as_tensor(f.log_likelihood_cost(z, targets.y, -1, **targets.options()))


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
    RuntimeError
        As for :func:`cross_entropy`.

    See Also
    --------
    cross_entropy : Compute the cost from logits.
    nndl_fast.linear_log_likelihood : Compute the cost and its gradients of NumPy arrays.

    Notes
    -----
    With ``create_graph=True`` the gradients are made from all logits at once, which are then in memory.

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
    a = _torch.array(f"{name}: input", input, _torch.FLOATS, ("n", "features"))
    dtypes = (input.dtype,)
    w = _torch.array(f"{name}: weight", weight, dtypes, ("classes", "features"), (None, a.shape[1]))
    b = None if bias is None else _torch.array(f"{name}: bias", bias, dtypes, ("classes",), (len(w),))
    names, shape = (f"{name}: target", f"{name}: class_weight"), (len(a), len(w))
    targets = _torch.targets_of(names, shape, target, class_weight, ignore_index, reduction, label_smoothing)
    compute = partial(f.linear_log_likelihood, a, w, b, targets.y, **targets.options())
    if not _torch.needed(input, weight, bias):
        return _torch.as_tensor(compute(gradients=False))
    return _torch.LinearCost.apply(compute, targets, weight, bias, input, target, class_weight)


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
