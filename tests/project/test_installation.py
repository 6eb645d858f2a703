"""Python in the source folder, where it finds the sources first."""

import subprocess
import sys
from pathlib import Path

import pytest

import nndl_fast as nf

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "arguments",
    [
        [
            "-c",
            "import nndl_fast as nf; print(nf.softmax([1.0, 1.0]), nf.datasets.load_digits()[2][1].shape)",
        ],
        ["-m", "nndl_fast", "--version"],
    ],
)
def test_python_in_the_source_folder_takes_the_installed_package(arguments):
    if not (ROOT / "nndl_fast" / "__init__.py").is_file():
        pytest.skip("the tests are not in the source folder")
    result = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "0.5 0.5" in result.stdout or nf.__version__ in result.stdout


def test_the_source_without_an_installed_package_says_so():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import nndl_fast"
    if not (ROOT / "nndl_fast" / "__init__.py").is_file():
        pytest.skip("the tests are not in the source folder")
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert "no nndl_fast is installed here; pip install . installs it" in result.stderr
