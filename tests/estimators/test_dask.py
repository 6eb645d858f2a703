"""On Dask's arrays: the functions, and the estimator against the one on arrays in memory."""

import os
import signal
import warnings

import numpy as np
import pytest

pytest.importorskip("dask.array")
pytest.importorskip("sklearn")

import dask
import dask.array as da
from arrays import at_offset
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, load_iris

import nndl_fast as nf
from nndl_fast._estimators import _dask, _objective
from nndl_fast.dask import SoftmaxClassifier
from nndl_fast.sklearn import SoftmaxClassifier as InMemory

X, Y = load_digits(return_X_y=True)
X = X / 16


def blocks(x=X, y=Y, rows=300):
    return da.from_array(x, chunks=(rows, -1)), da.from_array(y, chunks=rows)


def test_the_functions_over_blocks():
    z = da.from_array(np.random.default_rng(0).standard_normal((700, 10)), chunks=(200, 10))
    y = da.from_array(np.arange(700) % 10, chunks=200)
    assert np.array_equal(z.map_blocks(nf.softmax, dtype=z.dtype).compute(), nf.softmax(z.compute()))
    costs = da.apply_gufunc(
        nf.log_likelihood_cost, "(k),()->()", z, y, reduction="none", output_dtypes=z.dtype
    )
    own = nf.log_likelihood_cost(z.compute(), y.compute(), reduction="none")
    assert np.array_equal(costs.compute(), own)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [(), (12,)])
def test_the_fit_is_that_of_one_array(dtype, hidden):
    weight = np.random.default_rng(0).random(len(Y)) + 0.5
    given = {
        "hidden_layer_sizes": hidden,
        "tol": 1e-5 if not hidden else 5e-3,
        "alpha": 0.1,
        "max_iter": 2000,
    }
    x, y = blocks(X.astype(dtype))
    model = SoftmaxClassifier(random_state=0, **given).fit(x, y, weight)
    assert model.coefs_[0].dtype == dtype
    if not hidden:  # one minimum
        own = InMemory(**given).fit(X.astype(dtype), Y, weight)
        rtol = 1e-6 if dtype == np.float64 else 2e-5  # float32 ends where its gradients are uncertain
        np.testing.assert_allclose(model.loss_, own.loss_, rtol=rtol)
        np.testing.assert_allclose(model.coef_, own.coef_, atol=0.05)
    predicted, chances = model.predict(x), model.predict_proba(x)
    assert isinstance(predicted, da.Array) and chances.shape == (len(Y), 10) and chances.dtype == dtype
    assert (predicted.compute() == Y).mean() > 0.97
    np.testing.assert_allclose(chances.compute().sum(1), 1, rtol=1e-5)
    assert np.array_equal(model.predict(X), predicted.compute())


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_synchronous_mini_batches(solver):
    given = {"solver": solver, "learning_rate_init": 0.05, "max_iter": 60, "batch_size": 512, "alpha": 0.01}
    x, y = blocks(y=np.array([f"digit {i}" for i in Y]))
    model = SoftmaxClassifier((20,), random_state=0, **given).fit(x, y)
    assert (model.predict(x) == y).mean().compute() > 0.9 and model.n_iter_ == 60
    again = SoftmaxClassifier((20,), random_state=0, **given).fit(x, y)
    assert all(np.array_equal(p, q) for p, q in zip(model.coefs_, again.coefs_))


@pytest.mark.parametrize("weighted", [False, True])
def test_mini_batches_of_uneven_blocks_have_the_same_minimum(weighted):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 3))
    y = (x[:, 0] + rng.standard_normal(4000) > 0).astype(int)
    y[3960:] = x[3960:, 0] < 0  # a short block that says the contrary
    weight = np.where(y == 1, 3.0, 0.3) if weighted else None
    chunks = (3960, 40)
    given = {"solver": "sgd", "learning_rate_init": 0.05, "max_iter": 400, "batch_size": 256}
    parts = (da.from_array(x, chunks=(chunks, 3)), da.from_array(y, chunks=(chunks,)))
    model = SoftmaxClassifier(momentum=0, random_state=0, **given).fit(*parts, weight)
    own = InMemory().fit(x, y, weight)
    np.testing.assert_allclose(model.coef_, own.coef_, atol=0.25)
    np.testing.assert_allclose(model.intercept_, own.intercept_, atol=0.25)
    few = SoftmaxClassifier(momentum=0, random_state=0, **given | {"batch_size": 2}).fit(*parts, weight)
    spread = [np.std(np.diff(m.loss_curve_)) for m in (model, few)]
    assert spread[1] > 3 * spread[0]


