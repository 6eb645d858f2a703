"""A process that saves is killed at any moment: its file is a whole model, the last one or the new one.

``KILL_ROUNDS=100 pytest -m "" tests/network/test_killed.py`` does it more often than the suite, in about a
minute."""

import os
import random
import subprocess
import sys
import time

import pytest

import nndl_fast as nf

ROUNDS = int(os.environ.get("KILL_ROUNDS", "8"))

# It says which model comes next, and saves it.
TRAINS_AND_SAVES = """
import sys, numpy as np, nndl_fast as nf
data = np.random.default_rng(0).random((20, 1000), dtype=np.float32), np.arange(20) % 10
net = nf.Network([1000, 200, 10])
while True:
    net.SGD(data, 1, 10, 0.1)
    print(net.digest(), flush=True)
    net.save(sys.argv[1])
"""


def killed(path, seconds):
    """The models that a process announced before it was killed, so many seconds after the first."""
    command = [sys.executable, "-c", TRAINS_AND_SAVES, path]
    with subprocess.Popen(command, cwd=path.parent, stdout=subprocess.PIPE, text=True) as process:
        announced = process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        announced += process.stdout.read()
    return announced.split()


def is_whole(path, models):
    """A file that `load` refuses is none of ours; one that it takes is a model that was saved."""
    try:
        return nf.load(path).digest() in models
    except ValueError as error:
        return path.name in str(error)


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")
@pytest.mark.slow
def test_killed_at_any_moment(tmp_path):
    path, rng = tmp_path / "model.npz", random.Random(1)
    net = nf.Network([1000, 200, 10], rng=0)
    net.save(path)
    last, replaced, models = net.digest(), 0, {net.digest()}
    for _ in range(ROUNDS):
        announced = killed(path, rng.uniform(0, 0.2))
        found = nf.load(path).digest()
        assert found in (last, *announced)
        replaced += found != last
        last = found
        models.update(announced)
    assert replaced  # else it was always killed before the first save
    left = [other for other in tmp_path.iterdir() if other != path]
    print(f"{ROUNDS} rounds: {replaced} new models, {len(left)} temporary files left")
    # A killed process cannot take its temporary file away: at most one a process, under a name of its own.
    assert len(left) <= ROUNDS and all(other.name.startswith(".nndl_fast-") for other in left)
    assert all(is_whole(other, models) for other in left)
