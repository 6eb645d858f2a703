"""The bundled digits, and the reader of MNIST's files with small files made here."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from mnist import TEST, TRAIN, idx, made, write_mnist
from programs import ended

from nndl_fast import datasets


def assert_is_made(split):
    (x, y), (validation_x, validation_y), (test_x, test_y) = split
    assert (len(x), len(validation_x), len(test_x)) == (TRAIN - 10_000, 10_000, TEST)
    for found_x, found_y, part in (
        (np.vstack([x, validation_x]), np.concatenate([y, validation_y]), "train"),
        (test_x, test_y, "t10k"),
    ):
        images, labels = made(part)
        np.testing.assert_array_equal(found_x, images.reshape(-1, 4).astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(found_y, labels)
        assert found_x.dtype == np.float32 and found_y.dtype == np.int64


def test_digits_have_their_shapes_types_and_range():
    for (x, y), n in zip(datasets.load_digits(), (1349, 224, 224), strict=True):
        assert x.shape == (n, 64) and y.shape == (n,)
        assert x.dtype == np.float32 and y.dtype == np.int64
        assert x.min() == 0 and x.max() == 1
        np.testing.assert_array_equal(x * 16, np.rint(x * 16))  # they are sixteenths


def test_digits_have_their_label_counts():
    counts = [np.bincount(y, minlength=10) for _, y in datasets.load_digits()]
    # The UCI test set's own counts of 0 to 9.
    assert sum(counts).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert all(c.min() >= len(y) / 20 for c, (_, y) in zip(counts, datasets.load_digits()))


def test_no_digit_is_in_two_parts():
    # Among the 1,797 no two images are equal.
    assert len(np.unique(np.vstack([x for x, _ in datasets.load_digits()]), axis=0)) == 1797


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("dot", [False, True], ids=["-idx", ".idx"])
def test_mnist_files_are_read_under_both_spellings(tmp_path, dot, zipped):
    write_mnist(tmp_path, dot, zipped)
    assert_is_made(datasets.load_mnist(tmp_path))
    assert_is_made(datasets.load_mnist(str(tmp_path)))


@pytest.mark.parametrize("missing", ["train_images", "train_labels", "t10k_images", "t10k_labels"])
def test_a_missing_mnist_file_is_named(tmp_path, missing):
    write_mnist(tmp_path, **{missing: None})
    with pytest.raises(FileNotFoundError, match=missing.replace("_", "-") + "-idx") as caught:
        datasets.load_mnist(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_mnist_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        datasets.load_mnist(tmp_path / "nowhere")


TEST_IMAGES, TEST_LABELS = (idx(array) for array in made("t10k"))
LABEL_10 = TEST_LABELS[:-2] + bytes([10, 3])


def sized(*sizes):
    """The test images with other sizes in front of them."""
    return TEST_IMAGES[:4] + b"".join(n.to_bytes(4, "big") for n in sizes) + TEST_IMAGES[16:]


@pytest.mark.parametrize(
    "name, content, fault",
    [
        ("t10k_images", TEST_LABELS, "0x00000801.*0x00000803"),
        ("t10k_labels", TEST_IMAGES, "0x00000803.*0x00000801"),
        ("t10k_images", b"GIF89a" + TEST_IMAGES, "0x47494638"),
        ("train_images", b"no images", "0x6e6f2069"),
        ("t10k_images", b"", "starts with"),
        ("t10k_images", TEST_IMAGES[:3], "starts with"),
        ("t10k_images", TEST_IMAGES[:4], "4 bytes"),
        ("t10k_images", TEST_IMAGES[:10], "10 bytes"),
        ("t10k_images", TEST_IMAGES[:-1], r"79 bytes; 80 .*\(16, 2, 2\)"),
        ("t10k_images", TEST_IMAGES + b"\0", r"81 bytes; 80 .*\(16, 2, 2\)"),
        ("t10k_images", TEST_IMAGES + bytes(3 << 20), "(at least 1048656|3145808) bytes; 80 "),
        # products beyond 64 bits, beyond memory, and beyond what memory has to spare
        (
            "t10k_images",
            sized(*[0xFFFFFFFF] * 3),
            r"bytes.* its shape \(4294967295, 4294967295, 42",
        ),
        ("t10k_images", sized(0x7FFFFFFF, 28, 28), r"bytes.* its shape \(2147483647, 28, 28\)"),
        ("t10k_images", sized(0x7FFFFFFF, 1, 1), r"bytes.* its shape \(2147483647, 1, 1\)"),
        (
            "t10k_images",
            sized(0x7FFFFFFF, 0, 28)[:16],
            r"\(2147483647, 0, 28\); each of its sizes must be at least 1",
        ),
        (
            "t10k_images",
            idx(np.zeros((16, 0, 2), np.uint8)),
            r"\(16, 0, 2\); each of its sizes must be at least 1",
        ),
        (
            "t10k_images",
            idx(np.zeros((0, 2, 2), np.uint8)),
            r"\(0, 2, 2\); each of its sizes must be at least 1",
        ),
        ("t10k_images", idx(np.zeros((16, 4, 1), np.uint8)), r"train.*\(2, 2\) pixels and .*\(4, 1\)"),
        ("t10k_images", idx(np.zeros((16, 3, 3), np.uint8)), r"train.*\(2, 2\) pixels and .*\(3, 3\)"),
        ("t10k_labels", idx(np.zeros(0, np.uint8)), r"\(0,\); each of its sizes must be at least 1"),
        ("t10k_labels", TEST_LABELS[:-1], "23 bytes; 24"),
        ("t10k_labels", idx(made("t10k")[1][:-1]), "16 images.*15 labels"),
        ("t10k_labels", LABEL_10, "label 10 at 14"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
def test_a_wrong_mnist_file_is_named_with_its_fault(tmp_path, name, content, fault, zipped):
    write_mnist(tmp_path, zipped=zipped, **{name: content})
    with pytest.raises(ValueError, match=fault) as caught:
        datasets.load_mnist(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert name.replace("_", "-") in str(caught.value)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="how much memory is in use is not known")
@pytest.mark.parametrize("spare", [50, 250], ids=["bytes", "float32"])
def test_images_that_the_memory_cannot_hold_are_named(tmp_path, spare):
    """The training images are 100 MB of bytes, 400 MB of float32, and 100 kB of file."""
    images = {"train_images": (10_001, 100, 100), "t10k_images": (1, 100, 100)}
    labels = {"train_labels": 10_001, "t10k_labels": 1}
    contents = {name: idx(np.zeros(shape, np.uint8)) for name, shape in (images | labels).items()}
    write_mnist(tmp_path, zipped=True, **contents)
    code = f"""
