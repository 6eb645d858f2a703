"""Which way a call takes through memory, as `_core.plan` shows it."""

import numpy as np
import pytest

from nndl_fast import _core


def in_columns(rows, classes, dtype="f4"):
    return np.zeros((classes, rows), dtype).T


def in_rows(rows, classes, dtype="f4"):
    return np.zeros((rows, classes), dtype)


def with_gaps(rows, classes, dtype="f4"):
    return np.zeros((rows, 2 * classes), dtype)[:, ::2]


# Results are columns if z is.
@pytest.mark.parametrize(
    ("z", "path", "rows_by_path", "rest"),
    [
        (in_rows(1024, 1000), "rows", 1024, "rows"),
        (in_rows(1024, 129), "rows", 1024, "rows"),
        (in_rows(60000, 10), "packed tiles", 60000, "packed tiles"),
        (in_rows(3, 128), "packed tiles", 3, "packed tiles"),
        (with_gaps(40, 100), "packed tiles", 40, "packed tiles"),
        (with_gaps(40, 129), "copied rows", 40, "copied rows"),
        (in_columns(32, 10), "tiles in place", 32, "packed tiles"),
        (in_columns(47, 128), "tiles in place", 32, "packed tiles"),
        (in_columns(15, 10), "packed tiles", 15, "packed tiles"),
        (in_columns(15, 10, "f8"), "tiles in place", 8, "packed tiles"),
        (in_columns(64, 129), "panels", 64, "copied rows"),
        (in_columns(67, 2048), "panels", 64, "copied rows"),  # three columns do not fill a tile
        (in_columns(68, 2048), "panels", 68, "copied rows"),
        (in_columns(3, 2048), "copied rows", 3, "copied rows"),
        (in_columns(68, 2049), "copied rows", 68, "copied rows"),
        (in_columns(66, 2049, "f8"), "copied rows", 66, "copied rows"),
        (in_columns(1, 2049), "rows", 1, "rows"),
        (with_gaps(5, 1000, "f2"), "rows", 5, "rows"),  # in a copy
    ],
    ids=lambda value: f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else None,
)
def test_path(z, path, rows_by_path, rest):
    plan = _core.plan(z, out=np.empty_like(z))
    assert (plan["path"], plan["rows_by_path"], plan["path_of_the_rest"]) == (path, rows_by_path, rest)
    assert plan["rows_per_unit"] == (1 if path in ("rows", "copied rows") else 16)
    assert plan["reason"]


def test_path_depends_on_the_result_as_well():
    z = in_columns(64, 300)
    assert _core.plan(z, out=np.empty_like(z))["path"] == "panels"
    assert _core.plan(z, out=np.empty(z.shape, "f4"))["path"] == "copied rows"


def test_what_threads_may_divide():
    def divisible(z, out=None):
        return _core.plan(z, out=np.empty_like(z) if out is None else out)["divisible_by_classes"]

    row, columns = in_rows(1, 100_000), in_columns(64, 4000)
    assert divisible(row) and divisible(columns) and divisible(row.astype("f2"))
    assert divisible(columns, columns) and divisible(with_gaps(1, 100_000))  # in copies
    assert not divisible(row, row)  # the result would replace what is still read
    assert not divisible(in_columns(64, 300))


def test_scratch_memory_does_not_grow_with_the_rows():
    for make in (in_rows, in_columns, with_gaps):
        for classes in (10, 500, 5000):
            few, many = (_core.plan(make(rows, classes)) for rows in (160, 1600))
            assert few["scratch_bytes"] == many["scratch_bytes"] < 64 * 4 * 4000
            assert (few["scratch_bytes"] > 0) == (few["path"] != "copied rows")  # whose copies are bounded


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axis_is_the_classes_axis(axis):
    z = np.zeros((1000, 1000), "f4")
    assert _core.plan(z, axis)["path"] == ("panels" if axis == 0 else "rows")


def test_an_empty_array_has_no_plan():
    with pytest.raises(ValueError, match="plan: z is empty"):
        _core.plan(np.zeros((0, 3)))
