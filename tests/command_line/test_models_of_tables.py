"""What a model keeps of the table that it learned from, and what predict and evaluate do with another."""

import bz2
import lzma
import re
import zipfile

import numpy as np
import pytest

import nndl_fast as nf

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("pandas")

import pandas
from commands import assert_refused, run, run_well
from tables import IRIS, IRIS_TEXT, NAMES, N, X, Y, frame, lines, numbers, rows_of, titanic, written


def test_an_error_names_each_column_of_free_text_and_how_to_drop_it(tmp_path):
    rows = [[f"{i // 2}", f"A/5 {i // 2}", f"it's {i // 2}", f"{i % 2}"] for i in range(300)]
    table = written(tmp_path, "t.csv", lines(rows, ["a", "Ticket", "Cabin no", "kind"]))
    result = run("train", table, "--output", tmp_path / "m.npz")
    assert_refused(
        result,
        "texts of 150 values in column Ticket and 150 values in column Cabin no",
        "Give --drop Ticket --drop 'Cabin no', or",
    )
    said = run_well(
        "train", table, "--epochs", 1, "--output", tmp_path / "m.npz", "--drop", "Ticket,Cabin no"
    ).stdout
    assert "features: a; not" in said or "features: a\n" in said


def trained(tmp_path, content, *options, name="t.csv"):
    table = written(tmp_path, name, content)
    said = run_well("train", table, "--output", tmp_path / "m.npz", "--epochs", 40, *options).stdout
    return nf.load(tmp_path / "m.npz"), said


def test_a_model_takes_other_tables_as_the_one_that_it_learned_from(tmp_path):
    net, _ = trained(tmp_path, titanic(), "--label", "Survived", "--drop", "Ticket,Cabin")
    columns = {column["name"]: column for column in net.table["columns"]}
    assert columns["Sex"]["values"] == ["female", "male"] and columns["Embarked"]["values"][-1] == ""
    other = written(tmp_path, "test.csv", titanic(labelled=False).replace(",S\n", ",Bremen\n", 3))
    result = run_well("predict", tmp_path / "m.npz", other)
    said = result.stderr.splitlines()
    assert said[0] == "not used: PassengerId, Name, Ticket, Cabin"
    assert said[1].startswith("missing: 12 in Age (the mean), 1 in Fare (the mean), 15 in Embarked")
    assert said[2:] == ["3 unknown texts in column Embarked, of which no input is 1"]
    # by hand
    table = pandas.read_csv(other)
    x = np.zeros((N, 10))
    x[:, 0] = table.Pclass
    x[:, 1], x[:, 2] = table.Sex == "female", table.Sex == "male"
    x[:, 3], x[:, 4] = table.Age.fillna(columns["Age"]["mean"]), table.Fare.fillna(columns["Fare"]["mean"])
    for j, kind in enumerate("CQS"):
        x[:, 5 + j] = table.Embarked == kind
    x[:, 8] = table.Embarked.isna()
    expected = [
        f"{best}\t{a:.6f}" for best, a in zip(net.predict(x[:, :9]), net.predict_proba(x[:, :9]).max(1))
    ]
    assert result.stdout.splitlines() == expected
    shown = run_well("info", tmp_path / "m.npz").stdout
    assert re.search(r"^label +Survived$", shown, re.MULTILINE)
    assert "Sex: one of female, male; Age: a number, " in shown


def test_means_are_those_of_the_examples_to_train_on(tmp_path):
    rng = np.random.default_rng(0)
    cells = [f"{value:.3f}" if value < 1 else "" for value in rng.standard_normal(200)]
    net, _ = trained(tmp_path, lines(rows_of(cells, np.arange(200) % 2), ["a", "kind"]))
    mean = net.table["columns"][0]["mean"]
    values = np.array([float(cell) for cell in cells if cell])
    assert 0 < abs(mean - values.mean()) < 0.1  # of 140 of the rows
    missing = written(tmp_path, "u.csv", "a\n?\n" + f"{mean!r}\n")
    lines_ = run_well("predict", tmp_path / "m.npz", missing).stdout.splitlines()
    assert lines_[0] == lines_[1]


