"""What happens around a call: signals, the interpreter's end, floating point, little memory."""

import platform
import sys
from pathlib import Path

import pytest
from programs import ended

# A timer's signal whose handler raises KeyboardInterrupt, as that of Ctrl-C does.
INTERRUPTED = """
import signal, sys, time
import numpy as np
import nndl_fast as nf

def interrupt(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)

def interrupted(call, seconds=0.1):
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        call()
    except KeyboardInterrupt as error:
        return error
    raise AssertionError("it was not interrupted")
"""
C_API = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "helpers")!r})
import numpy as np, nndl_fast as nf, c_api
softmax = c_api.softmax_f32(with_gil=True)
large = np.random.default_rng(0).standard_normal((20_000, 1000), np.float32)
"""
signals = pytest.mark.skipif(sys.platform == "win32", reason="no timer's signal here")


@signals
@pytest.mark.parametrize("threads", [2, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "call",
    [  # minutes of work, by strides of 0
        "nf.logsumexp(rows)",
        "nf.logsumexp(rows.T, axis=0)",
        "nf.logsumexp(np.broadcast_to(np.float16(1), (10**7, 10**5)), axis=0)",
        "nf.log_likelihood_cost(rows, np.zeros(10**5, int))",
        "nf.log_likelihood_cost(rows[:4000], np.zeros(4000, int), sample_weight=np.ones(4000))",
        "nf.log_likelihood_cost(rows, rows)",
        "nf.binary_cross_entropy_cost(rows[:2000], rows[:2000])",
        "nf.linear_log_likelihood(rows[:, :500], rows[:10**4, :500], rows[0, :10**4], np.zeros(10**5, int))",
        "nf.Network([500, 2000, 10], rng=0).feedforward(np.broadcast_to(np.float32(1), (500, 10**6)))",
        "nf.matmul(rows[:4000, :10**5], rows.T[:10**5, :4000])",
        "nf.affine_backward(rows[:, :3000], rows[:, :9000], rows[:9000, :3000], handed_down=False)",
    ],
)
def test_long_calls_hear_ctrl_c(call, threads):
    """A call that hears it at its end alone takes longer than the program may."""
    ended(
        INTERRUPTED
        + f"""
nf.set_num_threads({threads})
rows = np.broadcast_to(np.float32(1), (10**5, 10**7))
interrupted(lambda: {call})
assert nf.softmax([0.0, 0.0]).tolist() == [0.5, 0.5]  # and another call goes well
"""
    )


@signals
def test_a_handler_may_not_train_the_network_that_is_trained():
    """It gets an error, and the training goes on as if nothing had happened."""
    code = """
x, y = np.random.default_rng(0).normal(size=(500, 64)), np.arange(500) % 10
def train(net):
    net.SGD((x, y), 60, 10, 0.1)
    return net.digest()
expected = train(nf.Network([64, 200, 10], rng=0))
net, refused = nf.Network([64, 200, 10], rng=0), []
def handler(*_):
    step = lambda: net.update_mini_batch((x[:9], y[:9]), 0.1, 0, 9)
    for call in (lambda: net.SGD((x, y), 1, 10, 0.1), step):
        try:
            call()
        except RuntimeError as error:
            refused.append(str(error))
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
digest = train(net)
signal.setitimer(signal.ITIMER_REAL, 0)
print(digest == expected, sorted({text.split(" by ")[0] for text in refused}))
net.SGD((x, y), 1, 10, 0.1)
"""
    assert ended(INTERRUPTED + code) == (
        "True ['SGD: this Network is being trained', 'update_mini_batch: this Network is being trained']"
    )


@signals
@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions take no notes")
def test_an_interrupted_call_says_that_its_result_is_unfinished():
    ended(
        INTERRUPTED
        + """
z, out = np.broadcast_to(np.float32(1), (10**6, 1000)), np.empty((10**6, 1000), np.float32)
assert "given as out is unfinished" in interrupted(lambda: nf.softmax(z, out=out), 0.02).__notes__[0]
"""
    )


@signals
def test_a_handler_may_call_in_the_middle_of_a_call():
    """The handler's call must not use the memory in which the first one has its sums."""
    ended("""
import signal, numpy as np, nndl_fast as nf
rng = np.random.default_rng(0)
halves = rng.standard_normal(20_000_000, np.float32).astype(np.float16)
row = np.broadcast_to(rng.standard_normal(10**5, np.float32), (2000, 10**5))
y, few = rng.integers(0, 10**5, 2000), rng.standard_normal((4000, 10))
columns = halves[:6_000_000].astype(np.float32).reshape(3000, 2000)
calls = [
    lambda: nf.log_likelihood_cost(row, y), lambda: nf.logsumexp(halves), lambda: nf.softmax(halves).sum(),
    lambda: nf.matmul(columns.T, columns, np.empty((2000, 4000), np.float32)[:, ::2]).sum(),
    lambda: nf.logsumexp(columns, 0).sum(), lambda: nf.logsumexp(halves.reshape(-1, 8), 0).sum(),
]
expected, heard = [call() for call in calls], []

def handler(*_):
    found = nf.log_likelihood_cost(few, np.zeros(4000, int)) + nf.logsumexp(halves[:100_000])
    heard.append(found + nf.matmul(few.T, few).sum() + nf.matmul(columns[:50], columns[:90].T).sum()
                 + nf.logsumexp(columns[:, :9], 0).sum())
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
for _ in range(5):
    assert [call() for call in calls] == expected
signal.setitimer(signal.ITIMER_REAL, 0)
assert len(heard) > 5 and len(set(heard)) == 1
""")


