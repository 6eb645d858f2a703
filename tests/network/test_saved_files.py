"""Saved networks: what is read back, what is refused, and what a failed save leaves behind."""

import io
import json
import os
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from programs import ended

import nndl_fast as nf


def small_network(dtype=np.float32, cost=nf.LogLikelihoodCost, sizes=(3, 4, 2), seed=0):
    return nf.Network(sizes, cost=cost, dtype=dtype, rng=seed)


def same(net, other):
    pairs = list(zip(net.biases + net.weights, other.biases + other.weights, strict=True))
    return (
        net.sizes == other.sizes
        and net.cost is other.cost
        and net.hidden == other.hidden
        and all((p.dtype, p.shape, p.tobytes()) == (q.dtype, q.shape, q.tobytes()) for p, q in pairs)
    )


def refused_or_equal(path, net):
    """True where it was refused; another exception than a ValueError with the file's name fails."""
    try:
        loaded = nf.load(path)
    except ValueError as error:
        assert path.name in str(error)
        return True
    assert same(loaded, net)
    return False


def network2_json(**changes):
    """What the book's network2.Network.save writes, for sizes 2, 3, 1."""
    content = {
        "sizes": [2, 3, 1],
        "weights": [[[0.5, -1.0], [0.25, 2.0], [1e-3, 0.1]], [[1.0, -2.0, 0.3]]],
        "biases": [[[0.1], [0.2], [-0.3]], [[0.7]]],
        "cost": "CrossEntropyCost",
    }
    return {name: value for name, value in (content | changes).items() if value is not None}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cost", [nf.LogLikelihoodCost, nf.CrossEntropyCost, nf.QuadraticCost])
@pytest.mark.parametrize("sizes", [(3, 2), (3, 4, 2), (5, 4, 3, 1)])
def test_a_saved_network_comes_back_bit_for_bit(tmp_path, dtype, cost, sizes):
    net = small_network(dtype, cost, sizes)
    net.weights = [w * dtype(1e-30) for w in net.weights]  # values that text would round
    net.save(tmp_path / "model.npz")
    loaded = nf.load(tmp_path / "model.npz")
    assert same(net, loaded)
    assert loaded.dtype == dtype


def test_a_loaded_network_computes_the_same_and_trains_on(tmp_path):
    net = small_network()
    net.save(str(tmp_path / "model"))  # the name is taken as it is: no ending is added
    loaded = nf.load(str(tmp_path / "model"))
    x = np.random.default_rng(1).random((3, 6))
    np.testing.assert_array_equal(loaded.feedforward(x), net.feedforward(x))
    loaded.SGD((x.T, np.arange(6) % 2), 1, 2, 0.1)
    assert not np.array_equal(loaded.weights[0], net.weights[0])


def test_a_network2_json_file_is_read(tmp_path):
    content = network2_json()
    (tmp_path / "net.json").write_text(json.dumps(content))
    net = nf.load(tmp_path / "net.json")
    assert net.sizes == [2, 3, 1] and net.cost is nf.CrossEntropyCost and net.dtype == np.float64
    for key in ("weights", "biases"):
        for array, expected in zip(getattr(net, key), content[key], strict=True):
            np.testing.assert_array_equal(array, np.array(expected))
    hidden = 1 / (1 + np.exp(-(np.array(content["weights"][0]) @ [[1.0], [2.0]] + content["biases"][0])))
    output = 1 / (1 + np.exp(-(np.array(content["weights"][1]) @ hidden + content["biases"][1])))
    np.testing.assert_allclose(net.feedforward([1.0, 2.0]), output, rtol=1e-12)


class OwnCost(nf.QuadraticCost):
    pass


@pytest.mark.parametrize("form", ["npz", "json"])
def test_an_own_cost_class_needs_the_cost_argument(tmp_path, form):
    path = tmp_path / "own"
    if form == "npz":
        small_network(cost=OwnCost).save(path)
    else:
        path.write_text(json.dumps(network2_json(cost="OwnCost")))
    with pytest.raises(ValueError, match=r"own.*'OwnCost'.*cost="):
        nf.load(path)
    assert nf.load(path, cost=OwnCost).cost is OwnCost


def test_the_cost_argument_wins_over_the_name_in_the_file(tmp_path):
    small_network(cost=nf.QuadraticCost).save(tmp_path / "net")
    assert nf.load(tmp_path / "net", cost=nf.CrossEntropyCost).cost is nf.CrossEntropyCost


