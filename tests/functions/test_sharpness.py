"""fit_sharpness: the least log-likelihood cost, and when there is none."""

import numpy as np
import pytest

import nndl_fast as nf


def example(n=200, classes=5, scale=3.0, seed=0):
    """Weighted inputs whose true sharpness is about 1 / scale, and labels drawn by it."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, classes)) * 2
    labels = (nf.softmax(z).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, classes - 1)
    return scale * z, labels


def cost(z, y, c, **options):
    return float(nf.log_likelihood_cost(c * z, y, **options))


@pytest.mark.parametrize("scale", [1e-200, 1e-6, 0.2, 1, 3, 1e6, 1e300])
@pytest.mark.parametrize("classes", [2, 5])
def test_no_other_sharpness_costs_less(scale, classes):
    z, y = example(classes=classes, scale=scale)
    c = nf.fit_sharpness(z, y)
    least = cost(z, y, c)
    assert all(cost(z, y, c * factor) > least for factor in (0.99, 0.9999, 1.0001, 1.01))
    assert c * scale == pytest.approx(1, rel=0.4)
    assert nf.fit_sharpness(z * 2, y) == pytest.approx(c / 2, rel=1e-10)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_axes_targets_and_weights(dtype):
    z, y = example()
    z = z.astype(dtype)
    c = nf.fit_sharpness(z, y)
    assert type(c) is float
    targets = np.eye(5)[y]
    for same in (
        nf.fit_sharpness(z.T, y, axis=0),
        nf.fit_sharpness(z, targets),
        nf.fit_sharpness(z, targets.astype(bool)),
        nf.fit_sharpness(z.reshape(10, 20, 5), y.reshape(10, 20)),
        nf.fit_sharpness(z + dtype(1), y) if dtype != np.float16 else c,
    ):
        assert same == pytest.approx(c, rel=1e-5)
    weight = np.arange(200) % 3
    assert nf.fit_sharpness(z, y, sample_weight=weight) == pytest.approx(
        nf.fit_sharpness(np.repeat(z, weight, axis=0), np.repeat(y, weight)), rel=1e-10
    )
    soft = 0.9 * targets + 0.02
    assert nf.fit_sharpness(z, soft) < c


def test_it_is_the_temperature_that_scikit_learn_fits():
    sklearn = pytest.importorskip("sklearn", "1.8")
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    assert sklearn
    z, y = example(n=500)

    class Given(ClassifierMixin, BaseEstimator):
        def fit(self, x, y):
            self.classes_ = np.unique(y)
            return self

        def decision_function(self, x):
            return np.asarray(x)

        def predict(self, x):
            return self.classes_[np.argmax(x, axis=1)]

    calibrated = CalibratedClassifierCV(FrozenEstimator(Given().fit(z, y)), method="temperature").fit(z, y)
    beta = calibrated.calibrated_classifiers_[0].calibrators[0].beta_
    assert nf.fit_sharpness(z, y) == pytest.approx(beta, rel=1e-5)


@pytest.mark.parametrize(
    ("z", "y", "error", "message"),
    [
        ([[2.0, 1.0], [0.0, 3.0]], [0, 1], ValueError, "of 2 examples none has .* falls without end"),
        ([[2.0, 1.0], [0.0, 3.0]], [1, 0], ValueError, "least at a c of 0 or below"),
        (np.empty((0, 3)), [], ValueError, "of 0 examples"),
        ([[1e-310, 0]] * 3, [0, 0, 1], ValueError, "beyond float64"),
        ([[2.0, np.nan]], [0], ValueError, "fit_sharpness: z"),
        ([[2.0, 1.0]], [2], IndexError, "fit_sharpness: label 2"),
        ([[2.0, 1.0]], [0.5, 0.5, 0.5], ValueError, "fit_sharpness: y"),
        ([["a", "b"]], [0], TypeError, "fit_sharpness: z"),
    ],
)
def test_what_has_no_sharpness_is_refused(z, y, error, message):
    with pytest.raises(error, match=message):
        nf.fit_sharpness(z, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_is_calibrated_and_says_the_same(dtype):
    training, validation, test = nf.datasets.load_digits()
    net = nf.Network([64, 40, 10], hidden="relu", dtype=dtype, rng=0)
    net.SGD(training, 15, 10, 0.1)
    said, before = net.predict(test[0]), [p.copy() for p in net.biases + net.weights]
    c = net.calibrate(validation)
    assert np.array_equal(net.predict(test[0]), said)
    assert np.array_equal(net.weights[-1], before[-1] * dtype(c))
    assert all(map(np.array_equal, net.biases[:-1] + net.weights[:-1], [before[0], before[2]]))
    assert net.calibrate(validation) == pytest.approx(1, abs=1e-5)


def test_only_a_softmax_layer_is_calibrated():
    net = nf.Network([4, 3], cost="cross-entropy", rng=0)
    with pytest.raises(ValueError, match="calibrate: the cost is CrossEntropyCost"):
        net.calibrate((np.zeros((2, 4)), [0, 1]))
    net = nf.Network([4, 3], rng=0)
    before = net.digest()
    with pytest.raises(ValueError, match="data is empty"):
        net.calibrate((np.zeros((0, 4)), np.zeros(0, int)))
    assert net.digest() == before
