"""Estimators on the bundled digits, one process alone and two at once on the same cores:
``python bench/two_processes.py``. Each process takes the median of its fits; of two the slower counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def seconds(name: str, processes: int) -> float:
    command = [sys.executable, "-c", FIT, name]
    start = {"stdout": subprocess.PIPE, "text": True, "cwd": Path(__file__).parent}
    started = [subprocess.Popen(command, **start) for _ in range(processes)]  # type: ignore[call-overload]
    return max(float(process.communicate()[0]) for process in started)


def main() -> None:
    for processes in (1, 2):
        ours, theirs = seconds("SoftmaxClassifier", processes), seconds("MLPClassifier", processes)
        print(
            f"{processes} at once: SoftmaxClassifier {ours:.2f} s, MLPClassifier / ours {theirs / ours:.1f}"
        )


if __name__ == "__main__":
    main()
