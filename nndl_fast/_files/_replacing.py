"""Files that are replaced as a whole: the old one stays until the new one is on the disk."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from typing import IO

from .._runtime._text import printable


@contextmanager
def replacing(filename: str | PathLike[str]) -> Iterator[IO[bytes]]:
    """A new file to write to, which takes the place of ``filename`` unless the block ends with an exception.

    As with ``open(filename, "wb")`` symbolic links are followed, an old file keeps its permissions, those
    of a new one follow the umask, and a file that may not be written is refused. The owner and hard links
    are those of a new file. After an exception the old file is as it was, and the new one is gone.
    """
    name = os.fsdecode(filename)
    path, mode = _place(name)
    folder = os.path.dirname(path) or "."
    temporary = os.path.join(folder, f".nndl_fast-{secrets.token_hex(8)}.tmp")

    def create(temporary: str, flags: int) -> int:
        return os.open(temporary, flags, 0o666 if mode is None else mode)  # less what the umask takes

    try:
        with open(temporary, "xb", opener=create) as file:
            if mode is not None:
                os.chmod(temporary, mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno and error.filename in (None, temporary):
            raise OSError(error.errno, error.strerror, name) from error
        raise
    # The new name survives a power failure once the folder is written too. Not every system can do that,
    # and the file is saved all the same.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class _Enough(Exception):
    """Ends a replacement that was only tried."""


def check(filename: str | PathLike[str]) -> None:
    """Raises what replacing the file would raise before anything is written to it."""
    with suppress(_Enough), replacing(filename):
        raise _Enough


def _place(name: str) -> tuple[str, int | None]:
    """The path behind all symbolic links, and the permissions of the file there, or None without one."""
    mode = None
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        pass
    except ValueError as error:  # a NUL, or a character that the file system's encoding does not have
        raise ValueError(f"save: filename is {name!r}, which no file can have: {error}") from error
    if mode is not None:
        if not stat.S_ISREG(mode):
            raise OSError(f"save: {printable(name)} exists and is not a regular file")
        open(name, "r+b").close()  # raises if the file may not be written
        mode = stat.S_IMODE(mode)
    path = name
    while os.path.islink(path):  # a loop of links was refused above, by stat
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    if not os.path.basename(path):
        raise ValueError(f"save: filename is {name!r}; it must end in the name of a file")
    return path, mode
