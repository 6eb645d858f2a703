"""Any call that bytes can spell, compared with the reference:
``python tests/tools/fuzz.py [libFuzzer's options]``.

Shapes, axes, strides, dtypes, special values, labels and targets, options, results laid over their
inputs, instruction sets and threads all come from the bytes. A call must give the bits that the same
arrays give side by side, on one thread, on the baseline; those must agree with plain NumPy; and what
is wrong must be refused with nothing written. The fuzzer is atheris (``tests/tools/sanitize.py fuzz``
builds for it); what it found worth keeping is in ``tests/corpus.txt``, which the suite replays without it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import reference as ref

import nndl_fast as nf
from nndl_fast import _core

CLASSES = [0, 1, 2, 3, 7, 10, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 129, 200, 513, 1100, 4097]
ROWS = [0, 1, 2, 3, 4, 5, 15, 16, 17, 33, 64, 70]
DTYPES = ["f4", "f8", "f2", ml_dtypes.bfloat16, "i4", ">f4", ">f8"]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-310, 1e4, -1e4, 3e38, -3e38, 32767.0, 88.7, -104.0]


class Bytes:
    """Takes choices from the bytes; where they end, the first of each."""

    def __init__(self, data: bytes):
        self.left = data[::-1]

    def number(self) -> int:
        last, self.left = self.left[-1:], self.left[:-1]
        return last[0] if last else 0

    def among(self, choices: Any) -> Any:
        return choices[self.number() % len(choices)]

    def one_in(self, n: int) -> bool:
        return self.number() % n == n - 1


def values(data: Bytes, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Some numbers of the dtype's range."""
    rng = np.random.default_rng(data.number())
    x = rng.standard_normal(shape) * data.among([1, 1e-3, 20, 300, 1e4]) + data.among([0, 0, -60, 1e3, 1e6])
    if x.size and data.one_in(3):  # one class above the others
        x[..., data.number() % shape[-1]] += data.among([5, 20, 80])
    for _ in range(data.among([0, 0, 1, 5])):
        if x.size:
            x.flat[(data.number() * 256 + data.number()) % x.size] = data.among(SPECIAL)
    if data.one_in(8):
        x = np.full(shape, data.among(SPECIAL))
    with np.errstate(over="ignore", invalid="ignore"):
        if np.dtype(dtype).kind == "i":
            return np.clip(np.nan_to_num(x), -1e9, 1e9).astype(dtype)
        return x.astype(dtype)


