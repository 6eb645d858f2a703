"""What a network is: the layers with their parameters, and the names of its classes and features."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import _core, costs
from .._files import _serialization, _state_dict
from .._runtime._errors import as_type
from .._runtime._types import HIDDEN, Array
from ._backpropagation import Parameters, for_blas

# What the literature begins with for each activation of hidden neurons.
_INITIALIZERS = {"sigmoid": "book", "tanh": "glorot", "relu": "he"}


class Layers:
    """Sizes, activation, biases and weights. :class:`nndl_fast.Network` says what each of them is."""

    def __init__(
        self,
        sizes: Sequence[int],
        cost: Any = costs.LogLikelihoodCost,
        hidden: str = "sigmoid",
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
        classes: Iterable[Any] | None = None,
        initializer: str | None = None,
    ) -> None:
        try:
            good = len(sizes) >= 2 and all(int(n) == n >= 1 for n in sizes)
        except (TypeError, ValueError, OverflowError):  # of what is no list, or no number
            good = False
        if not good:
            raise ValueError(
                f"Network: sizes is {sizes!r}; it must be two or more numbers of neurons, each at least 1"
            )
        _check_one_of(HIDDEN, "hidden", hidden)
        if initializer is None:
            initializer = _INITIALIZERS[hidden]
        _check_one_of(_INITIALIZERS.values(), "initializer", initializer, ", or None")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"Network: dtype is {np.dtype(dtype)}; it must be float32 or float64")
        self.sizes: list[int] = [int(n) for n in sizes]
        self.num_layers: int = len(self.sizes)
        self.cost = _cost(cost)
        self.hidden = hidden
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.initializer = initializer
        self.rng: np.random.Generator = np.random.default_rng(rng)
        self.classes = classes
        self.features = None
        self.table: dict[str, Any] | None = None
        self._parameters: Parameters = ([], [])
        self._seen: list[Array] = []  # the parameters that were checked last
        self.default_weight_initializer()

    def __repr__(self) -> str:
        """Describe the network in one line.

        Examples
        --------
        >>> import nndl_fast as nf
        >>> nf.Network([784, 30, 10])
        <Network 784-30-10: hidden sigmoid, LogLikelihoodCost, float32, 23,860 parameters>
        """
        sizes = "-".join(map(str, self.sizes))
        cost = getattr(self.cost, "__name__", type(self.cost).__name__)
        hidden = f"hidden {self.hidden}" if self.num_layers > 2 else "no hidden layer"
        return (
            f"<{type(self).__name__} {sizes}: {hidden}, {cost}, {self.dtype}, {self.num_parameters:,} "
            "parameters>"
        )

    @property
    def num_parameters(self) -> int:
        """The number of all biases and weights."""
        return sum(n * (inputs + 1) for inputs, n in zip(self.sizes, self.sizes[1:]))

    @property
    def parameters(self) -> Parameters:
        """The pair ``(biases, weights)``.

        Assigning a pair replaces both at once: an interruption leaves either the old ones or the new ones.
        """
        biases, weights = self._parameters  # lists, which a caller may have changed in place
        now = [*biases, *weights]
        if len(now) == len(self._seen) and all(map(operator.is_, now, self._seen)):
            return self._parameters
        return self._checked(biases, weights)

    @parameters.setter
    def parameters(self, parameters: tuple[Sequence[ArrayLike], Sequence[ArrayLike]]) -> None:
        self._parameters = self._checked(*parameters)

    @property
    def biases(self) -> list[Array]:
        """The biases: an array (n, 1) for each layer after the first."""
        return self._parameters[0]

    @biases.setter
    def biases(self, biases: Sequence[ArrayLike]) -> None:
        self._parameters = (self._layers(biases, "biases"), self.weights)

    @property
    def weights(self) -> list[Array]:
        """The weights: an array (n, n of the layer before) for each layer after the first."""
        return self._parameters[1]

    @weights.setter
    def weights(self, weights: Sequence[ArrayLike]) -> None:
        self._parameters = (self.biases, self._layers(weights, "weights"))

    @property
    def classes(self) -> list[Any] | None:
        """The labels of the output neurons in their order, or None if they are 0, 1, 2 and so on."""
        return self._classes

    @classes.setter
    def classes(self, classes: Iterable[Any] | None) -> None:
        self._classes = _names(classes, "classes", "labels", _num_classes(self))

    @property
    def features(self) -> list[Any] | None:
        """The names of the inputs in their order, or None."""
        return self._features

    @features.setter
    def features(self, features: Iterable[Any] | None) -> None:
        self._features = _names(features, "features", "names", self.sizes[0])

    def _layers(self, arrays: Sequence[ArrayLike], name: str) -> list[Array]:
        """Biases or weights as arrays of the network's dtype; what does not fit the sizes is refused."""
        if len(arrays) != self.num_layers - 1:
            raise ValueError(
                f"Network: {name} has {len(arrays)} arrays; it must have {self.num_layers - 1}, one for each "
                "layer after the first"
            )
        result = []
        for layer, (given, inputs, n) in enumerate(zip(arrays, self.sizes, self.sizes[1:]), 1):
            shape = (n, inputs if name == "weights" else 1)
            if type(given) is np.ndarray and given.shape == shape and given.dtype == self.dtype:
                result.append(for_blas(given))
                continue
            array = _core.as_real(given, "Network", f"{name} of layer {layer}")
            if array.shape != shape:
                raise ValueError(
                    f"Network: {name} of layer {layer} has shape {array.shape}; it must be {shape}"
                )
            result.append(for_blas(as_type(array, self.dtype)))
        return result

    def _checked(self, biases: Sequence[ArrayLike], weights: Sequence[ArrayLike]) -> Parameters:
        checked = self._layers(biases, "biases"), self._layers(weights, "weights")
        self._seen = [*checked[0], *checked[1]]
        return checked

    def default_weight_initializer(self) -> None:
        """Draw the parameters as the argument ``initializer`` of :class:`Network` says."""
        if self.initializer == "book":
            self.large_weight_initializer()
            self.weights = [w / self.dtype.type(np.sqrt(w.shape[1])) for w in self.weights]
            return
        biases, weights = [], []
        for inputs, n in zip(self.sizes, self.sizes[1:]):
            variance = 2 / (inputs if self.initializer == "he" else inputs + n)
            drawn = self.rng.standard_normal((n, inputs)).astype(self.dtype)
            weights.append(drawn * self.dtype.type(np.sqrt(variance)))
            biases.append(np.zeros((n, 1), self.dtype))
        self.parameters = (biases, weights)

    def large_weight_initializer(self) -> None:
        """Draw biases and weights from N(0, 1), as the book's first chapter does."""
        layers = list(zip(self.sizes[:-1], self.sizes[1:]))
        biases = [self.rng.standard_normal((n, 1)).astype(self.dtype) for _, n in layers]
        weights = [self.rng.standard_normal((n, inputs)).astype(self.dtype) for inputs, n in layers]
        self.parameters = (biases, weights)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the parameters by the names that PyTorch gives them.

        The names are those of ``torch.nn.Sequential(Linear, activation, Linear, ...)``.

        Returns
        -------
        dict of ndarray
            The weights (n, inputs) and biases (n,), as arrays of NumPy.

        See Also
        --------
        load_state_dict : Take the parameters from such a dictionary.
        nndl_fast.torch.state_dict : Return tensors.

        Examples
        --------
        >>> import nndl_fast as nf
        >>> list(nf.Network([64, 30, 10]).state_dict())
        ['0.weight', '0.bias', '2.weight', '2.bias']
        """
        return _state_dict.of_layers(*self.parameters)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the parameters from a dictionary such as ``state_dict()`` of a PyTorch module.

        Parameters
        ----------
        state : dict of array_like or of tensors
            Weights and biases, whose names end in ``weight`` and ``bias``, as a PyTorch module of linear
            layers or a safetensors file of one has them. The layers of an ``OrderedDict``, as PyTorch's
            ``state_dict()`` is, are in its order. The order in another dictionary says nothing: names that
            differ by their numbers alone are in the order of these, ``layers.2`` before ``layers.10``, if the
            shapes fit so, and else the shapes tell it.

        Raises
        ------
        ValueError
            If something does not fit, or if the order of the layers cannot be told; the network stays as it
            was.

        See Also
        --------
        state_dict : Return the parameters as such a dictionary.
        """
        self.parameters = _state_dict.to_layers(state, self.sizes)

    def save(self, filename: str | PathLike[str]) -> None:
        """Write the network to a file.

        The file is written beside an old one of the same name, which is then replaced as a whole. As with
        ``open(filename, "wb")``, links are followed, and an old file keeps its permissions.

        Parameters
        ----------
        filename : str or path-like
            The name of the file. If it ends in ``.safetensors``, the file has that format (with the extra
            ``safetensors``), and its arrays have the names of :meth:`state_dict`; otherwise it is an
            ``.npz`` file.

        Raises
        ------
        ValueError
            If the network could not be loaded again; the old file stays.

        See Also
        --------
        load : Load a network from a file.
        """
        header = {
            "sizes": self.sizes,
            "cost": _serialization.name_of(self.cost),
            "hidden": self.hidden,
            **{name: value for name in _serialization.OPTIONAL if (value := getattr(self, name)) is not None},
        }
        _serialization.save(filename, header, self.biases, self.weights)

    def digest(self) -> str:
        """Compute a number that tells networks apart.

        It is the same for the same parameters, bit for bit, so that networks that were trained on two
        machines can be compared.

        Returns
        -------
        str
            The number, as 16 hexadecimal digits.

        Examples
        --------
        >>> import nndl_fast as nf
        >>> nf.Network([4, 3], rng=0).digest() == nf.Network([4, 3], rng=0).digest()
        True
        """
        return _serialization.digest(self.biases + self.weights)


