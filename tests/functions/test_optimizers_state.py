"""What an optimizer remembers goes with copies, pickles and files, and steps go on from it bit for bit."""

import copy
import pickle

import numpy as np
import pytest
from stepping import KINDS, OPTIONS, drawn, gradients_of, made, of, taken

from nndl_fast import optimizers

NAMES = ["layer.1/w", "b", "powers", "first.c", "0", "second", "ß"]


def by_name(arrays):
    return dict(zip(NAMES, arrays))


def step_of(optimizer, parameters, step, named):
    gradients = gradients_of(parameters, step)
    if named:
        optimizer.step(by_name(parameters), by_name(gradients))
    else:
        optimizer.step(parameters, gradients)


def through_a_file(optimizer, tmp_path):
    np.savez(tmp_path / "state.npz", **optimizer.state_dict())
    with np.load(tmp_path / "state.npz") as state:
        return loaded(optimizer, state)


def loaded(optimizer, state):
    options = {name: x for name, x in vars(optimizer).items() if not name.startswith("_")}
    other = type(optimizer)(**options)
    other.load_state_dict(state)
    return other


WAYS = {
    "copy": lambda optimizer, _: copy.copy(optimizer),
    "deepcopy": lambda optimizer, _: copy.deepcopy(optimizer),
    "pickle": lambda optimizer, _: pickle.loads(pickle.dumps(optimizer)),
    "oldest pickle": lambda optimizer, _: pickle.loads(pickle.dumps(optimizer, 0)),
    "state": lambda optimizer, _: loaded(optimizer, optimizer.state_dict()),
    "lists": lambda optimizer, _: loaded(
        optimizer, {k: x.tolist() for k, x in optimizer.state_dict().items()}
    ),
    "file": through_a_file,
}


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_steps_go_on_as_if_nothing_had_been(tmp_path, kind, way, named):
    parameters = drawn(dtypes=[np.float64])
    if way == "lists":  # an empty one says nothing of its shape
        parameters = [p for p in parameters if p.size]
    optimizer = made(kind, max_norm=3.0)
    for step in range(3):
        kept = [p.copy() for p in parameters]
        other = WAYS[way](optimizer, tmp_path)
        assert repr(other) == repr(optimizer) and of(other, []) == of(optimizer, [])
        before = of(optimizer, [])
        step_of(other, kept, step, named)
        assert of(optimizer, []) == before  # a copy's steps are its own
        step_of(optimizer, parameters, step, named)
        assert of(optimizer, parameters) == of(other, kept)
        step_of(other, kept, 7, named)
        assert of(optimizer, []) != of(other, []) or kind == "SGD"


