"""The fixtures of all tests: instruction sets, numbers of threads, processors."""

import pytest

from nndl_fast import _core, num_threads

# The best one of this machine, or the one that NNDL_FAST_ISA names, comes first.
ISAS = sorted(_core.isas(), key=lambda name: name != _core.isa())


@pytest.fixture(params=[ISAS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in ISAS[1:])])
def isa(request):
    """Each instruction set that this machine can run; all but the first are slow."""
    yield from used(request.param)


@pytest.fixture(params=ISAS)
def every_isa(request):
    """The same, and none of them is slow: for what must be seen at every one, in small tests."""
    yield from used(request.param)


def used(name):
    before = _core.isa()
    _core.use_isa(name)
    yield name
    _core.use_isa(before)


@pytest.fixture(params=[1, 2, 7])
def threads(request):
    with num_threads(request.param):
        yield request.param


@pytest.fixture
def many_processors():
    """So that as many threads as are set do take part, on a machine of two cores too."""
    _core.assume_processors(8)
    yield
    _core.assume_processors(0)