def _check_one_of(known: Collection[str], name: str, value: Any, more: str = "") -> None:
    if value not in known:
        raise ValueError(
            f"Network: {name} is {value!r}; it must be one of {', '.join(map(repr, known))}{more}"
        )


def _num_classes(net: Layers) -> int:
    return max(2, net.sizes[-1])  # a single output neuron tells two apart


def classes_of(net: Layers) -> list[Any]:
    """The labels of the output neurons, or 0, 1, 2, ... without names."""
    return net.classes or list(range(_num_classes(net)))


def _names(given: Iterable[Any] | None, name: str, kind: str, wanted: int) -> list[Any] | None:
    """So many of them as Python's own strings and numbers, which JSON has; each only once."""
    if given is None:
        return None
    names = [item.item() if isinstance(item, np.generic) else item for item in given]
    for i, item in enumerate(names):
        if not isinstance(item, (str, int, float)):
            raise TypeError(f"Network: {name} has {item!r}; it must have strings or numbers")
        if len(set(names)) < len(names) and item in names[:i]:
            raise ValueError(f"Network: {name} has {item!r} more than once")
    if len(names) != wanted:
        raise ValueError(f"Network: {name} has {len(names)} {kind}; it must have {wanted}")
    return names


def _cost(cost: Any) -> Any:
    """The cost that a name stands for; a class with a cost's functions, or an instance of one, as it is."""
    if isinstance(cost, str):
        _check_one_of(costs.NAMES, "cost", cost, ", or a class")
        return costs.NAMES[cost]
    missing = [name for name in ("fn", "delta") if not callable(getattr(cost, name, None))]
    if missing:
        raise TypeError(
            f"Network: cost is {cost!r}, which has no {' and no '.join(missing)}; it must be one of "
            f"{', '.join(map(repr, costs.NAMES))}, or a class with fn(a, y) and delta(z, a, y)"
        )
    return cost
