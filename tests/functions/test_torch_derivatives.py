"""Derivatives of the bridge to PyTorch: of every order by autograd, or a refusal that names what to use."""

from functools import partial

import pytest

torch = pytest.importorskip("torch")
bridge = pytest.importorskip("nndl_fast.torch")
tensors = pytest.importorskip("tensors")
CLASSES, FEATURES, N, OPTIONS = tensors.CLASSES, tensors.FEATURES, tensors.N, tensors.OPTIONS
class_weight, drawn = tensors.class_weight, tensors.drawn
labels, target_of = tensors.labels, tensors.target_of
# PyTorch's own, where it differentiates forward
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
functional = torch.nn.functional
autograd = torch.autograd
forward_ad = pytest.importorskip("torch.autograd.forward_ad")


def layer(dtype=torch.float64):
    return [drawn(*shape, dtype=dtype) for shape in ((N, FEATURES), (CLASSES, FEATURES), (CLASSES,))]


def costs(kind="labels", weighted=False, dtype=torch.float64, **others):
    """Pairs of our function and PyTorch's, with what they are functions of."""
    target, weights = target_of(kind, dtype), class_weight(dtype) if weighted else None
    return [
        (
            lambda z: bridge.cross_entropy(z, target, weights, **others),
            lambda z: functional.cross_entropy(z, target, weights, **others),
            [drawn(N, CLASSES, dtype=dtype)],
        ),
        (
            lambda a, w, b: bridge.linear_cross_entropy(a, w, target, b, weights, **others),
            lambda a, w, b: functional.cross_entropy(functional.linear(a, w, b), target, weights, **others),
            layer(dtype),
        ),
    ]


@pytest.mark.parametrize(("kind", "weighted", "others"), OPTIONS)
def test_first_and_second_derivatives(kind, weighted, others):
    for ours, _, of in costs(kind, weighted, **others):
        assert autograd.gradcheck(ours, of, check_batched_grad=others["reduction"] != "none" or len(of) == 1)
        assert autograd.gradgradcheck(ours, of)


@pytest.mark.parametrize(("kind", "weighted", "others"), OPTIONS[::5])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_gradient_penalty_is_that_of_pytorch(kind, weighted, others, dtype):
    def penalised(cost, of):
        cost = (cost * torch.linspace(-1, 2, N, dtype=dtype) if cost.ndim else 3 * cost).sum()
        first = autograd.grad(cost, of, create_graph=True)
        penalty = sum((g**2).sum() for g in first)
        second = autograd.grad(penalty, of, create_graph=True)
        return [*first, *second, *autograd.grad(sum(g.sum() for g in second), of)]  # a third one

    off = {torch.float16: 2e-2, torch.float32: 2e-5, torch.float64: 1e-13}[dtype]
    for ours, theirs, of in costs(kind, weighted, dtype, **others):
        for got, expected in zip(penalised(ours(*of), of), penalised(theirs(*of), of)):
            torch.testing.assert_close(got, expected, rtol=0, atol=off * (1 + expected.abs().max().item()))


def test_the_hessian_is_that_of_pytorch():
    z, y = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64), torch.tensor([0])
    for vectorize in (False, True):
        hessian = autograd.functional.hessian(
            lambda z: bridge.cross_entropy(z, y) ** 2, z, vectorize=vectorize
        )
        expected = autograd.functional.hessian(lambda z: functional.cross_entropy(z, y) ** 2, z)
        torch.testing.assert_close(hessian, expected, rtol=1e-14, atol=1e-14)
    for ours, theirs, of in costs():
        vectors = tuple(torch.ones_like(x) for x in of)
        for product in (autograd.functional.jvp, autograd.functional.vhp, autograd.functional.hvp):
            got, expected = (product(function, tuple(of), vectors)[1] for function in (ours, theirs))
            torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


def test_a_gradient_with_a_graph_has_the_same_bits():
    for reduction in ("mean", "none"):
        z = drawn(N, CLASSES)
        cost = bridge.cross_entropy(z, labels(), reduction=reduction).sum()
        (plain,) = autograd.grad(cost, z, retain_graph=True)
        (with_graph,) = autograd.grad(cost, z, create_graph=True)
        assert torch.equal(plain, with_graph) and with_graph.requires_grad


def test_what_depends_on_another_argument_is_counted_once():
    a, back = drawn(CLASSES, FEATURES), torch.eye(FEATURES, dtype=torch.float64)
    target = torch.arange(CLASSES)
    gradients = []
    for ours in (True, False):
        w = a @ back * 2
        if ours:
            cost = bridge.linear_cross_entropy(a, w, target)
        else:
            cost = functional.cross_entropy(a @ w.T, target)
        (first,) = autograd.grad(cost, a, create_graph=True)
        gradients += [first, *autograd.grad((first**2).sum(), a)]
    torch.testing.assert_close(gradients[:2], gradients[2:], rtol=1e-12, atol=1e-12)


