"""Optimizers for NumPy arrays: one compiled pass per step, in place, on several threads if they are worth it.

Their options are named as in PyTorch, with its defaults; plain descent and the two kinds of momentum, which
are one class there, are three. ``parameters`` and ``gradients`` are lists, tuples or dictionaries of arrays;
those of dictionaries belong together by their keys. Parameters are float32 or float64, of any shape and
strides. A step is done as a whole or not at all, whatever interrupts it, and has the same bits on every
machine and with any number of threads. Gradients and Adam's moments that are smaller than 2^-50 (float64:
2^-400) count as 0, since numbers near the smallest ones take a processor a hundred times as long.

All of them take

``lr``
    The learning rate, the book's eta. Set it between steps for a schedule.
``weight_decay``
    What L2 regularisation adds to each gradient g: weight_decay times the parameters, the book's lambda /
    n. Biases usually have none, so give them an optimizer of their own.
``max_norm``
    The gradients g of a step are all multiplied by max_norm / (norm + 1e-6) if that is less than 1, where
    norm is the root of the sum of all their squares (PyTorch's ``clip_grad_norm_``). Two optimizers have a
    norm each.

>>> import numpy as np
>>> import nndl_fast as nf
>>> w, b = np.array([[1.0, 2.0]]), np.array([3.0])
>>> optimizer = nf.optimizers.SGD(lr=0.5)
>>> optimizer.step([w, b], [np.array([[2.0, 4.0]]), np.array([-1.0])])
>>> w, b
(array([[0., 0.]]), array([3.5]))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._runtime._types import Array

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Momentum", "Nesterov", "RMSprop"]

_Parameters = Sequence[Array] | Mapping[str, Array]
_Gradients = Sequence[ArrayLike] | Mapping[str, ArrayLike]


@dataclass(eq=False)
class _Optimizer:
    """What all of them have in common."""

    lr: float = 0.001
    _: KW_ONLY
    weight_decay: float = 0.0
    max_norm: float | None = None

    _name: ClassVar[str]
    _moments: ClassVar[tuple[str, ...]] = ("first",)
    eps = 0.0  # of those that have none

    def __post_init__(self) -> None:
        self._keys: list[str] | None = None
        # The powers of the two betas; the first and second moments, one of each per array.
        self._state: list[Any] = [np.ones(2), [], []]
        self.step([], [])  # which checks the options

    def _kept(self) -> tuple[float, float]:
        """The shares of the first and the second moment that a step keeps."""
        return 0.0, 0.0

    def step(self, parameters: _Parameters, gradients: _Gradients) -> None:
        """Change the parameters in place.

        Parameters
        ----------
        parameters : list, tuple or dict of ndarray
            Arrays of float32 or float64, of any shape and strides, the same in every step.
        gradients : list, tuple or dict of array_like
            The gradient of the cost with respect to each of them, of its shape.

        Raises
        ------
        ValueError
            If the shapes or the numbers of arrays differ, if parameters are read-only or share memory, or
            if an option is out of its range. Nothing is changed then.
        TypeError
            If parameters are no NumPy arrays of float32 or float64, or gradients no real numbers.
        KeyError
            If the keys of two dictionaries differ.
        """
        keys = self._keys
        if not isinstance(parameters, (list, tuple)) and isinstance(parameters, Mapping):
            keys, parameters, gradients = self._by_key(parameters, gradients)
        _core.step(
            self._name,
            self.lr,
            *self._kept(),
            self.eps,
            self.weight_decay,
            self.max_norm,
            parameters,
            gradients,
            self._state,
        )
        self._keys = keys

    def _by_key(
        self, parameters: Mapping[str, Array], gradients: Any
    ) -> tuple[list[str], list[Array], list[ArrayLike]]:
        """The keys as text, and both in the order of the first step."""
        keys = {str(key): key for key in parameters}
        found = list(gradients) if isinstance(gradients, Mapping) else type(gradients).__name__
        if len(keys) < len(parameters) or not isinstance(found, list) or set(found) != set(parameters):
            raise KeyError(f"{self._name}: parameters have the keys {list(parameters)}, gradients {found}")
        moments = self._state[1]
        order = self._keys or [str(i) for i in range(len(moments))] or list(keys)
        if set(order) != set(keys):
            raise KeyError(
                f"{self._name}: parameters have the keys {list(parameters)}; "
                f"in its first step they were {order}"
            )
        return order, [parameters[keys[k]] for k in order], [gradients[keys[k]] for k in order]

    def state_dict(self) -> dict[str, Array]:
        """Return what later steps depend on, beside the options.

        Returns
        -------
        dict of str to ndarray
            The optimizer's name, and copies of ``"powers"``, the betas to the number of steps, and of the
            moments, ``"first.KEY"`` and ``"second.KEY"``, where KEY is the key or number of the parameters.
            ``np.savez(file, **state)`` saves it.
        """
        powers, *moments = self._state
        state = {"optimizer": np.array(self._name), "powers": powers.copy()}
        for name, arrays in zip(("first", "second"), moments):
            keys = self._keys or range(len(arrays))
            state |= {f"{name}.{key}": array.copy() for key, array in zip(keys, arrays)}
        return state

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what :meth:`state_dict` returned, or what ``np.load`` reads of it.

        Parameters
        ----------
        state : mapping of str to array_like
            What :meth:`state_dict` of an optimizer of the same kind returned.

        Raises
        ------
        ValueError
            If it is none of those. The optimizer is as it was then.
        """
        keys = [name.removeprefix("first.") for name in state if name.startswith("first.")]
        kept = [f"{moment}.{key}" for moment in self._moments for key in keys]
        moments = [np.array(state[name]) for name in kept if name in state]
        powers = np.array(state["powers"]) if "powers" in state else np.empty(0)
        if set(state) != {"optimizer", "powers", *kept}:
            raise ValueError(
                f"{self._name}: the state has the names {list(state)}, not those of its state_dict"
            )
        if (
            str(np.asarray(state["optimizer"])) != self._name
            or any(moment.dtype.char not in "fd" for moment in moments)
            or powers.shape != (2,)
            or powers.dtype != np.float64
            or not ((powers >= 0) & (powers <= 1)).all()
            or (self._moments and not keys and (powers != 1).any())
        ):
            raise ValueError(f"{self._name}: the state is that of another optimizer, or was changed")
        self._keys = keys if keys != [str(i) for i in range(len(keys))] else None
        self._state = [powers, moments[: len(keys)], moments[len(keys) :]]

    def __getstate__(self) -> dict[str, Any]:
        powers, *moments = self._state  # a copy's steps are not the original's
        state = [powers.copy(), *([array.copy() for array in arrays] for arrays in moments)]
        return {**vars(self), "_state": state}


