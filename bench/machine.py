"""Which machine, which versions, which settings: what a report needs so that its figures can be judged."""

from __future__ import annotations

import os
import platform
import subprocess
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
# What in the environment changes threads, instruction sets or memory.
PREFIXES = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "NUMBA_", "XLA_", "JAX_", "NNDL_FAST_", "MALLOC_")
FOLDERS = ["NNDL_FAST_MNIST"]  # which say nothing of speed, and where they are is nobody's business
DEFAULT_CACHE = 32 << 20  # bytes, where the system does not say

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
        "environment": {
            k: v for k, v in sorted(os.environ.items()) if k.startswith(PREFIXES) and k not in FOLDERS
        },
    }