def test_rows_that_do_not_count_stay_out_of_all_derivatives():
    nan, inf = float("nan"), float("inf")
    for bad in (nan, inf, -inf):
        for reduction in ("mean", "sum", "none"):
            z, a, w = drawn(N, CLASSES), drawn(N, FEATURES), drawn(CLASSES, FEATURES)
            with torch.no_grad():
                z[2], a[2] = bad, bad
            for cost, of in (
                (bridge.cross_entropy(z, labels(), ignore_index=2, reduction=reduction), [z]),
                (bridge.linear_cross_entropy(a, w, labels(), ignore_index=2, reduction=reduction), [a, w]),
            ):
                first = autograd.grad(cost.sum(), of, create_graph=True)
                second = autograd.grad(sum((g**2).sum() for g in first), of, create_graph=True)
                third = autograd.grad(sum((g**2).sum() for g in second), of)
                for g in (*first, *second, *third):
                    assert g.isfinite().all() and g.any()
                    assert len(g) != N or not g[2].any()
    z = drawn(N, CLASSES)
    with torch.no_grad():
        z[:, 0] = -inf  # an activation of 0
    hessian = autograd.functional.hessian(lambda z: bridge.cross_entropy(z, labels().clamp(min=1)), z)
    assert hessian.isfinite().all() and hessian.any()


@pytest.mark.parametrize("weight", [5e-324, 1e308])
def test_the_mean_with_extreme_weights(weight):
    weights = torch.full((CLASSES,), weight, dtype=torch.float64)
    hessian = autograd.functional.hessian
    got = hessian(lambda z: bridge.cross_entropy(z, labels(), weights), drawn(N, CLASSES))
    expected = hessian(lambda z: functional.cross_entropy(z, labels()), drawn(N, CLASSES))
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


def test_only_what_is_wanted_gets_a_second_derivative():
    for reduction in ("mean", "none"):
        for wanted in ([0], [1], [2], [0, 2], [1, 2]):
            of = layer()
            for i in {0, 1, 2} - {*wanted}:
                of[i] = of[i].detach()
            a, w, b = of
            cost = bridge.linear_cross_entropy(a, w, labels(), b, reduction=reduction).sum()
            first = autograd.grad(cost, [of[i] for i in wanted], create_graph=True)
            autograd.grad(sum((g**2).sum() for g in first), [of[i] for i in wanted])


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("name", ["input", "weight", "target", "class_weight"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_what_changes_before_backward_is_noticed(reduction, name, create_graph):
    def changed(function, given):
        cost = function(**given, reduction=reduction).sum()
        with torch.no_grad():
            given[name].add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            cost.backward(create_graph=create_graph)

    a, w, _ = layer()
    weights = class_weight()
    changed(
        bridge.linear_cross_entropy, {"input": a, "weight": w, "target": labels(), "class_weight": weights}
    )
    given = {"input": drawn(N, CLASSES), "target": labels(), "weight": class_weight()}
    if name in given:
        changed(bridge.cross_entropy, given)


def transformations():
    func = torch.func
    return {
        "grad": lambda f, x: func.grad(lambda x: f(x).sum())(x),
        "vjp": lambda f, x: func.vjp(f, x),
        "jvp": lambda f, x: func.jvp(f, (x,), (torch.ones_like(x),)),
        "jacrev": lambda f, x: func.jacrev(f)(x),
        "jacfwd": lambda f, x: func.jacfwd(f)(x),
        "hessian": lambda f, x: func.hessian(f)(x),
        "vmap": lambda f, x: torch.vmap(f)(torch.stack([x, x])),
    }


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("which", transformations())
def test_what_torch_func_transforms_is_refused_by_name(which, reduction):
    for needs in (False, True):
        for ours, _, of in costs(reduction=reduction):
            first, *others = (x.detach().requires_grad_(needs) for x in of)
            of_first = partial(lambda ours, others, x: ours(x, *others), ours, others)
            message = r"cross_entropy: input .*torch\.func.*use torch\.autograd\.grad"
            with pytest.raises(RuntimeError, match=message):
                transformations()[which](of_first, first)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("needs", [False, True])
def test_dual_tensors_are_refused_by_name(needs, reduction):
    for ours, _, of in costs(reduction=reduction):
        for i in range(len(of)):
            with forward_ad.dual_level():
                given = [x.detach().requires_grad_(needs) for x in of]
                given[i] = forward_ad.make_dual(given[i], torch.ones_like(given[i]))
                with pytest.raises(
                    RuntimeError, match=r"cross_entropy: \w+ is a dual tensor.*use torch\.aut"
                ):
                    ours(*given)
    z = drawn(N, CLASSES).detach()
    with forward_ad.dual_level():
        soft = forward_ad.make_dual(target_of("probabilities"), torch.ones_like(z))
        with pytest.raises(RuntimeError, match="cross_entropy: target is a dual tensor"):
            bridge.cross_entropy(z, soft)


def test_costs_of_rows_have_no_batched_gradients():
    a, w, _ = layer()
    cost = bridge.linear_cross_entropy(a, w, labels(), reduction="none")
    with pytest.raises(RuntimeError, match=r"linear_cross_entropy: the gradient .*is_grads_batched"):
        autograd.grad(cost, a, torch.ones(2, N, dtype=torch.float64), is_grads_batched=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's, of all that it does not know
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_compiled_step_has_the_same_gradients(reduction):
    for ours, _, of in costs(reduction=reduction):
        step = partial(lambda ours, *of: ours(*(2 * x for x in of)).sum(), ours)
        torch._dynamo.reset()
        compiled = torch.compile(step, backend="aot_eager")
        for got, expected in zip(autograd.grad(compiled(*of), of), autograd.grad(step(*of), of)):
            torch.testing.assert_close(got, expected)
