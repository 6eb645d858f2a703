"""The layer in company: its time right after other libraries have worked on all cores, and in turn with them,
what that costs them, and whole steps of a network: ``python bench/company.py``. All settings are the default
ones."""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import machine
import measure
import numpy as np
import peers
import steps
import summary
import turns
from peers import Array, Call

import nndl_fast as nf

ROUNDS, SECONDS, LEAST = (
    3,
    0.4,
    12,
)  # of a measurement: rounds, the seconds of one, and its least number of calls
CALLERS, MORE_THREADS = 8, (8, 32)


class Spread(NamedTuple):
    """Seconds of a call."""

    median: float
    mean: float
    late: float  # the 99th percentile


def spread(seconds: list[float]) -> Spread:
    return Spread(float(np.median(seconds)), float(np.mean(seconds)), float(np.percentile(seconds, 99)))


def product_of_numpy(layer: steps.Layer) -> Call:
    z = np.empty_like(layer.z)
    return lambda: np.matmul(layer.a, layer.w.T, out=z)


def product_of_pytorch(layer: steps.Layer) -> Call:
    import torch

    a, w, z = torch.from_numpy(layer.a), torch.from_numpy(layer.w), torch.from_numpy(np.empty_like(layer.z))
    return lambda: torch.matmul(a, w.T, out=z)


def product_of_onnxruntime(layer: steps.Layer) -> Call:
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


def loss_of_sklearn(layer: steps.Layer) -> Call:
    return peers.cost_and_delta_sklearn(layer.z, layer.y)


class Other(NamedTuple):
    library: str
    make: Callable[[steps.Layer], Call]


OTHERS = {
    "NumPy's product": Other("NumPy", product_of_numpy),
    "PyTorch's product": Other("PyTorch", product_of_pytorch),
    "ONNX Runtime's product": Other("ONNX Runtime", product_of_onnxruntime),
    "scikit-learn's loss": Other("scikit-learn", loss_of_sklearn),
}


def ours(layer: steps.Layer, out: Array) -> Call:
    return lambda: nf.log_likelihood_cost_and_delta(layer.z, layer.y, out=out)


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


