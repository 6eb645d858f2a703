"""Optimizers: each against its formulas in long double and against PyTorch, what they take for parameters
and gradients, and numbers at the ends of their range. Their bits are in test_optimizers_bits.py; that a step
is whole or nothing, and what is saved, in test_optimizers_whole.py and test_optimizers_state.py."""

from collections import OrderedDict, UserDict
from types import MappingProxyType

import numpy as np
import pytest
import reference as ref
from stepping import KINDS, OPTIONS, drawn, gradients_of, made, of, taken

from nndl_fast import optimizers

F4, F8 = np.float32, np.float64


# What they are


@pytest.mark.parametrize("max_norm", [None, 0.5, 1e6])
@pytest.mark.parametrize("weight_decay", [None, 0.0, 0.02])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_the_formulas(every_isa, kind, weight_decay, max_norm):
    options = {"max_norm": max_norm} | ({} if weight_decay is None else {"weight_decay": weight_decay})
    for dtype, rtol in ((F4, 3e-5), (F8, 1e-12)):
        parameters, optimizer, rates = (
            drawn(dtypes=[dtype]),
            made(kind, **options),
            [0.1, 0.1, 0.03, 0.3, 0.0],
        )
        before = [p.copy() for p in parameters]
        gradients = [gradients_of(parameters, step) for step in range(len(rates))]
        for rate, some in zip(rates, gradients):
            optimizer.lr = rate
            optimizer.step(parameters, some)
        known = {name: x for name, x in vars(optimizer).items() if name[0] != "_" and name != "lr"}
        expected = ref.optimizer_steps(kind, before, gradients, rates, **known)
        for p, q, other in zip(parameters, expected, before, strict=True):
            assert p.dtype == dtype and (not p.size or not np.array_equal(p, other))
            np.testing.assert_allclose(p, q.astype(F8), rtol, rtol)


def test_the_norm_is_that_of_all_gradients():
    """Of both types, and of empty arrays and arrays without dimensions, whatever the optimizer."""
    parameters = drawn()
    gradients = gradients_of(parameters, 0)
    norm = np.sqrt(sum((g.astype(F8) ** 2).sum() for g in gradients))
    clipped, scaled = [p.copy() for p in parameters], [p.copy() for p in parameters]
    optimizers.SGD(1.0, max_norm=0.1).step(clipped, gradients)
    optimizers.SGD(1.0).step(scaled, [g * g.dtype.type(0.1 / (norm + 1e-6)) for g in gradients])
    for p, q in zip(clipped, scaled):
        np.testing.assert_allclose(p, q, rtol=1e-5 if p.dtype == F4 else 1e-13, atol=1e-8)
    plain = [p.copy() for p in parameters]
    optimizers.SGD(1.0).step(plain, gradients)
    optimizers.SGD(1.0, max_norm=norm * 1.01).step(parameters, gradients)
    assert all(map(np.array_equal, parameters, plain))


