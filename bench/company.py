"""The layer in company: right after another library has worked on all cores, in turn with it for some
milliseconds each while the threads of both may still spin or wake up, what that costs the other, and whole
steps of a network: ``python bench/company.py``. All settings are the default ones."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import last_layer
import machine
import measure
import numpy as np
import peers
import results
import summary
from peers import Array, Call

import nndl_fast as nf

ROUNDS = 3
SECONDS, LEAST = 0.4, 12  # of a measurement of calls after others: its length, and its least number of calls
OTHERS_TURN, OUR_TURN, AN_END = 0.012, 0.030, 0.005  # seconds
TURNS, WARM_UP = 30, 3
SHAPES = [(256, 100), (1024, 1000), (4096, 1000), (60000, 10)]  # of softmax in turn with others
FEATURES = 512  # of the layer whose product NumPy computes in its turn


class Other(NamedTuple):
    """What works on all cores."""

    library: str
    make: Callable[[Any], Call]


def installed(others: dict[str, Other]) -> dict[str, Other]:
    return {name: other for name, other in others.items() if not peers.missing(other.library)}


def product_of_numpy(a: Array, w: Array) -> Call:
    z = np.empty((len(a), len(w)), a.dtype)
    return lambda: np.matmul(a, w.T, out=z)


def product_of_pytorch(layer: last_layer.Layer) -> Call:
    import torch

    a, w, z = torch.from_numpy(layer.a), torch.from_numpy(layer.w), torch.from_numpy(np.empty_like(layer.z))
    return lambda: torch.matmul(a, w.T, out=z)


def product_of_onnxruntime(layer: last_layer.Layer) -> Call:
    """By a session as people have it: its threads spin on after a run."""
    import onnxruntime
    from onnx import TensorProto, helper

    inputs = {"a": layer.a, "w": np.ascontiguousarray(layer.w.T)}
    ends = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name, x in inputs.items()
    }
    result = helper.make_tensor_value_info("z", TensorProto.FLOAT, layer.z.shape)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "w"], ["z"])], "product", [*ends.values()], [result]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)


AFTER = {
    "NumPy's product": Other("NumPy", lambda layer: product_of_numpy(layer.a, layer.w)),
    "PyTorch's product": Other("PyTorch", product_of_pytorch),
    "ONNX Runtime's product": Other("ONNX Runtime", product_of_onnxruntime),
    summary.LEFT_OUT: Other("scikit-learn", lambda layer: peers.cost_and_delta_sklearn(layer.z, layer.y)),
}


def timed(calls: list[Call], seconds: float) -> list[tuple[float, ...]]:
    """The calls by turns, again and again; the times of each turn."""
    measure.wait_for_idle_threads()
    for _ in range(2):
        for call in calls:
            call()
    turns: list[tuple[float, ...]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(turns) < LEAST:
        marks = [time.perf_counter()]
        for call in calls:
            call()
            marks.append(time.perf_counter())
        turns.append(tuple(np.diff(marks)))
    return turns


def spread(seconds: Iterable[float]) -> dict[str, float]:
    its = list(seconds)
    mean, late = float(np.mean(its)), float(np.percentile(its, 99))
    return {"median": float(np.median(its)), "mean": mean, "late": late}


def alone(measurement: Callable[..., Any], *arguments: Any) -> Any:
    """What it returns, with one thread of ours."""
    with nf.num_threads(1):
        return measurement(*arguments)


def after_others(shape: tuple[int, int, int], rounds: int, seconds: float) -> dict[str, Any]:
    """Cost and delta right after each of the others, and whole steps, in turn; seconds of a call."""
    layer = last_layer.layer(*shape)
    out = np.empty_like(layer.z)
    whole = {name: make(layer) for name, make in last_layer.STEP.items() if not peers.missing(name)}

    def call() -> Any:
        return nf.log_likelihood_cost_and_delta(layer.z, layer.y, out=out)

    plan: dict[str, Callable[[float], list[tuple[float, ...]]]] = {
        "one thread": partial(alone, timed, [call]),
        "products": partial(timed, [last_layer.products_alone(layer)]),
        **{f"step {name}": partial(timed, [step]) for name, step in whole.items()},
    }
    for name, other in installed(AFTER).items():
        its = other.make(layer)
        plan[f"other {name}"] = partial(timed, [its])
        plan[f"after {name}"] = partial(timed, [its, call])
    found: dict[str, list[tuple[float, ...]]] = {}
    for _ in range(rounds):
        for name, run in plan.items():
            found.setdefault(name, []).extend(run(seconds))
    # What was timed is right, too.
    np.testing.assert_allclose(call()[0], layer.cost, rtol=peers.RTOL)
    peers.check_close(out, layer.delta, peers.RTOL, atol=1e-6 / shape[0])
    for step in whole.values():
        last_layer.check(step(), layer)
    return {
        "shape": list(shape),
        **{name: spread(turn[-1] for turn in turns) for name, turns in found.items()},
        **{f"beside {name}": spread(turn[0] for turn in found[f"after {name}"]) for name in installed(AFTER)},
    }


class Turns(NamedTuple):
    """What each call of many turns took, and when in its turn it began; in seconds."""

    started: Array
    took: Array

    def mean(self, first: float = 0.0) -> float:
        """Of the calls that began so late in their turn; of all if none did, each being too long."""
        its = self.took[self.started >= first]
        return float(np.mean(its if its.size else self.took))


def turn(call: Call, seconds: float) -> list[tuple[float, float]]:
    """The call again and again for so long."""
    begin = now = time.perf_counter()
    calls = []
    while now - begin < seconds:
        call()
        end = time.perf_counter()
        calls.append((now - begin, end - now))
        now = end
    return calls


def taking_turns(players: list[tuple[Call, float]], turns: int) -> list[Turns]:
    """The calls of each player, each of which has a turn of so many seconds, then the next."""
    measure.wait_for_idle_threads()
    found: list[list[tuple[float, float]]] = [[] for _ in players]
    for number in range(WARM_UP + turns):
        for calls, (call, seconds) in zip(found, players, strict=True):
            done = turn(call, seconds)
            if number >= WARM_UP:
                calls.extend(done)
    return [Turns(*np.array(calls).T) for calls in found]


def product_before(batch: peers.Batch) -> Call:
    """Of a layer whose result would be the batch."""
    rng = np.random.default_rng(0)
    return product_of_numpy(*(rng.standard_normal((rows, FEATURES), np.float32) for rows in batch.z.shape))


IN_TURN = {
    "NumPy's product": Other("NumPy", product_before),
    "PyTorch": Other("PyTorch", lambda batch: peers.softmax_pytorch(batch.z)),
    "ONNX Runtime": Other("ONNX Runtime", lambda batch: peers.softmax_onnxruntime(batch.z, spinning=True)),
    summary.LEFT_OUT: Other("scikit-learn", lambda batch: peers.cost_and_delta_sklearn(batch.z, batch.y)),
    "Numba": Other("Numba", lambda batch: peers.cost_and_delta_numba(batch.z, batch.y)),
}


def in_turn(shape: tuple[int, int], rounds: int, turns: int, names: Iterable[str]) -> dict[str, Any]:
    """Softmax of a shape with a result given as out=, in turn with each of the others; seconds of a call."""
    batch = peers.batch(*shape)
    out = np.empty_like(batch.z)
    ours = (lambda: nf.softmax(batch.z, out=out)), OUR_TURN
    others = {
        name: (other.make(batch), OTHERS_TURN) for name, other in installed(IN_TURN).items() if name in names
    }
    for call, _ in others.values():
        call()  # Numba and JAX compile in the first one
    plan: dict[str, Callable[[], list[Turns]]] = {"one thread": partial(alone, taking_turns, [ours], turns)}
    for name, other in others.items():
        plan[name] = partial(taking_turns, [other, ours], turns)
        plan[f"{name}, one thread"] = partial(alone, taking_turns, [other, ours], turns)
    found: dict[str, list[list[Turns]]] = {}
    for _ in range(rounds):
        for name, run in plan.items():
            found.setdefault(name, []).append(run())
    peers.check_softmax(out, batch.a)

    def over_rounds(name: str, player: int) -> dict[str, float]:
        its = [players[player] for players in found[name]]
        mean, last = np.median([(turns.mean(), turns.mean(OUR_TURN - AN_END)) for turns in its], axis=0)
        return {"mean": float(mean), "last": float(last)}

    return {
        "shape": list(shape),
        "one thread": over_rounds("one thread", 0),
        **{f"after {name}": over_rounds(name, 1) for name in others},
        **{f"beside {name}": over_rounds(name, 0) for name in others},
        **{f"other {name}": over_rounds(f"{name}, one thread", 0) for name in others},
    }


# Those whose threads stay awake for a while.
AWAKE = {
    results.SOFTMAX: ("ONNX Runtime", "PyTorch", "JAX"),
    results.COST_AND_DELTA: ("PyTorch", "scikit-learn", "Numba", "JAX"),
}
PEERS_TURN, PEERS_TURNS = 0.03, 5  # seconds; in a round


def awake(operation: str, library: str, batch: peers.Batch) -> Call:
    if operation == results.COST_AND_DELTA:
        return peers.COST_AND_DELTA[library](batch.z, batch.y)
    spinning = {"spinning": True} if library == "ONNX Runtime" else {}
    return peers.SOFTMAX[library](batch.z, **spinning)


def beside_peers(
    rounds: int, shapes: Iterable[tuple[int, int]] = tuple(peers.SHAPES)
) -> dict[results.Key, results.Time]:
    """Each peer in turn with us, turns of the same length and no pause between: means of a call."""
    found: dict[results.Key, list[float]] = {}
    for shape in shapes:
        batch = peers.batch(*shape)
        for operation, libraries in AWAKE.items():
            calls = {
                name: awake(operation, name, batch)
                for name in (results.OURS, *libraries)
                if not peers.missing(name)
            }
            for call in calls.values():
                call()  # Numba and JAX compile in the first one
            for _ in range(rounds):
                for name in list(calls)[1:]:
                    both = name, results.OURS
                    measured = taking_turns([(calls[who], PEERS_TURN) for who in both], PEERS_TURNS)
                    for who, its in zip(both, measured, strict=True):
                        key = results.Key(results.in_turn(operation, name), *shape, who)
                        found.setdefault(key, []).append(its.mean())
            for call in calls.values():
                if operation == results.SOFTMAX:
                    peers.check_softmax(call(), batch.a)
                else:
                    peers.check_cost_and_delta(call(), batch)
    return {key: results.summary(values) for key, values in found.items()}


def run(
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    shapes: Iterable[tuple[int, int, int]] = tuple(last_layer.SHAPES),
) -> list[dict[str, Any]]:
    return [after_others(shape, rounds, seconds) for shape in shapes]


def run_turns(
    rounds: int = ROUNDS,
    turns: int = TURNS,
    shapes: Iterable[tuple[int, int]] = tuple(SHAPES),
    names: Iterable[str] = tuple(IN_TURN),
) -> list[dict[str, Any]]:
    return [in_turn(shape, rounds, turns, list(names)) for shape in shapes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of calls after others, in a round")
    parser.add_argument("--turns", type=int, default=TURNS, help="of calls in turn with others, in a round")
    options = parser.parse_args()
    after = run(options.rounds, options.seconds)
    turns = run_turns(options.rounds, options.turns)
    for table in summary.of_company(after, turns):
        print(summary.markdown(table), flush=True)


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
