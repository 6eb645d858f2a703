"""Handwritten digits to learn from: 1,797 small ones that come with the package, and a reader for MNIST.

Both give (training, validation, test), each a pair of arrays: images (n, pixels) of float32 from 0 to 1,
and labels (n,) of int64.
"""

from __future__ import annotations

import gzip
import zlib
from importlib.resources import as_file, files
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Part = tuple[NDArray[np.float32], NDArray[np.int64]]
Split = tuple[Part, Part, Part]

_IMAGES, _LABELS = 0x803, 0x801  # IDX: unsigned bytes in three dimensions, in one


def load_digits() -> Split:
    """The 8 x 8 optical digits of the UCI repository (CC BY 4.0; see ``nndl_fast/data/README.md``).

    1,349 images to train on, 224 to validate and 224 to test on: of eight in a row the first six, the
    seventh and the eighth, so that every writer is in all three.

    >>> training, validation, test = load_digits()
    >>> training[0].shape, training[1].shape, len(validation[1]), len(test[1])
    ((1349, 64), (1349,), 224, 224)
    """
    with as_file(files(__package__) / "data" / "optdigits.csv.gz") as path:
        table = np.loadtxt(path, dtype=np.int64, delimiter=",")
    x, y = (table[:, :-1] / 16).astype(np.float32), table[:, -1]
    place = np.arange(len(y)) % 8
    training, validation, test = place < 6, place == 6, place == 7
    return (x[training], y[training]), (x[validation], y[validation]), (x[test], y[test])


def load_mnist(folder: str | PathLike[str]) -> Split:
    """MNIST from a folder with its four IDX files, gzipped or not, under their usual names.

    50,000 images to train on, the last 10,000 of the training set to validate, 10,000 to test on, as
    in the book. A file that is missing is a ``FileNotFoundError``, one that is damaged, truncated or
    something else a ``ValueError`` that names it and the fault.
    """
    x, y = _images_and_labels(Path(folder), "train")
    if len(y) < 10_001:
        raise ValueError(
            f"load_mnist: {fspath(folder)} has {len(y)} training images; more than 10000 are needed"
        )
    test = _images_and_labels(Path(folder), "t10k")
    return (x[:-10_000], y[:-10_000]), (x[-10_000:], y[-10_000:]), test


def _images_and_labels(folder: Path, name: str) -> Part:
    image_path, images = _read_idx(
        folder, (f"{name}-images-idx3-ubyte", f"{name}-images.idx3-ubyte"), _IMAGES
    )
    label_path, labels = _read_idx(
        folder, (f"{name}-labels-idx1-ubyte", f"{name}-labels.idx1-ubyte"), _LABELS
    )
    if len(images) != len(labels):
        raise ValueError(
            f"load_mnist: {image_path} has {len(images)} images and {label_path} {len(labels)} labels"
        )
    wrong = np.flatnonzero(labels > 9)
    if wrong.size:
        raise ValueError(
            f"load_mnist: {label_path} has the label {labels[wrong[0]]} at {wrong[0]}; labels are 0..9"
        )
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels /= 255
    return pixels, labels.astype(np.int64)


def _read_idx(folder: Path, names: tuple[str, ...], magic: int) -> tuple[Path, NDArray[Any]]:
    candidates = [folder / (name + ending) for name in names for ending in ("", ".gz")]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"load_mnist: {fspath(folder)} has no {names[0]} and no {names[0]}.gz")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"load_mnist: {path} is damaged: {error}") from error
    found = int.from_bytes(content[:4], "big")
    if len(content) < 4 or found != magic:
        raise ValueError(f"load_mnist: {path} starts with {found:#010x}; its kind starts with {magic:#010x}")
    dims = magic & 0xFF
    shape = [int.from_bytes(content[4 + 4 * d : 8 + 4 * d], "big") for d in range(dims)]
    wanted = 4 + 4 * dims + int(np.prod(shape, dtype=object))
    if len(content) != wanted:
        raise ValueError(
            f"load_mnist: {path} has {len(content)} bytes; {wanted} belong to its shape {tuple(shape)}"
        )
    return path, np.frombuffer(content, np.uint8, offset=4 + 4 * dims).reshape(shape)
