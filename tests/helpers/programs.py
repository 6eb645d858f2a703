"""Programs of their own, for what a test must not do to its own process."""

import os
import shutil
import subprocess
import sys

import pytest

CXX = next((tool for tool in (os.environ.get("CXX", "c++"), "g++", "clang++") if shutil.which(tool)), None)


def ended(code, seconds=60):
    """What the program prints, where it ends well and in time."""
    if "fork" in code and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd="/",
        text=True,
        capture_output=True,
        timeout=seconds,
        check=False,
        # Dask sets it in a process that starts workers, and so for all that the process starts later.
        env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
