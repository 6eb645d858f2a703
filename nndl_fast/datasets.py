"""Handwritten digits to learn from: 1,797 small ones that come with the package, and a reader for MNIST.

Both give (training, validation, test), each a pair of arrays: images (n, pixels) of float32 from 0 to 1,
and labels (n,) of int64.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from os import PathLike

import numpy as np

from ._files import _mnist
from ._files._mnist import Split


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
    """Load MNIST from a folder that contains its four IDX files, or from one file.

    The files have their usual names and may be gzipped.

    Parameters
    ----------
    folder : str or path-like
        The folder; or the book's ``mnist.pkl.gz``, of which nothing but arrays is taken; or Keras's
        ``mnist.npz``.

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
    return _mnist.load(folder)
