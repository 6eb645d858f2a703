"""The command line: what a mistake, a full disk or a closed pipe gets is a line, not a traceback."""

import os
import signal
import subprocess
import sys
import tempfile

import numpy as np
import pytest

import nndl_fast as nf

pytest.importorskip("click")
pytest.importorskip("matplotlib")

from commands import assert_refused, examples, run, run_well, saved_network
from mnist import idx, write_mnist

from nndl_fast import cli


@pytest.mark.parametrize(
    "option, value",
    [
        ("--eta", -1),
        ("--eta", 0),
        ("--eta", "fast"),
        ("--eta", "nan"),
        ("--eta", "inf"),
        ("--lambda", -0.5),
        ("--lambda", "nan"),
        ("--epochs", 0),
        ("--mini-batch", 0),
        ("--hidden", "ten"),
        ("--hidden", "30,0"),
        ("--cost", "cubic"),
        ("--seed", -1),
        ("--seed", "x"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_written(tmp_path, option, value):
    # The valid epochs come first, so that a wrong value that slips through costs one epoch.
    result = run("train", "--epochs", 1, "--hidden", 8, "--output", tmp_path / "m.npz", option, value)
    assert_refused(result, option)
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_without_mnist_is_named(tmp_path):
    result = run("train", "--data", tmp_path, "--output", tmp_path / "m")
    assert_refused(result, tmp_path, "train-images-idx3-ubyte")
    assert_refused(run("train", "--data", tmp_path / "none", "--output", tmp_path / "m"), tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_does_not_exist_is_named_before_training(tmp_path):
    result = run("train", "--epochs", 1, "--output", tmp_path / "none" / "m.npz")
    assert_refused(result, tmp_path / "none" / "m.npz")
    assert "images" not in result.stdout  # the line that training starts with
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["predict", "info"])
def test_a_model_that_is_no_model_is_named(tmp_path, command):
    wrong, data = tmp_path / "no-model.npz", tmp_path / "x.npy"
    np.save(data, examples())
    rest = [data] if command == "predict" else []
    wrong.write_text("not a network")
    assert_refused(run(command, wrong, *rest), wrong)
    np.savez(wrong, weights=examples())
    assert_refused(run(command, wrong, *rest), wrong)
    assert_refused(run(command, tmp_path / "nowhere.npz", *rest), "nowhere.npz")
    assert_refused(run(command, tmp_path, *rest), tmp_path)


RECORDS = np.zeros(2, [("a", "f4"), ("b", "f4")])


def shape_beyond_memory(path):
    """An .npy file without the elements that its shape says."""
    np.save(path, examples())
    path.write_bytes(path.read_bytes().replace(b"(6, 4), }" + b" " * 12, b"(99999999999, 4), }  "))


WRONG_DATA = {
    "columns.npy": lambda path: np.save(path, examples(6, 3)),
    "columns.csv": lambda path: np.savetxt(path, examples(6, 7), delimiter=","),
    "vector.npy": lambda path: np.save(path, examples().ravel()),
    "objects.npy": lambda path: np.save(path, np.array([{}], object), allow_pickle=True),
    "records.npy": lambda path: np.save(path, RECORDS),
    "scalar.npy": lambda path: np.save(path, 1.0),
    "three.npy": lambda path: np.save(path, examples()[None]),
    "archive.npy": lambda path: saved_network(path),
    "cut.npy": lambda path: (np.save(path, examples()), path.write_bytes(path.read_bytes()[:-1])),
    "long-header.npy": lambda path: path.write_bytes(b"\x93NUMPY\1\0\xff\x7f" + b" " * 0x7FFF),
    "beyond-memory.npy": shape_beyond_memory,
    "empty.npy": lambda path: path.write_bytes(b""),
    "folder.npy": lambda path: path.mkdir(),
    "bytes.csv": lambda path: path.write_bytes(b"1,2,3,\xff\n"),
    "nul.csv": lambda path: path.write_bytes(b"\0" * 40),
    "damaged.csv.gz": lambda path: path.write_bytes(b"\x1f\x8b\x08" + b"\xff" * 40),
    "complex.npy": lambda path: np.save(path, examples() * 1j),
    "text.npy": lambda path: np.save(path, np.full((2, 4), "one")),
    "no.npy": lambda path: path.write_bytes(b"no array"),
    "words.csv": lambda path: path.write_text("1,2,3,4\na,b,c,d\n"),
    "missing-number.csv": lambda path: path.write_text("1,2,,4\n"),
    "nan.csv": lambda path: path.write_text("1,2,nan,4\n"),
    "beyond-float32.csv": lambda path: path.write_text("1,2,3,4\n1e300,2,3,4\n"),
    "no-x.npz": lambda path: np.savez(path, a=examples()),
    "columns.npz": lambda path: np.savez(path, x=examples(6, 3)),
    "labels.npz": lambda path: np.savez(path, x=examples(), y=[0, 1]),
    "no.npz": lambda path: path.write_bytes(b"no archive"),
    "no.parquet": lambda path: path.write_bytes(b"no table"),
    "ragged.csv": lambda path: path.write_text("1,2,3,4\n1,2\n"),
    "empty.csv": lambda path: path.write_text(""),
    "folder": lambda path: path.mkdir(),
    "missing.npy": lambda path: None,
}


@pytest.mark.parametrize("name", WRONG_DATA)
def test_data_that_predict_cannot_use_is_named(tmp_path, name):
    saved_network(tmp_path / "m.npz")
    WRONG_DATA[name](tmp_path / name)
    assert_refused(run("predict", tmp_path / "m.npz", tmp_path / name), name)


def test_data_with_the_wrong_number_of_columns_says_how_many_are_needed(tmp_path):
    saved_network(tmp_path / "m.npz")
    np.save(tmp_path / "x.npy", examples(6, 3))
    assert_refused(run("predict", tmp_path / "m.npz", tmp_path / "x.npy"), "x.npy", "3 columns", "4 columns")


def obstacles(path):
    """What is in the way of a model or picture, by its kind."""
    return {
        "missing folder": lambda: path.parent.rmdir(),
        "folder": lambda: path.mkdir(),
        "FIFO": lambda: os.mkfifo(path),
        "a loop of links": lambda: path.symlink_to(path.name),
        "a link into a missing folder": lambda: path.symlink_to("none/m.npz"),
    }


@pytest.mark.skipif(os.name == "nt", reason="some of them are not there")
@pytest.mark.parametrize("name", ["m.npz", "m.png", "m-confusion.png", "m-mistakes.png", "m-reliability.png"])
@pytest.mark.parametrize("kind", obstacles(None))
def test_a_place_that_cannot_be_written_is_named_before_training(tmp_path, kind, name):
    folder = tmp_path / "models"
    folder.mkdir()
    obstacles(folder / name)[kind]()
    before = sorted(tmp_path.rglob("*"))
    result = run("train", "--epochs", 1, "--hidden", 8, "--output", folder / "m.npz")
    assert_refused(result, "--output", folder / ("m" if kind == "missing folder" else name))
    assert result.exit_code == 2 and "images" not in result.stdout  # the line that training starts with
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("output", ["", "new/", ".", "m" * 256, "m" * 254, "M.PNG"])
def test_a_name_that_is_none_is_refused_before_training(tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    result = run("train", "--epochs", 1, "--hidden", 8, "--output", output)
    assert_refused(result, "--output", output)
    assert result.exit_code == 2 and "images" not in result.stdout
    assert os.listdir() == []


def test_a_model_that_is_a_link_to_its_picture_is_refused(tmp_path):
    (tmp_path / "m.npz").symlink_to("m.png")
    assert_refused(run("train", "--epochs", 1, "--output", tmp_path / "m.npz"), "learning curve")


@pytest.mark.parametrize("rescue", ["temporary", "home", "none"])
def test_a_model_that_cannot_be_saved_after_all_is_saved_elsewhere(tmp_path, monkeypatch, rescue):
    """While it trains, the folder is removed. So is the temporary one, or the user's own as well."""
    folders = {name: tmp_path / name for name in ("models", "temporary", "home")}
    for name in ("models", rescue) if rescue != "none" else ("models",):
        folders[name].mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folders["temporary"]))
    monkeypatch.setenv("HOME", str(folders["home"]))
    monkeypatch.setenv("USERPROFILE", str(folders["home"]))
    train = nf.Network.SGD

    def train_and_remove(net, *arguments, **options):
        lists = train(net, *arguments, **options)
        folders["models"].rmdir()
        return lists

    monkeypatch.setattr(nf.Network, "SGD", train_and_remove)
    result = run("train", "--epochs", 1, "--hidden", 8, "--output", folders["models"] / "m.npz")
    assert_refused(result, folders["models"] / "m.npz")
    if rescue == "none":
        assert list(tmp_path.iterdir()) == []
    else:
        (rescued,) = folders[rescue].iterdir()
        assert f"the model is in {rescued} instead" in result.stderr
        assert nf.load(rescued).sizes == [64, 8, 10]


@pytest.mark.parametrize(
    "name, what",
    [
        ("m.png", "learning curve"),
        ("m-confusion.png", "confusion matrix"),
        ("m-mistakes.png", "worst mistakes"),
        ("m-reliability.png", "reliability diagram"),
    ],
)
def test_a_picture_that_cannot_be_drawn_after_all_is_a_line_and_the_model_is_there(
    tmp_path, monkeypatch, name, what
):
    save = nf.Network.save

    def save_and_block(net, filename):
        save(net, filename)
        (tmp_path / name).mkdir()

    monkeypatch.setattr(nf.Network, "save", save_and_block)
    result = run("train", "--epochs", 1, "--hidden", 8, "--output", tmp_path / "m.npz")
    assert_refused(result, "the model is saved", what, tmp_path / name)
    assert nf.load(tmp_path / "m.npz").digest() in result.stdout


@pytest.mark.parametrize("error", [RuntimeError("no fonts"), MemoryError()])
def test_an_error_of_matplotlib_is_a_line_and_leaves_no_picture(tmp_path, monkeypatch, error):
    def fails(*arguments, **options):
        raise error

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fails)
    result = run("train", "--epochs", 1, "--hidden", 8, "--output", tmp_path / "m.npz")
    assert_refused(result, "the model is saved", str(error))
    assert os.listdir(tmp_path) == ["m.npz"]


@pytest.mark.parametrize(
    "mini_batch", [10**30, *(pytest.param(n, marks=pytest.mark.slow) for n in (1350, 99_999_999_999))]
)
def test_a_mini_batch_larger_than_the_data_is_the_data(tmp_path, mini_batch):
    for name, size in (("all", 1349), ("more", mini_batch)):
        options = ("--hidden", 8, "--mini-batch", size, "--output", tmp_path / name)
        assert "mini-batches of 1349," in run_well("train", "--epochs", 1, *options).stdout
    assert nf.load(tmp_path / "all").digest() == nf.load(tmp_path / "more").digest()


@pytest.mark.parametrize("hidden", [99_999_999_999, 10**18, 10**30])
def test_a_network_beyond_memory_is_a_line(tmp_path, hidden):
    result = run("train", "--hidden", hidden, "--output", tmp_path / "m.npz")
    assert_refused(result, "--hidden", f"64-{hidden}-10", "memory")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", ["", "std::bad_alloc"])
@pytest.mark.parametrize("method", ["SGD", "total_cost", "predict_proba"])
def test_too_little_memory_is_a_line(tmp_path, monkeypatch, method, said):
    def fails(*arguments, **options):
        raise MemoryError(said)

    model, data, new = (tmp_path / name for name in ("m.npz", "x.npy", "new"))
    saved_network(model)
    np.save(data, examples())
    monkeypatch.setattr(nf.Network, method, fails)
    train = ["train", "--epochs", 1, "--hidden", 8, "--output", new]
    result = run("predict", model, data) if method == "predict_proba" else run(*train)
    assert_refused(result, "there is not enough memory")
    assert result.stderr.strip().endswith(said or "memory")
    assert new.exists() == (method == "total_cost")  # what the training gave is there, whatever fails later


PROGRAM = [sys.executable, "-c", "from nndl_fast.cli import main; main(prog_name='nndl-fast')"]


def program(folder, *arguments, **options):
    command = [*PROGRAM, *map(str, arguments)]
    # What is written waits in Python's buffer, as it does for users, who do not set this.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "arguments",
    [["info"], ["info", "m.npz"], ["--help"], ["--version"], ["predict", "m.npz", "x.npy"], ["train"]],
    ids=" ".join,
)
def test_a_full_disk_behind_standard_output_is_a_line(tmp_path, arguments):
    saved_network(tmp_path / "m.npz")
    np.save(tmp_path / "x.npy", examples())
    with open("/dev/full", "w") as full, program(tmp_path, *arguments, stdout=full) as process:
        said = process.stderr.read()
    assert process.returncode == 1
    assert said.startswith("Error: ") and said.count("\n") == 1, said
    assert sorted(os.listdir(tmp_path)) == ["m.npz", "x.npy"]


