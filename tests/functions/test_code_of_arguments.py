"""Arguments whose own code changes the shape or the type of the other ones while they are converted.

The result is that of the arguments as they were or as they became, or the call is refused; nothing else is
read or written, which AddressSanitizer sees best: ``tests/tools/sanitize.py suite``."""

from programs import ended

CHANGES = """
import itertools, operator, warnings
import numpy as np, nndl_fast as nf
warnings.simplefilter("ignore")  # NumPy would rather have neither set

def changed(array, how):
    # The array with the same memory, seen otherwise.
    if how == "dtype":
        array.dtype = np.int8
    elif how == "strides":
        array.strides = tuple(s // 2 for s in array.strides)
    else:
        array.shape = {"one": (array.size,), "row": (1, array.size), "column": (array.size, 1)}[how]

class Changes:
    # An argument that changes others when it is asked for its value.
    def __init__(self, value, others, how):
        self.value, self.others, self.how = value, others, how
    def ask(self):
        while self.others:
            changed(self.others.pop(), self.how)
        return self.value
    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.ask())
    def __index__(self):
        return operator.index(self.ask())
    def __float__(self):
        return float(self.ask())
    def __bool__(self):
        return bool(self.ask())

rng = np.random.default_rng(0)

def arguments(n, classes, dtype):
    z = rng.standard_normal((n, classes)).astype(dtype)
    a = nf.softmax(z)
    y = rng.integers(0, classes, n)
    common = {"axis": 1, "out": np.empty_like(z)}
    weight = {"sample_weight": rng.random(n)}
    options = {"class_weight": rng.random(classes), "ignore_index": 1, "label_smoothing": 0.1} | weight
    w, b = rng.standard_normal((3, classes)).astype(dtype), rng.standard_normal(3).astype(dtype)
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
    yield nf.linear_log_likelihood, {"a": z, "w": w, "b": b, "y": y % 3} | weight
    yield nf.sigmoid, {"z": z, "out": np.empty_like(z)}
    yield nf.binary_cross_entropy_cost_and_delta, {"z": z, "y": a, "sample_weight": a.copy()}
    yield nf.QuadraticCost.delta, {"z": z, "a": a, "y": a.copy()}
    yield nf.CrossEntropyCost.fn, {"a": a, "y": a.copy()}
    yield nf.LogLikelihoodCost.fn, {"a": a.T.copy(), "y": y}

def copies(given):
    return {name: x.copy() if isinstance(x, np.ndarray) else x for name, x in given.items()}

def parts(result):
    return result if isinstance(result, tuple) else (result,)

def same(got, expected):
    return all(np.array_equal(one, other, equal_nan=True) for one, other in zip(got, expected))

def of_some(function, given, names, how):
    # What the function gives if some of the others are changed and some are not.
    for several in itertools.product((False, True), repeat=len(names)):
        own = copies(given)
        try:
            for name, is_changed in zip(names, several):
                if is_changed:
                    changed(own[name], how)
            yield parts(function(**own))
        except (ValueError, TypeError, IndexError, AttributeError):
            pass

calls = refused = 0
for n, classes, dtype in ((10, 10, "f8"), (100, 100, "f4"), (100, 100, "f2"), (7, 3000, "f8")):
    for function, given in arguments(n, classes, dtype):
        expected = parts(function(**copies(given)))
        for name in given:
            if name == "out":
                continue
            for how in ("one", "row", "column", "dtype", "strides"):
                own = copies(given)
                others = [x for other, x in own.items() if other != name and isinstance(x, np.ndarray)]
                value = own[name]
                first, *more = value if isinstance(value, tuple) else (value,)
                asked = Changes(first, others, how)
                own[name] = (asked, *more) if isinstance(value, tuple) else asked
                calls += 1
                try:
                    got = parts(function(**own))
                except (ValueError, TypeError, IndexError, AttributeError):
                    refused += 1
                    continue
                names = [other for other, x in own.items() if other != name and isinstance(x, np.ndarray)]
                if not same(got, expected):
                    wrong = function, name, how
                    assert any(same(got, x) for x in of_some(function, given, names, how)), wrong
print(calls, refused)
"""


def test_arguments_that_change_others_while_they_are_converted():
    calls, refused = map(int, ended(CHANGES).split())
    assert calls > 500 and refused < calls
