"""The command line on images that are kept as MNIST is: by LeCun, EMNIST, Kaggle, the book, and Keras."""

import gzip
import pickle

import numpy as np
import pytest

import nndl_fast as nf

pytest.importorskip("click")
pytest.importorskip("matplotlib")

from commands import assert_refused, run, run_well
from mnist import TEST, TRAIN, idx, write_mnist

SPLIT = nf.datasets.load_digits()


def learned(path, tmp_path):
    said = run_well("train", path, "--epochs", 1, "--hidden", "8", "--output", tmp_path / "m.npz").stdout
    judged = run_well("evaluate", tmp_path / "m.npz", path).stdout
    return nf.load(tmp_path / "m.npz"), said, judged


def of_python_2(array):
    """What Python 2 wrote of an array: the book's file is from there."""
    array = np.ascontiguousarray(array)
    content = array.tobytes().decode("latin1")
    return _Old(array, content)


class _Old:
    def __init__(self, array, content):
        self.array, self.content = array, content

    def __reduce__(self):
        function, arguments, state = self.array.__reduce__()
        return function, arguments, (*state[:-1], self.content)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("ending", [".pkl.gz", ".pkl"])
def test_the_books_file_is_read(tmp_path, protocol, ending):
    write = gzip.compress if ending.endswith("gz") else bytes
    path = tmp_path / f"mnist{ending}"
    path.write_bytes(write(pickle.dumps(SPLIT, protocol) if protocol else old_pickle()))
    net, said, judged = learned(path, tmp_path)
    assert net.sizes == [64, 8, 10] and "1349 images" in said and "of 224)" in judged
    for ours, theirs in zip(nf.datasets.load_mnist(path), SPLIT):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def old_pickle():
    """With the names and the strings of 2013."""
    text = pickle.dumps(tuple((of_python_2(x), of_python_2(y)) for x, y in SPLIT), 0)
    return text.replace(b"numpy._core", b"numpy.core")


class _Call:
    def __reduce__(self):
        return print, ("this must not be printed",)


def test_nothing_in_a_pickle_is_executed(tmp_path, capfd):
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(pickle.dumps((SPLIT[0], SPLIT[1], _Call()))))
    assert_refused(run("train", path, "--output", tmp_path / "m.npz"), path, "builtins.print", "no array")
    assert "must not" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "content",
    [
        SPLIT[:2],
        [(SPLIT[0][0], SPLIT[0][1][1:]), *SPLIT[1:]],
        [(SPLIT[0][0][:, 1:], SPLIT[0][1]), *SPLIT[1:]],
        [(SPLIT[0][0], SPLIT[0][1] / 2), *SPLIT[1:]],
        {"x": 1},
    ],
)
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "mnist.pkl"
    path.write_bytes(pickle.dumps(content))
    assert_refused(run("train", path, "--output", tmp_path / "m.npz"), path)


def test_keras_file_is_read(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (600, 3, 3), np.uint8), np.arange(600) % 10
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=x, y_train=y, x_test=x[:50], y_test=y[:50])
    net, said, judged = learned(path, tmp_path)
    assert net.sizes == [9, 8, 10] and "500 images" in said and "of 50)" in judged
    training, validation, test = nf.datasets.load_mnist(path)
    np.testing.assert_array_equal(
        np.vstack([training[0], validation[0]]), (x.reshape(600, 9) / 255).astype("f")
    )
    np.testing.assert_array_equal(test[1], y[:50])
    assert_refused(run("predict", saved(tmp_path, 4), path), path, "of 4 pixels")


def saved(tmp_path, inputs):
    nf.Network([inputs, 10], rng=0).save(tmp_path / "other.npz")
    return tmp_path / "other.npz"


@pytest.mark.parametrize("test_part", ["t10k", "test"])
def test_emnist_has_names_before_and_labels_from_1(tmp_path, test_part):
    folder = tmp_path / "gzip"
    folder.mkdir()
    labels = (np.arange(TRAIN) % 26 + 1).astype(np.uint8)
    write_mnist(folder, train_labels=idx(labels), t10k_labels=idx(labels[:TEST]))
    for path in list(folder.iterdir()):
        path.rename(folder / f"emnist-letters-{path.name.replace('t10k', test_part)}")
    net, _, judged = learned(folder, tmp_path)
    assert net.sizes == [4, 8, 26] and net.classes == list(range(1, 27)) and f"of {TEST})" in judged
    (folder / "emnist-digits-train-images-idx3-ubyte").touch()
    refused = run("train", folder, "--output", tmp_path / "n.npz")
    assert_refused(refused, "emnist-digits-train-images", "emnist-letters-train-images", "one of them")


def test_kaggle_puts_each_file_into_a_folder_of_its_name(tmp_path):
    write_mnist(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / "moved")
        path.mkdir()
        (tmp_path / "moved").rename(path / path.name)
    assert nf.datasets.load_mnist(tmp_path)[2][0].shape == (TEST, 4)
