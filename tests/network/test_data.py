"""The forms that data for a Network has, and the errors for data and arguments that do not fit."""

import numpy as np
import pytest
from networks import COSTS, assert_same_bits, one_hot, parameters, problem, rows, trained

import nndl_fast as nf


def column_targets(labels):
    return [t[:, None] for t in one_hot(labels)]


FORMS = {
    "pair with labels": lambda x, y: (x, y),
    "pair with small labels": lambda x, y: (x, y.astype(np.uint8)),
    "pair of lists": lambda x, y: (x.tolist(), y.tolist()),
    "pair with one-hot": lambda x, y: (x, one_hot(y)),
    "pair with integer one-hot": lambda x, y: (x, one_hot(y).astype(int)),
    "pair with boolean one-hot": lambda x, y: (x, one_hot(y) > 0),
    "list with boolean columns": lambda x, y: rows(x, [t > 0 for t in column_targets(y)]),
    "pair with columns in memory": lambda x, y: (np.asfortranarray(x), np.asfortranarray(one_hot(y))),
    "list with column targets": lambda x, y: rows(x, column_targets(y)),
    "list with integer y": lambda x, y: rows(x, [int(label) for label in y]),
    "list with vectors": lambda x, y: list(zip(x, one_hot(y))),
    "tuple of pairs": lambda x, y: tuple(rows(x, y)),
    "zip": lambda x, y: zip(x[:, :, None], column_targets(y)),
    "zip with labels": lambda x, y: zip(x, y),
    "generator": lambda x, y: (pair for pair in rows(x, y)),
}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_data_changes_no_bit(form, cost):
    x, y = problem()
    net, reference = trained(FORMS[form](x, y), cost=cost), trained((x, y), cost=cost)
    assert_same_bits(net, reference)
    assert net.accuracy(FORMS[form](x, y)) == reference.accuracy((x, y))
    assert net.total_cost(FORMS[form](x, y), 0.5) == reference.total_cost((x, y), 0.5)
    net.update_mini_batch(FORMS[form](x, y), 0.5, 0.1, 100)
    reference.update_mini_batch((x, y), 0.5, 0.1, 100)
    assert_same_bits(net, reference)


def test_evaluation_data_that_can_be_read_once_serves_every_epoch():
    x, y = problem()
    lists = [
        nf.Network([4, 5, 3], rng=4).SGD((x, y), 3, 4, 0.5, 0.0, evaluation, True, True)
        for evaluation in (zip(x, y), (x, y))
    ]
    assert lists[0] == lists[1]
    assert len(lists[0][0]) == 3


class Bunch(dict):
    """What a loader of scikit-learn returns."""


X, Y = problem(6)
WHOLE = Bunch(data=X, target=Y, DESCR="")
WRONG = [  # data, error, and what its message names
    ((X[:, :3], Y), ValueError, "3 features.*4 inputs"),
    ((X[0], Y), ValueError, r"\(4,\)"),
    ((X, Y[:5]), ValueError, r"y has shape \(5,\)"),
    ((X, one_hot(Y, 4)), ValueError, r"y has shape \(6, 4\)"),
    (rows(X[:, :3], Y), ValueError, "example 0 has 3 "),
    ([*rows(X, Y), (X[0], [0, 1, 0])], ValueError, "some y are labels and some are vectors"),
    ([(X[0], 1, 2)], (TypeError, ValueError), "NAME.*pairs"),
    ((X, np.array([0, 1, 2, 3, 0, 0])), IndexError, "label 3 of example 3 is outside 0..2"),
    ((X, np.array([0, 1, 2, 0, -1, 0])), IndexError, "label -1 of example 4 is outside 0..2"),
    ((X, Y.astype(float)), TypeError, "float64.*integers"),
    ((X[:0], Y[:0]), ValueError, "empty"),
    ([], ValueError, "empty"),
    (zip(), ValueError, "empty"),
    (5, TypeError, "pairs"),
    ([1, 2], TypeError, "pairs"),
    (WHOLE, TypeError, r"NAME is of type Bunch; .*pair of arrays.*\. Give its data and its target"),
    ({"x": X, "y": Y}, TypeError, r"NAME is of type dict; it must be a pair of arrays.*single examples$"),
    ([X, Y], ValueError, r"NAME is of type list; it must be a pair of arrays, the tuple \(x, y\)"),
    (X, ValueError, "NAME is of type ndarray; it must be a pair of arrays"),
    (((X, Y), (X, Y), (X, Y)), ValueError, "NAME has 3 pairs of arrays; it must be one of them"),
    ((Y, X), ValueError, r"inputs of shape \(6,\).*Are x and y exchanged\?"),
    ((one_hot(Y), X), ValueError, r"3 features.*Are x and y exchanged\?"),
    ((X, Y[:, None]), ValueError, r"y has shape \(6, 1\).*Give y\[:, 0\] for labels in a column"),
    ((X, Y + 1), IndexError, r"label 3 of .*0\.\.2\. Labels count from 0: give y - 1"),
    (rows(X, Y + 1), IndexError, r"label 3 of .*0\.\.2\. Labels count from 0: give y - 1"),
]


