"""Arguments of any type, arguments with code of their own, and last layers in small blocks, as bytes spell
them: ``python tests/tools/fuzz_arguments.py --seconds N``.

A dtype is computed with, or refused by a TypeError that names the argument. An object that changes the shape
or the type of the other arguments while it is converted changes no call in progress: the result is that of
the arguments as they were or as they became, or the call is refused. ``linear_log_likelihood`` in small
blocks gives what it gives in one, whatever is NaN or infinite."""

from __future__ import annotations

import itertools
import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
from fuzz import CLASSES, SPECIAL, Bytes
from fuzz_network import drive

import nndl_fast as nf
from nndl_fast._functions import _linear

Given = dict[str, Any]
WAYS = ("one", "row", "column", "dtype", "strides")
REFUSED = (ValueError, TypeError, IndexError, AttributeError)
NUMPYS = [np.dtype(code) for code in np.typecodes["All"] if code not in "OSUVMm"]
NUMPYS += [np.dtype(x) for x in ("O", "S3", "U3", "V4", "M8[s]", "m8[s]", [("a", "f4"), ("b", "i4")])]
OTHERS = [getattr(ml_dtypes, name) for name in dir(ml_dtypes) if name not in ("finfo", "iinfo")]
OTHERS = [np.dtype(x) for x in OTHERS if isinstance(x, type)]


def calls(
    n: int, classes: int, dtype: Any, rng: np.random.Generator
) -> Iterator[tuple[Callable[..., Any], Given]]:
    """Each function with arguments by name."""
    z = rng.standard_normal((n, classes)).astype(dtype)
    a, y = nf.softmax(z), rng.integers(0, classes, n)
    common = {"axis": 1, "out": np.empty_like(z)}
    weight = {"sample_weight": rng.random(n)}
    options = {"class_weight": rng.random(classes), "ignore_index": 1, "label_smoothing": 0.1} | weight
    w, b = rng.standard_normal((classes, classes)).astype(dtype), rng.standard_normal(classes).astype(dtype)
    yield nf.softmax, {"z": z, "c": 2.0} | common
    yield nf.softmax, {"z": z, "axis": (0, 1), "c": 2.0}
    yield nf.log_softmax, {"z": z, "c": np.inf} | common
    yield nf.logsumexp, {"z": z, "axis": 1, "keepdims": True}
    yield nf.logsumexp, {"z": z, "axis": (0, 1), "keepdims": True}
    yield nf.hardmax, {"z": z, "axis": 1}
    yield nf.inverse_softmax, {"a": a, "axis": 1, "constant": 1.0}
    yield nf.softmax_backward, {"a": a, "grad": z.copy(), "c": 2.0} | common
    yield nf.log_likelihood_cost, {"z": z, "y": y, "axis": 1} | options
    yield nf.log_likelihood_delta, {"z": z, "y": y} | common | options
    yield nf.log_likelihood_cost_and_delta, {"z": z, "y": a.copy()} | weight | common
    if classes < 200:
        yield nf.linear_log_likelihood, {"a": z, "w": w, "b": b, "y": y} | weight
        affine = {"x": z, "w": w, "b": b}
        yield nf.affine, affine | {"out": np.empty_like(z)}
        yield nf.affine, affine | {"b": z.copy(), "activation": "tanh"}
        yield nf.affine, affine | {"x": z.T.copy(), "axis": 0}
        yield nf.affine_backward, {"delta": z, "x": z.copy(), "w": w, "activation": "sigmoid", "a": a}
        yield nf.matmul, {"a": z, "b": w, "out": np.empty_like(z)}
    yield nf.activate, {"z": z, "activation": "relu", "out": np.empty_like(z)}
    yield nf.activation_backward, {"delta": z, "a": a, "activation": "tanh", "out": np.empty_like(z)}
    yield nf.cost_and_delta_from_activations, {"a": a, "y": y} | common
    yield nf.cost_and_delta_from_activations, {"a": a, "y": a.copy(), "reduction": "sum"}
    wide = z.astype(np.promote_types(z.dtype, np.float32))
    yield stepped, {"parameters": wide, "gradients": z}
    yield nf.sigmoid, {"z": z, "out": np.empty_like(z)}
    yield nf.binary_cross_entropy_cost_and_delta, {"z": z, "y": a, "sample_weight": a.copy()}
    yield nf.QuadraticCost.delta, {"z": z, "a": a, "y": a.copy()}
    yield nf.CrossEntropyCost.fn, {"a": a, "y": a.copy()}
    yield nf.LogLikelihoodCost.fn, {"a": a.T.copy(), "y": y}


