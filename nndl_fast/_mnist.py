"""MNIST's four IDX files, which may be gzipped."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from math import prod
from os import PathLike
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _files
from ._text import printable

Part = tuple[NDArray[np.float32], NDArray[np.int64]]
Split = tuple[Part, Part, Part]

# Of a kind the end of a file's name, and what it starts with: unsigned bytes in three dimensions, in one.
_KINDS = {"images": ("idx3-ubyte", 0x803), "labels": ("idx1-ubyte", 0x801)}
_PARTS = "train", "t10k"
_MORE = 1 << 20  # bytes that are looked for behind a file's last element


def load(folder: str | PathLike[str], inputs: int | None = None) -> Split:
    """The three parts. Headers have to fit each other, and a network's inputs, before any is unpacked."""
    with ExitStack() as opened:
        (train, train_labels), (test, test_labels) = (
            [_opened(Path(folder), part, kind, opened) for kind in _KINDS] for part in _PARTS
        )
        for images, labels in ((train, train_labels), (test, test_labels)):
            if images.shape[0] != labels.shape[0]:
                raise ValueError(
                    f"load_mnist: {images.name} has {images.shape[0]} images and {labels.name} "
                    f"{labels.shape[0]} labels"
                )
        if train.shape[0] < 10_001:
            raise ValueError(
                f"load_mnist: {train.name} has {train.shape[0]} training images; more than 10000 are needed"
            )
        if train.shape[1:] != test.shape[1:]:
            raise ValueError(
                f"load_mnist: {train.name} has images of {train.shape[1:]} pixels and {test.name} of "
                f"{test.shape[1:]}; they must be of one size"
            )
        if inputs not in (None, prod(test.shape[1:])):
            raise ValueError(
                f"load_mnist: {test.name} has images of {prod(test.shape[1:])} pixels; the network needs "
                f"{inputs} inputs"
            )
        y, test_y = _digits(train_labels), _digits(test_labels)
        try:
            x, test_x = _pixels(_elements(train)), _pixels(_elements(test))
        except MemoryError as error:
            raise ValueError(
                f"load_mnist: {train.name} with the shape {train.shape} and {test.name} with {test.shape} "
                f"are too large for the memory: {error}"
            ) from error
    return (x[:-10_000], y[:-10_000]), (x[-10_000:], y[-10_000:]), (test_x, test_y)


def _pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels /= 255
    return pixels


def _digits(idx: _Idx) -> NDArray[np.int64]:
    labels = _elements(idx)
    wrong = np.flatnonzero(labels > 9)
    if wrong.size:
        raise ValueError(
            f"load_mnist: {idx.name} has the label {labels[wrong[0]]} at {wrong[0]}; labels are 0..9"
        )
    return labels.astype(np.int64)


def places(folder: Path, parts: Iterable[str] = _PARTS, kinds: Iterable[str] = tuple(_KINDS)) -> list[Path]:
    """Where MNIST's files may be, in the order in which they are looked for."""
    return [
        folder / f"{part}-{kind}{separator}{_KINDS[kind][0]}{ending}"
        for part in parts
        for kind in kinds
        for separator in "-."
        for ending in ("", ".gz")
    ]


class _Idx(NamedTuple):
    """A file whose header is read."""

    name: str
    file: IO[bytes]  # of what is unpacked, at the first element
    shape: tuple[int, ...]


def _opened(folder: Path, part: str, kind: str, opened: ExitStack) -> _Idx:
    path, raw = _first_of(folder, places(folder, [part], [kind]))
    opened.enter_context(raw)
    name, magic = printable(path), _KINDS[kind][1]
    head = 4 + 4 * (magic & 0xFF)  # bytes before the elements: the kind, and a size for each dimension
    size = _files.size_of(raw)
    zipped = path.suffix == ".gz"
    file: IO[bytes] = gzip.GzipFile(fileobj=raw) if zipped else raw  # type: ignore[assignment]
    with _damage_of(name):
        start = file.read(head)
    found = int.from_bytes(start[:4], "big")
    if len(start) < 4 or found != magic:
        raise ValueError(f"load_mnist: {name} starts with {found:#010x}; its kind starts with {magic:#010x}")
    shape = tuple(int.from_bytes(start[at : at + 4], "big") for at in range(4, head, 4))
    if len(start) < head or (not zipped and size != head + prod(shape)):
        count = len(start) if len(start) < head else size
        raise ValueError(
            f"load_mnist: {name} has {count} bytes; {head + prod(shape)} belong to its shape {shape}"
        )
    if prod(shape) > size * _files.DEFLATED:
        raise ValueError(
            f"load_mnist: {name} has {size} compressed bytes; they cannot hold the {prod(shape)} of its "
            f"shape {shape}"
        )
    if 0 in shape:
        raise ValueError(f"load_mnist: {name} has the shape {shape}; each of its sizes must be at least 1")
    return _Idx(name, file, shape)


def _first_of(folder: Path, candidates: list[Path]) -> tuple[Path, IO[bytes]]:
    for path in candidates:
        try:
            return path, _files.open_regular(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except ValueError as error:
            raise ValueError(f"load_mnist: {error}") from error
    names = f"no {candidates[0].name} and no {candidates[1].name}"
    raise FileNotFoundError(f"load_mnist: {printable(folder)} has {names}")


def _elements(idx: _Idx) -> NDArray[np.uint8]:
    with _damage_of(idx.name):
        content = idx.file.read(prod(idx.shape))
        more = len(idx.file.read(_MORE))  # and the end of a gzip file, where its checksum is
    count, head = len(content) + more, 4 + 4 * len(idx.shape)
    if count != prod(idx.shape):
        raise ValueError(
            f"load_mnist: {idx.name} has {'at least ' if more else ''}{head + count} bytes; "
            f"{head + prod(idx.shape)} belong to its shape {idx.shape}"
        )
    return np.frombuffer(content, np.uint8).reshape(idx.shape)


@contextmanager
def _damage_of(name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"load_mnist: {name} is damaged: {error}") from error
