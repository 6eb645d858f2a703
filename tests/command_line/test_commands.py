"""The command line: what it writes and prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nndl_fast as nf

pytest.importorskip("click")
pytest.importorskip("matplotlib")

from commands import assert_refused, examples, expected_lines, run, run_well, saved_network

from nndl_fast import cli


@pytest.mark.parametrize("cost", ["log-likelihood", "cross-entropy", "quadratic"])
def test_train_writes_a_model_and_a_picture_and_prints_the_test_accuracy(tmp_path, cost):
    model = tmp_path / "digits.npz"
    result = run_well("train", "--epochs", 2, "--hidden", "20,12", "--cost", cost, "--output", model)
    pictures = ["digits-confusion.png", "digits-mistakes.png", "digits-reliability.png", "digits.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["digits.npz", *pictures])
    for name in pictures:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    net, test = nf.load(model), nf.datasets.load_digits()[2]
    assert net.sizes == [64, 20, 12, 10]
    assert net.cost.__name__.lower() == cost.replace("-", "") + "cost"
    found = re.search(r"test accuracy ([\d.]+)% \((\d+) of 224\)", result.stdout)
    assert int(found[2]) == net.accuracy(test)
    assert float(found[1]) == pytest.approx(100 * net.accuracy(test) / 224, abs=0.01)
    assert result.stderr == ""  # no bar where there is no terminal


def test_the_best_epoch_is_saved_and_of_no_mistakes_there_is_no_picture(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    x = rng.standard_normal((200, 3)) + 20 * labels[:, None]
    np.savez(tmp_path / "t.npz", x=x, y=labels)
    (tmp_path / "m-mistakes.png").write_text("of another model")
    said = run_well("train", tmp_path / "t.npz", "--epochs", 5, "--output", tmp_path / "m.npz").stdout
    best = int(re.search(r"epoch (\d) is kept, with the best validation accuracy, 100.00%", said)[1])
    assert "worst mistakes: none" in said and not (tmp_path / "m-mistakes.png").exists()
    digest = re.search(r"digest (\w+)", said)[1]
    again = ("--epochs", best, "--output", tmp_path / "again.npz")
    assert digest in run_well("train", tmp_path / "t.npz", *again).stdout
    assert nf.load(tmp_path / "m.npz").digest() == digest


@pytest.mark.parametrize("backend", ["nonsense", "module://is_not_there"])
def test_a_backend_that_is_not_there_draws_too(tmp_path, backend):
    command = [sys.executable, "-m", "nndl_fast", "train", "--epochs", "1", "--output", "m.npz"]
    environment = {**os.environ, "MPLBACKEND": backend}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and (tmp_path / "m.png").exists(), done.stderr


def test_no_summary_of_a_command_is_cut():
    said = run_well("--help").stdout.split("Commands:")[1]
    assert all(name in said for name in ("train", "predict", "evaluate", "bench", "info"))
    assert "..." not in said


def test_train_does_what_its_options_say(tmp_path):
    run_well(
        "train",
        "--epochs",
        2,
        "--hidden",
        "",
        "--mini-batch",
        7,
        "--eta",
        0.25,
        "--lambda",
        0.5,
        "--seed",
        3,
        "--output",
        tmp_path / "m.npz",
    )
    net = nf.Network([64, 10], rng=3)
    net.SGD(nf.datasets.load_digits()[0], 2, 7, 0.25, 0.5)
    np.testing.assert_array_equal(nf.load(tmp_path / "m.npz").weights[0], net.weights[0])


def test_the_same_seed_gives_the_same_model_and_another_does_not(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run_well("train", "--epochs", 2, "--hidden", 8, "--seed", seed, "--output", tmp_path / name)
    a, b, c = (nf.load(tmp_path / name) for name in "abc")
    for p, q in zip(a.biases + a.weights, b.biases + b.weights, strict=True):
        np.testing.assert_array_equal(p, q)
    assert not np.array_equal(a.weights[0], c.weights[0])


def test_a_model_whose_name_ends_in_png_is_not_overwritten_by_the_picture(tmp_path):
    result = run("train", "--epochs", 1, "--hidden", 8, "--output", tmp_path / "model.png")
    if result.exit_code == 0:
        assert nf.load(tmp_path / "model.png").sizes == [64, 8, 10]
    else:
        assert_refused(result, "model.png")


def test_predict_prints_class_and_activation_a_line_for_npy(tmp_path):
    net, x = saved_network(tmp_path / "m.npz"), examples()
    np.save(tmp_path / "x.npy", x)
    result = run_well("predict", tmp_path / "m.npz", tmp_path / "x.npy")
    assert result.stdout.splitlines() == expected_lines(net, x)
    assert result.stderr == ""


@pytest.mark.parametrize("form", ["csv", "npy"])
def test_predict_takes_one_column_more_as_labels(tmp_path, form):
    net, x = saved_network(tmp_path / "m.npz"), examples()
    labels = net.feedforward(x.T).argmax(axis=0)
    labels[0] = (labels[0] + 1) % 3  # one of six is wrong
    table, data = np.column_stack([x, labels]), tmp_path / f"x.{form}"
    np.savetxt(data, table, delimiter=",") if form == "csv" else np.save(data, table)
    result = run_well("predict", tmp_path / "m.npz", data)
    assert result.stdout.splitlines() == expected_lines(net, x)
    assert "83.33% (5 of 6)" in result.stderr


def test_predict_takes_a_csv_file_of_one_line_without_label(tmp_path):
    net, x = saved_network(tmp_path / "m.npz"), examples(1)
    np.savetxt(tmp_path / "x.csv", x, delimiter=",")
    result = run_well("predict", tmp_path / "m.npz", tmp_path / "x.csv")
    assert result.stdout.splitlines() == expected_lines(net, x)


def test_info_says_what_the_installation_is():
    result = run_well("info")
    for name, value in nf.show_config().items():
        assert re.search(rf"^{name}\b", result.stdout, re.MULTILINE)
        assert isinstance(value, list) or str(value) in result.stdout


def test_info_says_what_a_model_holds(tmp_path):
    saved_network(tmp_path / "m.npz")
    lines = dict(line.split(None, 1) for line in run_well("info", tmp_path / "m.npz").stdout.splitlines())
    assert lines == {
        "sizes": "4-5-3",
        "cost": "LogLikelihoodCost",
        "hidden": "sigmoid",
        "dtype": "float32",
        "parameters": str(5 * 4 + 5 + 3 * 5 + 3),
        "digest": nf.load(tmp_path / "m.npz").digest(),
    }


def test_the_version_is_the_packages():
    assert nf.__version__ in run_well("--version").stdout


def test_bench_runs_the_report_that_comes_with_the_package(tmp_path, monkeypatch):
    commands, shown = [], []

    def run_report(command):
        commands.append(command)
        return subprocess.CompletedProcess(command, 3 if "bad" in command[2] else 0)

    monkeypatch.setattr(cli.subprocess, "run", run_report)
    monkeypatch.setattr(cli.webbrowser, "open", shown.append)
    monkeypatch.setattr(cli, "find_spec", lambda name: name)
    (tmp_path / "old.json").write_text("{}")
    run_well("bench", tmp_path / "new", "--quick", "--against", tmp_path / "old.json", "--open")
    python, program, folder, *options = commands[0]
    assert python == sys.executable and folder == str(tmp_path / "new")
    assert options == ["--quick", "--against", str(tmp_path / "old.json")]
    assert Path(program).name == "report.py" and Path(program).is_file()
    sources = Path(__file__).parents[2]  # where they are in an editable install
    assert Path(program).parent in (Path(nf._core.__file__).parent / "bench", sources / "bench")
    assert shown == [(tmp_path / "new" / "report.html").as_uri()]
    assert run("bench", tmp_path / "bad").exit_code == 3
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "pytest" else name)
    assert_refused(run("bench", tmp_path / "x"), "pytest not installed", "nndl_fast[bench]")
