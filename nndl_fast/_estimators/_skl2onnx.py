"""How skl2onnx converts :class:`nndl_fast.sklearn.SoftmaxClassifier`, also as a step of a pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from .._files import _onnx


def register(estimator: type) -> None:
    """Tells skl2onnx, if it is installed, how to convert the estimator."""
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common.data_types import (
            DoubleTensorType,
            FloatTensorType,
            Int64TensorType,
            StringTensorType,
        )
    except ImportError:
        return

    def shapes(operator: Any) -> None:
        fitted = operator.raw_operator
        rows = operator.inputs[0].type.shape[0]
        text = fitted.classes_.dtype.kind in "OU"
        real = FloatTensorType if fitted.network_.dtype == np.float32 else DoubleTensorType
        operator.outputs[0].type = (StringTensorType if text else Int64TensorType)([rows])
        operator.outputs[1].type = real([rows, len(fitted.classes_)])

    def convert(scope: Any, operator: Any, container: Any) -> None:
        fitted, prefix = operator.raw_operator, scope.get_unique_operator_name("nndl_fast_")
        net = fitted.network_
        x, (label, probabilities) = operator.inputs[0].full_name, (o.full_name for o in operator.outputs)
        cast = f"{prefix}x"
        container.add_node(
            "Cast", x, cast, name=f"{prefix}cast", to=_onnx.kind_of(net), op_version=_onnx.OPSET
        )
        parts = _onnx.parts_of(net, fitted.classes_, cast, label, probabilities, prefix)
        container.initializers.extend(parts.constants)
        for i, node in enumerate(parts.nodes):
            options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            ends = list(node.input), list(node.output)
            name = f"{prefix}{node.op_type}_{i}"
            container.add_node(node.op_type, *ends, name=name, op_version=_onnx.OPSET, **options)

    # the options that skl2onnx itself acts upon for classifiers
    update_registered_converter(
        estimator,
        "NndlFastSoftmaxClassifier",
        shapes,
        convert,
        options={"zipmap": [False, True], "nocl": [True, False]},
    )
