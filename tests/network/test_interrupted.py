"""A training that is interrupted, or meets an exception, leaves a whole network."""

import signal
import sys

import numpy as np
import pytest
from networks import assert_same_bits, parameters, problem

import nndl_fast as nf
from nndl_fast import _core
from nndl_fast._network import _trainers


def test_ctrl_c_in_the_callback_leaves_a_whole_network(tmp_path):
    def stop(epoch, values):
        if epoch == 2:
            raise KeyboardInterrupt

    net, whole = nf.Network([4, 5, 3], rng=4), nf.Network([4, 5, 3], rng=4)
    with pytest.raises(KeyboardInterrupt):
        net.SGD(problem(), 5, 4, 0.5, callback=stop)
    whole.SGD(problem(), 2, 4, 0.5)
    assert_same_bits(net, whole)
    net.save(tmp_path / "net")
    assert_same_bits(nf.load(tmp_path / "net"), whole)


@pytest.mark.parametrize("cost", [nf.CrossEntropyCost, nf.LogLikelihoodCost])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("k", [1, 3, 8])  # 6 mini-batches are an epoch: the eighth is in the second
def test_an_exception_in_the_kth_mini_batch_leaves_the_parameters_of_the_one_before(tmp_path, k, error, cost):
    seen = []

    class Breaking(cost):
        @staticmethod
        def delta(z, a, y):
            seen.append(parameters(net))
            if len(seen) == k:
                raise error
            return cost.delta(z, a, y)

    class Whole(cost):  # with a method of its own, so that it takes the same way
        @staticmethod
        def delta(z, a, y):
            return cost.delta(z, a, y)

    net, whole = (nf.Network([4, 5, 3], cost=own, rng=4) for own in (Breaking, Whole))
    with pytest.raises(error):
        net.SGD(problem(), 5, 4, 0.5)
    assert all(map(np.array_equal, parameters(net), seen[-1]))
    assert k == 1 or not any(map(np.array_equal, seen[-2], seen[-1]))
    x, y = problem()
    orders = whole.rng.permutation(23), whole.rng.permutation(23)
    batches = [order[start : start + 4] for order in orders for start in range(0, 23, 4)]
    for batch in batches[: k - 1]:
        whole.update_mini_batch((x[batch], y[batch]), 0.5, 0.0, 23)
    assert_same_bits(net, whole)
    net.save(tmp_path / "net")
    assert_same_bits(nf.load(tmp_path / "net", cost=cost), whole)


def test_ctrl_c_at_any_line_of_a_step_leaves_it_undone_or_done():
    def trace(frame, event, _):
        if frame.f_globals["__name__"].startswith("nndl_fast.") and event == "line":
            lines.append(frame.f_lineno)
            if len(lines) == stop_at:
                raise KeyboardInterrupt
        return trace

    before, after = (nf.Network([4, 5, 3], rng=4) for _ in range(2))
    after.update_mini_batch(problem(), 0.5, 0.1, 23)
    for stop_at in range(1, 1000):  # noqa: B007 (trace uses it)
        lines, net, kept = [], nf.Network([4, 5, 3], rng=4), sys.gettrace()
        sys.settrace(trace)
        try:
            net.update_mini_batch(problem(), 0.5, 0.1, 23)
            break
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(kept)
        assert_same_bits(net, before if net.biases[0].tobytes() == before.biases[0].tobytes() else after)
    assert 5 < stop_at < 999  # it was stopped at some lines, and came through at last


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer's signal here")
@pytest.mark.parametrize(
    "features, mini_batch, optimizer, seconds",
    [
        (7, 10, "sgd", 0.15),
        *(  # up to a long step
            pytest.param(*shape, optimizer, seconds, marks=pytest.mark.slow)
            for shape in ((7, 10), (150, 400), (3000, 1600))
            for optimizer in ("sgd", "adam")
            for seconds in (0.15, 0.2, 0.3)
            if (*shape, optimizer, seconds) != (7, 10, "sgd", 0.15)
        ),
    ],
)
def test_ctrl_c_leaves_whole_mini_batches(features, mini_batch, optimizer, seconds):
    rng = np.random.default_rng(0)
    x, y = rng.random((1600, features), np.float32), rng.integers(0, 4, 1600)
    net, other = (nf.Network([features, 700, 4], rng=2) for _ in range(2))

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, seconds)
            net.SGD((x, y), 10**6, mini_batch, 0.01, optimizer=optimizer)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    trainer, steps = _trainers.trainer_for(other, _core.rule(optimizer, momentum=0.9)), 0
    # many more steps than any machine takes in that time
    while other.digest() != net.digest() and steps < 200_000 * 7 / features:
        order = other.rng.permutation(1600)
        for start in range(0, 1600, mini_batch):
            trainer.run(x, y, order[start : start + mini_batch], mini_batch, 0.01)
            steps += 1
            if other.digest() == net.digest():
                break
    assert other.digest() == net.digest()


def test_training_replaces_the_arrays_and_changes_none_in_place():
    net = nf.Network([4, 5, 3], rng=0)
    arrays, copies = net.biases + net.weights, parameters(net)
    net.SGD(problem(), 1, 4, 0.5)
    assert all(np.array_equal(p, q) for p, q in zip(arrays, copies))
    assert not any(np.array_equal(p, q) for p, q in zip(net.weights, copies[2:]))
