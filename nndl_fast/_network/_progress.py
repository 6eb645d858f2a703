"""What is seen of a training: what is measured after each epoch, and a progress bar.

The bar is there in a terminal and in a notebook, if tqdm is installed."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .._runtime._types import Array
from ._judging import Forward, judge
from ._layers import Layers


class History(NamedTuple):
    """What was monitored after each epoch: the book's four lists, empty if they were not asked for."""

    evaluation_cost: list[float]
    evaluation_accuracy: list[int]
    training_cost: list[float]
    training_accuracy: list[int]

    def __repr__(self) -> str:
        lists = [f"{name} {of[0]:g} to {of[-1]:g}" for name, of in self._asdict().items() if of]
        return f"<{type(self).__name__}: {', '.join(lists) or 'nothing was monitored'}>"


class Monitor:
    """Measures a network after each epoch; ``wanted`` says of each list of :class:`History` whether it is."""

    def __init__(
        self,
        net: Layers,
        wanted: dict[str, bool],
        evaluation: tuple[Array, Array] | None,
        training: tuple[Array, Array],
        lmbda: float,
    ) -> None:
        if evaluation is None and (wanted["evaluation_cost"] or wanted["evaluation_accuracy"]):
            raise ValueError(
                "SGD: evaluation_data is None, and monitor_evaluation_cost or _accuracy, early_stopping_n, "
                "halving_n or keep_best asks for it"
            )
        self.net, self.wanted, self.lmbda = net, wanted, lmbda
        self.data = {"evaluation": evaluation or training, "training": training}
        self.history = History([], [], [], [])
        self._warned = False

    def measure(self, forward: Forward) -> dict[str, float]:
        """What is monitored, by name; the history has it too."""
        values: dict[str, float] = {}
        for of, data in self.data.items():
            cost, accuracy = f"{of}_cost", f"{of}_accuracy"
            if self.wanted[cost] or self.wanted[accuracy]:
                judged = judge(self.net, *data, self.lmbda if self.wanted[cost] else None, forward)
                both = dict(zip((cost, accuracy), judged))
                values |= {name: value for name, value in both.items() if self.wanted[name]}
        for name, value in values.items():
            getattr(self.history, name).append(value)
        return values

    def shown(self, values: dict[str, float], forward: Forward) -> dict[str, str]:
        """What the bar says of an epoch: what is monitored, and where that is nothing, cost and accuracy."""
        if not values:
            judged = judge(self.net, *self.data["evaluation"], self.lmbda, forward)
            values = dict(zip(("cost", "accuracy"), judged))
        return {name: str(v) if isinstance(v, int) else f"{v:.4f}" for name, v in values.items()}

    def can_go_on(self, values: dict[str, float], epoch: int, rate: float) -> bool:
        """Whether the parameters are numbers. A warning says once if they, or a monitored cost, are none."""
        are_numbers = all(np.isfinite(p).all() for side in self.net.parameters for p in side)
        faults = [] if are_numbers else ["weights or biases are NaN or infinite"]
        faults += [f"{name} is {value}" for name, value in values.items() if not np.isfinite(value)]
        if faults and not self._warned:
            self._warned = True
            warnings.warn(
                f"SGD: the training diverges: {faults[0]} after epoch {epoch}. A lower eta than {rate:g}, "
                "features of the size of 1 or a smaller lmbda may help",
                RuntimeWarning,
                stacklevel=4,  # SGD and its decorator are between
            )
        return are_numbers


class Bar:
    """Steps of a bar; what stands beside it is only computed if somebody sees it."""

    def __init__(self, tqdm_bar: Any = None) -> None:
        self._bar = tqdm_bar

    def update_with(self, shown: Callable[[], dict[str, str]]) -> None:
        if self._bar is not None:
            self._bar.set_postfix(shown(), refresh=False)
            self._bar.update()


def _in_notebook() -> bool:
    """Whether this is a kernel of Jupyter, whose standard error is no terminal."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


@contextmanager
def bar(total: int, unit: str) -> Iterator[Bar]:
    if not (_in_notebook() or (sys.stderr is not None and sys.stderr.isatty())):
        yield Bar()
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield Bar()
        return

    class Own(tqdm):  # type: ignore[misc]
        """With a lock of its own: tqdm's is shared with forked processes, and a killed one keeps it."""

    Own.set_lock(threading.RLock())
    with Own(total=total, unit=unit) as tqdm_bar:
        yield Bar(tqdm_bar)
