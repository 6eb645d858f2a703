"""The command line in this process: for its tests."""

import numpy as np
from click.testing import CliRunner

import nndl_fast as nf
from nndl_fast.cli import main


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_well(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def assert_refused(result, *named):
    """A last line that names what is wrong, and no traceback; click's usage lines may stand before it."""
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    lines = result.stderr.strip().splitlines()
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:]
    for name in named:
        assert str(name) in lines[-1]


def saved_network(path, sizes=(4, 5, 3)):
    net = nf.Network(sizes, rng=0)
    net.save(path)
    return net


def examples(n=6, features=4):
    return np.random.default_rng(1).standard_normal((n, features))


def expected_lines(net, x):
    a = net.feedforward(x.T)
    return [f"{column.argmax()}\t{column.max():.6f}" for column in a.T]
