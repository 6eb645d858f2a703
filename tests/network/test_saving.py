"""What a save does to the name it is given: links, permissions, and what is no file; and what it refuses."""

import os
import re
import stat

import numpy as np
import pytest
from programs import ended

import nndl_fast as nf

on_posix = pytest.mark.skipif(os.name == "nt", reason="there are no such permissions and files there")


def network(seed=0):
    return nf.Network([3, 4, 2], rng=seed)


def assert_holds(path, net):
    assert nf.load(path).digest() == net.digest()


def assert_not_saved(path, kind, said, net=None):
    """The error names what is wrong, and the folder is as it was."""
    folder = os.path.dirname(os.path.abspath(path)) if "\0" not in str(path) else "."
    before = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    with pytest.raises(kind, match=re.escape(str(said))):
        (net or network()).save(path)
    assert before == (sorted(os.listdir(folder)) if os.path.isdir(folder) else [])


@on_posix
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660, 0o777])
def test_an_old_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "model.npz"
    path.write_text("old")
    path.chmod(mode)
    network().save(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert_holds(path, network())


@on_posix
def test_a_private_file_is_private_from_its_creation_on(tmp_path, monkeypatch):
    path, modes, chmod = tmp_path / "model.npz", [], os.chmod

    def observed(new, mode):
        modes.append(stat.S_IMODE(os.stat(new).st_mode))
        chmod(new, mode)

    monkeypatch.setattr(os, "chmod", observed)
    path.touch(0o600)
    network().save(path)
    assert modes == [0o600]


@on_posix
def test_the_umask_of_the_process_is_left_alone(tmp_path, monkeypatch):
    """Another thread may create files at any moment."""
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was changed"))
    network().save(tmp_path / "model.npz")


@on_posix
@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to a file that is still to come"])
def test_links_are_followed(tmp_path, there):
    for folder in ("models", "links"):
        (tmp_path / folder).mkdir()
    target, link, first = tmp_path / "models" / "a.npz", tmp_path / "links" / "best.npz", tmp_path / "first"
    link.symlink_to("../models/a.npz")
    first.symlink_to(link)
    if there:
        target.write_text("old")
    network().save(first)
    assert first.is_symlink() and link.is_symlink() and not target.is_symlink()
    assert_holds(target, network())
    assert sorted(os.listdir(tmp_path)) == ["first", "links", "models"]
    assert os.listdir(tmp_path / "models") == ["a.npz"] and os.listdir(tmp_path / "links") == ["best.npz"]


@on_posix
def test_links_that_lead_nowhere_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert_not_saved(tmp_path / "a", OSError, tmp_path / "a")
    (tmp_path / "c").symlink_to("none/c")
    assert_not_saved(tmp_path / "c", FileNotFoundError, tmp_path / "c")


@on_posix
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "linked"])
@pytest.mark.parametrize("kind", ["folder", "FIFO", "device"])
def test_what_is_no_regular_file_is_refused(tmp_path, kind, linked):
    path = tmp_path / "model.npz"
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 7))  # /dev/full's twin
        except PermissionError:
            pytest.skip("only root makes devices")
    before = path.stat()
    if linked:
        link = tmp_path / "link"
        link.symlink_to(path)
        assert_not_saved(link, OSError, f"save: {link} exists and is not a regular file")
    else:
        assert_not_saved(path, OSError, f"save: {path} exists and is not a regular file")
    after = path.stat()
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


@pytest.mark.parametrize("length", [250, 255])
def test_names_as_long_as_the_system_takes(tmp_path, length):
    path = tmp_path / ("m" * length)
    try:
        path.touch()
        path.unlink()
    except OSError:
        pytest.skip("such names are too long here")
    network().save(path)
    assert_holds(path, network())
    network(1).save(path)
    assert_holds(path, network(1))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("form", [str, os.fsencode, lambda path: path], ids=["str", "bytes", "PathLike"])
def test_every_kind_of_path(tmp_path, form):
    network().save(form(tmp_path / "modèle.npz"))
    assert_holds(tmp_path / "modèle.npz", network())


