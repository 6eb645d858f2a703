"""The bridge to PyTorch: its own functions' numbers, first gradients, clear refusals."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
bridge = pytest.importorskip("nndl_fast.torch")
tensors = pytest.importorskip("tensors")
CLASSES, FEATURES, N, OPTIONS = tensors.CLASSES, tensors.FEATURES, tensors.N, tensors.OPTIONS
class_weight, drawn, labels = tensors.class_weight, tensors.drawn, tensors.labels
probabilities, target_of = tensors.probabilities, tensors.target_of
functional = torch.nn.functional

OFF = {torch.float16: 4e-3, torch.float32: 2e-5, torch.float64: 1e-12}  # what a result may be off by


def same(got, expected, dtype):
    torch.testing.assert_close(got, expected, rtol=OFF[dtype], atol=OFF[dtype])


@pytest.mark.parametrize("dtype", OFF)
@pytest.mark.parametrize(("kind", "weighted", "others"), OPTIONS)
def test_cross_entropy_is_that_of_pytorch(kind, weighted, others, dtype):
    results = []
    for function in (bridge.cross_entropy, functional.cross_entropy):
        z = drawn(N, CLASSES, dtype=dtype)
        cost = function(z, target_of(kind, dtype), class_weight(dtype) if weighted else None, **others)
        (cost * torch.linspace(-1, 2, N, dtype=dtype) if cost.ndim else 3 * cost).sum().backward()
        results.append((cost.detach(), z.grad))
    for got, expected in zip(*results):
        same(got, expected, dtype)
    with torch.no_grad():
        alone = bridge.cross_entropy(
            z, target_of(kind, dtype), class_weight(dtype) if weighted else None, **others
        )
    assert torch.equal(alone, results[0][0]) and not alone.requires_grad


@pytest.mark.parametrize("dtype", OFF)
@pytest.mark.parametrize(("kind", "weighted", "others"), OPTIONS)
def test_linear_cross_entropy_is_that_of_pytorch(kind, weighted, others, dtype):
    target, weights = target_of(kind, dtype), class_weight(dtype) if weighted else None
    results = []
    for own in (True, False):
        a, w, b = (drawn(*s, dtype=dtype) for s in ((N, FEATURES), (CLASSES, FEATURES), (CLASSES,)))
        if own:
            cost = bridge.linear_cross_entropy(a, w, target, b, weights, **others)
        else:
            cost = functional.cross_entropy(functional.linear(a, w, b), target, weights, **others)
        (cost * torch.linspace(-1, 2, N, dtype=dtype) if cost.ndim else 3 * cost).sum().backward()
        results.append((cost.detach(), a.grad, w.grad, b.grad))
    for got, expected in zip(*results):
        same(got, expected, dtype)


def test_tensors_are_read_where_they_are(monkeypatch):
    seen = []

    def watched(z, *arguments, **options):
        seen.append(z)
        return np.zeros(()), np.zeros(z.shape)

    monkeypatch.setattr(bridge._torch._core, "log_likelihood_cost_and_delta", watched)
    columns = drawn(CLASSES, N)
    bridge.cross_entropy(columns.T, labels())
    bridge.cross_entropy(drawn(N, 2 * CLASSES)[:, ::2], labels())
    assert seen[0].ctypes.data == columns.data_ptr()
    assert [z.strides for z in seen] == [(8, N * 8), (16 * CLASSES, 16)]


def test_a_gradient_is_made_once_where_it_is_needed_and_handed_over(monkeypatch):
    made = []
    compute = bridge._torch._core.log_likelihood_cost_and_delta

    def watched(*arguments):
        made.append(compute(*arguments))
        return made[-1]

    monkeypatch.setattr(bridge._torch._core, "log_likelihood_cost_and_delta", watched)
    z = drawn(N, CLASSES)
    with torch.no_grad():
        bridge.cross_entropy(z, labels())
    bridge.cross_entropy(z.detach(), labels())
    assert not made
    bridge.cross_entropy(z, labels()).backward()
    assert len(made) == 1 and z.grad.data_ptr() == made[0][1].ctypes.data


def test_a_graph_can_be_retained():
    for reduction in ("mean", "none"):
        z, (a, w) = drawn(N, CLASSES), (drawn(N, FEATURES), drawn(CLASSES, FEATURES))
        for cost, leaf in (
            (bridge.cross_entropy(z, labels(), reduction=reduction).sum(), z),
            (bridge.linear_cross_entropy(a, w, labels(), reduction=reduction).sum(), w),
        ):
            cost.backward(retain_graph=True)
            once = leaf.grad.clone()
            leaf.grad.mul_(0)  # what was handed over is the caller's
            (2 * cost).backward(retain_graph=True)
            assert torch.equal(leaf.grad, 2 * once)
            cost.backward()
            with pytest.raises(RuntimeError, match="a second time"):
                cost.backward()


def test_only_what_is_wanted_gets_a_gradient():
    for reduction in ("mean", "none"):
        a, w, b = drawn(N, FEATURES), drawn(CLASSES, FEATURES).detach(), drawn(CLASSES).detach()
        cost = bridge.linear_cross_entropy(a, w, labels(), b, reduction=reduction).sum()
        cost.backward()
        assert a.grad is not None and w.grad is None and b.grad is None


def test_nothing_and_weightless_rows():
    z = drawn(0, CLASSES)
    for target in (labels()[:0], probabilities()[:0]):
        for weights in (None, class_weight()):
            assert bridge.cross_entropy(z, target, weights).isnan()
            assert bridge.cross_entropy(z, target, weights, reduction="sum") == 0
    z = drawn(N, CLASSES)
    cost = bridge.cross_entropy(z, labels(), torch.zeros(CLASSES, dtype=z.dtype))
    cost.backward()
    assert cost.isnan() and not z.grad.any()


def test_a_model_learns():
    x = drawn(N, FEATURES, dtype=torch.float32).detach()
    layer = torch.nn.Linear(FEATURES, CLASSES)
    descent = torch.optim.SGD(layer.parameters(), lr=0.5)
    costs = []
    for step in range(20):
        descent.zero_grad(set_to_none=step % 2 == 0)
        cost = bridge.cross_entropy(layer(x), labels()) / 2
        cost = cost + bridge.linear_cross_entropy(x, layer.weight, labels(), layer.bias) / 2
        cost.backward()
        descent.step()
        costs.append(cost.item())
    assert costs[-1] < 0.8 * costs[0] and costs == sorted(costs, reverse=True)


def layer_without(**changed):
    given = {"input": drawn(N, FEATURES), "weight": drawn(CLASSES, FEATURES), "target": labels()}
    return given | changed


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"input": np.ones((N, CLASSES))}, TypeError, "input is .*must be a tensor on the CPU"),
        ({"input": torch.ones(N, CLASSES, device="meta")}, TypeError, "input is meta"),
        (
            {"input": torch.ones(N, CLASSES, dtype=torch.bfloat16)},
            TypeError,
            "input has dtype torch.bfloat16",
        ),
        ({"input": torch.ones(N, CLASSES, dtype=torch.int64)}, TypeError, "input has dtype torch.int64"),
        ({"input": torch.ones(CLASSES)}, ValueError, r"input has shape \(5,\); it must be \(n, classes\)"),
        ({"target": [0] * N}, TypeError, "target is list"),
        ({"target": torch.zeros(N)}, TypeError, "target has dtype torch.float32"),
        (
            {"target": torch.zeros(N, CLASSES, dtype=torch.int64)},
            TypeError,
            r"target has dtype torch.int64 and shape \(6, 5\).*give target.to\(input.dtype\)",
        ),
        ({"target": labels()[:, None]}, ValueError, r"target has shape \(6, 1\).*give target.squeeze\(1\)"),
        ({"target": labels()[1:]}, ValueError, r"target has shape \(5,\); it must be \(n = 6\)"),
        ({"target": torch.zeros(N, 4)}, ValueError, r"target .*must be \(n = 6, classes = 5\)"),
        ({"target": labels() + 1}, IndexError, "label 5 at row 4"),
        ({"target": probabilities().requires_grad_()}, ValueError, "target requires a gradient"),
        ({"target": -probabilities()}, ValueError, "targets must be finite and not negative"),
        ({"target": probabilities(), "ignore_index": 2}, ValueError, "ignore_index goes with labels"),
        ({"weight": torch.ones(4)}, ValueError, r"weight has shape \(4,\); it must be \(classes = 5\)"),
        ({"weight": class_weight().requires_grad_()}, ValueError, "weight requires a gradient"),
        ({"reduction": "max"}, ValueError, "reduction is 'max'"),
        ({"label_smoothing": 2.0}, ValueError, "label_smoothing is 2.0"),
    ],
)
def test_what_does_not_fit_is_named(changed, error, message):
    with pytest.raises(error, match=message):
        bridge.cross_entropy(**({"input": drawn(N, CLASSES), "target": labels()} | changed))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"weight": drawn(CLASSES, 4)}, ValueError, r"weight .*must be \(classes, features = 3\)"),
        (
            {"weight": drawn(CLASSES, FEATURES, dtype=torch.float32)},
            TypeError,
            "weight has dtype torch.float32",
        ),
        ({"bias": drawn(4)}, ValueError, r"bias has shape \(4,\); it must be \(classes = 5\)"),
        ({"class_weight": torch.ones(4)}, ValueError, "class_weight has shape"),
        ({"target": labels()[1:]}, ValueError, "target has shape"),
    ],
)
def test_what_does_not_fit_a_layer_is_named(changed, error, message):
    with pytest.raises(error, match=f"linear_cross_entropy: {message}"):
        bridge.linear_cross_entropy(**layer_without(**changed))
