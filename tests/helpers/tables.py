"""Small tables in the forms of public ones: for the tests of the command line."""

import csv
import io

import numpy as np

KINDS = ["setosa", "versicolor", "virginica"]
N = 60


def numbers(columns=4, digits=1, seed=0):
    """Features whose mean tells the class, and the classes' numbers."""
    y = np.arange(N) % 3
    x = np.random.default_rng(seed).standard_normal((N, columns)) / 4 + y[:, None] + 3
    return np.round(x, digits), y


def rows_of(*columns):
    return [list(map(str, row)) for row in zip(*columns)]


def lines(rows, header=None, delimiter=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


X, Y = numbers()
FLOWERS = np.array([f"Iris-{KINDS[y]}" for y in Y])
IRIS = rows_of(*X.T, FLOWERS)
NAMES = ["sepal length", "sepal width", "petal length", "petal width", "species"]


IRIS_TEXT = lines(IRIS, NAMES)


def german(rows):
    return [[cell.replace(".", ",") for cell in row] for row in rows]


def titanic(labelled=True):
    rows = []
    for i in range(N):
        row = [i + 1, i % 2, 1 + i % 3, f'Braund, Mr. Owen "No. {i}" Harris', ["male", "female"][i % 2]]
        row += [
            "" if i % 5 == 0 else 20 + i,
            f"A/5 {i // 2}",
            "" if i == 7 else 7.25 + i,
            "" if i % 4 else f"C{i}",
        ]
        rows.append([*map(str, row), ["S", "C", "Q", ""][i % 4]])
    header = "PassengerId,Survived,Pclass,Name,Sex,Age,Ticket,Fare,Cabin,Embarked".split(",")
    if not labelled:
        rows, header = [row[:1] + row[2:] for row in rows], header[:1] + header[2:]
    return lines(rows, header)


def adult(i):
    work, job = ["State-gov", "Private", "?"][i % 3], ["Sales", "Adm-clerical"][i % 2]
    return [str(30 + i % 20), work, str(77516 + i), job, "<=50K" if i % 2 else ">50K"]


def frame():
    import pandas

    return pandas.DataFrame(X, columns=NAMES[:4]).assign(species=FLOWERS)


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