@pytest.mark.skipif(os.name == "nt", reason="pipes close in another way there")
def test_a_reader_that_has_enough_is_no_error_on_the_terminal(tmp_path):
    saved_network(tmp_path / "m.npz")
    np.save(tmp_path / "x.npy", examples(20_000))  # more than a pipe holds
    arguments = ["predict", "m.npz", "x.npy"]
    with program(tmp_path, *arguments, stdout=subprocess.PIPE) as process:
        assert "\t" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.skipif(os.name == "nt", reason="pipes close in another way there")
def test_a_reader_that_leaves_during_the_training_does_not_lose_the_model(tmp_path):
    with program(tmp_path, "train", "--output", "m.npz", stdout=subprocess.PIPE) as process:
        assert "mini-batches" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert nf.load(tmp_path / "m.npz").sizes == [64, 60, 10]


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal there")
def test_ctrl_c_is_a_line_and_saves_nothing(tmp_path):
    arguments = ["train", "--epochs", 10**9]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("this process ignores Ctrl-C, as a shell's background jobs do, and so would its child")
    with program(tmp_path, *arguments, stdout=subprocess.PIPE) as process:
        assert "mini-batches" in process.stdout.readline()  # it begins
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 1
    assert said.strip() == "Aborted!"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("label", ["nan", "1e999"])
