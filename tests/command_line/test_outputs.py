"""The command line: what train writes is tried before the training, and never stands in place of an input."""

import os
import sys

import numpy as np
import pytest

import nndl_fast as nf

pytest.importorskip("click")
pytest.importorskip("matplotlib")

from commands import assert_refused, run, saved_network
from mnist import write_mnist


@pytest.fixture
def untrained(monkeypatch):
    monkeypatch.setattr(nf.Network, "SGD", lambda *_, **__: pytest.fail("it trains"))


def contents(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir() if path.is_file()}


def table(path):
    lines = (f"{i},{i % 7},{'ab'[i % 2]}" for i in range(40))
    path.write_text("\n".join(["first,second,kind", *lines]) + "\n")
    return path


@pytest.mark.parametrize("link", ["itself", "another path", "symbolic link", "hard link"])
@pytest.mark.parametrize("ending", ["", ".png", "-confusion.png", "-mistakes.png", "-reliability.png"])
def test_no_output_is_written_over_the_data(tmp_path, untrained, ending, link):
    data = table(tmp_path / (f"m{ending}" if ending else "m.csv"))
    output = tmp_path / ("m" if ending else "m.csv")
    if link == "another path":
        (tmp_path / "sub").mkdir()
        output = tmp_path / "sub" / ".." / output.name
    elif link != "itself":
        moved = tmp_path / "data.csv"
        data.rename(moved)
        data.symlink_to(moved) if link == "symbolic link" else data.hardlink_to(moved)
        data = moved
    before = contents(tmp_path)
    result = run("train", data, "--output", output)
    assert_refused(result, "--output", data, "would overwrite")
    assert result.exit_code == 2
    assert contents(tmp_path) == before


@pytest.mark.parametrize("zipped", [False, True])
def test_no_output_is_written_over_a_file_of_mnist(tmp_path, untrained, zipped):
    write_mnist(tmp_path, zipped=zipped)
    before = contents(tmp_path)
    for path in before:
        assert_refused(run("train", tmp_path, "--output", path), "--output", path, "would overwrite")
    assert contents(tmp_path) == before
    assert_refused(run("train", tmp_path, "--output", tmp_path / "none" / "m.npz"), "none")


@pytest.mark.parametrize("package, extra", [("safetensors", "safetensors"), ("matplotlib", "train")])
def test_a_missing_package_is_named_before_the_training(tmp_path, untrained, monkeypatch, package, extra):
    """And an old model is as it was."""
    pytest.importorskip("safetensors")
    pytest.importorskip("matplotlib")
    output = tmp_path / "m.safetensors"
    saved_network(output if package == "matplotlib" else tmp_path / "m.npz")
    (tmp_path / "m.npz").rename(output) if package != "matplotlib" else None
    before = contents(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.numpy", raising=False)
    result = run("train", "--output", output)
    assert_refused(result, "--output", f"nndl_fast[{extra}]")
    assert result.exit_code == 2
    assert contents(tmp_path) == before


def test_a_model_of_a_package_that_is_missing_is_a_line(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.delitem(sys.modules, "safetensors.numpy", raising=False)
    assert_refused(run("info", path), "nndl_fast[safetensors]")


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("no package"), ValueError("no network"), OSError("full")]
)
def test_whatever_a_save_fails_by_the_model_is_saved_elsewhere(tmp_path, monkeypatch, error):
    save = nf.Network.save

    def fails_there(net, filename):
        if os.path.dirname(filename) == str(tmp_path / "models"):
            raise error
        save(net, filename)

    monkeypatch.setattr(nf.Network, "save", fails_there)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "models").mkdir()
    result = run("train", "--epochs", 1, "--hidden", 8, "--output", tmp_path / "models" / "m.npz")
    (rescued,) = tmp_path.glob("*.npz")
    assert_refused(result, error, f"the model is in {rescued} instead")
    assert nf.load(rescued).sizes == [64, 8, 10]


def test_the_trial_changes_no_old_file(tmp_path, monkeypatch):
    for name in ("m.npz", "m.png", "m-confusion.png", "m-mistakes.png", "m-reliability.png"):
        (tmp_path / name).write_text("old")
    before = contents(tmp_path)

    def looked_at(*_, **__):
        assert contents(tmp_path) == before and len(os.listdir(tmp_path)) == 5
        raise ValueError("it trains")

    monkeypatch.setattr(nf.Network, "SGD", looked_at)
    assert_refused(run("train", "--output", tmp_path / "m.npz"), "it trains")
    assert contents(tmp_path) == before


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="permissions differ there")
def test_a_folder_that_may_not_be_written_is_named_before_the_training(tmp_path, untrained):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "models").mkdir()
    (tmp_path / "models").chmod(0o555)
    assert_refused(run("train", "--output", tmp_path / "models" / "m.npz"), "--output", tmp_path / "models")


def test_matplotlibs_own_names_are_no_data(tmp_path):
    """A picture of the run before is replaced."""
    np.savetxt(tmp_path / "t.csv", np.column_stack([np.arange(40), np.arange(40) % 2]), delimiter=",")
    for _ in range(2):
        result = run("train", tmp_path / "t.csv", "--epochs", 1, "--output", tmp_path / "t.npz")
        assert result.exit_code == 0, result.output