def test_blocks_of_unknown_length_and_columns_of_blocks():
    x, y = blocks()
    kept = y < 5
    model = SoftmaxClassifier().fit(x[kept], y[kept])
    own = InMemory().fit(X[Y < 5], Y[Y < 5])
    np.testing.assert_allclose(model.loss_, own.loss_, rtol=1e-5)
    whole = SoftmaxClassifier().fit(x.rechunk((500, 16)), Y)
    np.testing.assert_allclose(whole.loss_, InMemory().fit(X, Y).loss_, rtol=1e-5)
    two = SoftmaxClassifier().fit(*blocks(X[Y < 2], Y[Y < 2]))
    assert two.coef_.shape == (1, 64) and two.intercept_.shape == (1,)


def test_what_does_not_fit_is_named():
    x, y = blocks()
    for arguments, error, message in (
        ((X, Y), TypeError, "must be a dask.array"),
        ((x.map_blocks(csr_array), y), TypeError, r"a block of X is a csr_array; .*\.toarray\(\)"),
        ((csr_array(X), y), TypeError, r"toarray"),
        ((x[:, 0], y), ValueError, r"X has shape \(1797,\)"),
        ((x, y[:5]), ValueError, r"y has shape \(5,\)"),
        ((x, y * 0), ValueError, "labels of two classes"),
        ((x.astype(complex), y), TypeError, "complex"),
        ((x, y, -np.ones(1797)), ValueError, "sample_weight is -1.0 at least"),
        ((da.where(x > 0.9, np.nan, x), y), ValueError, "a block of X: feature .* is nan; features must be"),
        ((x, y + 0.5), ValueError, "labels of two classes"),
        ((x[x[:, 0] < 9], Y), ValueError, "y has 1 blocks; X, of unknown length, has 6"),
        ((x[y < 5], y), ValueError, r"a block of X has .* examples, and that of y \d+"),
    ):
        with pytest.raises(error, match=message):
            SoftmaxClassifier().fit(*arguments)
    with pytest.raises(AttributeError, match="before fit"):
        SoftmaxClassifier().predict(x)
    with pytest.raises(ValueError, match=r"X has shape \(1797, 60\)"):
        SoftmaxClassifier().fit(x, y).predict(x[:, 4:])
    with pytest.raises(ValueError, match="solver is 'newton'"):
        SoftmaxClassifier(solver="newton").fit(x, y)
    with pytest.warns(UserWarning, match="max_iter came before tol") as caught:
        SoftmaxClassifier(max_iter=1).fit(x, y)
    assert caught[0].filename == __file__  # the caller's line


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf])
def test_predictions_of_what_is_not_finite_are_refused_by_all_alike(monkeypatch, fault):
    """With one message, wherever the number stands; what is beyond the network's float32 is infinite."""
    single = X.astype(np.float32)
    models = SoftmaxClassifier(tol=0.1).fit(*blocks(single)), InMemory(tol=0.1).fit(single, Y)
    net = models[0].network_
    monkeypatch.setattr(_objective, "_BLOCK", 1 << 14)
    shown = r"feature 5 of example 1700 is .*(nan|inf); features must be finite, not NaN or inf"
    for value in (fault, 1e300):
        x = X.copy()
        x[1700, 5] = value
        for given in (x, csr_array(x)):
            for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
                with pytest.raises(ValueError, match=f"^SoftmaxClassifier: X: {shown}"):
                    getattr(models[1], method)(given)
        for method in ("predict", "predict_proba"):
            with pytest.raises(ValueError, match=f"^SoftmaxClassifier: X: {shown}"):
                getattr(models[0], method)(x)
            with pytest.raises(ValueError, match=f"^{method}: x: {shown}"):
                getattr(net, method)(x)
            lazy = getattr(models[0], method)(blocks(x)[0])
            with pytest.raises(ValueError, match="a block of X: feature 5 of example 200 is"):
                lazy.compute()
    with pytest.raises(TypeError, match="complex"):
        models[0].predict(blocks()[0] * 1j)
    with pytest.raises(TypeError, match=r"a block of X is a csr_array; it must be dense: give \.toarray"):
        models[0].predict(blocks()[0].map_blocks(csr_array))
    assert np.array_equal(models[0].predict(X.tolist()), models[0].predict(X))


