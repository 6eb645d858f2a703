"""NumPy's error state is the caller's: the estimators do the same under np.seterr(all="raise")."""

import itertools
from functools import partial

import numpy as np
import pytest
from networks import problem
from states import differ, scaled

sklearn = pytest.importorskip("nndl_fast.sklearn")
nndl_dask = pytest.importorskip("nndl_fast.dask")
da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")
sparse = pytest.importorskip("scipy.sparse")

SCALES = [1.0, 1e-42, 1e-170, 5e-324, 1e18, 1e160]
METHODS = "predict", "predict_proba", "predict_log_proba", "decision_function"


def outcome_of(estimator, x):
    parts = [estimator.coefs_, estimator.intercepts_, estimator.loss_curve_]
    return parts + [getattr(estimator, name)(x) for name in METHODS if hasattr(estimator, name)]


def fitted(solver, hidden, dtype, scale, weight, many):
    x, y = problem(60)
    x = scaled(x, scale, dtype)
    options = {"class_weight": {0: 1, 1: 0.1, 2: 1e-30}, "early_stopping": solver == "adam", "max_iter": 5}
    estimator = sklearn.SoftmaxClassifier(hidden, solver=solver, random_state=0, **options)
    estimator.fit(sparse.csr_array(x) if many else x, y, weight)
    if solver != "lbfgs":
        estimator.partial_fit(scaled(x, 0.3), y, sample_weight=weight)
    return outcome_of(estimator, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_fit_and_predict(solver, dtype):
    weights = None, np.linspace(1e-30, 1e-44, 60)
    for hidden, scale, weight, many in itertools.product([(), (3,)], SCALES, weights, [False, True]):
        assert not differ(partial(fitted, solver, hidden, dtype, scale, weight, many))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_fitted_estimator(dtype):
    x, y = problem(60)
    estimator = sklearn.SoftmaxClassifier((3,), solver="adam", max_iter=3, tol=1e9, n_iter_no_change=1).fit(
        x.astype(np.float32), y
    )
    for scale in SCALES:
        for name in METHODS:
            assert not differ(partial(getattr(estimator, name), scaled(x, scale, dtype)))


def fitted_by_dask(solver, dtype, scale, weight):
    x, y = problem(60)
    x = da.from_array(scaled(x, scale, dtype), chunks=(20, 4))
    with dask.config.set(scheduler="synchronous"):
        estimator = nndl_dask.SoftmaxClassifier(solver=solver, max_iter=3, random_state=0)
        estimator.fit(x, y, weight)
        return [*outcome_of(estimator, x.compute()), estimator.predict_proba(x).compute()]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_fit_and_predict_by_dask(solver, dtype):
    for scale, weight in itertools.product(SCALES, [None, np.linspace(1e-30, 1e-44, 60)]):
        assert not differ(partial(fitted_by_dask, solver, dtype, scale, weight))


def test_what_makes_a_block_sees_the_callers_state():
    seen = []

    def watched(block):
        seen.append(np.geterr())
        return block

    x, y = problem(60)
    lazy = da.from_array(x, chunks=(20, 4)).map_blocks(watched, dtype=x.dtype, meta=x[:0])
    state = {"divide": "raise", "over": "print", "under": "ignore", "invalid": "ignore"}
    with dask.config.set(scheduler="synchronous"), np.errstate(**state):
        for solver in ("lbfgs", "sgd"):
            estimator = nndl_dask.SoftmaxClassifier(solver=solver, max_iter=200, tol=0.1)
            estimator.fit(lazy, y)
            estimator.predict(lazy).compute()
    assert len(seen) > 10 and all(one == state for one in seen)