def test_labels_stay_as_they_stand_in_the_file(tmp_path):
    x, _ = numbers(2)
    labels = np.array(["007", "7", "1_1", "11"])[np.arange(N) % 4]
    net, _ = trained(tmp_path, lines(rows_of(*x.T, labels), ["a", "b", "kind"]))
    assert net.classes == ["007", "11", "1_1", "7"]
    labels = np.array(["1.0", "1", "2"])[np.arange(N) % 3]
    net, _ = trained(tmp_path, lines(rows_of(*x.T, labels), ["a", "b", "kind"]))
    assert net.classes == ["1", "1.0", "2"]
    labels = np.array(["10.0", "9.0"])[np.arange(N) % 2]
    assert trained(tmp_path, lines(rows_of(*x.T, labels), ["a", "b", "kind"]))[0].classes == [9, 10]


def test_labels_are_compared_as_the_networks_classes_are(tmp_path):
    """Those of a table that has but some of the classes, and writes them otherwise."""
    kinds = np.array(["0", "1", "unknown"])[Y]
    net, _ = trained(tmp_path, lines(rows_of(*X.T, kinds), NAMES))
    assert net.classes == ["0", "1", "unknown"]
    some = written(
        tmp_path, "u.csv", lines([row for row in rows_of(*X.T, kinds) if row[-1] != "unknown"], NAMES)
    )
    result = run_well("predict", tmp_path / "m.npz", some)
    correct = np.sum(net.predict(X[Y < 2]) == kinds[Y < 2])
    assert correct > 35 and f"({correct} of 40)" in result.stderr
    as_numbers = tmp_path / "u.npz"
    np.savez(as_numbers, x=X[Y < 2], y=Y[Y < 2])
    assert f"({correct} of 40)" in run_well("evaluate", tmp_path / "m.npz", as_numbers).stdout


def test_examples_without_a_label_are_predicted_and_not_judged(tmp_path):
    trained(tmp_path, IRIS_TEXT)
    some = written(tmp_path, "u.csv", IRIS_TEXT.replace("Iris-setosa", "", 3))
    result = run_well("predict", tmp_path / "m.npz", some)
    assert len(result.stdout.splitlines()) == N and re.search(r"of 57, 3 without a label\)", result.stderr)
    result = run_well("evaluate", tmp_path / "m.npz", some)
    assert "of 57)" in result.stdout and "3 examples without a label are left out" in result.stderr


@pytest.mark.parametrize("kind", ["csv.bz2", "csv.xz", "csv.zip", "xlsx", "dta", "feather"])
def test_the_kind_of_file_changes_no_bit(tmp_path, kind):
    expected = trained(tmp_path, IRIS_TEXT)[0]
    path = tmp_path / f"u.{kind}"
    if kind == "csv.zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("iris.csv", IRIS_TEXT)
    elif kind.startswith("csv"):
        path.write_bytes({"csv.bz2": bz2, "csv.xz": lzma}[kind].compress(IRIS_TEXT.encode()))
    else:
        pytest.importorskip({"xlsx": "openpyxl", "feather": "pyarrow", "dta": "pandas"}[kind])
        table = frame().rename(columns=lambda name: name.replace(" ", "_"))
        of = {"xlsx": "to_excel", "dta": "to_stata", "feather": "to_feather"}[kind]
        getattr(table, of)(
            path,
            **({} if kind == "feather" else {"index": False} if kind == "xlsx" else {"write_index": False}),
        )
    run_well("train", path, "--output", tmp_path / "n.npz", "--epochs", 40)
    net = nf.load(tmp_path / "n.npz")
    assert net.digest() == expected.digest() and net.classes == expected.classes