def by_many_callers(layer: steps.Layer, seconds: float) -> list[tuple[float, ...]]:
    """The time that a call takes of the whole, with so many threads of Python calling at once."""
    measure.wait_for_idle_threads()
    outs = [np.empty_like(layer.z) for _ in range(CALLERS)]
    end, counts = time.perf_counter() + seconds, [0] * CALLERS

    def work(i: int) -> None:
        call = ours(layer, outs[i])
        while time.perf_counter() < end:
            call()
            counts[i] += 1

    threads = [threading.Thread(target=work, args=(i,)) for i in range(CALLERS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [((time.perf_counter() - start) / sum(counts),)]


def with_threads(n: int, call: Call, seconds: float) -> list[tuple[float, ...]]:
    with nf.num_threads(n):
        return timed([call], seconds)


# In a process of its own: libraries that are imported here may not survive a fork.
CHILD = """
import os, sys
import numpy as np
import company, steps
import nndl_fast as nf
*shape, seconds = map(float, sys.argv[1:])
layer = steps.layer(*map(int, shape))
call = company.ours(layer, np.empty_like(layer.z))
call()  # starts threads, which the child does not have
if os.fork() == 0:
    one, every = (company.with_threads(n, call, seconds) for n in (1, nf.get_num_threads()))
    print(np.median(one) / np.median(every), flush=True)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def in_a_child(shape: tuple[int, int, int], seconds: float) -> list[tuple[float, ...]]:
    """One thread's time over that of all threads, in a child of fork."""
    command = [sys.executable, "-c", CHILD, *map(str, shape), str(seconds)]
    folder = str(Path(__file__).parent)
    done = subprocess.run(command, check=True, text=True, capture_output=True, cwd=folder)
    return [(float(done.stdout),)]


def measured(shape: tuple[int, int, int], rounds: int, seconds: float) -> dict[str, Any]:
    """Everything of a shape, in turn; seconds of a call."""
    layer = steps.layer(*shape)
    out = np.empty_like(layer.z)
    installed = [name for name in steps.STEP if not peers.missing(name)]
    whole = {name: steps.STEP[name](layer) for name in installed}
    others = {name: other.make(layer) for name, other in OTHERS.items() if not peers.missing(other.library)}
    products = steps.products_alone(layer)

    call = ours(layer, out)

    plan: dict[str, Callable[[float], list[tuple[float, ...]]]] = {
        "one thread": partial(with_threads, 1, call),
        "alone": partial(timed, [call]),
        **{f"{n} threads": partial(with_threads, n, call) for n in MORE_THREADS},
        "child": partial(in_a_child, shape),
        "callers": partial(by_many_callers, layer),
        "products": partial(timed, [products]),
        **{f"step {name}": partial(timed, [step]) for name, step in whole.items()},
    }
    for name, other in others.items():
        plan[f"other {name}"] = partial(timed, [other])
        plan[f"after {name}"] = partial(timed, [other, call])
    found: dict[str, list[tuple[float, ...]]] = {}
    for _ in range(rounds):
        for name, run in plan.items():
            found.setdefault(name, []).extend(run(seconds))
    # What was timed is right, too.
    np.testing.assert_allclose(call()[0], layer.cost, rtol=peers.RTOL)
    peers.check_close(out, layer.delta, peers.RTOL, atol=1e-6 / shape[0])
    for step in whole.values():
        steps.check(step(), layer)
    return {
        "shape": list(shape),
        **{name: spread([turn[-1] for turn in turns])._asdict() for name, turns in found.items()},
        **{
            f"beside {name}": spread([turn[0] for turn in found[f"after {name}"]])._asdict()
            for name in others
        },
    }


def company_table(records: list[dict[str, Any]]) -> summary.Table:
    rows = []
    for record in records:
        one = record["one thread"]["median"]
        for name in summary.named([record], "after "):
            ours, other = record[f"after {name}"], record[f"beside {name}"]
            slowed = other["median"] / record[f"other {name}"]["median"]
            rows.append(
                [summary.shape_name(record["shape"]), name, summary.microseconds(one)]
                + [summary.number(ours[kind] / one) for kind in ("median", "mean", "late")]
                + [f"{slowed:.2f}"]
            )
    return summary.Table(
        "Cost and delta in company",
        "Right after another library's work on all cores, with a result that is given as out=: the time over "
        "that of one thread alone, and how much slower the other's work becomes.",
        [
            "rows x features x classes",
            "after",
            "one thread alone, µs",
            "median",
            "mean",
            "99th percentile",
            "the other's",
        ],
        rows,
    )


def alone_table(records: list[dict[str, Any]]) -> summary.Table:
    rows = []
    for record in records:
        one, alone, callers = (record[name]["median"] for name in ("one thread", "alone", "callers"))
        more = [record[f"{n} threads"]["median"] / alone for n in MORE_THREADS]
        ratios = [one / alone, record["child"]["median"], callers / (one / nf.get_num_threads()), *more]
        rows.append([summary.shape_name(record["shape"]), *(f"{ratio:.2f}" for ratio in ratios)])
    return summary.Table(
        "Cost and delta alone, and called by many threads",
        "One thread's time over that of all threads, here and in a child of fork; with "
        f"{CALLERS} threads of Python calling at once, the time of a call over one thread's time divided by "
        "the number of processors; and with more threads set than there are processors, the time over that "
        "with as many.",
        [
            "rows x features x classes",
            "all threads",
            "in a child",
            f"{CALLERS} callers",
            *(f"{n} threads set" for n in MORE_THREADS),
        ],
        rows,
    )


def tables(records: list[dict[str, Any]]) -> list[summary.Table]:
    return [summary.steps_table(records), company_table(records), alone_table(records)]


def run(
    rounds: int = ROUNDS, seconds: float = SECONDS, shapes: list[tuple[int, int, int]] = steps.SHAPES
) -> list[dict[str, Any]]:
    return [measured(shape, rounds, seconds) for shape in shapes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a measurement in a round")
    parser.add_argument("--keep-memory", action="store_true", help="malloc gives nothing back to the system")
    options = parser.parse_args()
    if options.keep_memory:
        measure.keep_freed_memory()
    for table in [*tables(run(options.rounds, options.seconds)), turns.table(turns.run(options.rounds))]:
        print(summary.markdown(table), flush=True)


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
