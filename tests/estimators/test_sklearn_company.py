"""The estimator among scikit-learn's other parts: metadata routing, frames, links, array libraries."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nndl_fast.sklearn import SoftmaxClassifier

X, Y = load_iris(return_X_y=True)
WEIGHT = np.random.default_rng(0).random(len(Y))


def test_weights_reach_the_estimator_by_metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = (
            SoftmaxClassifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        )
        search = GridSearchCV(estimator, {"alpha": [0.1, 10.0]}, cv=3).fit(X, Y, sample_weight=WEIGHT)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), estimator)
        pipeline.fit(X, Y, sample_weight=WEIGHT)
    alpha = search.best_params_["alpha"]
    expected = SoftmaxClassifier(alpha=alpha).fit(X, Y, sample_weight=WEIGHT)
    np.testing.assert_array_equal(search.best_estimator_.coef_, expected.coef_)
    assert not np.array_equal(expected.coef_, SoftmaxClassifier(alpha=alpha).fit(X, Y).coef_)
    alone = SoftmaxClassifier().fit(StandardScaler().fit_transform(X), Y, sample_weight=WEIGHT)
    np.testing.assert_array_equal(pipeline[-1].coef_, alone.coef_)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_a_pipeline_keep_their_names(library):
    frames = pytest.importorskip(library)
    names = ["a", "b", "c", "d"]
    frame = frames.DataFrame(dict(zip(names, X.T)))
    scaler = make_column_transformer((StandardScaler(), names), verbose_feature_names_out=False)
    pipeline = make_pipeline(scaler, SoftmaxClassifier()).set_output(transform=library)
    pipeline.fit(frame, Y)
    assert pipeline[-1].feature_names_in_.tolist() == names
    plain = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(X, Y)
    # BLAS has other bits for columns than for rows
    np.testing.assert_allclose(pipeline.predict_proba(frame), plain.predict_proba(X), atol=1e-5)
    with pytest.raises(ValueError, match="feature names"):
        pipeline[-1].predict(pipeline[:-1].transform(frame)[["b", "a", "c", "d"]])


def test_the_html_representation_leads_to_the_documentation():
    html = SoftmaxClassifier()._repr_html_()
    assert "reference.html#nndl_fast.sklearn.SoftmaxClassifier" in html


CODE = """
import numpy as np, torch, sklearn
from sklearn.datasets import load_iris
from nndl_fast.sklearn import SoftmaxClassifier
x, y = load_iris(return_X_y=True)
plain = SoftmaxClassifier(**OPTIONS).fit(x, y)
with sklearn.config_context(array_api_dispatch=True):
    given = SoftmaxClassifier(**OPTIONS).fit(torch.from_numpy(x), torch.from_numpy(y))
    labels, a = given.predict(torch.from_numpy(x)), given.predict_proba(torch.from_numpy(x))
assert np.array_equal(np.asarray(labels), plain.predict(x))
np.testing.assert_allclose(np.asarray(a), plain.predict_proba(x), atol=1e-6)
"""


@pytest.mark.parametrize("options", [{}, {"solver": "adam", "max_iter": 300, "tol": 0.01, "random_state": 0}])
def test_tensors_are_taken_where_scikit_learn_dispatches_to_their_library(options):
    pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")
    code = CODE.replace("OPTIONS", repr(options))
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr


def test_scikit_learns_own_checks_of_array_libraries_pass():
    """They are left out where this is not set before SciPy is imported."""
    pytest.importorskip("torch")
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "array_api"]
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    tests = os.path.join(os.path.dirname(__file__), "test_sklearn.py")
    result = subprocess.run(
        [*program, tests], capture_output=True, text=True, env=environment, cwd=os.path.dirname(tests)
    )
    assert result.returncode == 0, result.stdout
    assert "passed" in result.stdout and "skipped" not in result.stdout
