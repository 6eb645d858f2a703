"""Lets threadpoolctl limit our threads, once somebody imports it. We do not import it for that."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .. import _core


def register(threadpoolctl: ModuleType) -> None:
    """Makes the pool one of the thread pools that ``threadpoolctl`` lists and limits."""
    if not hasattr(threadpoolctl, "register"):  # before its version 3.2
        return

    class Controller(threadpoolctl.LibController):  # type: ignore[misc, name-defined]
        # Whoever limits OpenMP's threads means those of computations like ours.
        user_api = "openmp"
        internal_api = "nndl_fast"
        filename_prefixes = ("_core.",)
        check_symbols = ("nndl_fast_get_num_threads",)

        def get_num_threads(self) -> int:
            return _core.thread_limit()

        def set_num_threads(self, num_threads: int) -> None:
            _core.set_thread_limit(num_threads)

        def get_version(self) -> str | None:
            return None

    threadpoolctl.register(Controller)


class _Finder:
    """Stands first on ``sys.meta_path`` until threadpoolctl is imported, and registers us then."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "threadpoolctl":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            register(module)

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def register_when_imported() -> None:
    """Does nothing if ``NNDL_FAST_UNOBTRUSIVE`` asks for a process that is left as it is."""
    if os.environ.get("NNDL_FAST_UNOBTRUSIVE", "0") not in ("", "0"):
        return
    if "threadpoolctl" in sys.modules:
        register(sys.modules["threadpoolctl"])
    else:
        sys.meta_path.insert(0, _Finder())
