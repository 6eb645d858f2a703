"""L-BFGS on features far from zero, or of sizes far from each other: the minimum of the same objective."""

import tracemalloc
from itertools import chain

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("dask.array")

import dask.array as da
from scipy import optimize, sparse
from sklearn.datasets import load_iris, load_wine

import nndl_fast.dask
from nndl_fast._estimators import _coordinates
from nndl_fast.sklearn import SoftmaxClassifier

RNG = np.random.default_rng(0)
NEAR = RNG.standard_normal((500, 4))
Y = (NEAR @ [2, -1, 0.5, 0] + RNG.standard_normal(500) > 0).astype(int) + 2 * (NEAR[:, 3] > 1)


def in_memory(x, y, **given):
    return SoftmaxClassifier(**given).fit(x, y)


def in_blocks(x, y, **given):
    x, y = da.from_array(x, chunks=(130, -1)), da.from_array(y, chunks=130)
    return nndl_fast.dask.SoftmaxClassifier(**given).fit(x, y)


def in_sparse(x, y, **given):
    return SoftmaxClassifier(**given).fit(sparse.csr_array(x), y)


# The last says how near the loss can come: a number of float32 at 1e5 has lost all but 7 bits of its spread.
DISTANCES = [
    (in_memory, 1e5, "d", 1e-8),
    (in_memory, -1e5, "d", 1e-8),
    (in_memory, 1e7, "d", 1e-7),
    (in_memory, 1e2, "f", 1e-4),
    (in_memory, 1e5, "f", 1e-3),
    (in_blocks, 1e5, "d", 1e-8),
    (in_blocks, 1e5, "f", 1e-3),
    (in_sparse, 1e5, "d", 1e-8),
    (in_sparse, 1e5, "f", 1e-3),
]


@pytest.mark.parametrize("fitted, distance, dtype, rtol", DISTANCES)
@pytest.mark.parametrize("classes", [2, 4])
def test_the_distance_from_zero_does_not_matter(fitted, distance, dtype, rtol, classes):
    y = Y % classes
    given = {"tol": 1e-6, "alpha": 0.5}
    far = (NEAR + distance).astype(dtype)
    near = in_memory(NEAR, y, **given)
    model = fitted(far, y, **given)
    assert model.coefs_[0].dtype == dtype
    assert model.loss_ == pytest.approx(near.loss_, rel=rtol)
    np.testing.assert_allclose(model.coef_, near.coef_, atol=1e3 * rtol if dtype == "f" else 1e-4)
    assert model.n_iter_ <= near.n_iter_ + 3
    # and what it says is what it has become
    p = model.predict_proba(far).astype(float)[np.arange(500), y]
    squares = np.square(model.coefs_[0]).sum() * (2 if classes == 2 else 1)
    assert -np.log(p).mean() + 0.25 * squares / 500 == pytest.approx(model.loss_, rel=1e-2)


def test_the_example_of_years():
    """Of four features with the mean 1e5, as scikit-learn's LogisticRegression does not find it."""
    x = 1e5 + np.random.default_rng(1).standard_normal((400, 4))
    y = (x @ [3.0, 1, 0, -1] > 3e5).astype(int)
    model = SoftmaxClassifier().fit(x, y)
    w = model.coef_.ravel()

    def objective(parameters):
        z = (x - x.mean(axis=0)) @ parameters[1:] + parameters[0]
        return np.logaddexp(0, np.where(y == 1, -z, z)).mean() + np.square(parameters[1:]).sum() / 800

    best = optimize.minimize(objective, np.zeros(5), tol=1e-10)
    assert model.loss_ == pytest.approx(best.fun, rel=1e-7)
    np.testing.assert_allclose(w, best.x[1:], atol=2e-3)


@pytest.mark.filterwarnings("ignore:.*precision of float64 came before tol")
@pytest.mark.parametrize("fitted", [in_memory, in_blocks, in_sparse])
def test_sizes_that_differ_do_not_matter_where_nothing_is_penalised(fitted):
    sizes = np.array([1e-2, 1, 1e4, 1e6])
    given = {"tol": 0, "alpha": 0.0, "max_iter": 1000}
    near, model = in_memory(NEAR, Y % 2, **given), fitted((NEAR + 50) * sizes, Y % 2, **given)
    assert model.loss_ == pytest.approx(near.loss_, rel=1e-9)
    np.testing.assert_allclose(model.coef_ * sizes, near.coef_, atol=1e-3)


def test_hidden_layers_learn_far_from_zero():
    model = SoftmaxClassifier((8,), random_state=0, alpha=0.1, tol=1e-2, max_iter=1000).fit(NEAR + 100, Y)
    assert model.score(NEAR + 100, Y) > 0.8


