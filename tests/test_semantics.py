"""What odd input gets: one test for each row of the table that decides it, under the row's own name."""

import concurrent.futures
import os
import threading

import numpy as np
import pytest
from programs import ended

import nndl_fast as nf

inf, nan = np.inf, np.nan
COSTS = (nf.log_likelihood_cost, nf.log_likelihood_delta, nf.log_likelihood_cost_and_delta)
ROWS = {}


def row(name):
    def keep(check):
        ROWS[name] = check
        return check

    return keep


def same(got, expected):
    np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


def refused(error, function, *arguments, match="", **options):
    with pytest.raises(error, match=match):
        function(*arguments, **options)


@row("logit -inf")
def _():
    same(nf.softmax([0.0, -inf]), [1, 0])
    same(nf.log_softmax([0.0, -inf]), [0, -inf])
    same(nf.log_likelihood_cost([[0.0, -inf]], [[1.0, 0.0]]), 0)
    same(nf.log_likelihood_cost([[0.0, -inf]], [[0.5, 0.5]]), inf)


@row("a whole row -inf")
def _():
    z = [[-inf, -inf], [0.0, 0.0]]
    same(nf.softmax(z), [[nan, nan], [0.5, 0.5]])
    same(nf.log_softmax(z)[0], [nan, nan])
    assert nf.logsumexp(z)[0] == -inf


@row("logit +inf")
def _():
    same(nf.softmax([inf, 0.0]), [nan, nan])
    same(nf.log_softmax([inf, 0.0]), [nan, nan])
    assert nf.logsumexp([inf, 0.0]) == inf


@row("NaN anywhere in a row")
def _():
    for classes in (2, 40, 300):
        for place in (0, classes // 2, classes - 1):
            z = np.zeros((3, classes), np.float32)
            z[1, place] = nan
            same(np.isnan(nf.softmax(z)).all(-1), [False, True, False])
            same(np.isnan(nf.logsumexp(z)), [False, True, False])
            cost, delta = nf.log_likelihood_cost_and_delta(z, [0, 0, 0], reduction="none")
            same(np.isnan(cost), [False, True, False])
            same(np.isnan(delta).all(-1), [False, True, False])


@row("results too small for a normal number")
def _():
    tiny = nf.softmax(np.float32([0, -100]))[1]  # gradual
    assert 0 < tiny < np.finfo(np.float32).tiny


@row("empty batch")
def _():
    z, y = np.zeros((0, 3)), np.zeros(0, int)
    assert nf.softmax(z).shape == (0, 3)
    assert nf.log_likelihood_cost(z, y, reduction="none").shape == (0,)
    same(nf.log_likelihood_cost(z, y, reduction="sum"), 0)
    same(nf.log_likelihood_cost(z, y), nan)


@row("zero classes")
def _():
    same(nf.logsumexp(np.zeros((2, 0))), [-inf, -inf])
    assert nf.softmax(np.zeros((2, 0))).shape == (2, 0)
    for cost in COSTS:
        refused(ValueError, cost, np.zeros((2, 0)), [0, 0], match="no classes")


@row("one class")
def _():
    same(nf.softmax([[3.0]]), [[1]])
    same(nf.log_likelihood_cost_and_delta([[3.0]], [0])[0], 0)
    same(nf.log_likelihood_delta([[3.0]], [0]), [[0]])


@row("0-d array or scalar")
def _():
    same([nf.softmax(3.0), nf.log_softmax(3.0), nf.logsumexp(3.0)], [1, 0, 3])
    for cost in COSTS:
        refused(ValueError, cost, 3.0, 0, match="scalar")


@row("label outside 0..C-1")
def _():
    for label in (-1, 3, -(2**62), 2**62):
        out = np.full((2, 3), 7.0)
        refused(IndexError, nf.log_likelihood_cost, np.zeros((2, 3)), [0, label], match=f"{label} at row 1")
        refused(IndexError, nf.log_likelihood_delta, np.zeros((2, 3)), [0, label], match="row 1", out=out)
        refused(
            IndexError, nf.log_likelihood_cost_and_delta, np.zeros((2, 3)), [0, label], match="row 1", out=out
        )
        assert np.all(out == 7)


@row("float labels where classes are meant")
def _():
    for cost in COSTS:
        refused(TypeError, cost, np.zeros((2, 3)), [0.0, 1.0], match="float64")


@row("targets that are negative or not finite")
def _():
    for bad in (-0.1, nan, inf):
        for cost in COSTS:
            refused(ValueError, cost, np.zeros((2, 2)), [[1.0, 0.0], [bad, 1.0]], match="row 1, class 0")
    same(nf.log_likelihood_cost([[0.0, 0.0]], [[2.0, 0.0]]), 2 * np.log(2))  # any sum, as it is


@row("ignore_index")
def _():
    z = np.array([[0.0, 0.0], [nan, inf]])
    for ignored in (-100, 7, 1):
        cost, delta = nf.log_likelihood_cost_and_delta(z, [0, ignored], ignore_index=ignored)
        same(cost, np.log(2))
        same(delta, [[-0.5, 0.5], [0, 0]])


@row("every row ignored")
def _():
    z, y = np.ones((2, 3)), [5, 5]
    same(nf.log_likelihood_cost(z, y, ignore_index=5), nan)
    same(nf.log_likelihood_cost(z, y, ignore_index=5, reduction="sum"), 0)
    same(nf.log_likelihood_delta(z, y, ignore_index=5), np.zeros((2, 3)))
    # and so where every row weighs nothing
    for weights in ({"sample_weight": [0, 0]}, {"class_weight": [0, 1, 1]}):
        same(nf.log_likelihood_cost(z, [0, 0], **weights), nan)
        same(nf.log_likelihood_delta(z, [0, 0], **weights), np.zeros((2, 3)))
    same(nf.binary_cross_entropy_delta(z, z, sample_weight=0 * z), np.zeros((2, 3)))


@row("class_weight with label_smoothing")
def _():
    # what torch.nn.functional.cross_entropy gives; test_parity.py asks it anew
    z, w = np.array([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]]), np.array([0.5, 2.0, 1.0])
    logs = nf.log_softmax(z)
    terms = -(0.9 * w[[2, 0]] * logs[[0, 1], [2, 0]] + 0.1 / 3 * (w * logs).sum(1))
    np.testing.assert_allclose(
        nf.log_likelihood_cost(z, [2, 0], class_weight=w, label_smoothing=0.1), terms.sum() / 1.5, rtol=1e-14
    )


