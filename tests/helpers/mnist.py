"""MNIST's files, small and made here: for the tests of the reader, and of the command line."""

import gzip

import numpy as np

TRAIN, TEST = 10_016, 16  # the reader keeps 10,000 of the training images for validation
PARTS = {"train": TRAIN, "t10k": TEST}


def idx(array):
    """An IDX file of unsigned bytes."""
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def made(part):
    rng = np.random.default_rng(PARTS[part])
    images = rng.integers(0, 256, (PARTS[part], 2, 2), np.uint8)
    images[0, 0] = 0, 255
    return images, rng.integers(0, 10, PARTS[part]).astype(np.uint8)


def write_mnist(folder, dot=False, zipped=False, **replaced):
    """The four files; ``replaced`` are other contents, as train_labels=b"..."; None for no file."""
    for part in PARTS:
        images, labels = made(part)
        for kind, array in (("images", images), ("labels", labels)):
            content = replaced.get(f"{part}_{kind}", idx(array))
            if content is None:
                continue
            name = f"{part}-{kind}{'.' if dot else '-'}idx{array.ndim}-ubyte"
            if zipped:
                content = gzip.compress(content, 1)
            (folder / (name + ".gz" * zipped)).write_bytes(content)
    return folder
