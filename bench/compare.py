"""Prints Markdown tables of how many times as long as nndl_fast each peer takes, measured in one process
and in turn, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from statistics import geometric_mean, median

import peers

OURS = "nndl_fast"
BIG = 500_000  # elements from which one call is a measurement
BIG_ROUNDS = 15  # at least, as a single call varies more than the mean of many
MEASUREMENT = 0.02  # seconds that the calls of a smaller shape are repeated for
PAUSE = 0.002  # seconds asleep between two looks at whether threads still spin
LONGEST_PAUSE = 0.1  # seconds, for threads that are told never to stop


def wait_for_idle_threads() -> None:
    """Sleeps until the threads of the library measured before no longer spin: a fixed pause does not do, as
    OpenMP's go on for some milliseconds and ONNX Runtime's for tens, at the cost of whoever comes next."""
    deadline = time.perf_counter() + LONGEST_PAUSE
    spinning = True
    while spinning and time.perf_counter() < deadline:
        used = time.process_time()
        time.sleep(PAUSE)
        spinning = time.process_time() - used > PAUSE / 4


def seconds_per_call(call: peers.Call, repetitions: int) -> float:
    wait_for_idle_threads()
    call()
    start = time.perf_counter()
    for _ in range(repetitions):
        call()
    return (time.perf_counter() - start) / repetitions


def interleaved_medians(calls: dict[str, peers.Call], rounds: int, big: bool) -> dict[str, float]:
    """The median time of a call for each library, all of them measured in turn in every round."""
    # The best of three: a call that was held up would make every measurement after it too short.
    warm_up = {name: min(seconds_per_call(call, 1) for _ in range(3)) for name, call in calls.items()}
    repetitions = {name: 1 if big else max(1, round(MEASUREMENT / t)) for name, t in warm_up.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(max(rounds, BIG_ROUNDS) if big else rounds):
        for name, call in calls.items():
            times[name].append(seconds_per_call(call, repetitions[name]))
    return {name: median(values) for name, values in times.items()}


def cost_and_delta_calls(batch: peers.Batch, names: list[str]) -> dict[str, peers.Call]:
    calls = {name: peers.COST_AND_DELTA[name](batch.z, batch.y) for name in names}
    for call in calls.values():
        peers.check_cost_and_delta(call(), batch)
    return calls


def softmax_calls(batch: peers.Batch, names: list[str]) -> dict[str, peers.Call]:
    calls = {name: peers.SOFTMAX[name](batch.z) for name in names}
    for call in calls.values():
        peers.check_softmax(call(), batch.a)
    return calls


def print_table(
    title: str,
    names: list[str],
    checked_calls: Callable[[peers.Batch, list[str]], dict[str, peers.Call]],
    rounds: int,
) -> None:
    others = [name for name in names if not peers.missing(name)]
    print(f"## {title}\n")
    for name in names:
        if modules := peers.missing(name):
            print(f"{name} is left out: {' and '.join(modules)} not installed.\n")
    print(f"| n x classes | {OURS}, µs |", *(f"{name} / {OURS} |" for name in others))
    print("| --- | --- |" + " --- |" * len(others))
    ratios: dict[str, list[float]] = {name: [] for name in others}
    for n, classes in peers.SHAPES:
        calls = checked_calls(peers.batch(n, classes), [OURS, *others])
        gc.collect()
        times = interleaved_medians(calls, rounds, n * classes >= BIG)
        for name in others:
            ratios[name].append(times[name] / times[OURS])
        row = "".join(f" {ratios[name][-1]:.2f} |" for name in others)
        print(f"| {n} x {classes} | {times[OURS] * 1e6:.4g} |{row}", flush=True)
    means = "".join(f" {geometric_mean(ratios[name]):.2f} |" for name in others)
    print(f"| geometric mean | |{means}\n")


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds",
        type=positive,
        default=BIG_ROUNDS,
        help=f"measurements of each library (default %(default)s; big shapes get at least {BIG_ROUNDS})",
    )
    rounds = parser.parse_args().rounds
    names = ["PyTorch", "scikit-learn", "NumPy"]
    print_table("Cost and delta, float32, integer labels", names, cost_and_delta_calls, rounds)
    print_table("Softmax, float32", ["PyTorch", "ONNX Runtime", "SciPy"], softmax_calls, rounds)


if __name__ == "__main__":
    main()