@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_both_types_go_on_too(tmp_path, kind):
    for way in WAYS.keys() - {"lists"}:
        parameters, optimizer = drawn(), made(kind)
        taken(optimizer, parameters, range(2))
        kept, other = [p.copy() for p in parameters], WAYS[way](optimizer, tmp_path)
        taken(optimizer, parameters, [2])
        assert of(taken(other, kept, [2]), kept) == of(optimizer, parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_a_copy(kind):
    parameters, optimizer = drawn(), made(kind)
    taken(optimizer, parameters, [0])
    state, before = optimizer.state_dict(), of(optimizer, [])
    other = made(kind)
    other.load_state_dict(state)
    for array in state.values():
        array[...] = 7
    assert of(optimizer, []) == of(other, []) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_has_the_names_and_shapes_of_the_parameters(kind):
    moments = {"SGD": [], "Adam": ["first", "second"], "AdamW": ["first", "second"]}.get(kind, ["first"])
    for named in (False, True):
        parameters, optimizer = drawn(), made(kind)
        step_of(optimizer, parameters, 0, named)
        step_of(optimizer, parameters, 1, named)
        state, keys = optimizer.state_dict(), NAMES if named else range(len(parameters))
        assert list(state) == [
            "optimizer",
            "powers",
            *(f"{moment}.{key}" for moment in moments for key in keys),
        ]
        if kind.startswith("Adam"):
            np.testing.assert_array_equal(state["powers"], [b * b for b in OPTIONS[kind]["betas"]])
        for moment in moments:
            for key, p in zip(keys, parameters):
                array = state[f"{moment}.{key}"]
                assert array.shape == p.shape and array.dtype == p.dtype


def states_of_others(kind):
    """States of another kind or of nothing at all."""
    state = made_state(kind)
    yield from (other for other in map(made_state, KINDS[1:]) if len(other) != len(state))
    yield from ({}, {"powers": np.ones(3)}, {"powers": 1.0}, {"powers": ["a", "b"]}, {"first.0": np.ones(2)})
    yield {name: x for name, x in state.items() if name != "powers"}
    if kind.startswith("Adam"):
        yield {name: x for name, x in state.items() if name != "second.3"}
        yield {name: x for name, x in state.items() if not name.startswith("first")}


def made_state(kind):
    optimizer = made(kind)
    taken(optimizer, drawn(), [0])
    return optimizer.state_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_something_else_is_refused_and_changes_nothing(kind):
    parameters, optimizer = drawn(), made(kind)
    taken(optimizer, parameters, range(2))
    before, kept = of(optimizer, parameters), [p.copy() for p in parameters]
    expected = of(taken(copy.deepcopy(optimizer), kept, [2]), kept)
    for state in states_of_others(kind):
        with pytest.raises(ValueError):
            optimizer.load_state_dict(state)
        assert of(optimizer, parameters) == before
    with pytest.raises(ValueError, match=f"{kind}: the state has the names .*, not those of its state_dict"):
        optimizer.load_state_dict({})
    assert of(taken(optimizer, parameters, [2]), parameters) == expected


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_state_that_no_steps_of_its_kind_lead_to_is_refused(kind):
    for state in (
        made_state("SGD"),
        made_state("RMSprop" if kind in ("Momentum", "Nesterov") else "Momentum"),
        {"powers": made_state(kind)["powers"]},
        made_state(kind) | {"powers": np.full(2, np.nan)},
        made_state(kind) | {"powers": np.array([2.0, -1.0])},
        made_state(kind) | {"more": np.ones(2)},
        made_state(kind) | {"first.0": np.ones(2, complex)},
        made_state(kind) | {"first.0": np.array(["1", "2"])},
    ):
        with pytest.raises(ValueError):
            made(kind).load_state_dict(state)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_state_for_other_parameters_is_refused_in_the_step(kind):
    state, optimizer = made_state(kind), made(kind)
    parameters = drawn([(3, 3), (2,)])
    longer = {name: x[..., None] for name, x in state.items() if name.startswith(("first", "second"))}
    for given in (state, state | longer):
        optimizer.load_state_dict(given)
        for own in (parameters, drawn()[:2], [p.astype(np.float16).astype(np.float64) for p in drawn()]):
            before = of(optimizer, own)
            with pytest.raises(ValueError, match=f"{kind}: "):
                taken(optimizer, own, [0])
            assert of(optimizer, own) == before


def test_keys_that_are_numbers_belong_to_their_arrays_after_loading():
    parameters, optimizer = {"0": np.zeros(2), "1": np.ones(2)}, made("Momentum")
    optimizer.step(parameters, {"0": np.ones(2), "1": np.full(2, 9.0)})
    other = loaded(optimizer, optimizer.state_dict())
    kept = {key: parameters[key].copy() for key in ("1", "0")}
    gradients = {"0": np.zeros(2), "1": np.zeros(2)}
    optimizer.step(parameters, gradients)
    other.step(kept, gradients)
    assert all(np.array_equal(kept[key], parameters[key]) for key in kept)


def test_its_text_makes_an_equal_one():
    for kind in KINDS:
        optimizer = made(kind, max_norm=2.5)
        taken(optimizer, drawn(), [0])
        assert repr(optimizer).startswith(f"{kind}(") and "_state" not in repr(optimizer)
        other = eval(repr(optimizer), vars(optimizers).copy())
        assert type(other) is type(optimizer) and repr(other) == repr(optimizer)
        optimizer.lr = 0.25
        assert "lr=0.25" in repr(optimizer)
    assert "momentum=0.9" in repr(optimizers.Momentum()) and "betas=(0.9, 0.999)" in repr(optimizers.Adam())
