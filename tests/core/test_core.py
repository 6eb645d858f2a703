"""The C++ core builds and passes its own tests without Python, with each kind of threads, and the files
that are compiled for an instruction set hand nothing to the linker but what stands in its namespace.

To compile the core takes minutes, so what needs it is slow."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trained
from networks import TRAINED
from programs import CXX

import nndl_fast as nf
from nndl_fast import _core, kernels

ROOT = Path(__file__).parents[2]
HASHES = str(ROOT / "tests/hashes.txt")
MISSING = [tool for tool in ("cmake", "nm") if not shutil.which(tool)] + ["C++ compiler"] * (CXX is None)


def run(*command, **options):
    result = subprocess.run(command, text=True, capture_output=True, check=False, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    if MISSING:
        pytest.skip(f"{', '.join(MISSING)} not found")
    folder = tmp_path_factory.mktemp("core")
    run("cmake", "-S", str(ROOT), "-B", str(folder), "-DNNDL_FAST_CORE_TEST=ON")
    run("cmake", "--build", str(folder), "--parallel", "2")
    return folder


@pytest.mark.slow
def test_core_passes_its_own_test(build):
    output = run(str(build / "core_test"), HASHES)
    assert re.search(r"\d{4,} checks, 0 failures", output)
    for isa in nf.show_config()["instruction_sets"]:
        assert isa in output.splitlines()[0]


@pytest.mark.slow
def test_products_and_training_pass_their_own_test(build):
    """Trained networks too have the bits that they have on every other machine."""
    text, net = trained.training()
    assert net.digest() == TRAINED["f4", "sigmoid", "sgd", 10]
    (build / "digits.txt").write_text(text, encoding="ascii")
    output = run(str(build / "training_test"), str(build / "digits.txt"))
    assert re.search(r"digits are learned(.*\n)*\d{4,} checks, 0 failures", output)


@pytest.mark.slow
def test_layers_and_steps_pass_their_own_test(build):
    assert re.search(r"\d{4,} checks, 0 failures", run(str(build / "layers_test")))


@pytest.mark.slow
def test_functions_are_within_one_unit(build):
    """Every 1009th float32 and as many float64; `function_sweep` alone takes all, in minutes."""
    output = run(str(build / "function_sweep"), "1009")
    for isa in nf.show_config()["instruction_sets"]:
        assert len([line for line in output.splitlines() if line.startswith(isa)]) == 10


@pytest.mark.slow
def test_kernels_are_exported_in_the_namespace_of_their_instruction_set(build):
    """A weak symbol compiled for AVX-512 could be the copy that the linker keeps for everyone."""
    folders = list((build / "CMakeFiles").glob("kernels_*.dir"))
    assert len(folders) >= 6
    for folder in folders:
        isa = folder.stem.split("_")[1]
        objects = list(folder.rglob("*.o"))
        assert objects
        for path in objects:
            symbols = [line.split() for line in run("nm", "--defined-only", str(path)).splitlines()]
            shared = [name for _, kind, name in symbols if kind.isupper() or kind in "uvw"]
            own = f"_ZN9nndl_fast{len(isa)}{isa}"
            assert shared and all(name.startswith(own) for name in shared), (path, shared)
            # what is initialised when the library is loaded runs on every machine
            assert not any("_GLOBAL__sub_I" in symbol[-1] for symbol in symbols), path


@pytest.mark.parametrize("module", [_core, kernels], ids=lambda module: module.__name__)
def test_what_the_modules_export(module):
    """A template of the standard library that one of them exported could be the copy that others run."""
    if not sys.platform.startswith("linux") or not shutil.which("nm"):
        pytest.skip("reads the symbols of a Linux library with nm")
    symbols = run("nm", "--dynamic", "--defined-only", module.__file__).splitlines()
    name = module.__name__.rpartition(".")[2]
    # by the second one threadpoolctl tells our _core from those of others
    expected = {f"PyInit_{name}"} | ({"nndl_fast_get_num_threads"} if module is _core else set())
    assert {symbol.split()[-1] for symbol in symbols} == expected


@pytest.mark.slow
def test_threads_share_out_work(build, tmp_path):
    output = run(str(build / "threads_test"), str(tmp_path / "groups"))
    assert "threads by pool" in output
    assert re.search(r"\d{4,} checks, 0 failures", output)


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["openmp", "none"])
def test_other_threads(build, threads, tmp_path):
    """NNDL_FAST_THREADS=openmp and none, from the objects that are there but for that file."""
    objects = [str(p) for p in build.rglob("*.o") if p.parent.name != "core" and p.name != "pool.cpp.o"]
    # the C++ compiler that CMake found
    compiler = re.search(r"CMAKE_CXX_COMPILER:\w+=(.*)", (build / "CMakeCache.txt").read_text()).group(1)
    flags = ["-std=c++17", "-O1", "-pthread"] + ["-fopenmp"] * (threads == "openmp")
    for test, argument in (("core_test", HASHES), ("threads_test", str(tmp_path / "groups"))):
        sources = [str(ROOT / f"csrc/threads/{threads}.cpp"), str(ROOT / f"tests/core/{test}.cpp")]
        run(compiler, *flags, *sources, *objects, "-o", str(tmp_path / test))
        output = run(str(tmp_path / test), argument)
        assert f"threads by {threads}" in output and ", 0 failures" in output


@pytest.mark.parametrize("isa", nf.show_config()["instruction_sets"])
def test_environment_variable_forces_an_instruction_set(isa):
    code = "import nndl_fast; print(nndl_fast.show_config()['instruction_set'])"
    environment = {**os.environ, "NNDL_FAST_ISA": isa}
    assert run(sys.executable, "-c", code, env=environment, cwd="/").strip() == isa


def test_environment_variable_that_names_no_instruction_set():
    environment = {**os.environ, "NNDL_FAST_ISA": "avx1024"}
    result = subprocess.run(
        [sys.executable, "-c", "import nndl_fast"],
        env=environment,
        cwd="/",
        text=True,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 1
    assert "ImportError: NNDL_FAST_ISA is 'avx1024'; this machine can run " in result.stderr
    assert "baseline" in result.stderr
