"""One thread of BLAS, where our own threads share out the work."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    try:
        import threadpoolctl
    except ImportError:
        return None
    return threadpoolctl.ThreadpoolController()


class _Limit:
    """One thread of BLAS, in the whole process, while any thread holds it.

    threadpoolctl's own limits can only be lifted by the thread that set them, and holders end in any order.
    """

    def __init__(self) -> None:
        self.forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        self.lock = threading.Lock()
        self.holders: set[object] = set()
        self.before: list[tuple[Any, int]] = []

    def take(self, holder: object) -> None:
        with self.lock:
            if not self.holders:
                libraries = _controller().select(user_api="blas").lib_controllers
                self.before = [(library, library.num_threads) for library in libraries]
            self.holders.add(holder)
            for library, _ in self.before:
                library.set_num_threads(1)

    def leave(self, holder: object) -> None:
        with self.lock:
            self.holders.discard(holder)
            if not self.holders:
                for library, threads in self.before:
                    library.set_num_threads(threads)


_one_of_blas = _Limit()


@contextmanager
def one_thread_of_blas() -> Iterator[None]:
    """Limits BLAS to one thread, if threadpoolctl is installed."""
    if _controller() is None:
        yield
        return
    holder = object()
    try:
        _one_of_blas.take(holder)
        yield
    finally:
        try:
            _one_of_blas.leave(holder)
        except BaseException:  # a second Ctrl-C
            _one_of_blas.leave(holder)
            raise