def test_a_fit_that_raises_keeps_the_fit_before():
    x, y = blocks()
    model = SoftmaxClassifier(tol=0.01).fit(x, y)
    kept = vars(model) | {"digest": model.network_.digest()}
    for arguments in (
        (x * np.nan, y),
        (x[:, :5], y * 0),
        (x[:, :5], y, -np.ones(1797)),
        (x[:, :5] * 1e200, y),
    ):
        with pytest.raises(ValueError):
            model.fit(*arguments)
        assert vars(model) | {"digest": model.network_.digest()} == kept
    with pytest.raises(ValueError, match="sums to inf"):
        model.fit(x.astype("f"), y, np.full(1797, 1e300))
    assert model.network_ is kept["network_"]


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
@pytest.mark.parametrize("hidden", [(), (1,), (6, 1)])  # one neuron's products are where BLAS differs most
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_a_block_lies_in_memory_changes_no_bit(solver, hidden, dtype):
    """A block that was sent to another worker may begin at any byte."""
    fits = []
    for offset in (0, 1, 3, 8):

        def moved(block, offset=offset):
            return at_offset(block, offset)

        x, y = blocks(X.astype(dtype))
        weight = da.from_array(np.linspace(0.5, 1.5, len(Y)), chunks=300)
        model = SoftmaxClassifier(hidden, solver=solver, tol=0.03, max_iter=30, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model.fit(*(array.map_blocks(moved, dtype=array.dtype) for array in (x, y, weight)))
        p = model.predict_proba(x.map_blocks(moved, dtype=dtype)).compute()
        fits.append((model.network_.digest(), model.loss_, p.tobytes()))
    assert all(fit == fits[0] for fit in fits)


def test_where_the_weights_of_a_long_block_lie_changes_no_bit():
    x, y, weight = np.tile(X, (7, 1)), np.tile(Y, 7), np.random.default_rng(0).random(7 * len(Y))
    abouts = [_dask.about_block(x, y, at_offset(weight, offset), False) for offset in (0, 1)]
    assert abouts[0].weight == abouts[1].weight


def test_frames_with_nullable_columns_and_sparse_arrays():
    pandas = pytest.importorskip("pandas")
    iris, labels = load_iris(return_X_y=True)
    frame = pandas.DataFrame(iris, columns=list("abcd")).convert_dtypes()
    model = SoftmaxClassifier(tol=0.01).fit(*blocks(iris, labels, 50))
    net = nf.Network([4, 3], dtype=np.float64, rng=0)
    for predict in (model.predict, model.predict_proba, net.predict, net.predict_proba):
        assert np.array_equal(predict(frame), predict(iris))
        holed = frame.copy()
        holed.iloc[7, 2] = pandas.NA
        with pytest.raises(ValueError, match=r"has no value at \(7, 2\)"):
            predict(holed)
        with pytest.raises(TypeError, match=r"is a csr_array; it must be dense: give .*\.toarray\(\)"):
            predict(csr_array(iris))
    assert net.accuracy((frame, labels)) == net.accuracy((iris, labels))
    with pytest.raises(TypeError, match=r"training_data: x is a csr_array.*\.toarray\(\)"):
        net.SGD((csr_array(iris), labels), 1, 10, 0.1)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with dask.config.set({"distributed.comm.timeouts.connect": "60s"}):
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            with distributed.Client(cluster) as client:
                yield client


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the library's own threads and sockets, when workers come and go
def test_processes_and_one_that_is_killed(cluster):
    iris, labels = load_iris(return_X_y=True)
    x, y = blocks(np.tile(iris, (40, 1)), np.tile(labels, 40), 1000)
    given = {"tol": 1e-5, "alpha": 0.1}
    undisturbed = SoftmaxClassifier(**given).fit(x, y)
    own = InMemory(**given).fit(np.tile(iris, (40, 1)), np.tile(labels, 40))
    np.testing.assert_allclose(undisturbed.loss_, own.loss_, rtol=1e-6)

    class Disturbed(SoftmaxClassifier):
        def _note(self, loss):
            super()._note(loss)
            if self.verbose and len(self.loss_curve_) == 3:
                self.verbose = False
                os.kill(next(iter(cluster.run(os.getpid).values())), signal.SIGKILL)

    disturbed = Disturbed(verbose=True, **given).fit(x.persist(), y.persist())
    assert not disturbed.verbose
    assert np.array_equal(disturbed.coef_, undisturbed.coef_)
    assert disturbed.loss_curve_ == undisturbed.loss_curve_