import resource
from nndl_fast import datasets
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {spare} * 2**20,) * 2)
try:
    datasets.load_mnist({str(tmp_path)!r})
except ValueError as error:
    print(error)
"""
    said = ended(code)
    assert "train-images-idx3-ubyte.gz" in said and "(10001, 100, 100)" in said and "memory" in said


def test_a_damaged_gzip_file_is_named(tmp_path):
    write_mnist(tmp_path, zipped=True)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    content = path.read_bytes()
    damaged = [content[:length] for length in (1, 5, 12, len(content) // 2, len(content) - 1)]
    damaged.append(b"no gzip" + content)
    damaged.append(content[:-8] + bytes(8))  # the checksum
    damaged.append(content[:10] + b"\xff" * 8 + content[18:])  # the compressed stream
    for wrong in damaged:
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte\.gz is damaged") as caught:
            datasets.load_mnist(tmp_path)
        assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "replaced, fault",
    [
        ({"train_images": (10_016, 40, 40)}, r"images of \(40, 40\) pixels"),
        ({"train_labels": (10_016_000,)}, "10016 images and .* 10016000 labels"),
        ({"t10k_images": (4_000_000, 2, 2)}, "4000000 images and .* 16 labels"),
    ],
)
def test_headers_that_do_not_fit_are_refused_before_anything_is_unpacked(tmp_path, replaced, fault):
    contents = {name: idx(np.zeros(shape, np.uint8)) for name, shape in replaced.items()}
    write_mnist(tmp_path, zipped=True, **contents)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=fault):
            datasets.load_mnist(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("zipped", [False, True])
def test_a_pipe_is_not_waited_for(tmp_path, zipped):
    """Nor one that was a regular file when it was looked at."""
    (tmp_path / "mnist").mkdir()
    write_mnist(tmp_path / "mnist", zipped=zipped, t10k_images=None)
    pipe = tmp_path / "mnist" / f"t10k-images-idx3-ubyte{'.gz' * zipped}"
    os.mkfifo(pipe)
    code = f"""
import os
from nndl_fast import datasets
regular = os.stat({str(tmp_path / "mnist" / f"t10k-labels-idx1-ubyte{'.gz' * zipped}")!r})
stat = os.stat
for looked_at in stat, lambda *arguments, **options: regular:
    os.stat = looked_at
    try:
        datasets.load_mnist({str(tmp_path / "mnist")!r})
    except ValueError as error:
        print(error)
"""
    assert ended(code, 20).splitlines() == [f"load_mnist: {pipe} is not a regular file"] * 2


@pytest.mark.skipif(os.name == "nt", reason="there are no such names there")
def test_the_name_of_a_folder_is_printable_in_messages(tmp_path):
    folder = tmp_path / "a\x1b[2J\n"
    folder.mkdir()
    for error, replaced in (
        (FileNotFoundError, {"train_images": None}),
        (ValueError, {"train_images": b"no"}),
        (ValueError, {"train_labels": LABEL_10}),
        (ValueError, {"t10k_images": TEST_IMAGES[:-1]}),
    ):
        for path in folder.iterdir():
            path.unlink()
        write_mnist(folder, **replaced)
        with pytest.raises(error, match=r"a\\x1b\[2J\\n") as caught:
            datasets.load_mnist(folder)
        assert str(caught.value).isprintable()


def test_too_few_training_images_are_refused(tmp_path):
    images, labels = made("train")
    write_mnist(tmp_path, train_images=idx(images[:10_000]), train_labels=idx(labels[:10_000]))
    with pytest.raises(ValueError, match="10000 training images"):
        datasets.load_mnist(tmp_path)


@pytest.mark.skipif("NNDL_FAST_MNIST" not in os.environ, reason="NNDL_FAST_MNIST names no folder")
def test_the_real_mnist():
    split = datasets.load_mnist(os.environ["NNDL_FAST_MNIST"])
    assert [x.shape for x, _ in split] == [(50_000, 784), (10_000, 784), (10_000, 784)]
    assert [y.shape for _, y in split] == [(50_000,), (10_000,), (10_000,)]
    assert all(x.min() == 0 and x.max() == 1 and y.min() == 0 and y.max() == 9 for x, y in split)
    # The first training digits are 5, 0, 4, 1, 9, and the first tested ones 7, 2, 1, 0, 4.
    assert split[0][1][:5].tolist() == [5, 0, 4, 1, 9]
    assert split[2][1][:5].tolist() == [7, 2, 1, 0, 4]
