"""What is seen of a training: its history, and a progress bar.

The bar is there in a terminal and in a notebook, if tqdm is installed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class History(NamedTuple):
    """What was monitored after each epoch: the book's four lists, empty if they were not asked for."""

    evaluation_cost: list[float]
    evaluation_accuracy: list[int]
    training_cost: list[float]
    training_accuracy: list[int]

    def __repr__(self) -> str:
        lists = [f"{name} {of[0]:g} to {of[-1]:g}" for name, of in self._asdict().items() if of]
        return f"<{type(self).__name__}: {', '.join(lists) or 'nothing was monitored'}>"


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
