"""Every public function beside NumPy's lines, in small calls: the results are compared."""

from __future__ import annotations

from typing import Any

import pytest
import small_calls


@pytest.mark.parametrize("case", small_calls.CASES, ids=str)
def test_results_are_those_of_numpy(case: small_calls.Case) -> None:
    found = small_calls.calls(case)
    assert len(found) > 30
    for name, (ours, theirs) in found.items():
        small_calls.check(name, ours(), theirs())


@pytest.mark.parametrize("who", ["nndl_fast", "NumPy"])
@pytest.mark.parametrize("name", small_calls.calls(small_calls.Case((128, 10))))
def test_call(benchmark: Any, name: str, who: str) -> None:
    benchmark.group = f"{name}, 128 x 10"
    benchmark(small_calls.calls(small_calls.Case((128, 10)))[name][who == "NumPy"])