@row("weights and mean")
def _():
    z, w = np.array([[0.0, 0.0], [0.0, 0.0]]), [1.0, 3.0]
    one_hot = np.eye(2)
    same(nf.log_likelihood_cost(z, [0, 1], class_weight=w), np.log(2))
    same(nf.log_likelihood_cost(z, one_hot, class_weight=w), np.log(2))
    same(nf.log_likelihood_cost(z, [0, 1], sample_weight=w), np.log(2))


@row("c")
def _():
    same(nf.softmax([0.0, 1.0], c=inf), [0, 1])
    for bad in (0, -1, nan, -inf):
        refused(ValueError, nf.softmax, [0.0, 1.0], c=bad, match="c is")


@row("label_smoothing")
def _():
    for bad in (-0.1, 1.1, nan):
        refused(
            ValueError, nf.log_likelihood_cost, [[0.0, 1.0]], [0], label_smoothing=bad, match="from 0 to 1"
        )


@row("integer logits")
def _():
    assert nf.softmax([1, 2]).dtype == np.float64
    assert nf.softmax(np.array([1, 2], np.uint8)).dtype == np.float64


@row("bool, complex, object, string, masked arrays")
def _():
    for z in ([True, False], [1j, 2], np.array([1, None]), ["a", "b"]):
        refused(TypeError, nf.softmax, z, match="softmax: z")
    refused(TypeError, nf.softmax, np.ma.array([1.0, 2.0]), match="masked")
    other = np.zeros((1, 2)).view(type("Other", (np.ndarray,), {}))
    assert type(nf.softmax(other)) is np.ndarray


@row("big-endian or unaligned arrays")
def _():
    z = np.random.default_rng(0).standard_normal((5, 7))
    same(nf.softmax(z.astype(">f8")), nf.softmax(z))
    shifted = np.zeros(z.nbytes + 1, np.uint8)[1:].view("f8").reshape(z.shape)
    shifted[...] = z
    assert not shifted.flags.aligned
    same(nf.softmax(shifted), nf.softmax(z))


@row("read-only inputs, memory maps")
def _(tmp_path):
    z = np.random.default_rng(0).standard_normal((5, 7))
    np.save(tmp_path / "z.npy", z)
    mapped = np.load(tmp_path / "z.npy", mmap_mode="r")
    same(nf.softmax(mapped), nf.softmax(z))