def test_an_index_of_pandas_is_not_the_label(tmp_path):
    pytest.importorskip("pyarrow")
    table = frame()
    table.index = pandas.Index([f"flower {i}" for i in range(N)], name="name")
    table.to_parquet(tmp_path / "t.parquet")
    said = run_well("train", tmp_path / "t.parquet", "--output", tmp_path / "m.npz", "--epochs", 1).stdout
    assert (
        "Iris-setosa, Iris-versicolor, Iris-virginica; columns with names, an index, which is not used"
        in said
    )
    assert nf.load(tmp_path / "m.npz").features == NAMES[:4]


def test_standard_input_is_read_to_its_end(tmp_path):
    from click.testing import CliRunner

    from nndl_fast.cli import main

    net, _ = trained(tmp_path, IRIS_TEXT)
    x = np.random.default_rng(0).standard_normal((5000, 4)) + 4
    text = lines(rows_of(*x.T), NAMES[:4])
    result = CliRunner().invoke(main, ["predict", str(tmp_path / "m.npz"), "-"], input=text)
    assert result.exit_code == 0, result.output
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == net.predict(x).tolist()


def test_predictions_go_to_a_table(tmp_path):
    x, y = numbers(2)
    net, _ = trained(tmp_path, lines(rows_of(*x.T, np.array(["=1+1", "-2", "a,b"])[y]), ["u", "v", "kind"]))
    data = written(tmp_path, "u.csv", lines(rows_of(*x.T), ["u", "v"]))
    out = tmp_path / "out.csv"
    result = run_well("predict", tmp_path / "m.npz", data, "--output", out)
    assert result.stdout == ""
    table = pandas.read_csv(out)
    assert list(table) == ["class", "'-2", "'=1+1", "a,b"]  # text, which no spreadsheet takes for a formula
    np.testing.assert_allclose(table.iloc[:, 1:], net.predict_proba(x), rtol=1e-6)
    assert [kind.lstrip("'") for kind in table["class"]] == net.predict(x).tolist()
    for wrong in (data, tmp_path / "m.npz", tmp_path / "none" / "out.csv"):
        before = wrong.read_bytes() if wrong.exists() else None
        assert_refused(run("predict", tmp_path / "m.npz", data, "--output", wrong), wrong)
        assert (wrong.read_bytes() if wrong.exists() else None) == before


def test_a_rare_class_is_learned_and_a_warning_names_it(tmp_path):
    rows = [*IRIS, ["9.0", "9.1", "9.2", "9.0", "Iris-rara"], ["9.1", "9.1", "9.0", "9.0", "Iris-rara"]]
    net, said = trained(tmp_path, lines(rows, NAMES))
    assert (
        "warning: class Iris-rara has too few examples, 2, to validate or test with; all are trained on"
        in said
    )
    assert "44 examples" in said and net.classes[0] == "Iris-rara"  # 70 % of the others, and both


