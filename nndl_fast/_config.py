"""What this build is and how many threads it uses."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np

from . import _core

__version__ = version("nndl_fast")


def get_num_threads() -> int:
    """The largest number of threads that a call may use.

    If none was set, it is the number of processors that this process may use (its affinity mask,
    and the quota of a container, rounded up), or ``OMP_NUM_THREADS``, or what ``threadpoolctl``
    says. Small work always stays on one thread, and the number changes no bit of any result.

    >>> get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


def set_num_threads(n: int) -> None:
    """Sets the largest number of threads that a call may use, for the whole process.

    Raises ``ValueError`` if ``n`` is less than 1. A limit below the number of processors that was set
    otherwise (``OMP_NUM_THREADS``, ``threadpoolctl``) still holds, and a call never uses more threads
    at once than there are processors.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    _core.set_num_threads(n)


@contextmanager
def num_threads(n: int) -> Iterator[None]:
    """``set_num_threads(n)`` for the length of a ``with`` block.

    >>> with num_threads(1):
    ...     get_num_threads()
    1
    """
    before = _core.thread_setting()
    set_num_threads(n)
    try:
        yield
    finally:
        _core.restore_thread_setting(before)


def get_include() -> str:
    """The folder with ``nndl_fast.h``, for compiled callers.

    >>> import os
    >>> os.path.exists(os.path.join(get_include(), "nndl_fast.h"))
    True
    """
    return str(Path(__file__).parent / "include")


def show_config() -> dict[str, object]:
    """What is needed to repeat a result or report a fault, as a dictionary.

    ``NNDL_FAST_ISA`` in the environment, set before the first import, forces one of the
    ``instruction_sets``; the bits of every result are the same with each. ``threads_by`` says whose
    threads share out large work: ``"pool"``, our own, or ``"openmp"`` or ``"none"``, if it was built so.

    >>> sorted(show_config())
    ['compiler', 'instruction_set', 'instruction_sets', 'numpy', 'platform', 'processors', 'python',
     'threads', 'threads_by', 'usable_processors', 'version']
    """
    return {
        "version": __version__,
        "instruction_set": _core.isa(),
        "instruction_sets": _core.isas(),
        "threads_by": _core.threads_by(),
        "threads": get_num_threads(),
        "processors": os.cpu_count(),
        "usable_processors": _core.processors(),
        "compiler": _core.compiler(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }
