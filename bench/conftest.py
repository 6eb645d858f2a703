"""Skips peers that are not installed, and silences one warning."""

from __future__ import annotations

import peers
import pytest


def pytest_configure(config: pytest.Config) -> None:
    # scikit-learn's MLPClassifier says that one epoch has not converged, which is what is asked of it.
    # Its ConvergenceWarning is named by its base class, so that scikit-learn need not be installed.
    config.addinivalue_line("filterwarnings", "ignore:Stochastic Optimizer. Maximum iterations:UserWarning")


@pytest.fixture
def installed(peer: str) -> str:
    """The name of the peer of this benchmark, which is skipped where the peer is missing."""
    if modules := peers.missing(peer):
        pytest.skip(f"{peer}: {' and '.join(modules)} not installed")
    return peer
