"""Networks that bytes can spell, used in any order: ``python tests/tools/fuzz_network.py --seconds N``.

Sizes, costs, data in every form (and in forms that are refused), and a sequence of calls come from the bytes.
The sequence must have the same outcome, results and errors alike, with another instruction set and number of
threads; an error is of an expected kind and names what is wrong. With some bytes another thread writes to the
data meanwhile, or a timer's signal interrupts the training: then the network is whole, and can be saved, and
an estimator is as it was."""

from __future__ import annotations

import argparse
import copy
import pickle
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from fuzz import Bytes, laid_out

import nndl_fast as nf
from nndl_fast import _core

NAMES = (
    "Network",
    "SGD",
    "feedforward",
    "backprop",
    "update_mini_batch",
    "total_cost",
    "save",
    "load",
    "log_likelihood",
)
OPTIMIZERS = ["sgd", "momentum", "nesterov", "adam"]
BAD_NUMBERS = [float("nan"), float("inf"), "x", None, -1, 10**30, 2.5]
Step = Callable[[nf.Network], Any]


class OwnCost(nf.QuadraticCost):
    """One that is not compiled, as its error is its own."""

    @staticmethod
    def delta(z: Any, a: Any, y: Any) -> Any:
        return nf.QuadraticCost.delta(z, a, y)


class Mine(Exception):
    pass


def examples(data: Bytes, net: nf.Network) -> tuple[np.ndarray, np.ndarray]:
    n = data.among([1, 2, 7, 30, 100])
    rng = np.random.default_rng(data.number())
    x = rng.standard_normal((n, net.sizes[0])).astype(data.among(["f4", "f8", "f2", ">f4", "i4"]))
    y = rng.integers(0, net.sizes[-1], n)
    return x, np.eye(net.sizes[-1])[y] if data.one_in(3) and net.sizes[-1] < 100 else y


def spoilt(data: Bytes, x: np.ndarray, y: np.ndarray) -> Any:
    """In some form that a network takes, or nearly so."""
    kind = data.number() % 16
    if kind == 0:
        return laid_out(data, x), laid_out(data, y)
    if kind == 1:
        return list(zip(x[:, :, None], y))
    if kind == 2:
        return x.tolist(), y.tolist()
    if kind == 3:
        return data.among([x + 0j, x > 0, x.astype(str), x.astype(object), np.ma.masked_array(x, x > 0)]), y
    if kind == 4:
        return x[:, :-1], y
    if kind == 5:
        return data.among([x[:0], x[0], x[None], 3, None]), y
    if kind == 6:
        other = y.astype(np.int64)
        other[data.number() % len(other)] = data.among([-1, 2**40, 10**6, -(2**62)])
        return x, other
    if kind == 7:
        return x, data.among([y[:-1], y.astype("f8") + 0.5, y[None], y.astype(str), None])
    if kind == 8:
        return data.among([[], [(1,)], [(1, 2, 3)], "no", {1: 2}, iter([])])
    return x, y


