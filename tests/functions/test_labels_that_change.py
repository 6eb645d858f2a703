"""Labels that another thread changes after they were checked.

The result of such a call means nothing, but the call must end, by returning or by an IndexError, and must
write nowhere but into its result; and nothing of it may be left for the next call. A label that is just
outside writes beside the result, where the programs here look, and one that is far outside ends the program.
Every read and write out of bounds is seen by AddressSanitizer alone: ``tests/tools/sanitize.py suite`` runs
these tests under it."""

import pytest
from programs import ended

CHANGES = """
import sys, threading, time, numpy as np, nndl_fast as nf
sys.setswitchinterval(1e-4)

def changed_while(y, call, near, times=60):
    expected = [np.copy(x) for x in call()]
    done = False
    def change():
        while not done:
            for label in (2**40, -2**40, near, -1, near + 7):
                y[:500] = y[-500:] = label
                for _ in range(2):  # so that many a call sees none of them at first
                    y[:500] = y[-500:] = 0
    other = threading.Thread(target=change)
    other.start()
    try:
        for _ in range(times):
            try:
                call()
            except IndexError:
                time.sleep(1e-4)  # else the other thread would not run before the next call
    finally:
        done = True
        other.join()
    y[:] = 0
    for one, other in zip(call(), expected, strict=True):
        np.testing.assert_array_equal(one, other)

def inside(shape):
    # An array for a result, and all that stands before and behind it.
    around = 4096
    room = np.full(int(np.prod(shape)) + 2 * around, 7, np.float32)
    return room[around:-around].reshape(shape), (room[:around], room[-around:])
"""


@pytest.mark.parametrize(
    "axis, classes",
    [(-1, 4), (0, 40), *(pytest.param(*shape, marks=pytest.mark.slow) for shape in ((-1, 40), (0, 4)))],
)
@pytest.mark.parametrize(
    "options", ["", "label_smoothing=0.1", "class_weight=np.ones(classes, np.float32)", "ignore_index=-1"]
)
def test_labels_that_change_after_their_check(axis, classes, options):
    ended(
        CHANGES
        + f"""
classes = {classes}
z, y = np.zeros((60_000, classes), np.float32), np.zeros(60_000, np.int64)
z = z if {axis} == -1 else np.ascontiguousarray(z.T)
out, around = inside(z.shape)
changed_while(y, lambda: nf.log_likelihood_cost_and_delta(z, y, {axis}, out=out, {options}), classes)
assert all((side == 7).all() for side in around)
"""
    )


@pytest.mark.parametrize("options", ["", "class_weight=np.ones(5000, np.float32)"])
def test_labels_that_change_in_the_last_layer(options):
    ended(
        CHANGES
        + f"""
a, w, b = np.zeros((3000, 2), np.float32), np.zeros((5000, 2), np.float32), np.zeros(5000, np.float32)
y = np.zeros(3000, np.int64)
changed_while(y, lambda: nf.linear_log_likelihood(a, w, b, y, {options}), 5000, 20)
"""
    )


@pytest.mark.parametrize("cost", ["LogLikelihoodCost", "QuadraticCost"])
def test_labels_that_change_while_a_network_learns(cost):
    ended(
        CHANGES
        + f"""
x, y = np.zeros((20_000, 3), np.float32), np.zeros(20_000, np.int64)
def learn():
    net = nf.Network([3, 4], cost=nf.{cost}, rng=0)
    net.SGD((x, y), 1, 10, 0.1)
    return [*net.biases, *net.weights]
changed_while(y, learn, 4)
"""
    )