def test_labels_that_are_no_classes_are_said_to_be_none(tmp_path, label):
    net = saved_network(tmp_path / "m.npz")
    (tmp_path / "x.csv").write_text(f"1,2,3,4,{label}\n")
    result = run_well("predict", tmp_path / "m.npz", tmp_path / "x.csv")
    assert result.stdout.split("\t")[0] == str(net.predict([[1, 2, 3, 4]])[0])
    assert f"no accuracy: {tmp_path / 'x.csv'} has the label {label} in line 1" in result.stderr
    assert_refused(
        run("evaluate", tmp_path / "m.npz", tmp_path / "x.csv"), f"has the label {label} in line 1"
    )


@pytest.mark.parametrize(
    "number, says",
    [
        ("nan", "has no number in line 2, column 2"),
        ("1e300", "has 1e+300 in line 2, column 2"),
        ("1e999", " in line 2, column 2"),
    ],
)
def test_a_feature_that_is_no_finite_number_is_named_by_its_row(tmp_path, number, says):
    saved_network(tmp_path / "m.npz")
    (tmp_path / "x.csv").write_text(f"1,2,3,4\n1,2,{number},4\n")
    result = run("predict", tmp_path / "m.npz", tmp_path / "x.csv")
    assert_refused(result, tmp_path / "x.csv", says)
    assert result.stdout == ""


def test_images_for_a_network_with_other_inputs_are_named(tmp_path):
    saved_network(tmp_path / "m.npz")
    train, test = (idx(np.zeros((n, 2, 3), np.uint8)) for n in (10_016, 16))
    images = write_mnist(tmp_path, train_images=train, t10k_images=test)
    assert_refused(run("predict", tmp_path / "m.npz", images), tmp_path, "6 pixels", "4 inputs")


@pytest.mark.parametrize("vanished", ["m.npz", "x.npy"])
def test_a_file_that_vanishes_is_named(tmp_path, monkeypatch, vanished):
    """Between click's look at it and ours."""
    saved_network(tmp_path / "m.npz")
    np.save(tmp_path / "x.npy", examples())
    load = cli.load
    monkeypatch.setattr(cli, "load", lambda path: ((tmp_path / vanished).unlink(), load(path))[1])
    assert_refused(run("predict", tmp_path / "m.npz", tmp_path / "x.npy"), tmp_path / vanished)