@signals
def test_a_handler_may_call_the_c_api_in_the_middle_of_a_call():
    """It is called with the GIL, which it must not try to take for the call in the middle of which it is."""
    ended(
        C_API
        + """
import signal
row = np.broadcast_to(np.arange(1e6), (1000, 10**6))
expected, heard = nf.logsumexp(row), []
def handler(*_):
    heard.append(softmax(large))
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
assert np.array_equal(nf.logsumexp(row), expected)
signal.setitimer(signal.ITIMER_REAL, 0)
assert heard and all(np.array_equal(x, nf.softmax(large)) for x in heard)
"""
    )


@signals
def test_a_handler_may_leave_a_call_for_another_greenlet():
    """What was begun on a stack that is put aside is watched by nobody until it is there again."""
    pytest.importorskip("greenlet")
    ended(
        C_API
        + """
import signal, greenlet
row = np.broadcast_to(np.arange(1e6), (1000, 10**6))
expected, results, switched = nf.logsumexp(row), {}, 0
def handler(*_):
    global switched
    other = greens[greenlet.getcurrent() is greens[0]]
    if not other.dead:
        switched += 1
        other.switch()
def call(name):
    softmax(large)
    results[name] = nf.logsumexp(row)
    softmax(large)
greens = [greenlet.greenlet(lambda name=name: call(name)) for name in range(2)]
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
while not all(green.dead for green in greens):
    for green in greens:
        if not green.dead:
            green.switch()
signal.setitimer(signal.ITIMER_REAL, 0)
assert switched and all(np.array_equal(results[name], expected) for name in range(2))
"""
    )