@pytest.mark.parametrize("max_norm", [None, 0.5])
@pytest.mark.parametrize("weight_decay", [0.0, 0.02])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_pytorch(kind, weight_decay, max_norm):
    torch = pytest.importorskip("torch")
    theirs = {
        "Momentum": (torch.optim.SGD, {}),
        "Nesterov": (torch.optim.SGD, {"nesterov": True}),
        "AdaGrad": (torch.optim.Adagrad, {}),
    }
    make, more = theirs.get(kind, (getattr(torch.optim, kind, None), {}))
    shapes = [(33, 17), (17,), (2, 3, 4)]
    parameters = drawn(shapes, [F8])
    tensors = [torch.tensor(p, requires_grad=True) for p in parameters]
    its = make(tensors, lr=0.1, **OPTIONS[kind] | {"weight_decay": weight_decay} | more)
    optimizer = made(kind, weight_decay=weight_decay, max_norm=max_norm)
    for step in range(5):
        gradients = gradients_of(parameters, step)
        for tensor, g in zip(tensors, gradients):
            tensor.grad = torch.tensor(g)
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(tensors, max_norm)
        its.step()
        optimizer.step(parameters, gradients)
    for p, tensor in zip(parameters, tensors):
        np.testing.assert_allclose(p, tensor.detach().numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_those_of_pytorch(kind):
    torch = pytest.importorskip("torch")
    name = {"Momentum": "SGD", "Nesterov": "SGD", "AdaGrad": "Adagrad"}.get(kind, kind)
    theirs = getattr(torch.optim, name)([torch.zeros(1)]).defaults
    own = {key: x for key, x in vars(getattr(optimizers, kind)()).items() if key[0] != "_"}
    assert own.pop("max_norm") is None
    if kind in ("Momentum", "Nesterov"):
        assert own.pop("momentum") == 0.9  # which there has none
    assert {key: theirs[key] for key in own} == own


def test_options_count_from_the_next_step_on():
    changes = {"weight_decay": 0.3, "max_norm": 0.7, "eps": 1e-3}
    names = {"Momentum": "momentum", "Nesterov": "momentum", "RMSprop": "alpha"}
    for kind in KINDS:
        new = {name: x for name, x in changes.items() if name in vars(made(kind))}
        new |= {"betas": (0.5, 0.6)} if kind.startswith("Adam") else {}
        new |= {names[kind]: 0.5} if kind in names else {}
        parameters, optimizer = drawn(), made(kind)
        taken(optimizer, parameters, [0])
        other, kept = made(kind, **new), [p.copy() for p in parameters]
        other.load_state_dict(optimizer.state_dict())
        vars(optimizer).update(new)
        assert of(taken(optimizer, parameters, [1]), parameters) == of(taken(other, kept, [1]), kept)


# What they take


@pytest.mark.parametrize("kind", KINDS)
def test_lists_tuples_and_dictionaries(kind):
    names, expected = ["w1", "b1", "w2", "b2", "c", "d", "e"], drawn()
    taken(made(kind), expected, range(3))
    for pair in (list, tuple), (tuple, list), (tuple, tuple):
        parameters, optimizer = drawn(), made(kind)
        for step in range(3):
            optimizer.step(pair[0](parameters), pair[1](gradients_of(parameters, step)))
        assert all(map(np.array_equal, parameters, expected))
    for make in (dict, OrderedDict, UserDict, lambda d: MappingProxyType(dict(d))):
        parameters, optimizer = drawn(), made(kind)
        for step in range(3):
            given = dict(zip(names, parameters))
            gradients = dict(zip(names, gradients_of(parameters, step)))
            order = np.random.default_rng(step).permutation(names) if step else names
            optimizer.step(
                make({n: given[n] for n in order}), make({n: gradients[n] for n in reversed(order)})
            )
        assert all(map(np.array_equal, parameters, expected))
    if kind != "SGD":
        assert [key for key in optimizer.state_dict() if key.startswith("first")] == [
            f"first.{n}" for n in names
        ]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_other_types(kind):
    def as_lists(g):
        return g.tolist() if g.size else g

    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    types = (np.float16, bfloat16, F4, F8, np.int8, np.uint64, ">f4", ">f8")
    for change in (as_lists, *(lambda g, t=t: g.astype(t) for t in types)):
        expected, parameters, one, other = drawn(), drawn(), made(kind), made(kind)
        for step in range(3):
            gradients = [abs(3 * g).round() for g in gradients_of(parameters, step)]
            other.step(expected, gradients)
            one.step(parameters, [change(g) for g in gradients])
        assert all(map(np.array_equal, parameters, expected))


def test_no_arrays_are_no_step():
    for kind in KINDS:
        optimizer = made(kind)
        for nothing in ([], (), {}):
            assert optimizer.step(nothing, nothing) is None
        assert np.array_equal(optimizer.state_dict()["powers"], [1, 1])


def test_a_step_returns_nothing_and_keeps_the_arrays():
    for kind in KINDS:
        parameters = drawn()
        kept = list(parameters)
        assert made(kind).step(parameters, gradients_of(parameters, 0)) is None
        assert all(p is q for p, q in zip(parameters, kept, strict=True))


def test_gradients_are_not_changed():
    for kind in KINDS:
        parameters = drawn()
        gradients = gradients_of(parameters, 0)
        kept = [g.copy() for g in gradients]
        made(kind, max_norm=0.1, weight_decay=0.1).step(parameters, gradients)
        assert all(map(np.array_equal, gradients, kept))


# Numbers at the ends


@pytest.mark.parametrize("kind", KINDS)
def test_a_nan_stays_in_its_element(kind):
    for bad in (np.nan, np.inf):
        parameters, expected, one, other = drawn(), drawn(), made(kind), made(kind)
        for step in range(3):
            gradients = gradients_of(parameters, step)
            other.step(expected, gradients)
            if step == 1:
                gradients[0][3, 4] = bad
            one.step(parameters, gradients)
        wrong = ~np.isfinite(parameters[0])
        assert wrong[3, 4] and wrong.sum() == 1
        parameters[0][3, 4] = expected[0][3, 4]
        assert all(map(np.array_equal, parameters, expected))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_gradients_too_small_to_matter_count_as_nothing(every_isa, kind):
    for dtype, least in ((F4, 2.0**-50), (F8, 2.0**-400)):
        p = np.full(40, 1.5, dtype)
        small, none = made(kind), made(kind)
        for optimizer, g in ((small, np.nextafter(dtype(least), dtype(0))), (none, 0)):
            own = p.copy()
            for _ in range(3):
                optimizer.step([own], [np.full(40, g, dtype)])
        assert of(small, []) == of(none, [])
        moved = made(kind)
        moved.step([own], [np.full(40, least * 4096, dtype)])
        assert of(moved, []) != of(none, [])


@pytest.mark.parametrize("dtype", [F4, F8])
def test_small_parameters_stay(dtype):
    p = np.array([1e-16, -1e-20, 1e-30], dtype) * (1 if dtype == F4 else 1e-120)
    kept = p.copy()
    optimizers.SGD(0.1).step([p], [np.zeros(3, dtype)])
    assert np.array_equal(p, kept)


@pytest.mark.parametrize("kind", ["RMSprop", "Adam", "AdamW"])
def test_small_gradients_do_not_become_large_steps(kind):
    for eps in (0.0, 1e-20):
        for exponent in range(-60, -30):
            p = np.zeros(1, F4)
            made(kind, eps=eps, weight_decay=0).step([p], [np.array([2.0**exponent], F4)])
            assert not abs(p[0]) > 1  # but NaN, as 0 / 0 is, if the gradient counts as 0 and eps is 0


def test_numpys_error_state_changes_nothing():
    for kind in KINDS:
        for dtype in (F4, F8):
            parameters, kept = drawn(dtypes=[dtype]), drawn(dtypes=[dtype])
            gradients = [g.astype(F8) * 1e300 for g in gradients_of(parameters, 0)]
            made(kind).step(kept, gradients)
            with np.errstate(all="raise"):
                made(kind).step(parameters, gradients)
            assert all(np.array_equal(p, q, equal_nan=True) for p, q in zip(parameters, kept))