def a_step(data: Bytes, net: nf.Network, folder: Path) -> Step:
    x, y = examples(data, net)
    given: Any = spoilt(data, x, y)
    kind, bad = data.number() % 12, data.among(BAD_NUMBERS)
    seed = data.number()
    if kind <= 3:
        options: dict[str, Any] = {
            "epochs": data.among([1, 2]),
            "mini_batch_size": data.among([1, 7, 10**30]),
            "eta": data.among([0.1, 3.0, lambda epoch: 0.1 / epoch]),
            "lmbda": data.among([0, 0.1]),
            "optimizer": data.among(OPTIMIZERS),
            "monitor_training_cost": data.one_in(2),
            "early_stopping_n": data.among([0, 0, 1]),
            "halving_n": data.among([0, 0, 1]),
            "keep_best": data.among([False, True]),
            "evaluation_data": data.among([None, (x, y)]),
        }
        if data.one_in(4):
            name = data.among([*list(options)[:4], "momentum"])
            options[name] = -1 if name == "epochs" and bad == 10**30 else bad  # which would take for ever
        if data.one_in(8):

            def callback(epoch: int, values: Any) -> None:
                raise Mine

            options["callback"] = callback
        return lambda net: net.SGD(given, **options)
    if kind == 4:
        eta, lmbda, n = (data.among([value, value, bad]) for value in (0.1, 0.0, 50))
        return lambda net: net.update_mini_batch(given, eta, lmbda, n)
    if kind == 5:
        whole = given[0] if isinstance(given, tuple) else given
        return lambda net: net.feedforward(whole.T if isinstance(whole, np.ndarray) else whole)
    if kind == 6:
        return lambda net: (net.accuracy(given), net.total_cost(given, 0.1))
    if kind == 7:
        columns = x.T if data.one_in(2) else x
        return lambda net: len(net.backprop(columns, y if y.ndim == 1 else y.T))  # the numbers are BLAS's
    if kind <= 9:
        name, way = data.among(["weights", "biases"]), data.number() % 7
        rng = np.random.default_rng(seed)

        def replace(net: nf.Network) -> None:
            shapes = [(n, inputs if name == "weights" else 1) for inputs, n in zip(net.sizes, net.sizes[1:])]
            new: list[Any] = [rng.standard_normal(shape).astype(net.dtype) for shape in shapes]
            at = seed % len(new)
            new[at] = [
                new[at],
                new[at].tolist(),
                new[at].astype(">f8"),
                new[at][:, :0],
                None,
                new[at] + 0j,
                3,
            ][way]
            if seed % 2:
                setattr(net, name, new)
            else:
                getattr(net, name)[:] = new if seed % 4 else new[:-1]

        return replace

    def round_trip(net: nf.Network) -> None:
        path = folder / "model.npz"
        net.save(path)
        cost = None if net.cost in nf.costs.BY_NAME.values() else net.cost
        assert nf.load(path, cost).digest() == net.digest() == pickle.loads(pickle.dumps(net)).digest()

    return round_trip


def outcome(net: nf.Network, step: Step) -> Any:
    try:
        result = step(net)
    except Mine:
        return Mine
    except (ValueError, TypeError, IndexError) as error:
        text = str(error)
        assert text.startswith(NAMES), f"{type(error).__name__}: {text}"
        return type(error), text
    return repr(result) if not isinstance(result, np.ndarray) else result.tobytes()


def whole(net: nf.Network, folder: Path) -> None:
    sizes = list(zip(net.sizes[1:], net.sizes))
    assert [w.shape for w in net.weights] == sizes and [b.shape for b in net.biases] == [
        (n, 1) for n, _ in sizes
    ]
    assert {p.dtype for p in net.weights + net.biases} == {net.dtype}
    net.save(folder / "whole.npz")
    assert nf.load(folder / "whole.npz", net.cost).digest() == net.digest()


def interrupted(data: Bytes, net: nf.Network, folder: Path) -> None:
    x, y = examples(data, net)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    optimizer, mini_batch, wait = data.among(OPTIMIZERS), data.among([1, 5, 100]), data.number() % 200
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        # again after a while: Python drops what is raised in a finalizer
        signal.setitimer(signal.ITIMER_REAL, 1e-4 * (1 + wait), 0.5)
        net.SGD((x, y), 10**9, mini_batch, 0.01, optimizer=optimizer)
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    whole(net, folder)


