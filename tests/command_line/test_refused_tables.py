"""Tables of which something is uncertain or wrong: the error says where, and which option would help."""

import csv
import re

import pytest

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("pandas")

from commands import assert_refused, run
from tables import (
    FLOWERS,
    IRIS,
    IRIS_TEXT,
    NAMES,
    N,
    X,
    Y,
    adult,
    german,
    lines,
    rows_of,
    written,
)

# Of each: the content, the options, and what the error says after the file's name.
REFUSED = {
    "UCI's adult.test, whose first line is none of the table": (
        "|1x3 Cross validator\n" + "".join(", ".join(adult(i)) + ".\n" for i in range(N)),
        [],
        r"has 1 name in line 1, \|1x3 Cross validator, and 5 columns below; give --skip",
    ),
    "years as names": (
        lines(IRIS, ["2018", "2019", "2020", "2021", "land"]),
        [],
        "has a header or an example in line 1, 2018,2019,2020,2021,land: give --header or --no-header",
    ),
    "a comma in a text without quotes": (
        IRIS_TEXT.replace("Iris-setosa\n", "Iris, setosa\n", 2),
        [],
        r"has 6 columns in line 2, [\d.,]+,Iris,setosa, and 5 in others",
    ),
    "a line that is cut off": (
        IRIS_TEXT[: IRIS_TEXT.index("Iris-virginica", 500)] + "\n",
        [],
        r"has no label in line \d+",
    ),
    "a unit behind a number": (
        IRIS_TEXT.replace("\n3.1,", "\n3.1 cm,", 1),
        [],
        r"has the value 3.1 cm in line \d+, column sepal length, whose values look like "
        "numbers; write it as one, or give --text 'sepal length' or --drop 'sepal length'",
    ),
    "decimal commas between commas": (
        lines(german(IRIS), NAMES, quoting=csv.QUOTE_ALL),
        [],
        r"has the value \d,\d in line 2, column sepal length, .* give --decimal ,",
    ),
    "a label that is missing": (
        IRIS_TEXT.replace("Iris-setosa", "", 1),
        [],
        "has no label in line 2",
    ),
    "days": (
        lines(
            [[f"2020-01-{1 + i % 28:02}T{i // 28:02}", *row] for i, row in enumerate(2 * IRIS)],
            ["day", *NAMES],
        ),
        ["--columns", "day"],
        r"has texts of 120 values in column day; .* --drop day, or .* scikit-learn's ColumnTransformer",
    ),
    "no examples": ("a,b,c\n", [], "has a header and no examples"),
    "numbers with separators of thousands": (
        lines(rows_of([f"1,{100 + i}" for i in range(N)], X[:, 0], FLOWERS), ["income", "b", "kind"]),
        [],
        r"has the value 1,100 in line 2, column income, whose values look like numbers; .* --text income",
    ),
    "points of thousands between semicolons": (
        lines(
            rows_of([f"1.{100 + i}" if i % 2 else str(900 + i) for i in range(N)], FLOWERS),
            ["income", "kind"],
            ";",
        ),
        [],
        r"has the value 1\.101 in column income, whose point may be of thousands or of .* --decimal \.",
    ),
    "percent signs": (
        lines(rows_of([f"{i}.5%" for i in range(N)], X[:, 0], FLOWERS), ["share", "b", "kind"]),
        [],
        r"has the value 0\.5% in line 2, column share, whose values look like numbers",
    ),
    "a header in the middle again": (
        lines([*IRIS[:30], NAMES, *IRIS[30:]], NAMES),
        [],
        "has its header again in line 32",
    ),
    "a bad cell in the first line of no header": (
        "bad,2,1,x\n" + 20 * "0,0,0,x\n1,1,1,y\n",
        [],
        "has a header or an example in line 1, bad,2,1,x: give --header or --no-header",
    ),
    "few columns whose header counts": (
        lines(rows_of(X[:, 0], X[:, 1], Y), ["0", "1", "2"]),
        [],
        "has a header or an example in line 1, 0,1,2: give",
    ),
    "two columns that may be the label": (
        lines(rows_of(X[:, 0], Y, FLOWERS), ["a", "class", "label"]),
        [],
        "has the columns class and label; which is the label. Give --label",
    ),
    "a comment that may be an example": (
        "#red,0,x\n" + "blue,1,x\ngreen,2,y\n" * 30,
        [],
        r"has the line #red,0,x before the first example, which has as many columns",
    ),
    "a label that is a question mark": (
        IRIS_TEXT.replace("Iris-setosa", "?", 1),
        [],
        "has no label in line 2, column species",
    ),
    "JSON": ('{"a": 1, "class": "x"}\n' * 30, [], "is JSON; it must be a table"),
    "the format of LIBSVM": ("1 1:0.5 2:0.3\n-1 1:0.1 2:0.9\n" * 30, [], "is in the format of LIBSVM"),
    "the label in --drop": (IRIS_TEXT, ["--drop", "species"], "would lose its label by --drop"),
    "an inf": (IRIS_TEXT.replace("\n3.1,", "\ninf,", 1), [], r"has inf in line \d+, column sepal length"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_of(tmp_path, kind):
    content, options, says = REFUSED[kind]
    table = written(tmp_path, "t.csv", content)
    result = run("train", table, "--output", tmp_path / "m.npz", "--epochs", 1, *options)
    assert_refused(result, table)
    line = result.stderr.strip().splitlines()[-1]
    assert re.search(f"{re.escape(str(table))} {says}", line), line
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