def laid_out(data: Bytes, x: np.ndarray) -> np.ndarray:
    """The same numbers at other strides: axes in another order, steps, reversed, unaligned, read-only."""
    kind = data.number() % 6
    if kind == 0 or x.ndim == 0:
        return x
    order = np.random.default_rng(data.number()).permutation(x.ndim)
    steps = [data.among([1, -1, 2, 3, -2]) for _ in order]
    room = np.zeros([n * abs(s) + 1 for n, s in zip((x.shape[d] for d in order), steps)], x.dtype)
    if kind == 1:  # at an odd address
        room = np.zeros(room.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(room.shape)
    view = room[
        tuple(
            slice(0, n * s, s) if s > 0 else slice(n * -s, 0, s)
            for n, s in zip((x.shape[d] for d in order), steps)
        )
    ]
    view = view.transpose(np.argsort(order))
    view[...] = x
    if kind == 2:
        view.flags.writeable = False
    return view


def repeated(data: Bytes, x: np.ndarray) -> np.ndarray:
    """A view in which one dimension stands still, where the bytes say so."""
    if not x.ndim or not x.size or not data.one_in(5):
        return x
    at = data.number() % x.ndim
    return np.broadcast_to(x.take([0], at), x.shape)


def plain(x: Any) -> Any:
    """A copy in C order and in the machine's byte order."""
    return np.array(x, dtype=x.dtype.newbyteorder("="), order="C") if isinstance(x, np.ndarray) else x


def same_bits(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    a, b = a.astype("f8"), b.astype("f8")  # exact for every dtype that is returned
    return np.array_equal(a, b, equal_nan=True) and np.array_equal(
        np.signbit(a[a == 0]), np.signbit(b[b == 0])
    )


def alone(function: Callable[..., Any], arguments: list[Any], options: dict[str, Any]) -> Any:
    """What the arrays give side by side, at the baseline, on one thread."""
    before = _core.isa()
    _core.use_isa("baseline")
    try:
        with nf.num_threads(1), np.errstate(over="ignore"):
            return function(*map(plain, arguments), **{name: plain(x) for name, x in options.items()})
    except Exception as error:
        return error
    finally:
        _core.use_isa(before)


def with_out(data: Bytes, z: np.ndarray, like: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """z, and an array for the result: none, of other strides, z itself, over a part of z, or a wrong one."""
    kind = data.among(["none", "none", "other", "same", "over", "shape", "dtype", "read-only", "overlap"])
    fits = z.dtype == like.dtype and z.shape == like.shape
    if kind == "same" and fits:
        return z, z
    if kind == "over" and fits:
        room, shift = np.zeros(z.size + 3, z.dtype), data.number() % 4
        room[: z.size] = z.ravel()
        return room[: z.size].reshape(z.shape), room[shift : shift + z.size].reshape(z.shape)
    if kind == "shape":
        return z, np.zeros((*like.shape, 1), like.dtype)
    if kind == "dtype":
        return z, np.zeros(like.shape, "f4" if like.dtype == "f8" else "f8")
    if kind == "read-only":
        out = np.zeros(like.shape, like.dtype)
        out.flags.writeable = False
        return z, out
    if kind == "overlap":
        return z, np.lib.stride_tricks.as_strided(np.zeros(1, like.dtype), like.shape, (0,) * like.ndim)
    return z, None if kind == "none" else laid_out(data, np.zeros(like.shape, like.dtype))


# -- the calls -------------------------------------------------------------------------------


def one_array(data: Bytes) -> tuple[str, list[Any], dict[str, Any]]:
    name = data.among(
        ["softmax", "log_softmax", "logsumexp", "hardmax", "sigmoid", "sigmoid_prime", "softmax_backward"]
    )
    z, axis = array(data)
    arguments: list[Any] = [z]
    options: dict[str, Any] = {}
    if name == "softmax_backward":
        arguments.append(
            repeated(data, laid_out(data, values(data, z.shape, data.among([z.dtype, z.dtype, "f8"]))))
        )
    if not name.startswith("sigmoid"):
        options["axis"] = data.among([axis, axis, axis, None, 7]) if name != "softmax_backward" else axis
    if name in ("softmax", "log_softmax", "softmax_backward") and data.one_in(3):
        options["c"] = data.among([0.5, 1.7, 1e-3, 50.0, np.inf, 0.0, -1.0, np.nan])
    if name == "logsumexp":
        options["keepdims"] = data.one_in(2)
    return name, arguments, options


def array(data: Bytes) -> tuple[np.ndarray, int]:
    """Weighted inputs and the axis of their classes."""
    dtype, classes = data.among(DTYPES), data.among(CLASSES)
    batch = [(), (data.among(ROWS),), (data.among(ROWS[:8]), data.among([1, 2, 3, 0]))][data.number() % 3]
    if classes * int(np.prod(batch)) > 40_000:
        batch = (2,)
    z = values(data, (*batch, classes), dtype)
    axis = data.number() % z.ndim
    return repeated(data, laid_out(data, np.moveaxis(z, -1, axis))), axis - z.ndim * data.one_in(2)


def binary(data: Bytes) -> tuple[str, list[Any], dict[str, Any]]:
    z, _ = array(data)
    y = values(data, z.shape, data.among(["f8", z.dtype]))
    y = laid_out(data, np.clip(y.astype("f8"), 0, 1).astype(y.dtype) if not data.one_in(8) else y)
    options: dict[str, Any] = {"reduction": data.among(["mean", "sum", "none", "other"])}
    if data.one_in(3):
        options["sample_weight"] = laid_out(data, np.abs(values(data, z.shape, "f8")))
    return "binary_cross_entropy_" + data.among(["cost", "delta", "cost_and_delta"]), [z, y], options


def log_likelihood(data: Bytes) -> tuple[str, list[Any], dict[str, Any]]:
    z, axis = array(data)
    classes, batch = z.shape[axis], tuple(np.delete(z.shape, axis))
    rng = np.random.default_rng(data.number())
    options: dict[str, Any] = {"axis": axis, "reduction": data.among(["mean", "sum", "none", "other"])}
    if data.one_in(3):  # targets
        y = np.abs(values(data, z.shape, data.among([z.dtype, "f8"])))
        if data.one_in(6):
            y = -y
        y = repeated(data, laid_out(data, y))
    else:
        y = rng.integers(0, max(1, classes), batch).astype(data.among(["i8", "i4", "u1", "u8", ">i4", "f4"]))
        if y.size and y.dtype.kind != "f" and data.one_in(6):
            y.flat[data.number() % y.size] = data.among([classes, 255, 2**31 - 1]) & np.iinfo(y.dtype).max
        if data.one_in(3):
            options["ignore_index"] = int(data.among([0, -1, -100, classes, 255]))
            if y.size and np.can_cast(np.min_scalar_type(options["ignore_index"]), y.dtype):
                y.flat[:: data.among([1, 2, 5])] = options["ignore_index"]
        y = repeated(data, laid_out(data, y))
    if data.one_in(3):
        options["sample_weight"] = (
            repeated(data, laid_out(data, np.abs(values(data, batch, "f8")))) if batch else 0.5
        )
    if data.one_in(3):
        options["class_weight"] = laid_out(data, np.abs(values(data, (classes,), data.among(["f4", "f8"]))))
    if data.one_in(3):
        options["label_smoothing"] = data.among([0.1, 1.0, 0.9, 1.5, -0.1])
    return "log_likelihood_" + data.among(["cost", "delta", "cost_and_delta"]), [z, y], options


def layers(data: Bytes) -> tuple[str, list[Any], dict[str, Any]]:
    """An affine layer, a product, or activations; one in some has a shape that does not fit."""
    name = data.among(["affine", "affine", "affine_backward", "matmul", "activate", "activation_backward"])
    activation = data.among([None, "relu", "sigmoid", "tanh", "leaky_relu", "other"])
    if name.startswith("activ"):
        z, _ = array(data)
        of_a = (
            [laid_out(data, values(data, z.shape, data.among([z.dtype, "f8"])))] if name != "activate" else []
        )
        return name, [z, *of_a, activation or "relu"], {}
    dtype, axis = data.among(DTYPES), data.among([-1, 0, -1, 0, 1])
    n, inputs, neurons = (data.among(ROWS), data.among(CLASSES[:-2]), data.among(CLASSES[:-2]))
    batch = data.among([(n,), (n,), (), (2, n)]) if axis else data.among([(n,), (n,), ()])

    def made(shape: tuple[int, ...]) -> np.ndarray:
        """One of the arrays, whose last axis comes first where examples stand in columns."""
        x = values(data, shape, data.among([dtype, dtype, dtype, "f8"]))
        x = x[..., :-1] if data.one_in(40) else x
        return repeated(data, laid_out(data, x if axis else x.T))

    x, w = made((*batch, inputs)), made((inputs, neurons))
    if name == "matmul":
        return name, [x, w] if axis else [w, x], {}
    if name == "affine":
        shape = data.among([(neurons,), (1, neurons), (*batch, neurons), None])
        b = None if shape is None else made(shape)
        return name, [x, w, b], {"axis": axis, "activation": activation}
    options = {"axis": axis, "activation": activation, "handed_down": not data.one_in(4)}
    if data.one_in(3):
        options["a"] = made((*batch, inputs))
    return name, [made((*batch, neurons)), x, w], options


# -- what must hold --------------------------------------------------------------------------


def agrees(name: str, arguments: list[Any], options: dict[str, Any], result: Any) -> None:
    """Against plain NumPy, wherever that is right: where no row has a NaN or +inf or is all -inf."""
    z = plain(np.asarray(arguments[0]))
    if z.dtype.itemsize == 2 or not z.size or z.dtype.kind == "i":
        return
    axis, c = options.get("axis", -1), options.get("c", 1.0)
    if axis is None:
        z, axis, result = z.ravel(), 0, result.ravel()
    wide = z.astype(ref.WIDE)
    if not (np.isfinite(z.max(axis)) & ~np.isnan(z).any(axis)).all():
        return
    if not np.isfinite(z).all() or c == np.inf:
        return
    eps = np.finfo(z.dtype).eps
    if name == "softmax":
        assert ref.ulps(result, ref.softmax(wide, axis, c)) <= 2 if c == 1 else True
    elif name == "log_softmax" and c == 1:
        assert ref.ulps(result, ref.log_softmax(wide, axis)) <= (4 if z.dtype == "f4" else 6)
    elif name == "logsumexp":
        exact = ref.logsumexp(wide, axis, keepdims=options["keepdims"])
        assert (np.abs(result - exact) <= 4 * eps * (np.abs(z).max() + np.log(z.size + 1) + 1)).all()
    elif name == "affine" and all(np.isfinite(np.asarray(x)).all() for x in arguments[1:] if x is not None):
        if eps == np.finfo(result.dtype).eps and options["activation"] is None:
            given = [None if x is None else plain(np.asarray(x)).astype(ref.WIDE) for x in arguments]
            exact = ref.affine(*given, axis)
            terms = ref.affine(*(x if x is None else abs(x) for x in given), axis)
            off = (max(np.shape(arguments[1])) + 1) * (eps * terms + np.finfo(result.dtype).tiny)
            assert ((abs(result - exact) <= off) | (terms > np.finfo(result.dtype).max / 2)).all()
    elif name in ("sigmoid", "sigmoid_prime"):
        assert ref.ulps(result, getattr(ref, name)(wide)) <= 4
    elif name.startswith("log_likelihood"):
        y, rest = plain(arguments[1]), {key: plain(x) for key, x in options.items()}
        weights = [rest[key] for key in ("sample_weight", "class_weight") if key in rest]
        if y.dtype.kind == "f":
            weights.append(y)
        if np.abs(z).max() > 1e30:  # times a weight, may overflow before the mean divides
            return
        if not all(((x == 0) | (x > 1e-6) & (x < 1e6)).all() for x in map(np.asarray, weights)):
            return
        cost, delta = ref.log_likelihood_cost_and_delta(wide, y, **rest)
        got = result if isinstance(result, tuple) else (result, result)
        if not name.endswith("likelihood_delta"):
            close(got[0], cost, 40 * eps)
        if name.endswith("delta"):
            close(
                got[1],
                delta,
                40 * eps,
                40 * eps * float(np.prod([np.max(x, initial=1) for x in weights]) / divisor(wide, y, **rest)),
            )


def divisor(
    z: Any,
    y: Any,
    axis: int,
    reduction: str,
    sample_weight: Any = 1.0,
    class_weight: Any = None,
    ignore_index: Any = None,
    label_smoothing: float = 0.0,
) -> float:
    """What the mean divides by; 1 where there is no mean, or nothing to divide."""
    if reduction != "mean":
        return 1.0
    t = ref.targets_of(z, y, axis)
    count = 1.0 if class_weight is None else (np.moveaxis(t, axis, -1) * class_weight).sum(-1)
    rows = np.broadcast_to(np.asarray(sample_weight) * count, tuple(np.delete(z.shape, axis)))
    return float(rows[y != ignore_index].sum() if ignore_index is not None else rows.sum()) or 1.0


def close(got: Any, exact: Any, relative: float, absolute: float = 0.0) -> None:
    tiny = float(np.finfo(np.asarray(got).dtype).tiny)
    np.testing.assert_allclose(np.asarray(got), np.asarray(exact).astype("f8"), relative, absolute + tiny)


def call(data: bytes) -> None:
    """One call that the bytes spell; an AssertionError where something does not hold."""
    left = Bytes(data)
    name, arguments, options = left.among([one_array, log_likelihood, binary] * 64 + [layers] * 63)(left)
    function = getattr(nf, name)
    _core.use_isa(left.among(_core.isas()))
    expected = alone(function, arguments, options)
    before = [plain(x) for x in [*arguments, *options.values()]]
    if (
        isinstance(expected, np.ndarray)
        and name not in ("logsumexp", "hardmax")
        and not name.endswith("cost")
    ):
        arguments[0], out = with_out(left, arguments[0], expected)
        if out is not None:
            options["out"] = out
    written = plain(options.get("out"))
    with nf.num_threads(left.among([1, 2, 7])), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "overflow encountered in cast")  # to float16, as NumPy's
        try:
            got = function(*arguments, **options)
        except (ValueError, TypeError, IndexError) as error:
            got = error
    if isinstance(got, Exception):
        if "out" in options:
            assert same_bits(options["out"], written), "written in spite of the error"
        if not isinstance(expected, Exception):
            assert "out" in options and "out" in str(got), repr(got)
        else:
            assert type(got) is type(expected), (got, expected)
        return
    if isinstance(expected, Exception):
        raise AssertionError(f"side by side: {expected!r}")
    results = got if isinstance(got, tuple) else (got,)
    for one, other in zip(results, expected if isinstance(expected, tuple) else (expected,)):
        assert same_bits(one, other), (one, other)
    if "out" not in options:
        now = [plain(x) for x in [*arguments, *options.values()]]
        assert all(same_bits(a, b) for a, b in zip(now, before) if isinstance(a, np.ndarray)), (
            "an input was changed"
        )
        agrees(name, arguments, options, expected)


def main() -> None:
    import atheris

    atheris.Setup(sys.argv, call)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
