"""The compiled network and the rule of its steps, which are not public: what they take and refuse."""

import numpy as np
import pytest
from networks import OPTIMIZERS

from nndl_fast import _core


def network(sizes=(7, 5, 4), cost="LogLikelihoodCost", hidden="sigmoid", single=False):
    return _core.network(list(sizes), hidden, cost, single)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: network(sizes=[3]), "sizes must be"),
        (lambda: network(sizes=[3, 0]), "sizes must be"),
        (lambda: network(cost="Own"), "cost is 'Own'"),
        (lambda: network(hidden="elu"), "hidden is 'elu'"),
    ],
)
def test_a_network_takes_what_it_can_use(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "made", [_core.network([2, 2], "relu", "LogLikelihoodCost", True), _core.rule()], ids=["network", "rule"]
)
def test_a_network_or_a_rule_cannot_be_made_without_what_it_consists_of(made):
    kind = type(made)
    for make in (kind, lambda: kind.__new__(kind), lambda: kind.__mro__[1].__new__(kind)):
        with pytest.raises(TypeError):
            make()


@pytest.mark.parametrize("optimizer", ["lbfgs", "", "SGD", None, 1])
def test_a_rule_names_the_optimizers_that_there_are(optimizer):
    message = f"optimizer is {optimizer!r}; it must be one of {', '.join(map(repr, OPTIMIZERS))}$"
    with pytest.raises(ValueError, match=message):
        _core.rule(optimizer)


def test_a_rule_is_what_it_was_made_of():
    rule = _core.rule("nesterov", weight_decay=0.25, momentum=0.5)
    assert (rule.optimizer, rule.weight_decay, rule.momentum) == ("nesterov", 0.25, 0.5)
    assert rule == _core.rule("nesterov", weight_decay=0.25, momentum=0.5)
    others = [
        _core.rule("momentum", weight_decay=0.25, momentum=0.5),
        _core.rule("nesterov", weight_decay=0.5, momentum=0.5),
        _core.rule("nesterov", weight_decay=0.25, momentum=0.75),
    ]
    assert all(rule != other for other in others)
    with pytest.raises(AttributeError):
        rule.momentum = 0.75
    for momentum in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"momentum is {momentum}"):
            _core.rule("momentum", momentum=momentum)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"x": np.zeros((9, 6))}, ValueError),
        ({"x": np.zeros((9, 7), "f4")}, ValueError),
        ({"x": np.zeros((9, 14))[:, ::2]}, ValueError),
        ({"y": np.zeros(9, "i4")}, ValueError),
        ({"y": np.zeros(8, "i8")}, ValueError),
        ({"y": np.full(9, 4)}, IndexError),
        ({"y": np.full(9, -1)}, IndexError),
        ({"y": np.zeros((9, 5))}, ValueError),
        ({"order": np.array([0, 9])}, IndexError),
        ({"order": np.array([-1])}, IndexError),
        ({"order": np.zeros(3, "i4")}, ValueError),
        ({"mini_batch": 0}, ValueError),
        ({"rule": "sgd"}, TypeError),
        ({"rule": None}, TypeError),
    ],
)
def test_a_network_reads_and_writes_nothing_beyond(change, error):
    made = network()
    arguments = {
        "x": np.ones((9, 7)),
        "y": np.zeros(9, "i8"),
        "order": np.arange(9),
        "mini_batch": 4,
        "rule": _core.rule(),
        "eta": 0.1,
    }
    with pytest.raises(ValueError, match="use"):
        made.train(*arguments.values())
    weights, biases = [np.ones((5, 7)), np.ones((4, 5))], [np.ones((5, 1)), np.ones((4, 1))]
    for wrong in ([weights[0]], [weights[0], weights[1].T], [w.astype("f4") for w in weights]):
        with pytest.raises(ValueError):
            made.use(wrong, biases)
    made.use(weights, biases)
    with pytest.raises(error):
        made.train(*(arguments | change).values())
    assert all((p == 1).all() for p in weights + biases)
    for wrong in (np.ones(7), np.ones((9, 6)), np.ones((9, 7), "f4")):
        with pytest.raises(ValueError, match="x has shape"):
            made.weighted_inputs(wrong)
    made.train(*arguments.values())
    assert all((p == 1).all() for p in weights + biases)
    assert not (made.parameters()[1][1] == 1).all()


@pytest.mark.parametrize("optimizer, moments", [("sgd", 0), ("momentum", 1), ("nesterov", 1), ("adam", 2)])
@pytest.mark.parametrize("single", [True, False])
def test_a_network_goes_on_from_the_memory_of_another(optimizer, moments, single):
    sizes, rng = (7, 5, 4), np.random.default_rng(0)
    dtype = np.float32 if single else np.float64
    weights = [rng.standard_normal(shape).astype(dtype) for shape in zip(sizes[1:], sizes)]
    biases = [rng.standard_normal((n, 1)).astype(dtype) for n in sizes[1:]]
    x, y = rng.standard_normal((40, 7)).astype(dtype), rng.integers(0, 4, 40)
    given = x, y, np.arange(40), 10, _core.rule(optimizer, momentum=0.5, weight_decay=0.1), 0.1
    one, other = network(single=single), network(single=single)
    one.use(weights, biases)
    assert one.memory() == ([], 1.0, 1.0)
    one.train(*given)
    memory, (now_b, now_w) = one.memory(), one.parameters()
    assert len(memory[0]) == moments and memory[1] == 0.5**4
    assert all(p.any() for sides in memory[0] for side in sides for p in side)
    other.use(now_w, now_b)
    other.use_memory(*memory)
    for each in (one, other):
        each.train(*given)
    assert repr(one.memory()) == repr(other.memory())
    for side, same in zip(one.parameters(), other.parameters()):
        assert all(map(np.array_equal, side, same))


@pytest.mark.parametrize(
    "moments",
    [
        [([], [])],
        [([np.zeros((4, 1))],)],
        [([np.zeros((4, 1))], [np.zeros((4, 6))])],
        [([np.zeros((4, 1))], [np.zeros((4, 7), "f")])],
        [([np.zeros((4, 1))], [np.zeros((4, 7))])] * 3,
    ],
)
def test_a_memory_that_does_not_fit_is_refused(moments):
    with pytest.raises(ValueError, match=r"_core\.Network: "):
        network(sizes=(7, 4)).use_memory(moments, 1.0, 1.0)