@signals
@pytest.mark.parametrize("times", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_blas_has_its_threads_again_whatever_interrupts_a_fit(times):
    pytest.importorskip("sklearn")
    pytest.importorskip("threadpoolctl")
    ended(
        f"times = {times}"
        + INTERRUPTED
        + """
from threadpoolctl import ThreadpoolController
from nndl_fast.sklearn import SoftmaxClassifier
from nndl_fast._estimators import _blas
blas = ThreadpoolController().select(user_api="blas").lib_controllers
for library in blas:
    library.set_num_threads(3)
before = [library.num_threads for library in blas]
rng = np.random.default_rng(0)
x, y = rng.standard_normal((20_000, 50)), rng.integers(0, 10, 20_000)
for i in range(times):
    # the second one comes while the first is on its way out
    signal.setitimer(signal.ITIMER_REAL, 0.02 + 0.001 * i, 0.0005)
    try:
        SoftmaxClassifier(max_iter=10**6, tol=0).fit(x, y)
    except KeyboardInterrupt:
        pass
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
    with _blas.one_thread_of_blas():
        pass
    assert [library.num_threads for library in blas] == before, i
""",
        seconds=120,
    )


LATE = """
import atexit, threading, time
import numpy as np
import nndl_fast as nf
try:  # which can be imported before the end alone
    from nndl_fast.sklearn import SoftmaxClassifier
except ImportError:
    SoftmaxClassifier = None
x, y = np.random.default_rng(0).standard_normal((2000, 20)), np.arange(2000) % 3
def work():
    net = nf.Network([20, 10, 3], rng=0)
    net.SGD((x, y), 2, 10, 0.1, evaluation_data=(x, y), monitor_evaluation_accuracy=True)
    net.backprop(x.T, y)
    assert net.accuracy((x, y)) > 0 and net.total_cost((x, y), 0.1) > 0
    nf.softmax(np.zeros((1000, 1000)))
    if SoftmaxClassifier:
        SoftmaxClassifier(max_iter=5, tol=0).fit(x, y)
    print("done")
"""


@pytest.mark.parametrize("threads", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_training_when_the_interpreter_ends(threads):
    first = f"import nndl_fast\nnndl_fast.set_num_threads({threads})\n"
    in_thread = "def later():\n    time.sleep(0.5)\n    work()\nthreading.Thread(target=later).start()\n"
    assert ended(first + LATE + in_thread) == "done"
    assert ended(first + LATE + "atexit.register(work)\n") == "done"


@signals
def test_a_deep_product_hears_signals():
    ended("""
import signal, numpy as np, nndl_fast as nf
left = np.broadcast_to(np.ones((240, 1), np.float32), (240, 500_000))
heard = []
signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
with nf.num_threads(1):
    nf.matmul(left, left.T)
signal.setitimer(signal.ITIMER_REAL, 0)
assert len(heard) > 3, heard
""")


# Another floating-point environment. What sets it is the C library, by numbers of x86.
ENVIRONMENT = """
import ctypes, hashlib, numpy as np, nndl_fast as nf
from nndl_fast import _core
libm = ctypes.CDLL("libm.so.6")

def flush_subnormals():
    environment = (ctypes.c_uint32 * 8)()
    libm.fegetenv(environment)
    environment[7] |= 0x8040
    libm.fesetenv(environment)

rng = np.random.default_rng(0)
def results():
    found = []
    for dtype in (np.float32, np.float64):
        for shape in ((64, 10), (3000, 10), (700, 300), (4, 60_000)):
            z = given[dtype, shape]
            y = np.arange(len(z)) % z.shape[1]
            found += [nf.softmax(z), nf.softmax(z, axis=0), nf.log_softmax(z), nf.logsumexp(z), nf.sigmoid(z)]
            weight = np.ones(len(z))
            found += nf.log_likelihood_cost_and_delta(z, y, label_smoothing=0.1, sample_weight=weight)
            found += nf.binary_cross_entropy_cost_and_delta(z, targets[dtype, shape])
            found.append(nf.softmax_backward(nf.softmax(z), z))
            found.append(nf.activation_backward(z, nf.activate(z, "tanh"), "tanh"))
        a, w, b, y = of_layer[dtype]
        found.append(nf.affine(a, w.T, b, activation="leaky_relu"))
        found += nf.affine_backward(found[-1], a, w.T, activation="sigmoid")
        found.append(nf.matmul(small[dtype].T, small[dtype]))
        for kind in ("SGD", "Nesterov", "RMSprop", "AdamW"):
            found.append(a.copy())
            optimizer = getattr(nf.optimizers, kind)(1e-30, weight_decay=1e-10, max_norm=1.0)
            optimizer.step([found[-1]], [a])
            found += optimizer.state_dict().values()
        found += nf.linear_log_likelihood(a, w, b, y)
        network = _core.network([50, 40, 30], "tanh", "LogLikelihoodCost", dtype == np.float32)
        network.use([w[:40], w[40:70, :40].copy()], [b[:40, None], b[40:70, None]])
        network.train(a, y % 30, order, 100, _core.rule("adam", weight_decay=1e-40, momentum=0.9), 0.1)
        for side in network.parameters():
            found += side
        found.append(network.weighted_inputs(a))
    return [np.asarray(x).tobytes() for x in found]

given, targets, of_layer, small, order = {}, {}, {}, {}, np.arange(2000)
for dtype in (np.float32, np.float64):
    for shape in ((64, 10), (3000, 10), (700, 300), (4, 60_000)):
        given[dtype, shape] = (rng.standard_normal(shape) * 40).astype(dtype)  # subnormal results among them
        targets[dtype, shape] = rng.random(shape).astype(dtype)
    of_layer[dtype] = [rng.standard_normal(s).astype(dtype) for s in ((2000, 50), (900, 50), 900)]
    of_layer[dtype].append(order % 900)
    small[dtype] = of_layer[dtype][0] * np.finfo(dtype).tiny ** 0.5
nf.set_num_threads(4)
_core.assume_processors(4)
CHANGE
found = results()
nf.set_num_threads(1)
assert results() == found
print(hashlib.sha256(b"".join(found)).hexdigest())
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() != "x86_64",
    reason="by numbers of x86 and glibc",
)
def test_the_floating_point_environment_of_the_caller_changes_no_bit():
    rounding = [f"libm.fesetround({way})\nassert libm.fegetround() == {way}" for way in (0x400, 0x800, 0xC00)]
    flushing = "flush_subnormals()\nassert np.float32(1e-30) * np.float32(1e-10) == 0"
    found = {ended(ENVIRONMENT.replace("CHANGE", change)) for change in ("", flushing, *rounding)}
    assert len(found) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of memory here")
def test_threads_for_which_there_is_no_memory_are_done_without():
    ended("""
import resource, numpy as np, nndl_fast as nf
from nndl_fast import _core
z = np.random.default_rng(0).standard_normal((3000, 1000))
expected = nf.softmax(z)
out = np.empty_like(z)
_core.assume_processors(500)
nf.set_num_threads(10**6)
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + (20 << 20), resource.RLIM_INFINITY))
for _ in range(20):
    try:
        assert np.array_equal(nf.softmax(z, out=out), expected)
    except MemoryError:  # the threads that there is memory for may have left none for their work
        pass
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert np.array_equal(nf.softmax(z, out=out), expected)
""")
