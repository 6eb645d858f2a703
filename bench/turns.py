"""Taking turns with another library: its work on all cores for some milliseconds, then ours, and so on,
while the threads of both may still spin or wake up: ``python bench/turns.py``. All settings are the default
ones."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import machine
import measure
import numpy as np
import peers
import results
import summary
from peers import Array, Call

import nndl_fast as nf

SHAPES = [(256, 100), (1024, 1000), (4096, 1000), (60000, 10)]
FEATURES = 512  # of the layer whose product NumPy computes
OTHERS_TURN, OUR_TURN, AN_END = 0.012, 0.030, 0.005  # seconds
TURNS, ROUNDS = 30, 3
WARM_UP = 3  # turns


class Turns(NamedTuple):
    """What each call of many turns took, and when in its turn it began; in seconds."""

    started: Array
    took: Array

    def mean(self, first: float = 0.0, last: float = np.inf) -> float:
        """Of the calls that began within a part of their turn; of all if none did, each being too long."""
        its = self.took[(self.started >= first) & (self.started < last)]
        return float(np.mean(its if its.size else self.took))

    def late(self) -> float:
        return float(np.percentile(self.took, 99))


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


def product_of_numpy(batch: peers.Batch) -> Call:
    n, classes = batch.z.shape
    rng = np.random.default_rng(0)
    a, w = (rng.standard_normal((rows, FEATURES), np.float32) for rows in (n, classes))
    z = np.empty_like(batch.z)
    return lambda: np.matmul(a, w.T, out=z)


class Other(NamedTuple):
    library: str
    make: Callable[[peers.Batch], Call]


OTHERS = {
    "NumPy's product": Other("NumPy", product_of_numpy),
    "PyTorch": Other("PyTorch", lambda batch: peers.softmax_pytorch(batch.z)),
    "ONNX Runtime": Other("ONNX Runtime", lambda batch: peers.softmax_onnxruntime(batch.z, spinning=True)),
    "scikit-learn's loss": Other(
        "scikit-learn", lambda batch: peers.cost_and_delta_sklearn(batch.z, batch.y)
    ),
    "Numba": Other("Numba", lambda batch: peers.cost_and_delta_numba(batch.z, batch.y)),
}


def on_one_thread(players: list[tuple[Call, float]], turns: int) -> list[Turns]:
    with nf.num_threads(1):
        return taking_turns(players, turns)


def measured(
    shape: tuple[int, int], rounds: int, turns: int, names: Iterable[str] = OTHERS
) -> dict[str, Any]:
    """Softmax of a shape with a result given as out=, in turn with each of the others; seconds of a call."""
    batch = peers.batch(*shape)
    out = np.empty_like(batch.z)
    ours = (lambda: nf.softmax(batch.z, out=out)), OUR_TURN
    others = {
        name: (OTHERS[name].make(batch), OTHERS_TURN)
        for name in names
        if not peers.missing(OTHERS[name].library)
    }
    for call, _ in others.values():
        call()  # Numba and JAX compile in the first one
    plan: dict[str, Callable[[], list[Turns]]] = {
        "one thread": partial(on_one_thread, [ours], turns),
        "nothing": partial(taking_turns, [ours], turns),
    }
    for name, other in others.items():
        plan[name] = partial(taking_turns, [other, ours], turns)
        plan[f"{name}, one thread"] = partial(on_one_thread, [other, ours], turns)
    found: dict[str, list[list[Turns]]] = {}
    for _ in range(rounds):
        for name, run in plan.items():
            found.setdefault(name, []).append(run())
    peers.check_softmax(out, batch.a)

    def over_rounds(name: str, player: int, value: Callable[[Turns], float]) -> float:
        return float(np.median([value(players[player]) for players in found[name]]))

    def spread(name: str, player: int) -> dict[str, float]:
        return {
            "first": over_rounds(name, player, lambda turns: turns.mean(0, AN_END)),
            "mean": over_rounds(name, player, Turns.mean),
            "last": over_rounds(name, player, lambda turns: turns.mean(OUR_TURN - AN_END)),
            "late": over_rounds(name, player, Turns.late),
        }

    return {
        "shape": list(shape),
        "one thread": spread("one thread", 0),
        "after nothing": spread("nothing", 0),
        **{f"after {name}": spread(name, 1) for name in others},
        **{f"beside {name}": {"mean": over_rounds(name, 0, Turns.mean)} for name in others},
        **{f"other {name}": {"mean": over_rounds(f"{name}, one thread", 0, Turns.mean)} for name in others},
    }


def table(records: list[dict[str, Any]]) -> summary.Table:
    rows = []
    for record in records:
        one = record["one thread"]
        for name in summary.named([record], "after "):
            ours = record[f"after {name}"]
            cells = [summary.number(ours[kind] / one["mean"]) for kind in ("first", "mean", "last", "late")]
            slowed = ""
            if name != "nothing":
                slowed = f"{record[f'beside {name}']['mean'] / record[f'other {name}']['mean']:.2f}"
            rows.append(
                [summary.shape_name(record["shape"]), name, summary.microseconds(one["mean"]), *cells, slowed]
            )
    return summary.Table(
        "Softmax in turn with another library",
        f"{OTHERS_TURN * 1e3:.0f} ms of the other's work on all cores, {OUR_TURN * 1e3:.0f} ms of ours with "
        "out=, and so on: the mean time of a call over that of one thread alone, "
        f"in the first {AN_END * 1e3:.0f} ms of a turn, in all of it and in the "
        f"last {AN_END * 1e3:.0f} ms, and the other's mean time over that in turn with one thread of ours.",
        [
            "examples x classes",
            "after",
            "one thread alone, µs",
            "first",
            "all",
            "last",
            "99th percentile",
            "the other's",
        ],
        rows,
    )


# Those whose threads stay awake for a while.
AWAKE: dict[str, dict[str, Callable[[peers.Batch], Call]]] = {
    summary.SOFTMAX: {
        results.OURS: lambda batch: peers.softmax_nndl_fast(batch.z),
        "ONNX Runtime": lambda batch: peers.softmax_onnxruntime(batch.z, spinning=True),
        "PyTorch": lambda batch: peers.softmax_pytorch(batch.z),
        "JAX": lambda batch: peers.softmax_jax(batch.z),
    },
    summary.COST_AND_DELTA: {
        results.OURS: lambda batch: peers.cost_and_delta_nndl_fast(batch.z, batch.y),
        "PyTorch": lambda batch: peers.cost_and_delta_pytorch(batch.z, batch.y),
        "scikit-learn": lambda batch: peers.cost_and_delta_sklearn(batch.z, batch.y),
        "Numba": lambda batch: peers.cost_and_delta_numba(batch.z, batch.y),
        "JAX": lambda batch: peers.cost_and_delta_jax(batch.z, batch.y),
    },
}
PEERS_TURN, PEERS_TURNS = 0.03, 5  # seconds; in a round


def beside_peers(
    rounds: int, shapes: Iterable[tuple[int, int]] = tuple(peers.SHAPES)
) -> dict[results.Key, results.Time]:
    """Each peer in turn with us, turns of the same length and no pause between: means of a call."""
    found: dict[results.Key, list[float]] = {}
    for shape in shapes:
        batch = peers.batch(*shape)
        for operation, libraries in AWAKE.items():
            calls = {name: make(batch) for name, make in libraries.items() if not peers.missing(name)}
            for call in calls.values():
                call()  # Numba and JAX compile in the first one
            for _ in range(rounds):
                for name in list(calls)[1:]:
                    players = [(calls[who], PEERS_TURN) for who in (name, results.OURS)]
                    for who, its in zip(
                        (name, results.OURS), taking_turns(players, PEERS_TURNS), strict=True
                    ):
                        key = results.Key(summary.in_turn(operation, name), *shape, who)
                        found.setdefault(key, []).append(its.mean())
            for call in calls.values():
                if operation == summary.SOFTMAX:
                    peers.check_softmax(call(), batch.a)
                else:
                    peers.check_cost_and_delta(call(), batch)
    return {key: results.summary(values) for key, values in found.items()}


def run(
    rounds: int = ROUNDS,
    turns: int = TURNS,
    shapes: Iterable[tuple[int, int]] = SHAPES,
    names: Iterable[str] = OTHERS,
) -> list[dict[str, Any]]:
    return [measured(shape, rounds, turns, list(names)) for shape in shapes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--turns", type=int, default=TURNS, help="of a measurement in a round")
    parser.add_argument("--shape", action="append", choices=[f"{n}x{c}" for n, c in SHAPES])
    parser.add_argument("--other", action="append", choices=list(OTHERS))
    options = parser.parse_args()
    shapes = [tuple(map(int, text.split("x"))) for text in options.shape or []] or SHAPES
    records = run(options.rounds, options.turns, shapes, options.other or OTHERS)  # type: ignore[arg-type]
    print(summary.markdown(table(records)), flush=True)


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
