"""Two processes on the same cores: ``python bench/two_processes.py``. First softmax on all threads over one
thread, while another process multiplies on all cores, or as many as there are cores do nothing but count.
Then fits of estimators on the bundled digits, one process alone and two at once; of two the slower counts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import machine
import measure
import numpy as np
import peers
import turns

import nndl_fast as nf

SHAPES = [(1024, 1000), (60000, 10), (256, 100)]
RUNS, BLOCK, BLOCKS = 10, 0.1, 20  # seconds of a block of calls, and the blocks of each kind in a run

MULTIPLY = """
import numpy as np
a, w = np.ones((1024, 512), np.float32), np.ones((512, 1000), np.float32)
z = a @ w
print("it works", flush=True)
while True:
    np.matmul(a, w, out=z)
"""
COUNT = "print('it works', flush=True)\nwhile True: pass"
BESIDE = {
    "a process that multiplies on all cores": [MULTIPLY],
    "a process for each core that counts": [COUNT] * machine.usable_processors(),
}

FIT = """
import sys, time, warnings
import numpy as np
import nndl_fast as nf
warnings.filterwarnings("ignore")  # neither is to converge
(x, y), _, (test_x, test_y) = nf.datasets.load_digits()
x, test_x = x.astype(np.float32), test_x.astype(np.float32)
if sys.argv[1] == "SoftmaxClassifier":
    from nndl_fast.sklearn import SoftmaxClassifier as Estimator
else:
    from sklearn.neural_network import MLPClassifier as Estimator
times = []
for _ in range(4):  # the first warms up
    estimator = Estimator((100,), solver="adam", max_iter=60, n_iter_no_change=1000, random_state=0)
    start = time.perf_counter()
    estimator.fit(x, y)
    times.append(time.perf_counter() - start)
assert estimator.score(test_x, test_y) > 0.9
print(np.median(times[1:]))
"""


@contextmanager
def others(programs: list[str]) -> Iterator[None]:
    """They work meanwhile."""
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for program in programs
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def all_over_one(shape: tuple[int, int]) -> float:
    """The mean time of a call on all threads over that on one, block by block in turn."""
    batch = peers.batch(*shape)
    out = np.empty_like(batch.z)
    every = nf.get_num_threads()
    took: dict[int, list[float]] = {1: [], every: []}
    measure.wait_for_idle_threads()
    for _ in range(BLOCKS):
        for threads, times in took.items():
            with nf.num_threads(threads):
                times.extend(
                    seconds for _, seconds in turns.turn(lambda: nf.softmax(batch.z, out=out), BLOCK)
                )
    peers.check_softmax(out, batch.a)
    return float(np.mean(took[every]) / np.mean(took[1]))


def fit(name: str, processes: int) -> float:
    """Seconds of the slowest process."""
    command = [sys.executable, "-c", FIT, name]
    folder = Path(__file__).parent
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) for _ in range(processes)
    ]
    return max(float(process.communicate()[0]) for process in started)


def main() -> None:
    for what, programs in BESIDE.items():
        for shape in SHAPES:
            found = []
            for _ in range(RUNS):
                with others(programs):
                    found.append(f"{all_over_one(shape):.2f}")
            print(
                f"softmax {shape[0]} x {shape[1]} beside {what}, all threads over one: {' '.join(found)}",
                flush=True,
            )
    for processes in (1, 2):
        ours, theirs = fit("SoftmaxClassifier", processes), fit("MLPClassifier", processes)
        print(
            f"{processes} at once: SoftmaxClassifier {ours:.2f} s, MLPClassifier / ours {theirs / ours:.1f}"
        )


if __name__ == "__main__":
    machine.restart_without_settings()
    main()