@row("negative, zero or odd strides; any axis")
def _():
    z = np.random.default_rng(0).standard_normal((6, 8, 9))
    for view in (z[::-1], z[:, ::2, ::-3], z.transpose(2, 0, 1), np.broadcast_to(z[:1], z.shape)):
        for axis in range(3):
            same(nf.softmax(view, axis), nf.softmax(view.copy(), axis))


@row("out the same array as the input")
def _():
    z = np.random.default_rng(0).standard_normal((40, 200))
    expected = nf.softmax(z)
    assert nf.softmax(z, out=z) is z
    same(z, expected)


@row("out partly overlapping an input")
def _():
    z = np.random.default_rng(0).standard_normal((41, 200))
    expected = nf.softmax(z[:-1])
    nf.softmax(z[:-1], out=z[1:])
    same(z[1:], expected)


@row("out of the wrong shape or dtype, read-only, or with internal overlap")
def _():
    z, locked = np.zeros((2, 3)), np.full((2, 3), 7.0)
    locked.flags.writeable = False
    overlapping = np.lib.stride_tricks.as_strided(np.full(4, 7.0), (2, 3), (8, 8))
    for out in (np.full((3, 2), 7.0), np.full((2, 3), 7, np.float32), locked, overlapping):
        refused((ValueError, TypeError), nf.softmax, z, out=out, match="out")
        assert np.all(out == 7)


@row("more than 2^31 elements, rows or classes")
def _():
    z = np.broadcast_to(np.linspace(0, 1, 513, dtype=np.float32), (2**22, 513))  # a zero-stride view
    assert z.size > 2**31
    expected = float(nf.log_likelihood_cost(z[0], 7, reduction="none"))
    y = np.full(2**22, 7)
    assert float(nf.log_likelihood_cost(z, y, reduction="sum")) == pytest.approx(expected * 2**22, rel=1e-6)


@row("called from several threads at once")
def _():
    z = np.random.default_rng(0).standard_normal((300, 500), dtype=np.float32)
    y, expected, start = np.zeros(300, int), nf.softmax(z), threading.Barrier(8)

    def work(_):
        start.wait()
        return [(nf.softmax(z), nf.log_likelihood_cost(z, y)) for _ in range(20)]

    cost = nf.log_likelihood_cost(z, y)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for results in pool.map(work, range(8)):
            assert all(np.array_equal(a, expected) and c == cost for a, c in results)


@row("called in a child after fork")
def _():
    code = """
import os, numpy as np, nndl_fast as nf
nf.set_num_threads(4)
z = np.ones((4000, 100), np.float32)
parent = nf.softmax(z)
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(nf.softmax(z), parent) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert ended(code) == "0"


@row("an exception or Ctrl-C in the training loop")
def _(tmp_path):
    seen = []

    class Stops(nf.LogLikelihoodCost):
        @staticmethod
        def delta(z, a, y):
            seen.append([w.copy() for w in net.weights])
            if len(seen) == 3:
                raise KeyboardInterrupt
            return nf.LogLikelihoodCost.delta(z, a, y)

    net = nf.Network([4, 5, 3], cost=Stops, rng=0)
    data = np.random.default_rng(0).random((20, 4)), np.arange(20) % 3
    with pytest.raises(KeyboardInterrupt):
        net.SGD(data, 1, 4, 0.5)
    assert all(map(np.array_equal, net.weights, seen[2])) and not np.array_equal(seen[1][0], seen[2][0])
    net.save(tmp_path / "net")
    assert all(map(np.array_equal, nf.load(tmp_path / "net", cost=Stops).weights, net.weights))


@row("a damaged or foreign model or data file")
def _(tmp_path):
    model, images = tmp_path / "model.npz", tmp_path / "train-images-idx3-ubyte"
    nf.Network([3, 2]).save(model)
    model.write_bytes(model.read_bytes()[:-40])
    refused(ValueError, nf.load, model, match="model.npz")
    images.write_bytes(b"no images")
    refused(ValueError, nf.datasets.load_mnist, tmp_path, match="train-images")


@row("saving over an existing model")
def _(tmp_path):
    path, nets = tmp_path / "model.npz", [nf.Network([3, 2], rng=i) for i in range(2)]
    nets[0].save(path)
    with open(path, "rb") as old:  # still the old file, whole, after the new one has its name
        before = old.read()
        nets[1].save(path)
        old.seek(0)
        assert old.read() == before != path.read_bytes()
    assert os.listdir(tmp_path) == ["model.npz"]


@pytest.mark.parametrize("name", list(ROWS))
def test_row(name, request):
    check = ROWS[name]
    check(request.getfixturevalue("tmp_path")) if check.__code__.co_argcount else check()
