"""The command line on tables of one's own: reading, learning, applying, judging."""

import itertools
import re

import numpy as np
import pytest

import nndl_fast as nf

pytest.importorskip("click")
pytest.importorskip("matplotlib")

from commands import assert_refused, run, run_well

from nndl_fast._commands import _split, _tables
from nndl_fast._files import _encoding

KINDS = ["setosa", "versicolor", "virginica"]
FEATURES = ["length", "width", "size, in mm"]


def flowers(n=120, seed=0):
    """Three classes of three features of very different sizes, and the names of the classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    x = rng.standard_normal((n, 3)) * [0.5, 1.0, 1000.0] + np.eye(3)[y] * [4.0, 9.0, 8000.0] + [0, 50, 0]
    return x, np.array(KINDS)[y]


def write(path, x, labels, header=True, at=3, delimiter=","):
    """A table with the labels in column ``at``."""
    lines = [f'"{name}"' for name in FEATURES]
    lines.insert(at, "kind")
    rows = [delimiter.join(lines)] if header else []
    for row, label in zip(x, labels):
        cells = [repr(float(value)) for value in row]
        cells.insert(at, str(label))
        rows.append(delimiter.join(cells))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_parquet(path, x, labels, names=FEATURES):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table([*x.T, labels], [*names, "kind"]), path)
    return path


def train(data, *options):
    model = data.parent / "m.npz"
    result = run_well("train", data, "--output", model, *options)
    return nf.load(model), result.stdout


FORMS = [("kind", True, ","), (3, False, ";"), (-1, True, "\t"), (None, False, ",")]


@pytest.mark.parametrize(
    "label, header, delimiter",
    [
        *FORMS,
        *(
            pytest.param(*form, marks=pytest.mark.slow)
            for form in itertools.product(["kind", 3, -1, None], [True, False], [",", ";", "\t"])
            if form not in FORMS and (form[0] != "kind" or form[1])  # without a header there is no such name
        ),
    ],
)
def test_a_csv_file_is_learned_and_its_names_are_kept(tmp_path, header, label, delimiter):
    x, labels = flowers()
    write(tmp_path / "t.csv", x, labels, header, delimiter=delimiter)
    net, said = train(tmp_path / "t.csv", *([] if label is None else ["--label", label]))
    assert net.classes == KINDS
    assert net.features == (FEATURES if header else None)
    assert "3-30-3, log-likelihood cost, 84 examples" in said and "standardised" in said
    assert np.mean(net.predict(x) == labels) > 0.95  # of features as they are
    correct = int(re.search(r"test accuracy [\d.]+% \((\d+) of 18\)", said)[1])
    assert correct >= 16


@pytest.mark.parametrize("at", [0, 1, 2])
def test_the_label_may_stand_in_any_column(tmp_path, at):
    x, labels = flowers()
    first = train(write(tmp_path / "a.csv", x, labels), "--label", "kind")[0]
    assert train(write(tmp_path / "b.csv", x, labels, at=at), "--label", "kind")[0].digest() == first.digest()
    assert train(write(tmp_path / "c.csv", x, labels, False, at), "--label", at)[0].digest() == first.digest()


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet", "csv.gz"])
def test_the_kind_of_file_changes_no_bit(tmp_path, kind):
    x, labels = flowers()
    expected = train(write(tmp_path / "t.csv", x, labels))[0]
    path = tmp_path / f"u.{kind}"
    if kind == "npy":
        np.save(path, np.column_stack([x, np.unique(labels, return_inverse=True)[1]]))
    elif kind == "npz":
        np.savez(path, X=x, y=labels)
    elif kind == "parquet":
        write_parquet(path, x, labels)
    else:
        import gzip

        path.write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    net = train(path)[0]
    assert net.digest() == expected.digest()
    assert net.classes == (None if kind == "npy" else KINDS)


def test_images_in_an_archive_are_flat(tmp_path):
    (x, y), _, _ = nf.datasets.load_digits()
    np.savez(tmp_path / "t.npz", x=x.reshape(-1, 8, 8), y=y)
    net, said = train(tmp_path / "t.npz", "--epochs", 3, "--no-standardise")
    assert net.sizes == [64, 30, 10] and "standardised" not in said


def table_of(x, labels):
    encoding = _encoding.of_names(None, x.shape[1])
    return _tables.Table(x, labels, encoding, np.arange(len(x)), str)


def test_standardised_is_as_if_the_table_were(tmp_path):
    x, labels = flowers()
    table = table_of(x, labels)
    split = _split.of_table(table, tmp_path, True, 1)
    plain = _split.of_table(table, tmp_path, False, 1)
    np.testing.assert_allclose(split.training[0].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(split.training[0].std(axis=0), 1)
    np.testing.assert_array_equal(split.test[0], plain.test[0])  # as they are
    net = nf.Network([3, 4, 3], dtype=np.float64, rng=0)
    expected = net.predict_proba(split.scale.of(x))
    split.scale.put_into(net)
    np.testing.assert_allclose(net.predict_proba(x), expected, rtol=1e-9)


def test_features_that_hardly_vary_are_computed_in_float64(tmp_path):
    x, labels = flowers()
    x[:, 0] += 1e9  # seconds of a clock, say; the unit of float32 is 64 there
    net, said = train(write(tmp_path / "t.csv", x, labels))
    assert net.dtype == np.float64 and "float64" in said
    assert np.mean(net.predict(x) == labels) > 0.95
    x[:, 0] = 0.1  # constant, and the mean of its numbers is not quite 0.1
    net = train(write(tmp_path / "u.csv", x, labels))[0]
    assert net.dtype == np.float32 and np.mean(net.predict(x) == labels) > 0.6


def test_the_parts_are_equal_shares_of_each_class():
    labels = np.repeat(["a", "b", "c"], [200, 40, 20])
    table = table_of(np.arange(260.0)[:, None], labels)
    split = _split.of_table(table, "t.csv", False, 1)
    parts = [split.training, split.validation, split.test]
    assert [np.bincount(y).tolist() for _, y in parts] == [[140, 28, 14], [30, 6, 3], [30, 6, 3]]
    assert sorted(np.concatenate([x[:, 0] for x, _ in parts])) == list(range(260))

    def places(of):
        return [int(of.place(i)) for i in range(len(of.test[1]))]

    np.testing.assert_array_equal(places(split), split.test[0][:, 0])
    assert places(_split.of_table(table, "t.csv", False, 2)) != places(split)


def test_predict_and_evaluate_take_the_models_columns_by_name(tmp_path):
    x, labels = flowers()
    net, _ = train(write(tmp_path / "t.csv", x, labels))
    model, other = tmp_path / "m.npz", tmp_path / "other.csv"
    rows = [f"{label},{a!r},{b!r},{c!r}" for label, (c, a, b) in zip(labels, x.tolist())]
    other.write_text("\n".join(['kind,width,"size, in mm",length', *rows]) + "\n")
    result = run_well("predict", model, other)
    expected = [f"{best}\t{a:.6f}" for best, a in zip(net.predict(x), net.predict_proba(x).max(axis=1))]
    assert result.stdout.splitlines() == expected
    correct = np.sum(net.predict(x) == labels)
    assert f"({correct} of 120)" in result.stderr
    said = run_well("evaluate", model, other).stdout.splitlines()
    assert said[0].startswith(f"accuracy {correct / 120:.2%} ({correct} of 120), cost ")
    cost = float(said[0].split()[-1])
    assert cost == pytest.approx(net.total_cost((x, labels), 0), abs=1e-4)
    a, true = net.predict_proba(x), labels[:, None] == np.array(KINDS)
    brier, error = np.square(a - true).sum(axis=1).mean(), 0.0
    for low in np.arange(15) / 15:
        there = (a.max(axis=1) >= low) & (a.max(axis=1) < low + 1 / 15 + (low > 0.93))
        if there.any():
            right = (net.predict(x) == labels)[there]
            error += abs(right.mean() - a.max(axis=1)[there].mean()) * there.mean()
    assert said[1] == f"Brier score {brier:.4f}, expected calibration error {error:.2%}"
    for kind, line in zip(KINDS, said[3:6]):
        counts = [np.sum((labels == kind) & (net.predict(x) == other)) for other in KINDS]
        assert line.split()[:4] == [kind, *map(str, counts)]
        assert line.endswith(f"{counts[KINDS.index(kind)] / sum(counts):.1%}")
    alone = tmp_path / "alone.csv"
    write(alone, x, labels)
    alone.write_text("\n".join(line.rsplit(",", 1)[0] for line in alone.read_text().splitlines()))
    without = run_well("predict", model, alone)
    assert (without.stdout, without.stderr) == (result.stdout, "")


def test_of_many_classes_the_commonest_mistakes_are_printed(tmp_path):
    net = nf.Network([2, 30], rng=0)
    net.save(tmp_path / "m.npz")
    x = np.random.default_rng(0).standard_normal((200, 2))
    np.savez(tmp_path / "t.npz", x=x, y=(net.predict(x) + (np.arange(200) < 3)) % 30)
    lines = run_well("evaluate", tmp_path / "m.npz", tmp_path / "t.npz").stdout.splitlines()
    assert lines[0].startswith("accuracy 98.50% (197 of 200)")
    assert all("is said to be" in line for line in lines[2:]) and 1 <= len(lines[2:]) <= 3


def refused(tmp_path, content, *options, name="t.csv"):
    (tmp_path / name).write_text(content)
    result = run("train", tmp_path / name, "--output", tmp_path / "m.npz", "--epochs", 1, *options)
    assert not (tmp_path / "m.npz").exists()
    assert_refused(result)
    return result.stderr.strip().splitlines()[-1]


ROWS = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(30))
HEADER = "first,second,kind\n"


@pytest.mark.parametrize(
    "content, options, says",
    [
        (HEADER + ROWS, ["--label", "nope"], "no column nope for --label; .* named first, second, kind"),
        (HEADER + ROWS, ["--drop", "nope"], "no column nope for --drop; .* named first, second, kind"),
        (HEADER + ROWS, ["--columns", "second,nope"], "no column nope for --columns"),
        (ROWS, ["--label", "kind"], "no column kind .* numbered 0 to 2, without names"),
        (ROWS, ["--label", "3"], "no column 3"),
        (HEADER + ROWS, ["--label", "0"], "30 different labels in 30 examples: .* --label"),
        (HEADER + ROWS + "1,-inf,a\n", [], "-inf in line 32, column second; features must be finite"),
        (
            HEADER + ROWS + "1,x,a\n",
            [],
            "value x in line 32, column second, whose values look .* --text second or --drop",
        ),
        (HEADER + ROWS + "1,2,\n", [], "has no label in line 32"),
        (
            HEADER + "\n" + ROWS + "1,2\n",
            [],
            "has 2 columns in line 33, 1,2, and 3 in others; .* --delimiter",
        ),
        (HEADER + ROWS + "1,2,3,4\n", [], "has 4 columns in line 32, 1,2,3,4, and 3 in others"),
        (ROWS.replace("a", "b"), [], "has one class, b; there must be at least two"),
        ("".join(f"{i},{i}\n" for i in range(30)), [], "30 different labels in 30 examples: .* --label"),
        ("".join(ROWS.splitlines(True)[:9]), [], "has 9 examples; there must be at least 20"),
        ("first,first,kind\n" + ROWS, [], "two columns of the name first"),
        ("a\nb\n", [], "has 1 column; it must have features and labels. .* --delimiter"),
    ],
)
def test_a_table_that_cannot_be_learned_says_why(tmp_path, content, options, says):
    line = refused(tmp_path, content, *options)
    assert str(tmp_path / "t.csv") in line and re.search(says, line), line


def test_options_of_tables_are_for_tables(tmp_path):
    for option in (["--label", "0"], ["--standardise"]):
        result = run("train", *option, "--output", tmp_path / "m.npz")
        assert_refused(result, "are there for tables")
        assert result.exit_code == 2


def test_training_that_diverges_is_a_line_and_the_old_model_stays(tmp_path):
    x, labels = flowers()
    data, model = write(tmp_path / "t.csv", x, labels), tmp_path / "m.npz"
    before = train(data)[0].digest()
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = run("train", data, "--output", model, "--eta", 1e30, "--lambda", 1)
    assert_refused(result, "after epoch 1", "A lower eta than 1e+30", "Nothing is saved")
    assert result.exit_code == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert nf.load(model).digest() == before


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_data_that_does_not_fit_a_model_says_why(tmp_path, command):
    x, labels = flowers()
    train(write(tmp_path / "t.csv", x, labels))
    other = tmp_path / "other.csv"
    write(other, x, labels)
    other.write_text(other.read_text().replace("width", "height"))
    assert_refused(run(command, tmp_path / "m.npz", other), other, "no column width, which the network takes")
    x[3, 1] = np.inf
    write(other, x, labels)
    assert_refused(run(command, tmp_path / "m.npz", other), other, "has inf in line 5, column width")


def test_evaluate_needs_labels_that_the_network_knows(tmp_path):
    x, labels = flowers()
    train(write(tmp_path / "t.csv", x, labels))
    labels[5] = "rose"
    result = run("evaluate", tmp_path / "m.npz", write(tmp_path / "u.csv", x, labels))
    assert_refused(result, "label rose in line 7", "setosa, versicolor, virginica")
    np.save(tmp_path / "x.npy", x)
    assert_refused(run("evaluate", tmp_path / "m.npz", tmp_path / "x.npy"), "x.npy has no labels")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    assert_refused(run("train", tmp_path / "t.parquet", "--output", tmp_path / "m"), "nndl_fast[parquet]")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_may_end_as_they_do_anywhere_and_go_on_in_quotes(tmp_path, end):
    rows = [f'{i},"{i}","x\ny{i % 2}"' for i in range(40)]
    text = "\n".join(["\ufeff# a comment", "", "a,b,kind", *rows, ""])
    (tmp_path / "t.csv").write_bytes(text.replace("\n", end).encode())
    net = train(tmp_path / "t.csv", "--epochs", 1)[0]
    assert (net.features, net.classes) == (["a", "b"], ["x\ny0", "x\ny1"])


@pytest.mark.parametrize("labels", [["007", "7"], ["1_0", "10"], ["01", "02"], ["-0_1", "-01"]])
@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_labels_keep_their_zeros_and_underscores(tmp_path, kind, labels):
    x, y = np.arange(80.0).reshape(40, 2), np.array(labels)[np.arange(40) % 2]
    path = tmp_path / f"t.{kind}"
    if kind == "npz":
        np.savez(path, x=x, y=y)
    else:
        path.write_text("".join(f"{a},{b},{label}\n" for (a, b), label in zip(x, y)))
    net = train(path, "--epochs", 1)[0]
    assert net.classes == sorted(labels)
    assert f"of {len(y)})" in run_well("predict", tmp_path / "m.npz", path).stderr


def test_labels_may_be_bytes_of_text(tmp_path):
    np.savez(tmp_path / "t.npz", x=np.arange(80.0).reshape(40, 2), y=np.array(["ü".encode(), b"v"] * 20))
    assert train(tmp_path / "t.npz", "--epochs", 1)[0].classes == ["v", "ü"]


@pytest.mark.parametrize("kind", ["datetime64[D]", complex, "V3"])
def test_labels_of_other_types_are_refused_before_the_training(tmp_path, kind):
    np.savez(tmp_path / "t.npz", x=np.zeros((40, 2)), y=np.zeros(40, kind))
    assert_refused(run("train", tmp_path / "t.npz", "--output", tmp_path / "m.npz"), "has labels of dtype")


def test_a_header_of_numbers_with_underscores_is_a_header(tmp_path):
    (tmp_path / "t.csv").write_text("2020_01,2020_02,kind\n" + ROWS)
    assert train(tmp_path / "t.csv", "--epochs", 1)[0].features == ["2020_01", "2020_02"]


def test_arrays_of_one_name_are_not_chosen_between(tmp_path):
    np.savez(tmp_path / "t.npz", x=np.zeros((20, 2)), X=np.ones((20, 2)), y=np.arange(20) % 2)
    assert_refused(run("train", tmp_path / "t.npz", "--output", tmp_path / "m.npz"), "arrays x and X")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_of_one_name_are_not_chosen_between(tmp_path, form):
    x, labels = flowers()
    train(write(tmp_path / "t.csv", x, labels))
    path = tmp_path / f"u.{form}"
    if form == "parquet":
        write_parquet(path, np.column_stack([x, x[:, 1]]), labels, [*FEATURES, "width"])
    else:
        path.write_text('length,width,"size, in mm",width\n1,2,3,4\n')
    assert_refused(run("predict", tmp_path / "m.npz", path), "two columns of the name width")
    # but of those that nobody asks for
    path.write_text('length,,width,,"size, in mm"\n1,0,2,0,3\n')
    assert run_well("predict", tmp_path / "m.npz", path).stdout if form == "csv" else True
    path.write_text("kind,a,kind\n" + "".join(f"{i % 2},{i},{i % 2}\n" for i in range(40)))
    if form == "csv":
        refused_ = run("train", path, "--label", "kind", "--output", tmp_path / "n.npz")
        assert_refused(refused_, "two columns of the name kind")


def test_labels_that_the_network_does_not_know_are_no_wrong_predictions(tmp_path):
    """A model whose classes are 1 and 2, and a table in which they are 01 and 02, which are text."""
    nf.Network([2, 2], classes=[1, 2], rng=0).save(tmp_path / "m.npz")
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,01\n3,4,02\n")
    result = run_well("predict", str(tmp_path / "m.npz"), str(tmp_path / "t.csv"))
    assert len(result.stdout.splitlines()) == 2
    assert "no accuracy" in result.stderr and "has the label 01 in line 2" in result.stderr
