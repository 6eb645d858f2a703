"""What the fuzzer found worth keeping, once more; and calls at random."""

from pathlib import Path

import numpy as np
import pytest

from nndl_fast import _core

fuzz = pytest.importorskip("fuzz", reason="needs ml_dtypes")
fuzz_arguments = pytest.importorskip("fuzz_arguments", reason="needs ml_dtypes")
fuzz_network = pytest.importorskip("fuzz_network", reason="needs ml_dtypes")

CORPUS = Path(__file__).parents[1] / "corpus.txt"


@pytest.fixture(autouse=True)
def settings():
    """Calls set an instruction set and a number of threads; the tests after these want the usual ones."""
    isa, threads = _core.isa(), _core.thread_setting()
    yield
    _core.use_isa(isa)
    _core.restore_thread_setting(threads)


def test_the_corpus():
    lines = CORPUS.read_text().split()
    assert len(lines) > 100
    for line in lines:
        fuzz.call(bytes.fromhex(line))


def test_calls_at_random():
    for seed in range(1000):
        fuzz.call(np.random.default_rng(seed).bytes(80))


def test_networks_at_random():
    """``python tests/tools/fuzz_network.py --seconds 300`` for more of them."""
    for seed in range(300):
        fuzz_network.call(np.random.default_rng(seed).bytes(120))


def test_arguments_at_random():
    """``python tests/tools/fuzz_arguments.py --seconds 300`` for more of them."""
    for seed in range(1000):
        fuzz_arguments.call(np.random.default_rng(seed).bytes(120))
