"""Tables as people have them: each made anew in the form of a public one, and what train says of it."""

import csv
import re

import numpy as np
import pytest

import nndl_fast as nf

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("pandas")

import pandas
from commands import run_well
from tables import (
    FLOWERS,
    IRIS,
    NAMES,
    N,
    X,
    Y,
    adult,
    frame,
    german,
    lines,
    numbers,
    rows_of,
    titanic,
    written,
)

# Of each: the file's name and content; the options; what is printed; and the features of the network.
LEARNED = {
    "UCI's iris, with an empty line at the end": (
        "iris.data",
        lines(IRIS) + "\n",
        [],
        ["label 4: .*; commas between columns, no header", "features: 0, 1, 2, 3"],
        None,
    ),
    "scikit-learn's iris, whose header counts": (
        "iris.csv",
        lines(rows_of(*X.T, Y), ["60", "4", "setosa", "versicolor", "virginica"]),
        [],
        ["label virginica: .*; commas between columns, a header"],
        ["60", "4", "setosa", "versicolor"],
    ),
    "UCI's wine, the label first": (
        "wine.data",
        lines(rows_of(Y + 1, *X.T)),
        ["--label", "0"],
        ["label 0", "features: 1, 2, 3, 4"],
        None,
    ),
    "UCI's glass, whose first column counts the rows": (
        "glass.data",
        lines(rows_of(np.arange(N) + 1, *X.T, Y + 1)),
        [],
        ["features: 1, 2, 3, 4", r"not used: 0 \(numbers the rows\)"],
        None,
    ),
    "UCI's seeds, tabs and here and there two": (
        "seeds_dataset.txt",
        lines(rows_of(*X.T, Y + 1), delimiter="\t").replace("\t3.1\t", "\t\t3.1\t"),
        [],
        ["label 4: .*; white space between columns, no header"],
        None,
    ),
    "UCI's breast cancer, an identifier and ?": (
        "breast-cancer-wisconsin.data",
        lines(rows_of(1000025 + 7 * Y, *X.T, 2 + 2 * (Y > 0))).replace(",3.0,", ",?,", 1),
        ["--drop", "0"],
        ["features: 1, 2, 3, 4", r"missing: 1 in . \(the mean\)"],
        None,
    ),
    "UCI's adult, text with ? and spaces after commas": (
        "adult.data",
        "".join(", ".join(adult(i)) + "\n" for i in range(N)),
        [],
        [r"an input for each value of 1 \(3\), 3 \(2\)", r"missing: 20 in 1 \(a value of its own\)"],
        ["0", "1=Private", "1=State-gov", "1=", "2", "3=Adm-clerical", "3=Sales"],
    ),
    "seaborn's penguins, the label first, with NA": (
        "penguins.csv",
        lines(
            rows_of(FLOWERS, ["Biscoe", "Dream", "NA"] * 20, *X.T[:2]), ["species", "island", "bill", "mass"]
        ),
        ["--label", "species"],
        ["label species", r"missing: 20 in island \(a value of its own\)"],
        ["island=Biscoe", "island=Dream", "island=", "bill", "mass"],
    ),
    "Kaggle's Titanic without its free texts": (
        "titanic.csv",
        titanic(),
        ["--label", "Survived", "--drop", "Ticket,Cabin"],
        [
            r"not used: PassengerId \(an identifier\), Name \(another text in every row\)",
            r"missing: 12 in Age \(the mean\), 1 in Fare \(the mean\), 15 in Embarked \(a value of its own\)",
        ],
        [
            *("Pclass", "Sex=female", "Sex=male", "Age", "Fare"),
            *(f"Embarked={kind}" for kind in ["C", "Q", "S", ""]),
        ],
    ),
    "Kaggle's digits, the label first and called so": (
        "train.csv",
        lines(
            rows_of(Y, *np.clip(numbers(64, 0)[0], 0, 9).astype(int).T),
            ["label", *(f"pixel{i}" for i in range(64))],
        ),
        [],
        ["label label: 0, 1, 2; ", r"pixel9, \.\.\. \(64 in all\)"],
        [f"pixel{i}" for i in range(64)],
    ),
    "R's write.table, names of rows without a name": (
        "iris.txt",
        '"sepal length" "sepal width" "petal length" "petal width" "species"\n'
        + "".join(f'"{i + 1}" {" ".join(row[:4])} "{row[4]}"\n' for i, row in enumerate(IRIS)),
        [],
        ["label species: .*; white space between columns, a header", r"not used: 0 \(has no name\)"],
        NAMES[:4],
    ),
    "R's write.csv, names of rows under an empty name": (
        "iris.csv",
        lines(rows_of(np.arange(N) + 1, *X.T, FLOWERS), ["", *NAMES]),
        [],
        [r"not used: 0 \(has no name\)"],
        NAMES[:4],
    ),
    "R's write.csv2, semicolons and decimal commas": (
        "iris.csv",
        lines(german(rows_of(*X.T, FLOWERS)), NAMES, ";"),
        [],
        ["semicolons between columns, decimal commas, a header"],
        NAMES[:4],
    ),
    "Excel in German: sep=;, Windows-1252, empty rows": (
        "Länge.csv",
        (
            "sep=;\r\n"
            + lines(german(IRIS), ["Länge", "Breite", "Höhe", "Größe", "Art"], ";", "\r\n")
            + 3 * ";;;;\r\n"
        ).encode("cp1252"),
        [],
        ["semicolons between columns, decimal commas, cp1252, a header, 3 empty rows left out"],
        ["Länge", "Breite", "Höhe", "Größe"],
    ),
    "Excel's Unicode text, UTF-16 and tabs": (
        "iris.txt",
        lines(IRIS, NAMES, "\t", "\r\n").encode("utf-16"),
        [],
        ["tabs between columns, a header"],
        NAMES[:4],
    ),
    "Excel's CSV UTF-8 with a mark at its start": (
        "iris.csv",
        lines(IRIS, NAMES).encode("utf-8-sig"),
        [],
        ["commas between columns, a header"],
        NAMES[:4],
    ),
    "pandas with its index": (
        "iris.csv",
        frame().to_csv(),
        [],
        [r"not used: 0 \(has no name\)"],
        NAMES[:4],
    ),
    "pandas without names, whose header counts": (
        "iris.csv",
        pandas.DataFrame(np.column_stack([X, Y])).to_csv(index=False),
        [],
        ["label 4: .*; commas between columns, a header"],
        ["0", "1", "2", "3"],
    ),
    "SPSS, #NULL! for what is missing": (
        "survey.csv",
        lines(rows_of(*X.T, FLOWERS), NAMES, ";").replace(";3.0;", ";#NULL!;", 1),
        [],
        [r"missing: 1 in \w+ \w+ \(the mean\)"],
        NAMES[:4],
    ),
    "numpy.savetxt with labels as numbers": (
        "iris.txt",
        "".join(" ".join(f"{value:.18e}" for value in row) + "\n" for row in np.column_stack([X, Y])),
        [],
        ["label 4: .*; white space between columns, no header"],
        None,
    ),
    "names in quotes that go on in a second line": (
        "iris.csv",
        lines(IRIS, ["sepal\nlength", *NAMES[1:]], quoting=csv.QUOTE_ALL),
        [],
        ["label species"],
        ["sepal\nlength", *NAMES[1:4]],
    ),
    "a comma at the end of the header": (
        "iris.csv",
        lines(IRIS, NAMES).replace("species\n", "species,\n"),
        [],
        ["label species"],
        NAMES[:4],
    ),
    "a comma at the end of every other line": (
        "iris.csv",
        lines(IRIS, NAMES).replace("\n", ",\n").replace("species,\n", "species\n"),
        [],
        ["label species"],
        NAMES[:4],
    ),
    "years as names, if it is said that they are": (
        "years.csv",
        lines(IRIS, ["2018", "2019", "2020", "2021", "land"]),
        ["--header"],
        ["label land"],
        ["2018", "2019", "2020", "2021"],
    ),
    "TRUE and FALSE": (
        "iris.csv",
        lines(rows_of(*X.T, np.where(Y == 1, "TRUE", "FALSE"), FLOWERS), [*NAMES[:4], "wet", "species"]),
        [],
        ["features: .*, wet; not used|features: .*, wet$"],
        [*NAMES[:4], "wet"],
    ),
    "UCI's adult.test after its first line": (
        "adult.test",
        "|1x3 Cross validator\n" + "".join(", ".join(adult(i)) + ".\n" for i in range(N)),
        ["--skip", "1"],
        [r"label 4: <=50K\., >50K\.; commas between columns, no header"],
        ["0", "1=Private", "1=State-gov", "1=", "2", "3=Adm-clerical", "3=Sales"],
    ),
    "UCI's car, numbers and words": (
        "car.data",
        lines(rows_of(["2", "3", "4", "5more"] * 15, X[:, 0], FLOWERS)),
        ["--text", "0"],
        [r"features: 0, 1; an input for each value of 0 \(4\)"],
        ["0=2", "0=3", "0=4", "0=5more", "1"],
    ),
    "pandas without names and with its index, whose header counts": (
        "iris.csv",
        pandas.DataFrame(np.column_stack([X, Y])).to_csv(),
        [],
        [r"label 4: 0\.0, 1\.0, 2\.0; commas between columns, a header", r"not used: 0 \(has no name\)"],
        ["0", "1", "2", "3"],
    ),
    "pandas with an index of chosen rows": (
        "iris.csv",
        frame().set_axis(3 * np.arange(N) + 7).to_csv(),
        [],
        [r"not used: 0 \(has no name\)"],
        NAMES[:4],
    ),
    "numpy.savetxt with a header behind #": (
        "iris.csv",
        "# a,b,c,d,kind\n" + lines(IRIS),
        [],
        ["label kind: .*; commas between columns, a header$"],
        ["a", "b", "c", "d"],
    ),
    "comments before the table": (
        "iris.csv",
        "# of 1936\n# by Fisher\n" + lines(IRIS, NAMES),
        [],
        ["a header, 2 lines with # left out"],
        NAMES[:4],
    ),
    "a last column without a name": (
        "iris.csv",
        lines(IRIS, [*NAMES[:4], ""]),
        [],
        ["label 4: Iris-setosa, Iris-versicolor, Iris-virginica"],
        NAMES[:4],
    ),
    "a German table without a header": (
        "iris.csv",
        lines(german(IRIS), delimiter=";"),
        [],
        ["label 4: .*; semicolons between columns, decimal commas, no header"],
        None,
    ),
    "a Russian table in its own encoding": (
        "iris.csv",
        lines(rows_of(*X.T, np.array(["да", "нет", "нет"])[Y]), [*NAMES[:4], "класс"]).encode("cp1251"),
        ["--encoding", "windows-1251"],
        ["label класс: да, нет; commas between columns, cp1251, a header"],
        NAMES[:4],
    ),
}


@pytest.mark.parametrize("kind", LEARNED)
def test_what_is_learned_from(tmp_path, kind):
    name, content, options, says, features = LEARNED[kind]
    table = written(tmp_path, name, content)
    result = run_well("train", table, "--output", tmp_path / "m.npz", "--epochs", 5, *options)
    for said in says:
        assert re.search(said, result.stdout, re.MULTILINE), (said, result.stdout)
    net = nf.load(tmp_path / "m.npz")
    assert net.features == features
    known = options if {"--header", "--skip", "--encoding"} & set(options) else []
    again = run_well("evaluate", tmp_path / "m.npz", table, *known)
    assert re.match(rf"accuracy [\d.]+% \(\d+ of {N}\)", again.stdout)
