"""What this build is and how many threads it uses."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np

from .. import _core
from . import _inputs

__version__ = version("nndl_fast")


def get_num_threads() -> int:
    """Return the largest number of threads that a call may use.

    If none was set, it is the number of processors that this process may use (its affinity mask,
    and the quota of a container, rounded up), or ``OMP_NUM_THREADS``, or what ``threadpoolctl``
    says. Small work always stays on one thread, and the number changes no bit of any result.

    Returns
    -------
    int
        The number of threads, at least 1.

    See Also
    --------
    set_num_threads : Set the number for the whole process.
    num_threads : Set the number for a ``with`` block.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> nf.get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


def set_num_threads(n: int) -> None:
    """Set the largest number of threads that a call may use, for the whole process.

    A limit below the number of processors that was set otherwise (``OMP_NUM_THREADS``, ``threadpoolctl``)
    still holds, and a call never uses more threads at once than there are processors.

    Parameters
    ----------
    n : int
        The number of threads, at least 1.

    Raises
    ------
    ValueError
        If ``n`` is less than 1.
    TypeError
        If ``n`` is not an integer.

    See Also
    --------
    get_num_threads : Return the number.
    num_threads : Set the number for a ``with`` block.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> before = nf.get_num_threads()
    >>> nf.set_num_threads(1)
    >>> nf.get_num_threads()
    1
    >>> nf.set_num_threads(before)
    """
    _core.set_num_threads(min(_inputs.count(n, "set_num_threads", "n", 1), 1 << 30))


@contextmanager
def num_threads(n: int) -> Iterator[None]:
    """Set the largest number of threads for the length of a ``with`` block.

    The block begins with ``set_num_threads(n)``; after it the former setting holds again.

    Parameters
    ----------
    n : int
        The number of threads, at least 1.

    Yields
    ------
    None
        The context manager gives no value.

    Raises
    ------
    ValueError
        If ``n`` is less than 1.
    TypeError
        If ``n`` is not an integer.

    See Also
    --------
    set_num_threads : Set the number for the whole process.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> with nf.num_threads(1):
    ...     nf.get_num_threads()
    1
    """
    before = _core.thread_setting()
    set_num_threads(n)
    try:
        yield
    finally:
        _core.restore_thread_setting(before)


def get_include() -> str:
    """Return the folder that contains ``nndl_fast.h``.

    Programs in C, C++ and Cython that call the kernels are compiled with it among their include folders.

    Returns
    -------
    str
        The path of the folder.

    Examples
    --------
    >>> import os
    >>> import nndl_fast as nf
    >>> os.path.exists(os.path.join(nf.get_include(), "nndl_fast.h"))
    True
    """
    # beside the compiled core, which an editable install has elsewhere than its Python files
    return str(Path(_core.__file__).parent / "include")


def show_config() -> dict[str, object]:
    """Return what is needed to repeat a result or to report a fault.

    ``NNDL_FAST_ISA`` in the environment, set before the first import, forces one of the
    ``instruction_sets``; the bits of every result are the same with each.

    Returns
    -------
    dict
        The versions, the machine and the build, by name. ``threads_by`` says whose threads share out large
        work: ``"pool"``, our own, or ``"openmp"`` or ``"none"`` if it was built so.

    See Also
    --------
    get_num_threads : Return the number of threads alone.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> sorted(nf.show_config())
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
