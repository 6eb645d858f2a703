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

    Where none was set, it is OpenMP's: the processors that this process may use, or
    ``OMP_NUM_THREADS``, or what ``threadpoolctl`` says. Small work always stays on one thread, and
    the number changes no bit of any result.

    >>> get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


def set_num_threads(n: int) -> None:
    """Sets the largest number of threads that a call may use, for the whole process.

    Raises ``ValueError`` where ``n`` is less than 1. A lower limit that OpenMP was given
    (``OMP_NUM_THREADS``, ``threadpoolctl``) still holds.

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
    ``instruction_sets``; the bits of every result are the same with each.

    >>> sorted(show_config())
    ['compiler', 'instruction_set', 'instruction_sets', 'numpy', 'openmp', 'platform', 'processors', 'python',
     'threads', 'version']
    """
    return {
        "version": __version__,
        "instruction_set": _core.isa(),
        "instruction_sets": _core.isas(),
        "openmp": _core.has_openmp(),
        "threads": get_num_threads(),
        "processors": os.cpu_count(),
        "compiler": _core.compiler(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }
