"""A progress bar where a terminal is there and tqdm is installed, and silence elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Bar:
    """Steps of a bar; what stands beside it is only computed where somebody sees it."""

    def __init__(self, tqdm_bar: Any = None) -> None:
        self._bar = tqdm_bar

    def update_with(self, shown: Callable[[], dict[str, str]]) -> None:
        if self._bar is not None:
            self._bar.set_postfix(shown(), refresh=False)
            self._bar.update()


@contextmanager
def bar(total: int, unit: str) -> Iterator[Bar]:
    try:
        from tqdm import tqdm
    except ImportError:
        yield Bar()
        return
    with tqdm(total=total, unit=unit, disable=None) as tqdm_bar:  # None: where there is no terminal
        yield Bar(None if tqdm_bar.disable else tqdm_bar)
