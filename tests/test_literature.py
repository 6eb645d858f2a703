"""The facts that the literature on this layer states; numbers in brackets are the book's equations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nndl_fast as nf

LOGITS = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=20), elements=st.floats(-30, 30)
)


def central_differences(f, x, h=1e-6):
    """The gradient of the scalar f at x."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        gradient[i] = (f(up) - f(down)) / (2 * h)
    return gradient


@given(LOGITS)
def test_activations_are_positive_and_sum_to_one(z):  # (78), (79)
    a = nf.softmax(z)
    assert np.all(a > 0)
    np.testing.assert_allclose(a.sum(-1), 1, rtol=1e-14)


@given(hnp.arrays(np.float64, st.integers(2, 8), elements=st.floats(-4, 4)))
def test_monotonicity_and_non_locality(z):
    """da_j/dz_k > 0 for j = k and < 0 otherwise: every activation depends on every weighted input."""
    jacobian = nf.softmax_jacobian(nf.softmax(z))
    assert np.all((jacobian > 0) == np.eye(len(z), dtype=bool))
    for j in range(len(z)):
        row = central_differences(lambda x, j=j: nf.softmax(x)[j], z)
        np.testing.assert_allclose(jacobian[j], row, rtol=1e-6, atol=1e-9)


@given(LOGITS, st.floats(-100, 100))
def test_shift_invariance(z, constant):
    np.testing.assert_allclose(nf.softmax(z + constant), nf.softmax(z), rtol=1e-12)


@given(LOGITS, st.floats(-10, 10))
def test_inverse_softmax(z, constant):
    """z_j = ln a_j + C."""
    back = nf.inverse_softmax(nf.softmax(z), constant=constant)
    difference = back - z
    np.testing.assert_allclose(difference, np.broadcast_to(difference[:, :1], z.shape), atol=1e-9)
    np.testing.assert_allclose(nf.softmax(back), nf.softmax(z), rtol=1e-11)


def test_large_c_gives_the_hard_maximum():  # (83)
    z = np.array([1.0, 3.0, 2.9, -1.0])
    np.testing.assert_allclose(nf.softmax(z, c=1e4), nf.hardmax(z), atol=1e-15)
    assert np.array_equal(nf.softmax(z, c=np.inf), nf.hardmax(z))
    assert np.array_equal(nf.softmax([1.0, 3.0, 3.0], c=np.inf), [0, 0.5, 0.5])
    assert np.array_equal(nf.hardmax([1.0, 3.0, 3.0]), [0, 1, 0])
    assert np.array_equal(nf.log_softmax([1.0, 3.0, 3.0], c=np.inf), [-np.inf, -np.log(2), -np.log(2)])


@given(
    hnp.arrays(np.float64, (5, 2), elements=st.floats(-30, 30)),
    st.lists(st.integers(0, 1), min_size=5, max_size=5),
)
def test_two_classes_are_logistic_regression(z, y):
    difference = z[:, 1] - z[:, 0]
    np.testing.assert_allclose(nf.softmax(z)[:, 1], nf.sigmoid(difference), rtol=1e-13)
    cost = nf.log_likelihood_cost(z, y, reduction="none")
    # the difference is rounded once more than softmax rounds
    np.testing.assert_allclose(
        cost,
        nf.binary_cross_entropy_cost(difference, np.array(y, float), reduction="none"),
        rtol=1e-13,
        atol=1e-14,
    )
    delta = nf.log_likelihood_delta(z, y)
    np.testing.assert_allclose(
        delta[:, 1], nf.binary_cross_entropy_delta(difference, np.array(y, float)), atol=1e-15
    )


def test_worked_examples():
    # printed elsewhere with 0.0903, a slip of the pen: e^2 / (e^2 + e^3 + e^4) = 0.0900
    np.testing.assert_allclose(nf.softmax([2, 3, 4]), [0.0900, 0.2447, 0.6652], atol=5e-5)
    np.testing.assert_allclose(nf.log_likelihood_delta([2, 3, 4], 1), [0.0900, -0.7553, 0.6652], atol=5e-5)
    column = np.array([[5.0], [2.0], [-1.0], [3.0]])
    expected = np.array([[0.842], [0.042], [0.002], [0.114]])
    np.testing.assert_allclose(nf.softmax(column, axis=0), expected, atol=5e-4)
    matrix = np.hstack([column, column[::-1], column + 7])
    np.testing.assert_allclose(
        nf.softmax(matrix, axis=0), np.hstack([expected, expected[::-1], expected]), atol=5e-4
    )


@pytest.mark.parametrize("kind", ["labels", "one-hot", "soft"])
def test_gradients_of_the_output_layer(kind):
    """(81) dC/db_j = delta_j, (82) dC/dw_jk = a_k delta_j, (84) delta = a - y, by central differences."""
    rng = np.random.default_rng(0)
    a, w, b = rng.random((6, 4)), rng.standard_normal((5, 4)), rng.standard_normal(5)
    labels = rng.integers(0, 5, 6)
    soft = rng.dirichlet(np.ones(5), 6)
    y = {"labels": labels, "one-hot": np.eye(5)[labels], "soft": soft}[kind]

    def cost(w, b):
        return nf.log_likelihood_cost(a @ w.T + b, y)

    delta = nf.log_likelihood_delta(a @ w.T + b, y)
    np.testing.assert_allclose(delta.sum(0), central_differences(lambda b: cost(w, b), b), atol=1e-8)
    np.testing.assert_allclose(delta.T @ a, central_differences(lambda w: cost(w, b), w), atol=1e-8)
    z = a @ w.T + b
    error = nf.softmax(z) - (np.eye(5)[y] if kind == "labels" else y)
    np.testing.assert_allclose(nf.log_likelihood_delta(z, y, reduction="sum"), error, atol=1e-15)
    np.testing.assert_allclose(
        delta, central_differences(lambda z: nf.log_likelihood_cost(z, y), z), atol=1e-8
    )


