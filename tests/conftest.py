import pytest

from nndl_fast import _core, num_threads


@pytest.fixture(params=_core.isas())
def isa(request):
    """Each instruction set that this machine can run, in turn."""
    before = _core.isa()
    _core.use_isa(request.param)
    yield request.param
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
