"""Files that are read: opened once, and judged by their headers before anything is unpacked."""

from __future__ import annotations

import os
import stat
import zipfile
from math import prod
from os import PathLike
from typing import IO

import numpy as np

from .._runtime._text import printable
from .._runtime._types import Array

# A pipe that nobody writes to would be waited for, and a terminal would become the process's own.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NONBLOCK", "O_NOCTTY"))

DEFLATED = 1032  # bytes that a byte of a gzip file, or of a compressed .npz, can become at most


def open_regular(filename: str | PathLike[str]) -> IO[bytes]:
    """The file, open to be read; a ValueError if it is a folder, a pipe or a device.

    What was opened is what is judged: the name may stand for something else a moment later.
    """
    handle = os.open(filename, _FLAGS)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError(f"{printable(os.fsdecode(filename))} is not a regular file")
    return os.fdopen(handle, "rb")


def size_of(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def described(file: IO[bytes], size: int) -> Array:
    """What an .npy file of so many bytes holds: an array of its shape and dtype that takes no memory."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:  # of records whose names are not Latin
        raise ValueError(f"its array is of version {version} of the format; it must be (1, 0) or (2, 0)")
    if dtype.hasobject:
        raise ValueError(f"its array has dtype {dtype}, which could execute anything; save text as dtype str")
    needed = file.tell() + prod(shape) * dtype.itemsize
    if needed > size:
        raise ValueError(f"its array has {size} bytes; the shape {shape} of {dtype} needs {needed}")
    return np.broadcast_to(np.zeros((), dtype), shape)


class Archive:
    """The arrays of an .npz file, each of which can be described before it is unpacked."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file)
        self._members = {info.filename.removesuffix(".npy"): info for info in self._zip.infolist()}
        self.names = list(self._members)
        self.bytes = sum(info.file_size for info in self._zip.infolist())  # once unpacked

    def describe(self, name: str) -> Array:
        with self._open(name) as member:
            return described(member, self._members[name].file_size)

    def read(self, name: str) -> Array:
        self.describe(name)
        with self._open(name) as member:
            return np.lib.format.read_array(member, allow_pickle=False)  # type: ignore[no-any-return]

    def _open(self, name: str) -> IO[bytes]:
        if name not in self._members:
            raise ValueError(f"it has no array {name}")
        info = self._members[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"its array {name} is compressed in a way that NumPy does not write")
        if info.file_size > info.compress_size * (DEFLATED if info.compress_type else 1):
            raise ValueError(f"its array {name} cannot have the {info.file_size} bytes that the archive says")
        return self._zip.open(info)
