"""Training with a weight for each example, or for each class."""

import numpy as np
import pytest
from networks import COSTS, assert_same_bits, one_hot, problem

import nndl_fast as nf


class Own(nf.CrossEntropyCost):
    """A cost that compiled code does not know."""

    @staticmethod
    def delta(z, a, y):
        return a - y


def stepped(net, x, y, eta, lmbda, weight):
    """One step of all examples by the sums that ``backprop`` gives of each."""
    nabla = [np.zeros(p.shape) for p in net.biases + net.weights]
    for row, target, w in zip(x, y, weight):
        of_biases, of_weights = net.backprop(row, target[:, None])
        nabla = [total + w * np.asarray(p, np.float64) for total, p in zip(nabla, of_biases + of_weights)]
    kept = [1.0] * len(net.biases) + [1 - eta * lmbda / len(x)] * len(net.weights)
    return [k * p - eta / len(x) * total for k, p, total in zip(kept, net.biases + net.weights, nabla)]


@pytest.mark.usefixtures("many_processors")
@pytest.mark.parametrize("cost", [*COSTS, Own])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", ["labels", "targets"])
def test_the_part_of_an_example_in_a_step_is_multiplied_by_its_weight(every_isa, cost, dtype, form):
    x, labels = problem(33)
    weight = np.random.default_rng(1).random(33) * 3
    weight[5] = 0
    y = labels if form == "labels" else one_hot(labels)
    found = set()
    for threads in (1, 2, 7):
        with nf.num_threads(threads):
            net = nf.Network([4, 5, 3], cost=cost, dtype=dtype, rng=0)
            expected = stepped(net, x, one_hot(labels), 0.5, 0.1, weight)
            net.SGD((x, y), 1, 33, 0.5, 0.1, sample_weight=weight)
            found.add(net.digest())
            for p, q in zip(net.biases + net.weights, expected):
                np.testing.assert_allclose(p, q, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-14)
    assert len(found) == 1


@pytest.mark.parametrize("form", ["labels", "targets"])
def test_so_is_it_in_a_last_layer_that_is_wide(form):
    rng = np.random.default_rng(0)
    x, labels, weight = rng.standard_normal((12, 4)), rng.integers(4100, size=12), rng.random(12) * 3
    net = nf.Network([4, 3, 4100], dtype=np.float64, rng=0)
    expected = stepped(net, x, one_hot(labels, 4100), 0.5, 0.1, weight)
    net.SGD((x, labels if form == "labels" else one_hot(labels, 4100)), 1, 12, 0.5, 0.1, sample_weight=weight)
    for p, q in zip(net.biases + net.weights, expected):
        np.testing.assert_allclose(p, q, rtol=0, atol=1e-13)


@pytest.mark.parametrize("cost", [nf.LogLikelihoodCost, nf.CrossEntropyCost, Own])
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
def test_the_weights_go_with_their_examples_through_the_shuffling(cost, optimizer):
    """Of weights 0 and 2 the same is learned whatever the examples of weight 0 are."""
    x, labels = problem(60)
    weight = 2.0 * (np.arange(60) % 3 > 0)
    nets = []
    for other in (False, True):
        if other:
            x = np.where(weight[:, None] > 0, x, 5 - x)
            labels = np.where(weight > 0, labels, (labels + 1) % 3)
        net = nf.Network([4, 5, 3], cost=cost, rng=0)
        net.SGD((x, labels), 3, 10, 0.1, 0.1, optimizer=optimizer, sample_weight=weight)
        nets.append(net)
    assert_same_bits(*nets)


def test_class_weights_are_those_of_the_classes_examples():
    x, labels = problem(50)
    labels[labels == 2] = np.where(np.arange(np.sum(labels == 2)) < 3, 2, 0)  # a rare class

    def trained(y, classes=None, **options):
        net = nf.Network([4, 5, 3], classes=classes, rng=0)
        net.SGD((x, y), 3, 10, 0.5, **options)
        return net

    by_class = np.array([0.5, 1.0, 4.0])
    expected = trained(labels, sample_weight=by_class[labels])
    names = np.array(["ham", "eggs", "spam"])
    for y in (labels, one_hot(labels)):
        assert_same_bits(trained(y, class_weight={0: 0.5, 2: 4}), expected)
    assert_same_bits(trained(names[labels], names.tolist(), class_weight={"ham": 0.5, "spam": 4.0}), expected)
    own = np.random.default_rng(0).random(50)
    both = trained(labels, sample_weight=own, class_weight={0: 0.5, 2: 4})
    assert_same_bits(both, trained(labels, sample_weight=own * by_class[labels]))
    balanced = 50 / (3 * np.bincount(labels))
    assert_same_bits(
        trained(labels, class_weight="balanced"), trained(labels, sample_weight=balanced[labels])
    )


def test_balanced_weights_find_a_rare_class():
    rng = np.random.default_rng(0)
    y = (np.arange(2000) % 40 == 0).astype(int)
    x = rng.standard_normal((2000, 1)) + 1.5 * y[:, None]
    recalls = []
    for class_weight in (None, "balanced"):
        net = nf.Network([1, 2], rng=0)
        net.SGD((x, y), 20, 10, 0.1, class_weight=class_weight)
        recalls.append(np.mean(net.predict(x)[y == 1]))
    assert recalls[0] < 0.1 and recalls[1] > 0.6


@pytest.mark.parametrize(
    "options, error, says",
    [
        ({"sample_weight": np.ones(5)}, ValueError, r"sample_weight has shape \(5,\); for 23 .* \(23,\)"),
        ({"sample_weight": np.ones((23, 1))}, ValueError, r"shape \(23, 1\)"),
        ({"sample_weight": -np.arange(23.0)}, ValueError, "sample_weight is -1.0 for example 1"),
        ({"sample_weight": np.full(23, np.nan)}, ValueError, "sample_weight is nan for example 0"),
        ({"sample_weight": ["a"] * 23}, TypeError, "sample_weight"),
        ({"class_weight": "even"}, TypeError, "class_weight is 'even'; it must be a dictionary"),
        ({"class_weight": [1, 2, 3]}, TypeError, "class_weight is"),
        ({"class_weight": {3: 1.0}}, ValueError, "class_weight has the label 3, which is not one of"),
        ({"class_weight": {0: -1.0}}, ValueError, "class_weight of 0 is -1.0"),
        ({"class_weight": {0: "x"}}, TypeError, "class_weight of 0"),
    ],
)
def test_weights_that_are_none_are_refused_before_anything_is_learned(options, error, says):
    net = nf.Network([4, 3], rng=0)
    before = net.digest()
    with pytest.raises(error, match=says):
        net.SGD(problem(), 1, 4, 0.5, **options)
    assert net.digest() == before


def test_class_weights_need_targets_of_one_class():
    x, labels = problem()
    y = one_hot(labels)
    y[4] = [0.5, 0.5, 0]
    with pytest.raises(ValueError, match="target of example 4 is not that of one class"):
        nf.Network([4, 3]).SGD((x, y), 1, 4, 0.5, class_weight="balanced")
    net = nf.Network([4, 1], cost=nf.CrossEntropyCost, rng=0)
    net.SGD((x, labels % 2), 1, 4, 0.5, class_weight={1: 3.0})
    other = nf.Network([4, 1], cost=nf.CrossEntropyCost, rng=0)
    other.SGD((x, labels % 2), 1, 4, 0.5, sample_weight=1 + 2 * (labels % 2))
    assert_same_bits(net, other)