def stepped(parameters: np.ndarray, gradients: Any) -> np.ndarray:
    """The parameters after a step of an optimizer, which changes them in place."""
    nf.optimizers.Adam(0.1, max_norm=1.0).step([parameters], [gradients])
    return parameters


def copies(given: Given) -> Given:
    return {name: x.copy() if isinstance(x, np.ndarray) else x for name, x in given.items()}


def parts(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def same(got: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
    return all(np.array_equal(one, other, equal_nan=True) for one, other in zip(got, expected, strict=True))


# -- arguments that change others ------------------------------------------------------------


def change(array: np.ndarray, how: str) -> None:
    """The array with the same memory, seen otherwise."""
    if how == "dtype":
        array.dtype = np.int8
    elif how == "strides":
        array.strides = tuple(s // 2 for s in array.strides)
    else:
        array.shape = {"one": (array.size,), "row": (1, array.size), "column": (array.size, 1)}[how]


class Changes:
    """An argument that changes others when it is first asked for its value."""

    def __init__(self, value: Any, others: list[np.ndarray], how: str):
        self.value, self.others, self.how = value, others, how

    def ask(self) -> Any:
        while self.others:
            change(self.others.pop(), self.how)
        return self.value

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.ask())

    def __index__(self) -> int:
        return operator.index(self.ask())

    def __float__(self) -> float:
        return float(self.ask())

    def __bool__(self) -> bool:
        return bool(self.ask())


def of_some(
    function: Callable[..., Any], given: Given, names: list[str], how: str
) -> Iterator[tuple[Any, ...]]:
    """What the function gives if some of the others are changed and some are not."""
    for several in itertools.product((False, True), repeat=len(names)):
        own = copies(given)
        try:
            for name in itertools.compress(names, several):
                change(own[name], how)
            yield parts(function(**own))
        except REFUSED:
            pass


def changes_nothing(function: Callable[..., Any], given: Given, name: str, how: str) -> bool:
    """Whether the call was refused; an AssertionError if its result belongs to no arguments."""
    own = copies(given)
    names = [other for other, x in own.items() if other != name and isinstance(x, np.ndarray)]
    first, *more = own[name] if isinstance(own[name], tuple) else (own[name],)
    asked = Changes(first, [own[other] for other in names], how)
    own[name] = (asked, *more) if isinstance(own[name], tuple) else asked
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy would rather have neither set
        try:
            got = parts(function(**own))
        except REFUSED:
            return True
        if not same(got, parts(function(**copies(given)))):
            wrong = function, name, how
            assert any(same(got, x) for x in of_some(function, given, names, how)), wrong
    return False


# -- dtypes ----------------------------------------------------------------------------------


def is_taken(dtype: np.dtype[Any], is_target: bool) -> bool:
    if dtype.num >= 256:  # not NumPy's own
        return dtype.name == "bfloat16"
    return (
        dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize <= 8) or (dtype.kind == "b" and is_target)
    )


def of_a_type(function: Callable[..., Any], given: Given, name: str, dtype: np.dtype[Any]) -> None:
    own = copies(given)
    if name != "out":
        own.pop("out", None)  # it would have to be of the same type
    labels = name == "y" and own["y"].ndim == 1
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own[name] = np.zeros(own[name].shape, dtype)
        plain = own | {name: np.zeros(own[name].shape, np.int64 if labels else np.float64)}
        taken = is_taken(dtype, name == "y")
        if labels:
            taken &= dtype.kind in "iu"
        if name == "out":
            taken = dtype == next(own[given] for given in "axz" if given in own).dtype
        if name == "parameters":
            taken = dtype in (np.float32, np.float64)
        try:
            got = parts(function(**own))
        except TypeError as error:
            assert not taken and name in str(error), (function, name, dtype, error)
        except ValueError as error:  # of another argument, which is as it was
            raise AssertionError((function, name, dtype)) from error
        else:
            assert taken, (function, name, dtype)
            for one, other in zip(got, parts(function(**plain)) if name != "out" else got, strict=True):
                assert np.allclose(np.asarray(one, "f8"), np.asarray(other, "f8"), 1e-2, 1e-2, equal_nan=True)


# -- blocks of examples ----------------------------------------------------------------------


def in_blocks(data: Bytes) -> None:
    n, features, classes = (data.among(x) for x in ((1, 2, 15, 40, 200), (1, 3, 16, 33), (2, 17, 40, 129)))
    rng, dtype = np.random.default_rng(data.number()), data.among(["f4", "f8"])
    given: Given = {"a": rng.standard_normal((n, features)).astype(dtype)}
    given["w"] = rng.standard_normal((classes, features)).astype(dtype)
    given["b"] = rng.standard_normal(classes).astype(dtype) if data.one_in(2) else np.zeros(classes, dtype)
    given["y"] = rng.integers(0, classes, n)
    options: Given = {"reduction": data.among(["mean", "sum", "none"])}
    if data.one_in(3):
        given["y"] = rng.dirichlet(np.ones(classes), n) * (rng.random((n, classes)) < 0.7)
    elif data.one_in(2):
        options["ignore_index"] = data.among([-(2**63), -100, 0, 2**62])
        given["y"][:: data.among([1, 2, 5])] = options["ignore_index"]
    if data.one_in(2):
        options["sample_weight"] = rng.random(n) * (rng.random(n) < 0.8)
    if data.one_in(2):
        options["class_weight"] = rng.random(classes) * (rng.random(classes) < 0.8)
    if data.one_in(2):
        options["label_smoothing"] = data.among([0.1, 1.0])
    for _ in range(data.among([0, 1, 1, 3])):
        x = given[data.among("awb")]
        x.flat[(data.number() * 256 + data.number()) % x.size] = data.among(SPECIAL)
    before = _linear.LOGIT_BYTES
    with np.errstate(all="ignore"):
        try:
            expected = nf.linear_log_likelihood(**given, **options)
            _linear.LOGIT_BYTES = data.among([1, 20_000])
            got = nf.linear_log_likelihood(**given, **options)
        finally:
            _linear.LOGIT_BYTES = before
    if any(np.abs(x[np.isfinite(x)]).max(initial=0) > 1e3 for x in (given["a"], given["w"], given["b"])):
        return  # what is beyond the largest number on the way depends on the order; nothing crashed
    rtol, atol = (1e-4, 1e-4) if dtype == "f4" else (1e-10, 1e-10)
    for name, one, other in zip(("cost", "nabla_w", "nabla_b", "delta_a"), got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol, atol, err_msg=name)


def call(given: bytes) -> None:
    """One call that the bytes spell."""
    data = Bytes(given)
    kind = data.number() % 3
    if kind == 0:
        return in_blocks(data)
    n, classes = data.among([1, 2, 10, 65, 100]), data.among([x for x in CLASSES if 2 <= x < 2000])
    rng, dtype = np.random.default_rng(data.number()), data.among(["f4", "f8", "f2", ml_dtypes.bfloat16])
    if kind == 1:
        function, arguments = data.among([*calls(n, classes, dtype, rng)])
        changes_nothing(
            function, arguments, data.among([x for x in arguments if x != "out"]), data.among(WAYS)
        )
        return None
    function, arguments = data.among([*calls(n, classes, data.among(["f4", "f8"]), rng)])
    arrays = [name for name, x in arguments.items() if isinstance(x, np.ndarray)]
    return of_a_type(function, arguments, data.among(arrays), data.among(NUMPYS + OTHERS))


if __name__ == "__main__":
    drive(call, __doc__)