@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 0.3},
        {"class_weight": [0.5, 1, 2, 0]},
        {"sample_weight": [1, 0, 2.5]},
        {"class_weight": [0.5, 1, 2, 0], "sample_weight": [1, 0.1, 2], "label_smoothing": 0.2},
    ],
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("soft", [False, True])
def test_delta_is_the_gradient_with_every_option(options, reduction, soft):
    rng = np.random.default_rng(1)
    z = rng.standard_normal((3, 4))
    y = rng.random((3, 4)) if soft else np.array([0, 3, 2])
    options = {"reduction": reduction, **options}
    delta = nf.log_likelihood_delta(z, y, **options)
    np.testing.assert_allclose(
        delta, central_differences(lambda z: nf.log_likelihood_cost(z, y, **options), z), atol=1e-8
    )


@given(LOGITS, st.integers(0, 2**32))
def test_indicator_function_and_index_give_one_cost(z, seed):
    """-sum_j 1[y = j] ln a_j = -ln a_y, (80)."""
    y = np.random.default_rng(seed).integers(0, z.shape[1], len(z))
    indicator = (y[:, None] == np.arange(z.shape[1])).astype(int)
    by_index = nf.log_likelihood_cost(z, y, reduction="none")
    np.testing.assert_allclose(by_index, -(indicator * np.log(nf.softmax(z))).sum(-1), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(by_index, nf.log_likelihood_cost(z, indicator, reduction="none"), rtol=1e-15)


@given(LOGITS, st.integers(0, 2**32))
def test_log_likelihood_is_the_maximum_likelihood_of_exclusive_classes(z, seed):
    """The likelihood of the labels is the product of their probabilities; the cost its negative logarithm."""
    y = np.random.default_rng(seed).integers(0, z.shape[1], len(z))
    picked = np.take_along_axis(nf.softmax(z), y[:, None], 1)
    np.testing.assert_allclose(
        nf.log_likelihood_cost(z, y, reduction="sum"), -np.log(picked).sum(), rtol=1e-10, atol=1e-13
    )


def test_quadratic_cost():
    """delta = (a - y) sigma'(z), (BP1); with a linear output layer a - y, no learning slowdown."""
    rng = np.random.default_rng(2)
    z, y = rng.standard_normal((3, 4)), rng.random((3, 4))
    delta = nf.QuadraticCost.delta(z, nf.sigmoid(z), y)
    np.testing.assert_allclose(delta, (nf.sigmoid(z) - y) * nf.sigmoid_prime(z), rtol=1e-15)
    numeric = central_differences(lambda z: nf.QuadraticCost.fn(nf.sigmoid(z), y), z)
    np.testing.assert_allclose(delta, numeric, atol=1e-9)
    linear = central_differences(lambda z: nf.QuadraticCost.fn(z, y), z)
    np.testing.assert_allclose(linear, z - y, atol=1e-8)


@given(st.floats(0.01, 0.99))
def test_binary_cross_entropy_is_least_at_sigma_equals_y(y):
    """(57); the error is a - y, (68), so it is 0 there."""
    best = np.log(y / (1 - y))
    costs = nf.binary_cross_entropy_cost(best + np.linspace(-1, 1, 21), np.full(21, y), reduction="none")
    assert costs.argmin() == 10
    assert abs(nf.binary_cross_entropy_delta([best], [y])[0]) < 1e-15
    entropy = -(y * np.log(y) + (1 - y) * np.log(1 - y))
    assert costs[10] == pytest.approx(entropy, rel=1e-13)


def test_binary_cross_entropy_delta_is_the_gradient():
    rng = np.random.default_rng(3)
    z, y, w = rng.standard_normal((4, 3)), rng.random((4, 3)), rng.random((4, 3))
    for options in ({}, {"reduction": "sum"}, {"sample_weight": w}):
        delta = nf.binary_cross_entropy_delta(z, y, **options)
        numeric = central_differences(lambda z, o=options: nf.binary_cross_entropy_cost(z, y, **o), z)
        np.testing.assert_allclose(delta, numeric, atol=1e-9)
    np.testing.assert_allclose(
        nf.binary_cross_entropy_delta(z, y, reduction="sum"), nf.sigmoid(z) - y, atol=1e-15
    )


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-500, 500)))
def test_sigma_prime_is_sigma_times_one_minus_sigma(z):
    a = nf.sigmoid(z)
    np.testing.assert_allclose(nf.sigmoid_prime(z), a * nf.sigmoid(-z), rtol=1e-14)
    near = np.abs(z) < 20
    np.testing.assert_allclose(nf.sigmoid_prime(z)[near], (a * (1 - a))[near], rtol=1e-6)


def test_sigmoid_outputs_need_not_sum_to_one():
    assert nf.sigmoid([1.0, 2.0, 3.0]).sum() > 2
