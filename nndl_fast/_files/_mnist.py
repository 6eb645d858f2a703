"""MNIST and what is kept in its ways: four IDX files, the book's mnist.pkl.gz, and Keras's mnist.npz."""

from __future__ import annotations

import gzip
import pickle
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from math import prod
from os import PathLike
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._runtime._text import printable
from . import _archives

Part = tuple[NDArray[np.float32], NDArray[np.int64]]
Split = tuple[Part, Part, Part]

# Of a kind the end of a file's name, and what it starts with: unsigned bytes in three dimensions, in one.
_KINDS = {"images": ("idx3-ubyte", 0x803), "labels": ("idx1-ubyte", 0x801)}
_PICKLES = (".pkl", ".pkl.gz")
_PARTS = "train", "t10k"
_MORE = 1 << 20  # bytes that are looked for behind a file's last element


def is_kept_in(path: Path) -> bool:
    """Whether a folder or a file has images in parts of their own: for training and for testing."""
    if path.is_dir() or path.name.lower().endswith(_PICKLES):
        return True
    if path.suffix.lower() != ".npz":
        return False
    with suppress(ValueError, zipfile.BadZipFile), _archives.open_regular(path) as file:
        return "x_train" in _archives.Archive(file).names
    return False  # what is wrong with it, its reader says


def load(path: str | PathLike[str], inputs: int | None = None, most: int | None = 9) -> Split:
    """The three parts, with labels up to ``most``, of images that have as many pixels as there are inputs."""
    path = Path(path)
    if not path.name.lower().endswith((*_PICKLES, ".npz")) or path.is_dir():
        return _of_folder(path, inputs, most)
    name = printable(path)
    try:
        with _archives.open_regular(path) as file:
            split = _of_keras(file) if path.suffix.lower() == ".npz" else _of_pickle(file)
            shapes = [(x.shape, y.shape) for x, y in split]
    except Exception as error:  # whatever the decoders of gzip, zip and pickle meet in a damaged file
        raise ValueError(f"{name} cannot be read: {printable(error)}") from error
    pixels = inputs or shapes[0][0][-1]
    if any(x[1:] != (pixels,) or y != x[:1] or not x[0] for x, y in shapes):
        needed = f" of {inputs} pixels" if inputs else ""
        raise ValueError(
            f"{name} has images and labels of the shapes {shapes}; they must be (n, pixels){needed}"
        )
    return split


def _of_keras(file: IO[bytes]) -> Split:
    archive = _archives.Archive(file)
    x, y, test_x, test_y = (archive.read(name) for name in ("x_train", "y_train", "x_test", "y_test"))
    labels, test_labels = _integers(y), _integers(test_y)
    images, validating = _pixels(x), len(x) // 6  # the book's 10,000 of 60,000
    training = images[:-validating], labels[:-validating]
    return training, (images[-validating:], labels[-validating:]), (_pixels(test_x), test_labels)


class _Arrays(pickle.Unpickler):
    """Makes arrays, and nothing that could execute anything."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return np.zeros(0).__reduce__()[0]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for Python 2
            return lambda text, encoding: text.encode("latin1")
        raise pickle.UnpicklingError(f"it has {module}.{name}, which is no array and could execute anything")


def _of_pickle(file: IO[bytes]) -> Split:
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    content = _Arrays(gzip.GzipFile(fileobj=file) if zipped else file, encoding="latin1").load()
    training, validation, test = ((np.asarray(x, np.float32), _integers(y)) for x, y in content)
    return training, validation, test


def _integers(labels: Any) -> NDArray[np.int64]:
    array = np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise ValueError(f"its labels have dtype {array.dtype}; they must be integers")
    return array.astype(np.int64)


def _of_folder(folder: Path, inputs: int | None, most: int | None) -> Split:
    """Headers have to fit each other, and a network's inputs, before any file is unpacked."""
    with ExitStack() as opened:
        (train, train_labels), (test, test_labels) = (
            [_opened(folder, part, kind, opened) for kind in _KINDS] for part in _PARTS
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
        y, test_y = _labels(train_labels, most), _labels(test_labels, most)
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


def _labels(idx: _Idx, most: int | None) -> NDArray[np.int64]:
    labels = _elements(idx)
    wrong = np.flatnonzero(labels > (255 if most is None else most))
    if wrong.size:
        raise ValueError(
            f"load_mnist: {idx.name} has the label {labels[wrong[0]]} at {wrong[0]}; labels are 0..{most}"
        )
    return labels.astype(np.int64)


def _places(folder: Path, part: str, kind: str) -> list[Path]:
    """Where a file may be, in the order in which it is looked for."""
    names = [f"{part}-{kind}{between}{_KINDS[kind][0]}" for between in "-."]
    plain = [folder / f"{name}{ending}" for name in names for ending in ("", ".gz")]
    as_named = ["train"] if part == "train" else [part, "test"]  # EMNIST has a name before it
    patterns = [f"*-{name}-{kind}[-.]{_KINDS[kind][0]}*" for name in as_named]
    others = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    if len(others) > 1 and not any(path.is_file() for path in plain):
        raise ValueError(
            f"load_mnist: {printable(folder)} has {' and '.join(printable(path.name) for path in others)}; "
            "it must have one of them"
        )
    return [*plain, *(folder / name / name for name in names), *others]


class _Idx(NamedTuple):
    """A file whose header is read."""

    name: str
    file: IO[bytes]  # of what is unpacked, at the first element
    shape: tuple[int, ...]


def _opened(folder: Path, part: str, kind: str, opened: ExitStack) -> _Idx:
    path, raw = _first_of(folder, _places(folder, part, kind))
    opened.enter_context(raw)
    name, magic = printable(path), _KINDS[kind][1]
    head = 4 + 4 * (magic & 0xFF)  # bytes before the elements: the kind, and a size for each dimension
    size = _archives.size_of(raw)
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
    if prod(shape) > size * _archives.DEFLATED:
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
            return path, _archives.open_regular(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except ValueError as error:
            if path.is_dir():  # as Kaggle packs them, where the file is in a folder of its own name
                continue
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
