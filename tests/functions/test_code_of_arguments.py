"""Arguments whose own code changes the shape or the type of the other ones while they are converted.

The result is that of the arguments as they were or as they became, or the call is refused; nothing else is
read or written, which AddressSanitizer sees best: ``tests/tools/sanitize.py suite``."""

from pathlib import Path

import pytest
from programs import ended

pytest.importorskip("fuzz_arguments", reason="needs ml_dtypes")


def test_arguments_that_change_others_while_they_are_converted():
    calls, refused = map(
        int,
        ended(f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "tools")!r})
import numpy as np, fuzz_arguments as fuzz
calls = refused = 0
for n, classes, dtype in ((10, 10, "f8"), (100, 100, "f4"), (100, 100, "f2"), (7, 3000, "f8")):
    for function, given in fuzz.calls(n, classes, dtype, np.random.default_rng(0)):
        for name in given:
            for how in fuzz.WAYS if name != "out" else ():
                calls += 1
                refused += fuzz.changes_nothing(function, given, name, how)
print(calls, refused)
""").split(),
    )
    assert calls > 500 and refused < calls
