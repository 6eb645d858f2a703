"""Which machine, which versions, which settings: what a report needs so that its figures can be judged."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nndl_fast as nf

PACKAGES = [
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "onnxruntime",
    "jax",
    "jaxlib",
    "numba",
    "pytest-benchmark",
]
# What in the environment changes threads, instruction sets or memory: of OpenMP and its runtimes, of BLAS
# libraries, of the peers, of malloc and of nndl_fast itself.
SETTINGS = re.compile(
    "(G?OMP|KMP|MKL|GOTO|BLIS|VECLIB|DNNL|ONEDNN|ATEN|TORCH|NPY|NUMBA|XLA|JAX|NNDL_FAST|MALLOC)_|.*BLAS"
)
FOLDERS = ["NNDL_FAST_MNIST"]  # which say nothing of speed, and where they are is nobody's business
KEEP = "--keep-environment"

STARTED_WITH = Path("/proc/self/environ")
SYSTEM_CPU = Path("/sys/devices/system/cpu/cpu0/cache")


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def last_level_cache() -> int | None:
    """Bytes of the largest data cache that one core can use, or None where Linux does not say."""
    sizes = []
    for index in SYSTEM_CPU.glob("index*"):
        try:
            text = (index / "size").read_text(encoding="ascii").strip()
            sizes.append(int(text[:-1]) * {"K": 1 << 10, "M": 1 << 20}[text[-1]])
        except (OSError, ValueError, KeyError):
            continue
    return max(sizes, default=None)


def usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def started_with() -> dict[str, str]:
    """The environment when the program was started: threadpoolctl sets more when it is imported."""
    if not STARTED_WITH.exists():
        return dict(os.environ)
    entries = os.fsdecode(STARTED_WITH.read_bytes()).split("\0")
    return {name: value for name, is_one, value in (entry.partition("=") for entry in entries) if is_one}


def settings() -> dict[str, str]:
    """What the environment set when the program was started that changes how fast libraries are."""
    found = sorted(started_with().items())
    return {name: value for name, value in found if SETTINGS.match(name) and name not in FOLDERS}


def restart_without_settings() -> None:
    """Starts this program again without them, unless it was given ``--keep-environment``: libraries are to
    be measured as their users have them, and OPENBLAS_CORETYPE, say, makes NumPy multiply with the kernels
    of another processor."""
    if KEEP in sys.argv:
        sys.argv.remove(KEEP)
    elif STARTED_WITH.exists() and (found := settings()):  # elsewhere it might go on for ever
        listed = ", ".join(f"{name}={value}" for name, value in found.items())
        print(f"measured without {listed} ({KEEP} keeps them)", file=sys.stderr, flush=True)
        others = {name: value for name, value in started_with().items() if name not in found}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], others)


def blas() -> list[str]:
    """Which kernels the BLAS of each package runs, as threadpoolctl finds them in this process."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    found = []
    for library in threadpool_info():
        if library["user_api"] == "blas":
            path = Path(library["filepath"])
            package = next((part for part in path.parts if part.endswith(".libs")), path.name)
            name = f"{package.removesuffix('.libs')}: {library['internal_api']} {library['version']}"
            kernels = library.get("architecture") or "kernels unknown"
            found.append(f"{name}, {kernels}, {library['num_threads']} threads")
    return found


def commit() -> str | None:
    """The commit of the source folder with ``+`` where files differ from it; None without git."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", ":/") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "nndl_fast": nf.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def description() -> dict[str, Any]:
    config = nf.show_config()
    return {
        "machine": {
            "processor": cpu_model(),
            "processors": os.cpu_count(),
            "usable_processors": usable_processors(),
            "last_level_cache": last_level_cache(),
            "system": f"{platform.system()} {platform.machine()}",
            "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        },
        "versions": versions(),
        "config": {
            key: config[key] for key in ("compiler", "instruction_set", "instruction_sets", "threads_by")
        },
        "threads": nf.get_num_threads(),
        "commit": commit(),
        "environment": settings(),
    }
