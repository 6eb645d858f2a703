"""The same numbers as PyTorch, SciPy and scikit-learn, where they are installed and mean the same.

Where we differ on purpose, as test_where_pytorch_differs shows:

- With soft targets PyTorch's "mean" divides by the number of rows, ours by the sum of their weights, as both
  do for labels.
- A soft target of 0 counts 0 at a logit of -inf; PyTorch gives NaN.
- Where all rows weigh nothing, our error is 0, as where all are ignored; PyTorch's gradient is NaN.
- PyTorch ignores labels of -100 unless told otherwise; we ignore none unless told to.
"""

import itertools

import numpy as np
import pytest

import nndl_fast as nf

F4, F8 = np.float32, np.float64


def example(n, classes, dtype):
    rng = np.random.default_rng([n, classes])
    z = (rng.standard_normal((n, classes)) * 3).astype(dtype)
    t = rng.random((n, classes)).astype(dtype)
    t /= t.sum(-1, keepdims=True)
    return z, rng.integers(0, classes, n), t, (rng.random(classes) + 0.5).astype(dtype)


def close(got, expected, dtype, size=1.0):
    # theirs are off by more than ours: they subtract the maximum and add in float32
    np.testing.assert_allclose(
        got, expected, rtol=2e-5 if dtype == F4 else 1e-12, atol=size * (1e-6 if dtype == F4 else 1e-14)
    )


KINDS = [("labels", None), ("labels", 2), ("targets", None)]  # and what to ignore, which targets do not take
OPTIONS = list(
    itertools.product(KINDS, [False, True], [0.0, 0.1], ["mean", "sum", "none"], [-1, 0], [F4, F8]),
)


@pytest.mark.parametrize(("kind", "weighted", "smoothing", "reduction", "axis", "dtype"), OPTIONS)
def test_torch_cross_entropy(kind, weighted, smoothing, reduction, axis, dtype):
    torch = pytest.importorskip("torch")
    targets, ignore = kind
    for n, classes in ((7, 3), (40, 10), (9, 200)):
        z, y, t, w = example(n, classes, dtype)
        target = y if targets == "labels" else t
        theirs = torch.tensor(z, requires_grad=True)
        costs = torch.nn.functional.cross_entropy(
            theirs,
            torch.tensor(target),
            weight=torch.tensor(w) if weighted else None,
            ignore_index=-100 if ignore is None else ignore,
            label_smoothing=smoothing,
            reduction="none" if reduction == "none" else "sum",
        )
        costs.sum().backward()
        divisor = mean_divisor(target, w if weighted else None, ignore, n) if reduction == "mean" else 1
        mine = np.ascontiguousarray(z.T) if axis == 0 else z
        if targets == "targets" and axis == 0:
            target = np.ascontiguousarray(t.T)
        cost, delta = nf.log_likelihood_cost_and_delta(
            mine,
            target,
            axis,
            reduction=reduction,
            class_weight=w if weighted else None,
            ignore_index=ignore,
            label_smoothing=smoothing,
        )
        close(cost, costs.detach().numpy() / divisor, dtype)
        close(delta if axis else delta.T, theirs.grad.numpy() / divisor, dtype)


def mean_divisor(target, weight, ignore, n):
    """The weights of the rows that count: PyTorch's own divisor for labels."""
    if target.ndim == 1:
        counts = target != ignore if ignore is not None else np.ones(n, bool)
        return (weight[target] if weight is not None else np.ones(n))[counts].sum()
    return (target @ weight).sum() if weight is not None else n


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [None, 2])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_torch_mean_over_labels_is_ours(weighted, ignore, smoothing):
    torch = pytest.importorskip("torch")
    z, y, _, w = example(50, 10, F8)
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(z),
        torch.tensor(y),
        weight=torch.tensor(w) if weighted else None,
        ignore_index=-100 if ignore is None else ignore,
        label_smoothing=smoothing,
    )
    mine = nf.log_likelihood_cost(
        z, y, class_weight=w if weighted else None, ignore_index=ignore, label_smoothing=smoothing
    )
    close(mine, float(theirs), F8)


def test_where_pytorch_differs():
    torch = pytest.importorskip("torch")
    cross_entropy = torch.nn.functional.cross_entropy
    z, _, t, w = example(20, 10, F8)
    sums = [
        float(cross_entropy(torch.tensor(z), torch.tensor(t), torch.tensor(w), reduction=r))
        for r in ("sum", "mean")
    ]
    close(sums[1], sums[0] / 20, F8)
    close(nf.log_likelihood_cost(z, t, class_weight=w), sums[0] / (t @ w).sum(), F8)

    z, t = np.array([[0.0, -np.inf]]), np.array([[1.0, 0.0]])
    assert np.isnan(float(cross_entropy(torch.tensor(z), torch.tensor(t))))
    assert nf.log_likelihood_cost(z, t) == 0

    z = torch.zeros(1, 2, requires_grad=True)
    cross_entropy(z, torch.tensor([0]), torch.tensor([0.0, 1.0])).backward()
    assert z.grad.isnan().all()
    assert (nf.log_likelihood_delta([[0.0, 0.0]], [0], class_weight=[0, 1]) == 0).all()

    z = np.array([[0.0, -np.inf]])
    assert float(cross_entropy(torch.tensor(z), torch.tensor([-100]), reduction="sum")) == 0
    with pytest.raises(IndexError):
        nf.log_likelihood_cost(z, [-100])


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("shape", [(5,), (7, 10), (10, 7), (3, 4, 150)])
def test_scipy(shape, dtype):
    special = pytest.importorskip("scipy.special")
    z = (np.random.default_rng(0).standard_normal(shape) * 4).astype(dtype)
    for axis in [None, *range(len(shape)), *([(0, 1)] if len(shape) > 1 else [])]:
        close(nf.softmax(z, axis), special.softmax(z, axis), dtype)
        close(nf.log_softmax(z, axis), special.log_softmax(z, axis), dtype)
        close(nf.logsumexp(z, axis), special.logsumexp(z, axis), dtype)
        close(nf.logsumexp(z, axis, keepdims=True), special.logsumexp(z, axis, keepdims=True), dtype)
    close(nf.sigmoid(z), special.expit(z), dtype)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # SciPy's
def test_scipy_on_infinities():
    special = pytest.importorskip("scipy.special")
    inf, nan = np.inf, np.nan
    for row in ([-inf, 0.0], [-inf, -inf], [inf, 0.0], [nan, 0.0]):
        np.testing.assert_array_equal(nf.logsumexp(row), special.logsumexp(row))
        np.testing.assert_array_equal(nf.softmax(row), special.softmax(row))


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learn_multinomial_loss(dtype, weighted):
    loss = pytest.importorskip("sklearn._loss")
    z, y, _, _ = example(60, 10, dtype)
    w = np.random.default_rng(1).random(60).astype(dtype) if weighted else None
    theirs = loss.HalfMultinomialLoss(n_classes=10)
    costs, gradient = theirs.loss_gradient(y_true=y.astype(dtype), raw_prediction=z, sample_weight=w)
    cost, delta = nf.log_likelihood_cost_and_delta(z, y, reduction="none", sample_weight=w)
    close(cost, costs, dtype)
    close(delta, gradient, dtype)
