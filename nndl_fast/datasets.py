"""Handwritten digits to learn from: 1,797 small ones that come with the package, and a reader for MNIST.

Both give (training, validation, test), each a pair of arrays: images (n, pixels) of float32 from 0 to 1,
and labels (n,) of int64.
"""

from __future__ import annotations

import gzip
import zlib
from importlib.resources import as_file, files
from math import prod
from os import PathLike, fspath
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Part = tuple[NDArray[np.float32], NDArray[np.int64]]
Split = tuple[Part, Part, Part]

_IMAGES, _LABELS = 0x803, 0x801  # IDX: unsigned bytes in three dimensions, in one
_MORE = 1 << 20  # bytes that are looked for behind a file's last element


def load_digits() -> Split:
    """Load the 8 x 8 optical digits that come with the package.

    They are from the UCI repository (CC BY 4.0; see ``nndl_fast/data/README.md``).

    Returns
    -------
    training : tuple of (ndarray, ndarray)
        1,349 images to train on, (1349, 64) of float32 from 0 to 1, and their labels, (1349,) of int64.
    validation : tuple of (ndarray, ndarray)
        224 images to validate on, and their labels.
    test : tuple of (ndarray, ndarray)
        224 images to test on, and their labels.

    See Also
    --------
    load_mnist : Load the larger images of MNIST.

    Notes
    -----
    The first six of every eight consecutive images are for training, the seventh is for validation and the
    eighth for testing, so that every writer is in all three sets.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> training, validation, test = nf.datasets.load_digits()
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
    """Load MNIST from a folder that contains its four IDX files.

    The files have their usual names and may be gzipped.

    Parameters
    ----------
    folder : str or path-like
        The folder.

    Returns
    -------
    training : tuple of (ndarray, ndarray)
        50,000 images to train on, (50000, 784) of float32 from 0 to 1, and their labels, (50000,) of int64.
    validation : tuple of (ndarray, ndarray)
        The last 10,000 images of the training set, to validate on as in the book, and their labels.
    test : tuple of (ndarray, ndarray)
        10,000 images to test on, and their labels.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged, truncated, too large for the memory, or of another kind; the message names it
        and the fault.

    See Also
    --------
    load_digits : Load smaller digits, which come with the package.

    Examples
    --------
    >>> import nndl_fast as nf
    >>> training, validation, test = nf.datasets.load_mnist("folder")  # doctest: +SKIP
    """
    train_path, train_images, train_labels = _images_and_labels(Path(folder), "train")
    test_path, test_images, test_labels = _images_and_labels(Path(folder), "t10k")
    if len(train_images) < 10_001:
        raise ValueError(
            f"load_mnist: {train_path} has {len(train_images)} training images; more than 10000 are needed"
        )
    if train_images.shape[1:] != test_images.shape[1:]:
        raise ValueError(
            f"load_mnist: {train_path} has images of {train_images.shape[1:]} pixels and {test_path} of "
            f"{test_images.shape[1:]}; they must be of one size"
        )
    try:
        x, y = _pixels(train_images), train_labels.astype(np.int64)
        test = _pixels(test_images), test_labels.astype(np.int64)
    except MemoryError as error:
        raise ValueError(
            f"load_mnist: {train_path} with the shape {train_images.shape} and {test_path} with "
            f"{test_images.shape} are too large for the memory: {error}"
        ) from error
    return (x[:-10_000], y[:-10_000]), (x[-10_000:], y[-10_000:]), test


def _pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels /= 255
    return pixels


def _images_and_labels(folder: Path, name: str) -> tuple[Path, NDArray[np.uint8], NDArray[np.uint8]]:
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
    return image_path, images, labels


def _read_idx(folder: Path, names: tuple[str, ...], magic: int) -> tuple[Path, NDArray[np.uint8]]:
    candidates = [folder / (name + ending) for name in names for ending in ("", ".gz")]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"load_mnist: {fspath(folder)} has no {names[0]} and no {names[0]}.gz")
    head = 4 + 4 * (magic & 0xFF)  # bytes before the elements: the kind, and a size for each dimension
    shape: tuple[int, ...] = ()
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            start = file.read(head)
            found = int.from_bytes(start[:4], "big")
            if len(start) < 4 or found != magic:
                raise ValueError(
                    f"load_mnist: {path} starts with {found:#010x}; its kind starts with {magic:#010x}"
                )
            shape = tuple(int.from_bytes(start[at : at + 4], "big") for at in range(4, head, 4))
            content = file.read(prod(shape))
            more = len(file.read(_MORE))  # and the end of a gzip file, where its checksum is
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"load_mnist: {path} is damaged: {error}") from error
    except (MemoryError, OverflowError) as error:
        raise ValueError(f"load_mnist: {path} has the shape {shape}, too large for the memory") from error
    count = len(start) + len(content) + more
    if count != head + prod(shape):
        raise ValueError(
            f"load_mnist: {path} has {'at least ' if more else ''}{count} bytes; {head + prod(shape)} belong "
            f"to its shape {shape}"
        )
    if 0 in shape:
        raise ValueError(f"load_mnist: {path} has the shape {shape}; each of its sizes must be at least 1")
    return path, np.frombuffer(content, np.uint8).reshape(shape)