def test_constant_features_and_examples_that_weigh_nothing():
    x = np.hstack([NEAR, np.full((500, 1), 1e5 / 3), np.zeros((500, 1))])
    weight = np.ones(500)
    weight[:300] = 0
    model = SoftmaxClassifier(tol=1e-6).fit(x, Y, weight)
    some = SoftmaxClassifier(tol=1e-6).fit(NEAR[300:], Y[300:])
    assert model.loss_ == pytest.approx(some.loss_, rel=1e-8)
    assert np.abs(model.coef_[:, 4:]).max() < 1e-3
    rounding = _coordinates.Moments(500.0, np.array([1e5]), np.array([[500 * 1e-11**2]]))
    layer = [np.zeros((2, 1))], [np.ones((2, 1))]
    vector = _coordinates.Coordinates(layer, rounding, 0.0).vector(layer)
    np.testing.assert_allclose(vector[2:], 1, rtol=1e-5)
    loose = SoftmaxClassifier(tol=1e-6, alpha=0.0).fit(x, Y % 2)
    assert loose.loss_ == pytest.approx(
        SoftmaxClassifier(tol=1e-6, alpha=0.0).fit(NEAR, Y % 2).loss_, rel=1e-8
    )


@pytest.mark.parametrize("data", [load_iris, load_wine])
@pytest.mark.parametrize("whole", [True, False])
def test_moments_of_parts_are_those_of_the_whole(data, whole):
    x, _ = data(return_X_y=True)
    x, weight = np.tile(x + 1e6, (30, 1)), RNG.random(30 * len(x))
    mean = np.average(x, axis=0, weights=weight)
    products = (x - mean).T @ (weight[:, None] * (x - mean))
    expected = products if whole else np.diag(products)
    parts = [_coordinates.moments(x[rows], weight[rows], whole) for rows in (slice(0, 5), slice(5, None))]
    forms = [_coordinates.moments(x, weight, whole), parts[0].plus(parts[1])]
    if not whole:
        forms.append(_coordinates.moments(sparse.csr_array(x), weight, whole))
    for seen in forms:
        assert seen.weight == pytest.approx(weight.sum())
        np.testing.assert_allclose(seen.mean, mean, rtol=1e-12)
        np.testing.assert_allclose(seen.products, expected, rtol=1e-6, atol=1e-6 * np.abs(products).max())


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("sizes", [[4, 3], [4, 5, 3]])
def test_the_vector_is_the_parameters_and_its_gradient_theirs(whole, sizes):
    if whole and len(sizes) > 2:
        return
    weights = [RNG.standard_normal(shape) for shape in zip(sizes[1:], sizes)]
    biases = [RNG.standard_normal((n, 1)) for n in sizes[1:]]
    seen = _coordinates.moments(NEAR + 7, np.ones(500), whole)
    coordinates = _coordinates.Coordinates((biases, weights), seen, 0.1)
    vector = coordinates.vector((biases, weights))
    for one, other in zip(chain(*coordinates.parameters(vector)), biases + weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    linear = [RNG.standard_normal(p.shape) for p in biases + weights]  # a linear function of the parameters
    nabla = linear[: len(biases)], linear[len(biases) :]
    direction = RNG.standard_normal(len(vector))
    moved = chain(*coordinates.parameters(vector + direction))
    change = sum(float(np.sum(g * (m - p))) for g, m, p in zip(linear, moved, biases + weights))
    gradient = coordinates.gradient(coordinates.from_the_mean(nabla))
    np.testing.assert_allclose(gradient @ direction, change, rtol=1e-10)


@pytest.mark.parametrize("fitted", [in_memory, in_blocks, in_sparse])
def test_numpys_error_state_changes_nothing(fitted):
    expected = fitted(NEAR.astype("f"), Y, tol=1e-3)
    with np.errstate(all="raise"):
        model = fitted(NEAR.astype("f"), Y, tol=1e-3)
        assert np.array_equal(model.predict(NEAR * 1e-300), expected.predict(NEAR * 0))
        assert fitted(NEAR * 1e-200, Y, tol=1e-3).loss_ > 1
        with pytest.raises(ValueError, match="the cost is"):
            fitted(NEAR * 1e200, Y)
    assert np.array_equal(model.coef_, expected.coef_)


def test_the_moments_of_wide_features_take_little_memory():
    x = np.random.default_rng(0).standard_normal((2000, 5000))
    _coordinates.moments(x[:10], np.ones(10), False)
    tracemalloc.start()
    _coordinates.moments(x, np.ones(2000), False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * _coordinates._BYTES < x.nbytes / 3
