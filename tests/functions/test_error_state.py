"""NumPy's error state is the caller's: under np.seterr(all="raise") the functions and costs do the same."""

import itertools
from functools import partial

import numpy as np
import pytest
from layers import ACTIVATIONS
from states import differ

import nndl_fast as nf

N, CLASSES = 4, 5
MOST = {"float16": 6e4, "bfloat16": 3e38, "float32": 3e38, "float64": 1e308}


def dtype_of(name):
    return np.dtype(pytest.importorskip("ml_dtypes").bfloat16 if name == "bfloat16" else name)


def extremes(name):
    """Rows whose results and sums underflow and overflow, with infinities and with NaN."""
    rows = [
        [0, -20, -100, -1000, -5e4],
        [-np.inf, 0, 1, 2, 3],
        [-np.inf] * 5,
        [np.inf, 0, 1, 2, 3],
        [np.nan, 0, 1, 2, 3],
        [MOST[name], -MOST[name], 0, MOST[name], 1],
        [1e-40, 1e-7, 6e-8, 1e-310, 5e-324],
        [9, 10, 11, 12, 13],
    ]
    with np.errstate(all="ignore"):
        return [np.array([row] * N).astype(dtype_of(name)) for row in rows]


def calls(z):
    """Every public function, with its options, of weighted inputs or activations z."""
    labels, ones = np.arange(N) % CLASSES, np.ones((N, CLASSES), z.dtype)
    targets = np.eye(CLASSES, dtype=z.dtype)[labels]
    for axis, c in itertools.product((-1, 0, None), (1.0, 1e-3, 30.0, np.inf)):
        yield nf.softmax, (z, axis), {"c": c}
        yield nf.log_softmax, (z, axis), {"c": c}
    for function in (nf.logsumexp, nf.hardmax, nf.softmax_jacobian, nf.sigmoid, nf.sigmoid_prime):
        yield function, (z,), {}
    yield nf.inverse_softmax, (z,), {"constant": 1e-300}
    yield nf.softmax_backward, (z, z), {"c": 7.0}
    yield nf.softmax_backward, (nf.softmax(ones), z), {}
    yield nf.matmul, (z, z.T), {}
    if np.isfinite(z).all() and len(np.unique(z[0])) > 2:
        rows = np.array([np.roll(row, k) for k, row in enumerate(z)])
        predicted = rows.argmax(axis=1)
        predicted[-1] = np.flatnonzero(rows[-1] == np.unique(rows[-1])[-2])[0]  # one is wrong
        yield nf.fit_sharpness, (rows, predicted), {}
    for activation in (None, *ACTIVATIONS):
        options = {"activation": activation}
        yield nf.affine, (z, z.T, z[:, 0]), options
        yield nf.affine, (z.T, z, z[:, 0].astype(np.float64)), options | {"axis": 0}
        yield nf.affine_backward, (z[:, :N], z, z.T), options
        if activation is not None:
            yield nf.activate, (z, activation), {}
            yield nf.activation_backward, (z, z, activation), {}
    for y, reduction in itertools.product((labels, targets, z), ("mean", "sum")):
        yield nf.cost_and_delta_from_activations, (z, y), {"reduction": reduction}
    weights = None, np.full(N, 1e-45), np.full(N, 1e30)
    for reduction, weight in itertools.product(("mean", "sum", "none"), weights):
        options = {"reduction": reduction, "sample_weight": weight}
        for part in ("cost", "delta", "cost_and_delta"):
            yield getattr(nf, f"binary_cross_entropy_{part}"), (z, targets), options
            for y in (labels, targets, np.full((N, CLASSES), 1e-310)):
                function = getattr(nf, f"log_likelihood_{part}")
                yield function, (z, y), options | {"label_smoothing": 0.1}
                yield function, (z, y), options | {"class_weight": np.full(CLASSES, 1e-40)}
        for a, w in ((z, np.vstack([targets, ones])[:CLASSES]), (targets, np.vstack([z, z])[:CLASSES])):
            yield nf.linear_log_likelihood, (a, w, w[:, 0].astype(np.float64), labels), options


def faults_of(all_calls):
    faults = []
    for function, arguments, options in all_calls:
        if fault := differ(partial(function, *arguments, **options)):
            faults.append((function.__name__, arguments, options, fault))
    return faults


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_functions_whose_arguments_or_results_are_cast(name):
    assert not faults_of(itertools.chain.from_iterable(map(calls, extremes(name))))


def test_functions():
    seen = set()
    for z in extremes("float64"):
        assert not faults_of(calls(z))
        seen |= {function.__name__ for function, *_ in calls(z)}
    assert seen == {name for name in vars(nf.functional) if name in nf.__all__}


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
@pytest.mark.parametrize("function", [nf.inverse_softmax, nf.softmax_jacobian, nf.linear_log_likelihood])
def test_functions_that_compute_in_numpy(function, name):
    chosen = (call for z in extremes(name) for call in calls(z) if call[0] is function)
    assert not faults_of(call for call in chosen if call[2].get("sample_weight") is None)


@pytest.mark.parametrize("cost", [nf.LogLikelihoodCost, nf.CrossEntropyCost, nf.QuadraticCost])
@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_costs(cost, name):
    for z in extremes(name):
        targets = np.eye(CLASSES, dtype=z.dtype)[np.arange(N) % CLASSES]
        for y in (targets.T, z.T):
            assert not faults_of([(cost.fn, (z.T, y), {}), (cost.fn, (targets.T, y), {})])
        if name == "float64" or cost is nf.CrossEntropyCost:  # the others are functions above
            assert not faults_of([(cost.delta, (z.T, z.T, targets.T), {})])