def test_a_name_without_folder_is_one_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network().save("model.npz")
    assert_holds(tmp_path / "model.npz", network())
    assert os.listdir() == ["model.npz"]


@pytest.mark.parametrize(
    "name, kind, said",
    [
        ("", ValueError, "save: filename is ''"),
        ("new/", ValueError, "new/'; it must end in the name of a file"),
        ("none/new", FileNotFoundError, "new"),
        ("file/", (OSError, ValueError), "file/"),
        ("file/new", OSError, "new"),
        (".", OSError, "not a regular file"),
        ("nul\0.npz", ValueError, r"nul\x00.npz'"),
        ("half\ud800.npz", ValueError, r"half\ud800.npz'"),
        ("m" * 256, OSError, "m" * 256),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name, kind, said):
    if os.name == "nt" and name.startswith("half"):
        pytest.skip("such names are valid there")
    (tmp_path / "file").write_text("content")
    with pytest.raises(kind) as caught:
        network().save(f"{tmp_path}{os.sep}{name}" if name else name)
    assert said in str(caught.value)
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "content"


@on_posix
def test_permissions_bind(tmp_path):
    """A read-only file is not replaced, nor one in a read-only folder; root becomes somebody else first."""
    for name in ("folder/old.npz", "open/old.npz"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("old")
    (tmp_path / "folder" / "old.npz").chmod(0o666)
    (tmp_path / "folder").chmod(0o555)
    (tmp_path / "open" / "old.npz").chmod(0o444)
    (tmp_path / "open").chmod(0o777)
    tmp_path.chmod(0o777)
    code = f"""
import os, nndl_fast as nf
os.chdir({str(tmp_path)!r})
net = nf.Network([3, 4, 2], rng=0)
net.save("first.npz")  # imports what a save needs
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for name in "folder/new.npz", "folder/old.npz", "open/old.npz":
    try:
        net.save(name)
    except PermissionError as error:
        print(error.filename)
net.save("open/new.npz")  # though the folders above let nobody in
"""
    assert ended(code).split() == ["folder/new.npz", "folder/old.npz", "open/old.npz"]
    assert os.listdir(tmp_path / "folder") == ["old.npz"]
    assert sorted(os.listdir(tmp_path / "open")) == ["new.npz", "old.npz"]
    assert (tmp_path / "open" / "old.npz").read_text() == "old"


@on_posix
def test_the_folder_is_written_to_the_disk_after_the_name(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace

    def synced(handle):
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("name"), replace(*names)))
    monkeypatch.chdir(tmp_path)
    network().save("model.npz")
    assert done == ["file", "name", "folder"]


@on_posix
def test_a_folder_that_cannot_be_written_to_the_disk_does_not_lose_the_file(tmp_path, monkeypatch):
    fsync = os.fsync

    def synced(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    network().save(tmp_path / "model.npz")
    assert_holds(tmp_path / "model.npz", network())


def test_an_interruption_right_after_the_renaming_is_passed_on(tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(*names):
        replace(*names)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        network().save(tmp_path / "model.npz")
    assert_holds(tmp_path / "model.npz", network())


def changed(**attributes):
    net = network()
    for name, value in attributes.items():
        setattr(net, name, value)
    return net


def with_array(name, layer, array):
    """A network one of whose arrays was replaced in its list, where nothing checks it."""
    net = network()
    getattr(net, name)[layer - 1 : layer] = [] if array is None else [array]
    return net


nameless = nf.QuadraticCost()
nameless.__name__ = 3
NO_NETWORKS = {
    "float64 weights": (
        with_array("weights", 1, np.zeros((4, 3))),
        "its weights of layer 1 have dtype float64",
    ),
    "float64 biases": (with_array("biases", 2, np.zeros((2, 1))), "its biases of layer 2 have dtype float64"),
    "float16": (
        with_array("biases", 1, np.zeros((4, 1), np.float16)),
        "its biases of layer 1 have dtype float16",
    ),
    "other bytes": (
        with_array("weights", 2, np.zeros((2, 4), ">f4")),
        "its weights of layer 2 have dtype >f4",
    ),
    "objects": (
        with_array("weights", 2, np.zeros((2, 4), object)),
        "its weights of layer 2 have dtype object",
    ),
    "shape": (
        with_array("weights", 2, np.zeros((2, 3), np.float32)),
        "its weights of layer 2 have shape (2, 3); it must be (2, 4)",
    ),
    "vector": (
        with_array("biases", 1, np.zeros(4, np.float32)),
        "its biases of layer 1 have shape (4,); it must be (4, 1)",
    ),
    "lists": (with_array("biases", 1, [[0.0]] * 4), "its biases of layer 1 are of type list"),
    "a layer less": (with_array("weights", 2, None), "it has weights of 1 layers"),
    "a layer more": (with_array("biases", 3, np.zeros((1, 1), np.float32)), "it has biases of 3 layers"),
    "sizes": (changed(sizes=[3, 2]), "it has biases of 2 layers"),
    "no integers": (changed(sizes=[3, 4.0, 2]), "its sizes are [3, 4.0, 2]"),
    "hidden": (changed(hidden="cubic"), "its hidden layers are 'cubic'"),
    "a cost without a name": (changed(cost=nameless), "its cost is 3"),
}


@pytest.mark.parametrize("name", NO_NETWORKS)
def test_what_load_would_refuse_is_not_saved(tmp_path, name):
    net, said = NO_NETWORKS[name]
    path = tmp_path / "model.npz"
    network(1).save(path)
    assert_not_saved(path, ValueError, f"save: the network cannot be saved: {said}", net)
    assert_holds(path, network(1))


def test_a_cost_of_ones_own_is_not_taken_for_one_of_ours(tmp_path):
    class QuadraticCost(nf.CrossEntropyCost):
        pass

    nf.Network([3, 2], cost=QuadraticCost).save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=r"the cost '.*\.QuadraticCost', which is not one of"):
        nf.load(tmp_path / "model.npz")
    assert nf.load(tmp_path / "model.npz", cost=QuadraticCost).cost is QuadraticCost


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"load: .*pipe is not a regular file"):
        nf.load(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_file_that_becomes_a_pipe_before_it_is_opened_is_not_waited_for(tmp_path):
    """It looks as a regular file until then."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    code = f"""
import os, nndl_fast as nf
regular = os.stat({str(tmp_path / "file")!r})
os.stat = lambda *arguments, **options: regular
try:
    nf.load({str(tmp_path / "pipe")!r})
except ValueError as error:
    print(error)
"""
    assert "pipe is not a regular file" in ended(code, 20)


def test_a_folder_is_no_network(tmp_path):
    with pytest.raises(ValueError, match="is not a regular file"):
        nf.load(tmp_path)


@pytest.mark.parametrize("done", ["save", "load"])
def test_safetensors_without_the_package_names_the_extra(tmp_path, monkeypatch, done):
    path = tmp_path / "m.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    monkeypatch.delitem(__import__("sys").modules, "safetensors.numpy", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"nndl_fast\[safetensors\]"):
        network().save(path) if done == "save" else nf.load(path)
    assert path.stat().st_size == 10 and os.listdir(tmp_path) == ["m.safetensors"]


def test_what_a_file_says_is_printable_in_messages(tmp_path):
    path = tmp_path / "a\x1b[31m\n.npz" if os.name != "nt" else tmp_path / "a.npz"
    with path.open("wb") as file:
        np.savez(
            file, header=np.frombuffer(b'{"format": "nndl_fast network 1", "sizes": "\\u001b[2J"}', np.uint8)
        )
    with pytest.raises(ValueError, match="does not hold a network") as caught:
        nf.load(path)
    assert str(caught.value).isprintable()
    nf.Network([3, 2], cost=type("Mine\x1b[2J", (nf.QuadraticCost,), {})).save(path)
    with pytest.raises(ValueError, match="was trained with the cost") as caught:
        nf.load(path)
    assert str(caught.value).isprintable()
