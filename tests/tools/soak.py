"""Calls from eight threads for a long time, beside other libraries:
``python tests/tools/soak.py --minutes 30``.

Some hundred calls are made once, on one thread and with the baseline's instructions. Then eight threads make
them again and again, in any order, next to products of NumPy, PyTorch and ONNX Runtime (those that are
installed), while the main thread forks, changes the number of threads, and takes signals, whose handler makes
calls, too. The calls are functions, steps of optimizers, the C API with the GIL and without, networks, and
estimators. One estimator is trained by all threads: each of them does it, or is told that another one does.
Every result has to have the bits of the first one, every child has to end, and memory has to stay flat. Ends
with 1 if one of them does not hold."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

import c_api
import numpy as np

import nndl_fast as nf
from nndl_fast import _core

Call = Callable[[], Any]
THREADS = 8
# Allocators keep some of what was freed, and more threads have met their largest case as time goes by.
GROWTH = 48 << 20
ROWS = [
    (1, 10),
    (3, 2),
    (33, 7),
    (128, 10),
    (2000, 10),
    (17, 100),
    (256, 100),
    (300, 1000),
    (5, 40_000),
    (1, 300_000),
]


def digest(result: Any) -> int:
    """Of arrays, numbers, texts, and tuples of them."""
    if isinstance(result, (tuple, list)):
        return zlib.crc32(b"".join(digest(part).to_bytes(4, "little") for part in result))
    if isinstance(result, str):
        return zlib.crc32(result.encode())
    return zlib.crc32(
        np.ascontiguousarray(result).view(np.uint8) if np.ndim(result) else np.asarray(result).tobytes()
    )


def calls_on(rng: np.random.Generator, shape: tuple[int, int], dtype: Any) -> Iterator[Call]:
    rows, classes = shape
    z = (rng.standard_normal(shape) * 5).astype(dtype)
    t = rng.random(shape).astype(z.dtype)
    y, weight = rng.integers(0, classes, rows), rng.random(rows)
    by_class = rng.random(classes).astype(np.float32)
    columns, steps = np.asfortranarray(z), np.repeat(z, 2, axis=1)[:, ::-2]
    yield lambda: nf.softmax(z)
    yield lambda: nf.softmax(columns, axis=0)
    yield lambda: nf.softmax(steps, c=0.7)
    yield lambda: nf.log_softmax(z)
    yield lambda: nf.logsumexp(columns)
    yield lambda: nf.log_likelihood_cost_and_delta(z, y, sample_weight=weight)
    yield lambda: nf.log_likelihood_cost(z, y, reduction="none", class_weight=by_class, label_smoothing=0.1)
    yield lambda: nf.log_likelihood_delta(columns, t, ignore_index=None)
    yield lambda: nf.log_likelihood_cost_and_delta(steps, y, ignore_index=int(y[0]), reduction="sum")
    yield lambda: nf.softmax_backward(z, t)
    yield lambda: nf.sigmoid(steps)
    yield lambda: nf.binary_cross_entropy_cost_and_delta(z, t)
    out = threading.local()

    def in_place() -> Any:
        if not hasattr(out, "array"):
            out.array = np.empty_like(z)
        out.array[...] = z
        return nf.softmax(out.array, out=out.array)

    yield in_place


def calls_on_networks(rng: np.random.Generator, folder: Path) -> Iterator[Call]:
    x, y = rng.standard_normal((300, 20)), rng.integers(0, 5, 300)

    def trained(dtype: str, optimizer: str) -> Any:
        net = nf.Network([20, 17, 5], dtype=dtype, rng=0, hidden="tanh")
        lists = net.SGD((x, y), 2, 7, 0.05, optimizer=optimizer, monitor_training_cost=True)
        path = folder / f"{threading.get_ident()}-{os.getpid()}.npz"
        net.save(path)
        return net.digest(), nf.load(path).digest(), lists[2], net.feedforward(x.T)

    for dtype, optimizer in (("f4", "sgd"), ("f4", "adam"), ("f8", "momentum"), ("f8", "nesterov")):
        yield lambda dtype=dtype, optimizer=optimizer: trained(dtype, optimizer)
    labels = rng.integers(0, 3000, 300)
    for d in (np.float32, np.float64):
        w, b = rng.standard_normal((3000, 20)).astype(d), rng.standard_normal(3000).astype(d)
        yield lambda w=w, b=b: nf.linear_log_likelihood(x.astype(w.dtype), w, b, labels)


def calls_on_layers(rng: np.random.Generator) -> Iterator[Call]:
    for n, inputs, neurons in ((3, 5, 2), (100, 64, 30), (700, 300, 200), (1, 3000, 500)):
        for dtype in (np.float32, np.float64):
            x, w, delta = (
                rng.standard_normal(shape).astype(dtype)
                for shape in ((n, inputs), (inputs, neurons), (n, neurons))
            )
            columns = np.asfortranarray(w)

            def stepped(w: Any = columns, g: Any = w) -> Any:
                parameters, optimizer = [w.copy(order="K"), w[0].copy()], nf.optimizers.Adam(max_norm=1.0)
                for _ in range(3):
                    optimizer.step(parameters, [g, g[-1]])
                return tuple(parameters)

            yield lambda x=x, w=w, d=delta: nf.affine(x, w, d, activation="tanh")
            yield lambda x=x, w=columns, d=delta: nf.affine_backward(d, x, w, activation="sigmoid")
            yield lambda x=x, w=columns, d=delta: nf.affine(x.T, w.T, d[0], axis=0)
            yield lambda d=delta: nf.activation_backward(d[::-1], d, "leaky_relu")
            yield stepped


def calls_on_estimators(rng: np.random.Generator) -> Iterator[Call]:
    from nndl_fast.sklearn import SoftmaxClassifier

    x, y = rng.standard_normal((300, 20)), rng.integers(0, 5, 300)

    def fitted(**options: Any) -> Any:
        estimator = SoftmaxClassifier(max_iter=3, random_state=0, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of three steps that are not enough
            return estimator.fit(x, y).predict_proba(x)

    def continued() -> Any:
        estimator = SoftmaxClassifier((17,), solver="adam", random_state=0)
        for part in (slice(0, 100), slice(100, 300)):
            estimator.partial_fit(x[part], y[part], classes=range(5))
        return estimator.network_.digest()

    # not with solver="lbfgs", whose products are BLAS's
    yield lambda: fitted(hidden_layer_sizes=(17,), solver="adam")
    yield lambda: fitted(hidden_layer_sizes=(9, 9), solver="sgd", batch_size=50)
    yield continued


def calls_of_the_c_api(rng: np.random.Generator) -> Iterator[Call]:
    for shape in ((33, 7), (300, 1000)):
        z = rng.standard_normal(shape, np.float32)
        for with_gil in (True, False):
            softmax = c_api.softmax_f32(with_gil)
            yield lambda softmax=softmax, z=z: softmax(z)


def companions() -> Iterator[Call]:
    """Products of other libraries, whose threads then wait for more of them and spin."""
    a = np.random.default_rng(1).standard_normal((300, 300)).astype(np.float32)
    yield lambda: a @ a
    try:
        import torch
    except ImportError:
        pass
    else:
        tensor = torch.from_numpy(a)
        yield lambda: tensor @ tensor
    try:
        import onnx
        import onnxruntime
    except ImportError:
        return
    kinds = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [300, 300]) for name in "ab"]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["a", "a"], ["b"])], "g", kinds[:1], kinds[1:]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    yield lambda: session.run(None, {"a": a})


def resident() -> int:
    if Path("/proc/self/statm").exists():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


class Soak:
    def __init__(self, seed: int, folder: Path, alone: bool = False):
        self.alone = alone
        self.random, rng = random.Random(seed), np.random.default_rng(seed)
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.ended, self.in_handler, self.others = False, False, threading.Lock()
        self.calls = [*calls_on_networks(rng, folder), *calls_on_layers(rng), *calls_of_the_c_api(rng)]
        self.by_handler = self.calls[-2:]
        self.train_together: Call = lambda: None
        if find_spec("sklearn"):
            self.calls += calls_on_estimators(rng)
            self.train_together = self.together(rng)
        dtypes: list[Any] = [np.float32, np.float64, np.float16]
        try:
            import ml_dtypes
        except ImportError:
            pass
        else:
            dtypes.append(ml_dtypes.bfloat16)
        for shape in ROWS:
            for dtype in dtypes:
                self.calls += calls_on(rng, shape, dtype)
        isa = _core.isa()
        _core.use_isa("baseline")
        with nf.num_threads(1):
            self.expected = [digest(call()) for call in self.calls]
        _core.use_isa(isa)
        self.companions = [] if alone else list(companions())

    def check_one(self, choose: random.Random) -> bool:
        i = choose.randrange(len(self.calls))
        if good := digest(self.calls[i]()) == self.expected[i]:
            return True
        self.failures.append(f"call {i} has other bits")
        return good

    def together(self, rng: np.random.Generator) -> Call:
        """A call that trains an estimator of all threads."""
        from nndl_fast.sklearn import SoftmaxClassifier

        x, y = rng.standard_normal((300, 20)), rng.integers(0, 5, 300)
        estimator = SoftmaxClassifier((30,), solver="adam", random_state=0)
        estimator.partial_fit(x, y, classes=range(5))

        def train() -> None:
            try:
                estimator.partial_fit(x, y)
                self.counts["trained"] += 1
            except RuntimeError as error:
                assert "being trained" in str(error)
                self.counts["refused"] += 1
            if not np.isfinite(estimator.predict_proba(x[:20])).all():
                self.failures.append("what all threads train is no estimator any more")

        return train

    def work(self, seed: int) -> None:
        choose, done = random.Random(seed), 0
        try:
            while not self.ended:
                if self.companions and choose.random() < 0.2:
                    with self.others:
                        choose.choice(self.companions)()
                self.check_one(choose)
                if choose.random() < 0.1:
                    self.train_together()
                done += 1
                if done % 64 == 0:
                    self.counts[f"calls {seed}"] = done
        except BaseException:
            self.failures.append(traceback.format_exc())

    def fork(self) -> None:
        seed = self.random.random()
        with self.others:  # OpenBLAS ends its threads before a fork, and never gets to it while it is called
            child = os.fork()
        if not child:
            signal.setitimer(signal.ITIMER_REAL, 0)
            good = False
            try:
                choose = random.Random(seed)
                good = all(self.check_one(choose) for _ in range(5))
            finally:
                os._exit(0 if good else 1)
        self.counts["forks"] += 1
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                if status:
                    self.failures.append(f"a child ended with {status}")
                return
            time.sleep(0.002)
        self.failures.append("a child did not end")
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    def change_threads(self, stack: ExitStack) -> None:
        nf.set_num_threads(self.random.choice([1, 2, 3, 8]))
        _core.assume_processors(self.random.choice([0, 1, 2, 4]))
        try:
            from threadpoolctl import threadpool_limits
        except ImportError:
            return
        stack.close()
        stack.enter_context(threadpool_limits(self.random.choice([1, 2, 4])))

    def heard(self, *_: object) -> None:
        self.counts["signals"] += 1
        if self.in_handler:  # whose calls may take longer than it is to the next signal
            return
        self.in_handler = True
        for call in self.by_handler:
            if digest(call()) != self.expected[self.calls.index(call)]:
                self.failures.append("a handler's call has other bits")
        self.train_together()
        self.in_handler = False

    def run(self, seconds: float) -> int:
        threads = [threading.Thread(target=self.work, args=(i,)) for i in range(THREADS)]
        start, said, first = time.monotonic(), 0.0, 0
        with_signals = hasattr(signal, "setitimer")
        if with_signals:
            before = signal.signal(signal.SIGALRM, self.heard)
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        for thread in threads:
            thread.start()
        try:
            with ExitStack() as stack:
                while (passed := time.monotonic() - start) < seconds and not self.failures:
                    self.check_one(self.random)
                    self.change_threads(stack)
                    if hasattr(os, "fork") and not self.alone and self.random.random() < 0.2:
                        self.fork()
                    if not first and passed > seconds / 4:
                        first = resident()
                    if passed - said > 30:
                        said = passed
                        print(self.report(passed, first), flush=True)
        finally:
            self.ended = True
            for thread in threads:
                thread.join()
            if with_signals:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            _core.assume_processors(0)
            nf.set_num_threads(max(1, os.cpu_count() or 1))
        if first and resident() - first > GROWTH:
            self.failures.append("memory has grown")
        print(self.report(time.monotonic() - start, first))
        print(*(self.failures or ["no failure"]), sep="\n")
        return int(bool(self.failures))

    def report(self, passed: float, first: int) -> str:
        counts = self.counts
        calls = sum(n for name, n in counts.items() if name.startswith("calls"))
        grown = f", {(resident() - first) / 2**20:+.1f} MB since a quarter of the time" if first else ""
        return (
            f"{passed / 60:.1f} minutes: {calls} calls, {counts['trained']} of the common estimator and "
            f"{counts['refused']} refused, {counts['forks']} forks, {counts['signals']} signals, "
            f"{resident() / 2**20:.0f} MB{grown}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="no other libraries and no forks")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # Python's, of forks in a process with threads
    with tempfile.TemporaryDirectory() as folder:
        return Soak(given.seed, Path(folder), given.alone).run(60 * given.minutes)


if __name__ == "__main__":
    sys.exit(main())
