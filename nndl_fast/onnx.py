"""Networks as ONNX models, for ONNX Runtime and whatever else reads them. It needs the extra ``onnx``.

A model's input ``x`` is (n, features) of the network's dtype. Its outputs are ``label`` (n,), as of
``predict``, and ``probabilities`` (n, classes), as of ``predict_proba``.

If skl2onnx is installed, importing this module tells it how to convert
:class:`nndl_fast.sklearn.SoftmaxClassifier`, also as a step of a pipeline.
"""

from __future__ import annotations

from ._estimators._skl2onnx import register
from ._files._onnx import to_onnx

__all__ = ["to_onnx"]

to_onnx.__module__ = __name__
try:
    from .sklearn import SoftmaxClassifier
except ImportError:  # without scikit-learn there is nothing to convert
    pass
else:
    register(SoftmaxClassifier)
