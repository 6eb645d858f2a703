"""The types: complete, and the stub of the extension says what the extension has."""

import subprocess
import sys
from pathlib import Path

import nndl_fast as nf

PACKAGE = Path(nf.__file__).parent


def run(*command, cwd):
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, text=True, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_package_is_typed(tmp_path):
    configuration = Path(__file__).parents[1] / "pyproject.toml"
    run(
        "mypy",
        "--config-file",
        str(configuration),
        "--cache-dir",
        str(tmp_path),
        "-p",
        "nndl_fast",
        cwd=tmp_path,
    )


def test_stub_matches_the_extension(tmp_path):
    run("mypy.stubtest", "nndl_fast._core", "--ignore-missing-stub", cwd=tmp_path)


def test_a_user_gets_types(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import nndl_fast as nf\nnet: nf.Network = nf.Network([2, 3])\nreveal = nf.softmax([1.0], c=2.0)\n"
    )
    run("mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(program), cwd=tmp_path)
    assert (PACKAGE / "py.typed").exists()
