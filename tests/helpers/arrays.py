"""Arrays to test the functions with, and how results are compared with each other and with derivatives."""

import numpy as np

DTYPES = [np.float32, np.float64]
SIZES = [1, 2, 3, 10, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 257, 1000]


def logits(n, classes, dtype, seed=0):
    """Rows of every kind: near each other, spread, far from zero, one that dominates, with ties."""
    rng = np.random.default_rng([seed, n, classes])
    z = rng.standard_normal((n, classes)) * rng.choice([0.01, 1, 5, 30, 1e4], (n, 1))
    z[::7] += 1e6
    z[1::7, 0] += 20
    z[2::7] = z[2::7, :1]
    z[3::7, -1] = -np.inf if classes > 1 else 0
    return z.astype(dtype)


def example(n, classes, dtype, seed=0):
    """Logits with rows of infinities, NaNs and -0 among them, labels, and targets."""
    rng = np.random.default_rng([seed, n, classes])
    z = (rng.standard_normal((n, classes)) * rng.choice([0.1, 3, 40, 1e5], (n, 1))).astype(dtype)
    if n > 6:
        z[2, 0], z[4, -1], z[5] = np.nan, np.inf, -np.inf
        z[6, ::2] = -np.inf
        z[3] = -0.0
    t = rng.random((n, classes)).astype(dtype)
    return z, rng.integers(0, classes, n), t


def same_bits(a, b):
    # which of the NaNs it is may differ; that it is one may not
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return (
        a.dtype == b.dtype
        and np.array_equal(a, b, equal_nan=True)
        and np.array_equal(np.signbit(a[a == 0]), np.signbit(b[b == 0]))
    )


def views(z):
    """z's values behind other strides; each with its name."""
    n, classes = z.shape
    wide = np.zeros((2 * n, 3 * classes + 1), z.dtype)
    wide[::2, 1::3] = z
    yield "gaps", wide[::2, 1::3]
    yield "row gaps", np.concatenate([z, z], 1)[:, :classes]
    yield "Fortran order", np.asfortranarray(z)
    yield "both backwards", z[::-1, ::-1].copy()[::-1, ::-1]
    yield "rows backwards", z[::-1].copy()[::-1]
    raw = np.zeros(z.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(z.dtype).reshape(z.shape)
    unaligned[:] = z
    yield "unaligned", unaligned
    yield "big endian", z.astype(z.dtype.newbyteorder(">"))
    read_only = z.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only


def central_differences(f, x, h=1e-6):
    """The gradient of the scalar f at x."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        gradient[i] = (f(up) - f(down)) / (2 * h)
    return gradient


def at_offset(array, offset):
    """The same numbers in memory that begins so many bytes after a boundary of 64."""
    array = np.ascontiguousarray(array)
    memory = np.zeros(array.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    memory[start : start + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
    return np.frombuffer(memory, array.dtype, array.size, start).reshape(array.shape)
