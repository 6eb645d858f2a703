"""The core's test, the suite and the fuzzer, compiled with sanitizers:
``python tests/tools/sanitize.py core threads races suite fuzz`` (some of them, or all but the fuzzer; each
takes minutes).

core: the core's tests under AddressSanitizer and UndefinedBehaviorSanitizer. threads: under ThreadSanitizer.
races: functions, trainers and estimators in eight threads (``soak.py``), the extension under ThreadSanitizer.
suite: the Python tests, the extension under the first two. fuzz: ``fuzz.py`` under atheris, the extension
under AddressSanitizer; what follows goes to libFuzzer (``fuzz -max_total_time=1800 FOLDER``).

Needs clang++ (Debian: clang), or with CXX=g++ in the environment g++; for suite and fuzz this project's build
requirements and test extra beside it, and for fuzz atheris, which needs clang."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
CXX = os.environ.get("CXX", "clang++")
GCC = "g++" in CXX and "clang" not in CXX


def run(*command: str, cwd: Path = ROOT, **environment: str) -> None:
    print(*command, flush=True)
    subprocess.run(command, check=True, cwd=cwd, env={**os.environ, **environment})


def library(name: str) -> str:
    """The path of one of the compiler's own libraries."""
    command = [CXX, f"-print-file-name={name}"]
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout.strip()


def core_tests(folder: Path, sanitizers: str, **environment: str) -> None:
    """Builds the core's own tests and runs them."""
    options = [
        f"-DCMAKE_CXX_COMPILER={CXX}",
        f"-DNNDL_FAST_SANITIZE={sanitizers}",
        "-DNNDL_FAST_CORE_TEST=ON",
    ]
    run("cmake", "-S", str(ROOT), "-B", str(folder), *options)
    targets = ["core_test", "training_test", "layers_test", "threads_test"]
    # Without a number, make would start as many compilers as there are files, of half a gigabyte each.
    run("cmake", "--build", str(folder), "--parallel", str(os.cpu_count()), "--target", *targets)
    run(str(folder / "threads_test"), str(folder / "groups"), **environment)
    run(str(folder / "layers_test"), **environment)
    # Minutes each, on one thread most of the time. The training by the best instruction set alone:
    # layers_test has the others' products and steps, and the baseline would take twenty minutes.
    with ThreadPoolExecutor() as pool:
        training = pool.submit(run, str(folder / "training_test"), "", "", **environment)
        run(str(folder / "core_test"), str(ROOT / "tests/hashes.txt"), **environment)
        training.result()


def extension(folder: Path, sanitizers: str) -> None:
    """Installs the package there, compiled so."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(folder / "site")]
    settings = [f"-Ccmake.define.NNDL_FAST_SANITIZE={sanitizers}", f"-Cbuild-dir={folder / 'build'}"]
    compilers = {"CC": CXX.replace("g++", "gcc") if GCC else CXX.replace("++", ""), "CXX": CXX}
    run(sys.executable, "-m", "pip", "install", *options, *settings, str(ROOT), **compilers)


def core(folder: Path) -> None:
    core_tests(folder, "address,undefined")


def threads(folder: Path) -> None:
    # A forked child starts threads of its own, which is what is tested.
    core_tests(folder, "thread", TSAN_OPTIONS="die_after_fork=0")


def races(folder: Path) -> None:
    extension(folder, "thread")
    preload = library("libtsan.so" if GCC else "libclang_rt.tsan-x86_64.so")
    known = folder / "known"
    known.write_text("race:_dl_deallocate_tls\n")  # the C library's own, of a thread that has ended
    # Its memory does not fit every layout of addresses that the kernel chooses at random.
    run(
        *("setarch", "-R", sys.executable, str(ROOT / "tests/tools/soak.py"), "--minutes", "2", "--alone"),
        cwd=folder,
        PYTHONPATH=str(folder / "site"),
        LD_PRELOAD=preload,
        TSAN_OPTIONS=f"halt_on_error=1:suppressions={known}",
    )


# Python itself leaks, and tests ask for more memory than there is.
ADDRESS = {"ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"}


def suite(folder: Path) -> None:
    extension(folder, "address,undefined")
    # GCC's needs the C++ runtime to be there when it is loaded.
    preload = (
        f"{library('libasan.so')} {library('libstdc++.so')}" if GCC else library("libclang_rt.asan-x86_64.so")
    )
    tests = [
        str(ROOT / "tests"),
        "--ignore",
        str(ROOT / "tests/core/test_core.py"),
        "--rootdir",
        str(ROOT),
        "-m",
        "",
    ]
    command = [
        sys.executable,
        "-c",
        "import sys, pytest; sys.exit(pytest.main())",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    run(*command, *tests, cwd=folder, PYTHONPATH=str(folder / "site"), LD_PRELOAD=preload, **ADDRESS)


def fuzz(folder: Path, *options: str) -> None:
    atheris = find_spec("atheris")
    if not atheris or not atheris.origin:
        raise SystemExit("sanitize.py: fuzz needs atheris (pip install atheris)")
    extension(folder, "address,fuzzer-no-link")
    preload = str(Path(atheris.origin).parents[1] / "asan_with_fuzzer.so")
    command = [sys.executable, str(ROOT / "tests/tools/fuzz.py"), *(options or ["-max_total_time=1800"])]
    run(
        *command,
        "-max_len=100",
        "-len_control=0",
        PYTHONPATH=str(folder / "site"),
        LD_PRELOAD=preload,
        **ADDRESS,
    )


def main() -> None:
    known: dict[str, Callable[..., None]] = {
        "core": core,
        "threads": threads,
        "races": races,
        "suite": suite,
        "fuzz": fuzz,
    }
    words = sys.argv[1:] or [name for name in known if name != "fuzz"]
    options = words[words.index("fuzz") + 1 :] if "fuzz" in words else []
    for word in words[: len(words) - len(options)]:
        if word not in known:
            raise SystemExit(f"sanitize.py: there is no {word!r}; there are {', '.join(known)}")
        with tempfile.TemporaryDirectory() as folder:
            try:
                known[word](Path(folder), *(options if word == "fuzz" else ()))
            except subprocess.CalledProcessError as error:
                raise SystemExit(f"sanitize.py: {word} failed with {error.returncode}") from None
        print(f"sanitize.py: {word} passed", flush=True)


if __name__ == "__main__":
    main()