@pytest.mark.parametrize("argument", ["training_data", "evaluation_data", "data", "mini_batch"])
@pytest.mark.parametrize("data, error, message", WRONG, ids=[message for _, _, message in WRONG])
def test_wrong_data_is_an_error_that_names_the_argument_and_changes_nothing(argument, data, error, message):
    net = nf.Network([4, 5, 3], rng=0)
    before = parameters(net)
    call = {
        "training_data": lambda: net.SGD(data, 1, 2, 0.5),
        "data": lambda: net.accuracy(data),
        "evaluation_data": lambda: net.SGD((X, Y), 1, 2, 0.5, 0, data, True),
        "mini_batch": lambda: net.update_mini_batch(data, 0.5, 0, 6),
    }[argument]
    with pytest.raises(error, match=message.replace("NAME", argument)) as caught:
        call()
    assert argument in str(caught.value)
    for p, q in zip(parameters(net), before, strict=True):
        np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "feedforward"])
@pytest.mark.parametrize(
    "given, message",
    [
        ((X, Y), "is a tuple of several arrays; it must be one, the examples without their labels"),
        ((Y, X), "is a tuple of several arrays"),
        ([X, one_hot(Y, 4)], "is a list of several arrays"),
        (((X, Y), (X, Y), (X, Y)), "is a tuple of several arrays"),
        (WHOLE, r"is of type Bunch; it must be an array of examples\. Give its data"),
        ({"x": X}, "is of type dict; it must be an array of examples$"),
    ],
)
def test_examples_with_their_labels_are_no_examples(method, given, message):
    net = nf.Network([4, 5, 3], rng=0)
    with pytest.raises(TypeError, match=f"{method}: [ax] {message}"):
        getattr(net, method)(given)
    for rows_of_numbers in (X.tolist(), tuple(map(tuple, X)), list(X)):
        if method != "feedforward":
            np.testing.assert_array_equal(getattr(net, method)(rows_of_numbers), getattr(net, method)(X))


@pytest.mark.parametrize("labels", [Y, Y + 2, Y - 1])
def test_other_labels_get_no_such_advice(labels):
    net = nf.Network([4, 5, 2], rng=0)
    with pytest.raises(IndexError) as caught:
        net.accuracy((X, labels))
    assert "count from 0" not in str(caught.value)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda net: net.SGD((X, Y), 1, 2, 0.5, monitor_evaluation_cost=True), "evaluation_data is None"),
        (lambda net: net.SGD((X, Y), 1, 2, 0.5, monitor_evaluation_accuracy=True), "evaluation_data is None"),
        (lambda net: net.SGD((X, Y), 1, 0, 0.5), "mini_batch_size is 0"),
        (lambda net: net.SGD((X, Y), -1, 1, 0.5), "epochs is -1"),
        (lambda net: net.feedforward(X), r"feedforward: a has shape \(6, 4\)"),
        (lambda net: net.backprop(X, Y), "backprop: x has shape"),
        (lambda net: net.backprop(X.T, Y[:2]), "backprop: y has shape"),
        (lambda net: nf.Network([3]), "sizes"),
        (lambda net: nf.Network([3, 0]), "sizes"),
        (lambda net: nf.Network([2.5, 1]), "sizes"),
        (lambda net: nf.Network([3, 2], dtype="f2"), "float16"),
        (lambda net: nf.Network([3, 2], hidden="elu"), "hidden is 'elu'; it must be one of 'sigmoid'"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, optimizer="lbfgs"), "optimizer is 'lbfgs'.*'adam'"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, momentum=1), "momentum is 1"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, early_stopping_n=-1), "early_stopping_n is -1"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, halving_n=-1), "halving_n is -1"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, early_stopping_n=2), "evaluation_data is None"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, keep_best=True), "evaluation_data is None"),
        (lambda net: net.SGD(problem(), 1, 4, 0.5, halving_n=1), "evaluation_data is None"),
    ],
)
def test_wrong_arguments_are_value_errors_that_name_them(call, message):
    with pytest.raises(ValueError, match=message):
        call(nf.Network([4, 5, 3], rng=0))