@pytest.mark.parametrize(
    "table, says",
    [
        (5, "table is none of 4 inputs"),
        ({"columns": [], "label": {"name": None, "at": 0}, "width": 1}, "it has 0"),
        ({"columns": [{"name": "a", "at": 9}] * 4, "label": {"name": None, "at": 0}, "width": 5}, "at=9"),
        (
            {
                "columns": [{"name": "a", "at": 1, "mean": float("nan")}] * 4,
                "label": {"name": None, "at": 0},
                "width": 5,
            },
            "nan",
        ),
        (
            {
                "columns": [{"name": "a", "at": 1, "values": [1, 2, 3, 4]}],
                "label": {"name": None, "at": 0},
                "width": 5,
            },
            "values",
        ),
    ],
)
def test_a_model_whose_table_is_none_is_not_saved(tmp_path, table, says):
    net = nf.Network([4, 2])
    net.table = table
    with pytest.raises(ValueError, match=re.escape(says)):
        net.save(tmp_path / "m.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["", "?", "NA"])
def test_a_missing_text_is_the_same_however_it_is_written(tmp_path, missing):
    rows = [[kind or missing, *row] for kind, row in zip(["", "red", "blue"] * 20, IRIS)]
    net, _ = trained(tmp_path, lines(rows, ["colour", *NAMES]))
    result = run_well("predict", tmp_path / "m.npz", tmp_path / "t.csv")
    assert "missing: 20 in colour (a value of its own)" in result.stderr and "unknown" not in result.stderr
    assert net.table["columns"][0]["values"] == ["blue", "red", ""]


@pytest.mark.parametrize("labels", [["0.0", "0.5", "1.0"], ["007", "7", "7.0"], ["1", "1.0", "x"]])
def test_a_model_knows_the_labels_of_its_own_table(tmp_path, labels):
    net, _ = trained(tmp_path, lines(rows_of(*X.T, np.array(labels)[Y]), NAMES))
    assert net.classes == sorted(labels)
    assert f"of {N})" in run_well("evaluate", tmp_path / "m.npz", tmp_path / "t.csv").stdout


def test_a_header_that_a_model_knows_is_no_example(tmp_path):
    trained(tmp_path, pandas.DataFrame(np.column_stack([X, Y])).to_csv(index=False))
    plain = pandas.DataFrame(X)
    results = []
    for text in (plain.to_csv(index=False), plain.to_csv(), plain.to_csv(index=False, sep=";", decimal=",")):
        result = run_well("predict", tmp_path / "m.npz", written(tmp_path, "u.csv", text))
        results.append(result.stdout)
    assert len(results[0].splitlines()) == N and len(set(results)) == 1
    one = written(tmp_path, "one.csv", "0;1;2;3\n5,1;3,4;1,5;2\n")
    assert len(run_well("predict", tmp_path / "m.npz", one).stdout.splitlines()) == 1


def test_an_example_of_known_texts_is_no_header(tmp_path):
    rows = [["a", "p", "x"], ["b", "q", "y"]] * 30
    trained(tmp_path, lines(rows))
    for text in ("a,p\nb,q\n", "a,p\n", "a,q,y\nb,p,x\n"):
        result = run_well("predict", tmp_path / "m.npz", written(tmp_path, "u.csv", text))
        assert len(result.stdout.splitlines()) == len(text.splitlines())


def test_a_row_of_missing_values_is_an_example_and_an_empty_one_is_not(tmp_path):
    trained(tmp_path, IRIS_TEXT)
    text = ",".join(NAMES[:4]) + "\nNA,NA,NA,NA\n3.0,3.1,3.2,3.3\n,,,\n"
    result = run_well("predict", tmp_path / "m.npz", written(tmp_path, "u.csv", text))
    assert len(result.stdout.splitlines()) == 2 and "1 empty row left out" in result.stderr


def test_texts_of_a_spreadsheet_stay_texts(tmp_path):
    pytest.importorskip("openpyxl")
    table = frame().assign(species=np.array(["007", "7", "1.0"])[Y])
    table.to_excel(tmp_path / "t.xlsx")  # with an index that has no name
    said = run_well("train", tmp_path / "t.xlsx", "--output", tmp_path / "m.npz", "--epochs", 1).stdout
    net = nf.load(tmp_path / "m.npz")
    assert net.classes == ["007", "1.0", "7"] and net.features == NAMES[:4]
    assert "not used: 0 (has no name)" in said


def test_a_byte_that_is_not_utf8_is_named_by_its_line(tmp_path):
    content = IRIS_TEXT.replace("setosa", "größe").encode().splitlines(True)
    content[30] = content[30].replace(b"Iris", b"\xff")
    result = run("train", written(tmp_path, "t.csv", b"".join(content)), "--output", tmp_path / "m.npz")
    assert_refused(result, "has the byte 0xff in line 31, which is not UTF-8 as the rest is")
