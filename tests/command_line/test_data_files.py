"""The command line: files of data are opened once, and judged before they are unpacked."""

import gzip
import os
import tracemalloc

import numpy as np
import pytest

import nndl_fast as nf

pytest.importorskip("click")
pytest.importorskip("matplotlib")

from commands import assert_refused, run, run_well
from programs import ended

MANY = 4_000_000  # zeros of 16 MB, which a compressed file has in 16 kB
SMALL = {
    "columns.npz": lambda path: np.savez_compressed(path, x=np.zeros((MANY // 8, 8), np.float32)),
    "labels.npz": lambda path: np.savez_compressed(path, x=np.zeros((6, 3)), y=np.zeros(MANY, np.float32)),
    "complex.npz": lambda path: np.savez_compressed(path, x=np.zeros((MANY // 8, 3), complex)),
    "line.csv.gz": lambda path: path.write_bytes(gzip.compress(b"1" * 5 * MANY)),
    "columns.csv.gz": lambda path: path.write_bytes(gzip.compress(b"1,2\n" * MANY)),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_data_does_not_unpack_to_large(tmp_path, name):
    model, path = tmp_path / "m.npz", tmp_path / name
    nf.Network([3, 2], rng=0).save(model)
    SMALL[name](path)
    assert path.stat().st_size < 100_000
    limit = 40e6 if "line" in name else 4e6  # a line is read as far as one may be long
    tracemalloc.start()
    try:
        assert_refused(run("predict", model, path), name)
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def test_a_column_of_dates_is_refused_by_its_name(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    days = np.arange("2020-01-01", "2020-02-10", dtype="datetime64[D]")
    parquet.write_table(pyarrow.table({"width": [0, 1] * 20, "of the day": days}), path)
    result = run("train", path, "--label", "width", "--output", tmp_path / "m")
    assert_refused(result, path, "the column of the day of type date", "--drop 'of the day'")


def test_columns_of_parquet_may_be_bool_and_have_gaps(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"a.b": [True, False] * 20, "a": range(40), "unread": ["text"] * 40, "y": ["u", "v"] * 20}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    net = nf.Network([2, 2], classes=["u", "v"], rng=0)
    net.features = ["a", "a.b"]
    net.save(tmp_path / "m.npz")
    result = run_well("predict", tmp_path / "m.npz", tmp_path / "t.parquet", "--label", "y")
    x = np.column_stack([np.arange(40), [1, 0] * 20])
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == net.predict(x).tolist()
    columns["a.b"][3] = None
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    result = run("predict", tmp_path / "m.npz", tmp_path / "t.parquet")
    assert_refused(result, "has no number in example 3, column a.b")


PIPE = """
import os, sys
from pathlib import Path
from nndl_fast._commands import _columns, _tables
regular = os.stat({file!r})
os.stat = lambda *arguments, **options: regular
try:
    _tables.read(Path({pipe!r}), _columns.Wanted())
except ValueError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("kind", ["csv", "csv.gz", "npy", "npz", "parquet"])
def test_data_that_becomes_a_pipe_is_not_waited_for(tmp_path, kind):
    """And one that is a pipe is refused, by every command."""
    (tmp_path / "file").touch()
    pipe = tmp_path / f"pipe.{kind}"
    os.mkfifo(pipe)
    code = PIPE.format(file=str(tmp_path / "file"), pipe=str(pipe))
    assert f"{pipe} is not a regular file" in ended(code, 20)
    nf.Network([3, 2], rng=0).save(tmp_path / "m.npz")
    for command in (["train", pipe], ["predict", tmp_path / "m.npz", pipe], ["info", pipe]):
        assert_refused(run(*command), pipe, "is not a regular file")
