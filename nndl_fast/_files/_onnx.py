"""Networks as ONNX models."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import costs
from . import _replacing, _serialization

if TYPE_CHECKING:
    from ..network import Network

try:
    from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
except ModuleNotFoundError:
    raise ModuleNotFoundError("ONNX models need onnx: pip install 'nndl_fast[onnx]'", name="onnx") from None

OPSET, _IR = 13, 7  # of the year 2020: whatever reads models reads these
_OPERATORS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def to_onnx(net: Network, path: str | PathLike[str] | None = None, classes: Any = None) -> ModelProto:
    """Convert a network to an ONNX model.

    Its input ``x`` is (n, features) of the dtype of the network. Its outputs are ``label`` (n,), as of
    :meth:`nndl_fast.Network.predict`, and ``probabilities`` (n, classes), as of
    :meth:`nndl_fast.Network.predict_proba`.

    Parameters
    ----------
    net : Network
        The network.
    path : str or path-like, optional
        The name of a file that the model is also written to.
    classes : iterable, optional
        The labels of the outputs, by default those of the network.

    Returns
    -------
    onnx.ModelProto
        The model.

    Raises
    ------
    ValueError
        If the cost is a class of your own with an ``activation``, since nobody knows what it computes.

    See Also
    --------
    nndl_fast.Network.to_onnx : Write a network to a file.

    Examples
    --------
    >>> from nndl_fast import Network
    >>> from nndl_fast.onnx import to_onnx
    >>> net = Network([4, 3, 2], rng=0)
    >>> [output.name for output in to_onnx(net).graph.output]
    ['label', 'probabilities']
    """
    classes = net.classes if classes is None else list(classes)
    parts = parts_of(net, classes, "x", "label", "probabilities")
    labels = _tensor("classes", np.asarray(classes) if classes else np.zeros(1, np.int64)).data_type
    graph = helper.make_graph(
        parts.nodes,
        "nndl_fast",
        [helper.make_tensor_value_info("x", kind_of(net), ["n", net.sizes[0]])],
        [
            helper.make_tensor_value_info("label", labels, ["n"]),
            helper.make_tensor_value_info("probabilities", kind_of(net), ["n", max(2, net.sizes[-1])]),
        ],
        parts.constants,
    )
    model = helper.make_model(
        graph, producer_name="nndl_fast", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR
    )
    if path is not None:
        with _replacing.replacing(path) as file:
            file.write(model.SerializeToString())
    return model


class _Parts(NamedTuple):
    nodes: list[NodeProto]
    constants: list[TensorProto]


def parts_of(net: Network, classes: Any, x: str, label: str, probabilities: str, prefix: str = "") -> _Parts:
    """A product for each layer and an activation after it; of the last the class."""
    activation = getattr(net.cost, "activation", None)
    if activation not in (None, costs.LogLikelihoodCost.activation):
        raise ValueError(
            f"to_onnx: the cost {_serialization.name_of(net.cost)} has an activation of its own, which ONNX "
            "does not know"
        )
    nodes, constants = [], []
    last = len(net.weights) - 1
    for i, (b, w) in enumerate(zip(net.biases, net.weights)):
        names = [f"{prefix}{part}_{i}" for part in ("w", "b", "z", "a")]
        constants += [_tensor(names[0], w), _tensor(names[1], b.ravel())]
        nodes.append(helper.make_node("Gemm", [x, *names[:2]], [names[2]], transB=1))
        out = names[3] if i < last or net.sizes[-1] == 1 else probabilities
        if i < last:
            nodes.append(helper.make_node(_OPERATORS[net.hidden], [names[2]], [out]))
        elif activation is None:
            nodes.append(helper.make_node("Sigmoid", [names[2]], [out]))
        else:
            nodes.append(helper.make_node("Softmax", [names[2]], [out], axis=1))
        x = out
    if net.sizes[-1] == 1:
        constants.append(_tensor(f"{prefix}one", np.ones(1, net.dtype)))
        nodes.append(helper.make_node("Sub", [f"{prefix}one", x], [f"{prefix}rest"]))
        nodes.append(helper.make_node("Concat", [f"{prefix}rest", x], [probabilities], axis=1))
    best = f"{prefix}best" if classes is not None else label
    nodes.append(helper.make_node("ArgMax", [probabilities], [best], axis=1, keepdims=0))
    if classes is not None:
        constants.append(_tensor(f"{prefix}classes", np.asarray(classes)))
        nodes.append(helper.make_node("Gather", [f"{prefix}classes", best], [label]))
    return _Parts(nodes, constants)


def kind_of(net: Network) -> int:
    return int(helper.np_dtype_to_tensor_dtype(net.dtype))


def _tensor(name: str, array: NDArray[Any]) -> TensorProto:
    if array.dtype.kind in "OU":
        return helper.make_tensor(name, TensorProto.STRING, array.shape, [str(x).encode() for x in array])
    if array.dtype.kind in "iub":
        array = array.astype(np.int64)
    return numpy_helper.from_array(np.ascontiguousarray(array), name)