def test_a_truncated_file_is_refused(tmp_path):
    net, path = small_network(), tmp_path / "model.npz"
    net.save(path)
    content = path.read_bytes()
    for length in [*range(0, len(content), 13), len(content) - 1]:
        path.write_bytes(content[:length])
        assert refused_or_equal(path, net), length


def test_flipped_bytes_are_refused_or_change_nothing(tmp_path):
    net, path = small_network(), tmp_path / "model.npz"
    net.save(path)
    content, rng = path.read_bytes(), np.random.default_rng(2)
    places = rng.choice(len(content), 200, replace=False)
    flips = [(int(place), int(rng.integers(1, 256))) for place in places]
    # And the record at the end, which says where all else is: every byte, one bit and all bits.
    flips += [(place, flip) for place in range(len(content) - 22, len(content)) for flip in (2, 255)]
    refused = 0
    for place, flip in flips:
        path.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
        refused += refused_or_equal(path, net)
    assert refused > len(flips) / 2  # else the flips did not reach the file


@pytest.mark.parametrize("method", [1, 8, 9, 12, 14, 93, 99])
def test_a_wrong_compression_method_is_refused(tmp_path, method):
    net, path = small_network(), tmp_path / "model.npz"
    net.save(path)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")  # the directory's first entry; its method stands 10 bytes on
    content[entry + 10] = method
    path.write_bytes(content)
    assert refused_or_equal(path, net)


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": None},
        {"weights": None},
        {"biases": None},
        {"cost": None},
        {"cost": 3},
        {"cost": ["A"]},
        {"sizes": []},
        {"sizes": [2]},
        {"sizes": 7},
        {"sizes": "231"},
        {"sizes": [2, 0, 1]},
        {"sizes": [2.0, 3.0, 1.0]},
        {"sizes": [2, 3, 2]},
        {"sizes": [2, 3, 1, 1]},
        {"weights": []},
        {"weights": [[["a"]], [[1.0]]]},
        {"weights": [[[1.0], [2.0, 3.0]], [[1.0]]]},
        {"weights": 5},
        {"biases": [[0.1, 0.2, 0.3], [0.7]]},
        {"biases": [[[10**400], [0], [0]], [[0.7]]]},
    ],
    ids=lambda change: str(change)[:40],
)
def test_json_that_is_no_network_is_refused(tmp_path, change):
    path = tmp_path / "net.json"
    path.write_text(json.dumps(network2_json(**change)))
    with pytest.raises(ValueError, match=r"net\.json"):
        nf.load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"{\xff}",
        b"[1, 2]",
        b"PK\x03\x04",
        b"\x93NUMPY",
        b"no model",
        bytes(99),
        b'{"a":' * 50_000,
    ],
    ids=lambda content: repr(content[:8]),
)
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="foreign"):
        nf.load(path)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("form", ["pickle", "npy", "npz", "npz member"])
def test_a_pickle_is_refused_and_not_executed(tmp_path, form):
    path, sprung = tmp_path / "trap", tmp_path / "sprung"
    array = np.array([Trap(sprung)], object)
    if form == "pickle":
        path.write_bytes(pickle.dumps(Trap(sprung)))
    elif form == "npy":
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=True)
    elif form == "npz":
        with path.open("wb") as file:
            np.savez(file, header=array)
    else:  # a true model, one array of which is objects
        small_network().save(path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=True)
        members["weights_0.npy"] = buffer.getvalue()
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    with pytest.raises(ValueError, match="trap"):
        nf.load(path)
    assert not sprung.exists()


def header_of(sizes, **more):
    content = {
        "format": "nndl_fast network 1",
        "sizes": sizes,
        "cost": "LogLikelihoodCost",
        "hidden": "sigmoid",
    }
    return np.frombuffer(json.dumps(content | more).encode(), np.uint8)