def estimator_interrupted(data: Bytes) -> None:
    """An interrupted call of partial_fit leaves nothing behind: the next has the bits that it would have."""
    from nndl_fast.sklearn import SoftmaxClassifier

    options = data.among(
        [
            {"solver": "adam"},
            {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True},
            {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
            {"solver": "sgd", "momentum": 0.0},
        ]
    )
    n, hidden, batch = (
        data.among([20, 300, 3000]),
        data.among([(), (17,), (100,)]),
        data.among([7, 100, 5000]),
    )
    rng = np.random.default_rng(data.number())
    x, y = rng.standard_normal((n, 40)), rng.integers(0, 5, n)
    estimator = SoftmaxClassifier(hidden, batch_size=min(n, batch), random_state=0, **options)
    estimator.partial_fit(x, y, classes=range(5))
    twin = copy.deepcopy(estimator)

    armed = True

    def interrupt(*_: Any) -> None:
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 5e-5 * (1 + data.number()))
        estimator.partial_fit(x, y)
        armed = False
    except KeyboardInterrupt:
        pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    if len(estimator.loss_curve_) > len(twin.loss_curve_):  # it came too late
        twin.partial_fit(x, y)
    for one in (estimator, twin):
        one.partial_fit(x, y)
    assert estimator.network_.digest() == twin.network_.digest(), options
    assert estimator.loss_curve_ == twin.loss_curve_


def beside_a_writer(data: Bytes, net: nf.Network, folder: Path) -> None:
    x, y = examples(data, net)
    x, y = np.ascontiguousarray(x, net.dtype), np.ascontiguousarray(y)
    label, ended = data.among([2**40, -1, 10**6]), threading.Event()

    def write() -> None:
        while not ended.is_set():
            y[-1:] = label
            x[-1:] = np.nan
            y[-1:] = 0

    other = threading.Thread(target=write)
    other.start()
    try:
        for use in (
            lambda: net.SGD((x, y), 3, 5, 0.01),
            lambda: net.accuracy((x, y)),
            lambda: net.total_cost((x, y), 0),
        ):
            try:
                use()
            except (ValueError, IndexError) as error:
                assert str(error).startswith(NAMES), error
    finally:
        ended.set()
        other.join()
    whole(net, folder)


def call(given: bytes) -> None:
    data = Bytes(given)
    sizes = [data.among([1, 2, 5, 17, 40]) for _ in range(data.among([2, 3, 4]))]
    if data.one_in(16):
        sizes[-1] = 4100
    options = {
        "cost": data.among(
            [nf.LogLikelihoodCost, nf.LogLikelihoodCost, nf.CrossEntropyCost, nf.QuadraticCost, OwnCost]
        ),
        "hidden": data.among(["sigmoid", "tanh", "relu"]),
        "dtype": data.among([np.float32, np.float64]),
        "rng": data.number(),
    }
    way = data.number() % 8
    isa, other_isa, threads = _core.isa(), data.among(_core.isas()), data.among([1, 2, 5])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        net = nf.Network(sizes, **options)
        with_timer = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        if way == 0 and with_timer:
            return interrupted(data, net, Path(folder))
        if way == 2 and with_timer and find_spec("sklearn"):
            return estimator_interrupted(data)
        if way == 1:
            return beside_a_writer(data, net, Path(folder))
        left, outcomes = data.left, []
        for use, count in ((isa, 1), (other_isa, threads)):
            data.left = left
            net = nf.Network(sizes, **options)
            _core.use_isa(use)
            _core.assume_processors(5)
            try:
                with nf.num_threads(count):
                    steps = [a_step(data, net, Path(folder)) for _ in range(1 + data.number() % 5)]
                    # a cost of one's own is computed by NumPy and BLAS, by whose bits nobody vouches
                    outcomes.append(
                        [
                            outcome(net, step)
                            for step in steps
                            if options["cost"] is not OwnCost or not outcome(net, step)
                        ]
                    )
            finally:
                _core.use_isa(isa)
                _core.assume_processors(0)
        assert outcomes[0] == outcomes[1], outcomes


def drive(call: Callable[[bytes], None], about: str | None) -> None:
    """Calls with bytes at random for some time; those that find something are printed."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    ends, executions = time.monotonic() + given.seconds, 0
    rng = np.random.default_rng(given.seed)
    while time.monotonic() < ends:
        chosen = rng.bytes(120)
        try:
            call(chosen)
        except BaseException:
            print("found by", chosen.hex())
            raise
        executions += 1
    print(f"{executions} executions, no finding")


if __name__ == "__main__":
    drive(call, __doc__)