@dataclass(eq=False)
class SGD(_Optimizer):
    """Plain gradient descent.

    Parameters
    ----------
    lr : float, default=0.001
        The learning rate.
    weight_decay, max_norm : float, optional
        As :mod:`nndl_fast.optimizers` says.

    Notes
    -----
    p <- (1 - lr weight_decay) p - lr g, equation (51) of the book, and (93) with weight decay.
    """

    _name, _moments = "SGD", ()


@dataclass(eq=False)
class Momentum(_Optimizer):
    """Gradient descent with momentum.

    Parameters
    ----------
    lr : float, default=0.001
        The learning rate.
    momentum : float, default=0.9
        The share of the velocity that is kept, at least 0 and less than 1; the book's mu.
    weight_decay, max_norm : float, optional
        As :mod:`nndl_fast.optimizers` says.

    Notes
    -----
    v <- momentum v - lr g, p <- p + v: equations (107) and (108) of the book, and Keras's
    ``SGD(momentum=...)``. PyTorch multiplies by lr after the sum, which is the same as long as lr is.
    """

    _name = "Momentum"

    momentum: float = 0.9

    def _kept(self) -> tuple[float, float]:
        return self.momentum, 0.0


@dataclass(eq=False)
class Nesterov(Momentum):
    """Gradient descent with Nesterov's momentum.

    Parameters
    ----------
    lr : float, default=0.001
        The learning rate.
    momentum : float, default=0.9
        The share of the velocity that is kept, at least 0 and less than 1.
    weight_decay, max_norm : float, optional
        As :mod:`nndl_fast.optimizers` says.

    Notes
    -----
    v <- momentum v - lr g, p <- p + momentum v - lr g (Nesterov, 1983, in the form of Bengio et al., 2012,
    which Keras and PyTorch have too).
    """

    _name = "Nesterov"