MANY = 4_000_000  # zeros of 16 MB, which a compressed file has in 16 kB
BOMBS = {
    "weights larger than the sizes": {
        "header": header_of([3, 2]),
        "biases_0": np.zeros((2, 1), np.float32),
        "weights_0": np.zeros((2, MANY), np.float32),
    },
    "large sizes": {
        "header": header_of([MANY, 1]),
        "biases_0": np.zeros((1, 1), np.float32),
        "weights_0": np.zeros((1, MANY), np.float32),
    },
    "a large header": {"header": np.zeros(4 * MANY, np.uint8)},
    "a large name": {"header": header_of([3, 2], classes=["a" * 4 * MANY, "b"])},
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_does_not_unpack_to_a_large_one(tmp_path, name):
    path = tmp_path / "small.npz"
    np.savez_compressed(path, **BOMBS[name])
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match=r"small\.npz does not hold a network: it has .* would unpack to"
        ):
            nf.load(path)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


def test_a_network_whose_file_somebody_compressed_is_read(tmp_path):
    net = small_network(sizes=(30, 40, 2))
    net.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as archive:
        np.savez_compressed(tmp_path / "small.npz", **archive)
    assert same(nf.load(tmp_path / "small.npz"), net)


def npy(shape, elements=b"", kind="<f4"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue() + elements


@pytest.mark.parametrize(
    "sizes, weights, said",
    [
        ([10**9, 2], npy((2, 10**9)), "needs 8000000"),
        ([3, 2], npy((2, 10**9)), "needs 8000000"),
        ([3, 2], npy((3, 2), bytes(24)), r"its weights of layer 1 have shape \(3, 2\)"),
        ([3, 2], npy((2, 3), bytes(12), "<f2"), "its weights of layer 1 have dtype float16"),
        ([3, 2], npy((2, 3), bytes(23)), "its array has 151 bytes; .* needs 152"),
        ([3, 2], npy((2**40, 2**40)), ""),
        ([3, 2], npy((-2, 3)), ""),
        ([3, 2], b"\x93NUMPY\x03\x00" + bytes(200), r"version \(3, 0\)"),
    ],
)
def test_arrays_are_judged_by_their_headers(tmp_path, monkeypatch, sizes, weights, said):
    path = tmp_path / "model.npz"
    members = {"header": header_of(sizes), "biases_0": np.zeros((2, 1), np.float32)}
    np.savez(path, **members)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("weights_0.npy", weights)
    read = np.lib.format.read_array

    def of_the_header(file, **options):
        assert "header" in file.name  # the only one that is read
        return read(file, **options)

    monkeypatch.setattr(np.lib.format, "read_array", of_the_header)
    with pytest.raises(ValueError, match=rf"model\.npz does not hold a network: .*{said}"):
        nf.load(path)


@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, error):
    path = tmp_path / "model.npz"
    old = small_network(seed=0)
    old.save(path)
    content = path.read_bytes()

    def half_written(file, **arrays):
        file.write(b"PK half a file")
        raise error

    monkeypatch.setattr(np, "savez", half_written)
    with pytest.raises(type(error)):
        small_network(seed=1).save(path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["model.npz"]
    monkeypatch.undo()
    assert same(nf.load(path), old)


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """No file may grow beyond 20 kB: the system refuses, as it does where a disk is full."""
    pytest.importorskip("resource")
    path = tmp_path / "model.npz"
    small_network().save(path)
    content = path.read_bytes()
    code = f"""
import resource, numpy as np, nndl_fast as nf
net = nf.Network([50, 200, 10], rng=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    net.save({str(path)!r})
except OSError as error:
    print(error)
"""
    assert "model.npz" in ended(code)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["model.npz"]


def test_a_save_replaces_the_old_file_and_leaves_no_other(tmp_path):
    path, new = tmp_path / "model.npz", small_network(seed=1)
    small_network(seed=0).save(path)
    new.save(path)
    assert same(nf.load(path), new)
    assert os.listdir(tmp_path) == ["model.npz"]


def test_who_has_the_old_file_open_goes_on_reading_it_whole(tmp_path):
    path = tmp_path / "model.npz"
    small_network(seed=0).save(path)
    with open(path, "rb") as old:
        before = old.read()
        small_network(seed=1).save(path)
        old.seek(0)
        assert old.read() == before != path.read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="permissions are not the umask's there")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        small_network().save(tmp_path / "model.npz")
        (tmp_path / "plain").write_text("")
        assert os.umask(mask) == mask  # save put it back
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("model.npz", "plain")]
    assert modes[0] == modes[1] == 0o666 & ~mask


def test_a_missing_file_is_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        nf.load(tmp_path / "nowhere.npz")
