"""The soak test for some seconds; and that it would notice."""

import sys
from pathlib import Path

import pytest
from programs import ended

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it forks, and reads /proc"),
    pytest.mark.slow,
]

SOAK = f"""
import sys, tempfile, warnings
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1] / "tools")!r})
warnings.simplefilter("ignore")
import numpy as np, soak, nndl_fast as nf
soak.ROWS = [(3, 2), (128, 10), (50, 100), (2, 40_000)]
with tempfile.TemporaryDirectory() as folder:
    test = soak.Soak(0, Path(folder))
    CHANGE
    sys.exit(test.run(3) != EXPECTED)
"""


def test_for_some_seconds():
    said = ended(SOAK.replace("CHANGE", "").replace("EXPECTED", "0"))
    assert "no failure" in said and " 0 forks" not in said


def test_a_wrong_bit_is_noticed():
    change = """
    real, count = nf.softmax, iter(range(10**9))
    def wrong(*given, **options):
        result = real(*given, **options)
        if next(count) == 50:
            result.view(np.uint8).flat[-1] ^= 1
        return result
    nf.softmax = wrong"""
    assert "has other bits" in ended(SOAK.replace("CHANGE", change).replace("EXPECTED", "1"))


def test_a_leak_is_noticed():
    change = """
    real, kept = nf.sigmoid, []
    def leaks(z):
        kept.append(np.ones(10**6))
        return real(z)
    nf.sigmoid = leaks"""
    assert "memory has grown" in ended(SOAK.replace("CHANGE", change).replace("EXPECTED", "1"))