@dataclass(eq=False)
class AdaGrad(_Optimizer):
    """AdaGrad: a learning rate for each parameter, which decreases with its gradients.

    Parameters
    ----------
    lr : float, default=0.01
        The learning rate.
    weight_decay, max_norm : float, optional
        As :mod:`nndl_fast.optimizers` says.
    eps : float, default=1e-10
        What keeps the divisor from 0.

    Notes
    -----
    s <- s + g^2, p <- p - lr g / (sqrt(s) + eps) (Duchi, Hazan and Singer, 2011).
    """

    _name = "AdaGrad"

    lr: float = 0.01
    _: KW_ONLY
    eps: float = 1e-10


@dataclass(eq=False)
class RMSprop(_Optimizer):
    """RMSprop: AdaGrad with a moving mean of the squares.

    Parameters
    ----------
    lr : float, default=0.01
        The learning rate.
    weight_decay, max_norm : float, optional
        As :mod:`nndl_fast.optimizers` says.
    alpha : float, default=0.99
        The share of the mean that is kept, at least 0 and less than 1; Keras's rho.
    eps : float, default=1e-8
        What keeps the divisor from 0.

    Notes
    -----
    s <- alpha s + (1 - alpha) g^2, p <- p - lr g / (sqrt(s) + eps) (Hinton's lectures, 2012).
    """

    _name = "RMSprop"

    lr: float = 0.01
    _: KW_ONLY
    alpha: float = 0.99
    eps: float = 1e-8

    def _kept(self) -> tuple[float, float]:
        return 0.0, self.alpha


@dataclass(eq=False)
class Adam(_Optimizer):
    """Adam: moving means of the gradients and of their squares.

    Parameters
    ----------
    lr : float, default=0.001
        The learning rate.
    betas : pair of float, default=(0.9, 0.999)
        The shares of the two means that are kept, at least 0 and less than 1.
    weight_decay, max_norm : float, optional
        As :mod:`nndl_fast.optimizers` says.
    eps : float, default=1e-8
        What keeps the divisor from 0.

    Notes
    -----
    m <- beta1 m + (1 - beta1) g, s <- beta2 s + (1 - beta2) g^2,
    p <- p - lr / (1 - beta1^t) m / (sqrt(s / (1 - beta2^t)) + eps) in step t (Kingma and Ba, 2014).
    """

    _name, _moments = "Adam", ("first", "second")

    betas: tuple[float, float] = (0.9, 0.999)
    _: KW_ONLY
    eps: float = 1e-8

    def __post_init__(self) -> None:
        if len(np.atleast_1d(self.betas)) != 2:
            raise ValueError(f"{self._name}: betas is {self.betas!r}; it must be a pair of numbers")
        super().__post_init__()

    def _kept(self) -> tuple[float, float]:
        return self.betas[0], self.betas[1]


@dataclass(eq=False)
class AdamW(Adam):
    """Adam with weight decay that is apart from the gradient.

    Parameters
    ----------
    lr : float, default=0.001
        The learning rate.
    betas : pair of float, default=(0.9, 0.999)
        The shares of the two means that are kept, at least 0 and less than 1.
    weight_decay : float, default=0.01
        The parameters are multiplied by 1 - lr weight_decay in each step; nothing is added to the
        gradients.
    max_norm : float, optional
        As :mod:`nndl_fast.optimizers` says.
    eps : float, default=1e-8
        What keeps the divisor from 0.

    Notes
    -----
    p <- (1 - lr weight_decay) p, then as :class:`Adam` (Loshchilov and Hutter, 2017).
    """

    _name = "AdamW"

    _: KW_ONLY
    weight_decay: float = 0.01
