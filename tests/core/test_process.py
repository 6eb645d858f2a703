"""Memory, threads and what importing does to the process."""

import concurrent.futures
import os
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from programs import ended

import nndl_fast as nf

F4 = np.float32


def test_importing_leaves_subnormals_alone():
    """-ffast-math at link time would have switched the process to flush-to-zero."""
    assert np.finfo(F4).smallest_subnormal > 0
    assert F4(1e-40) * F4(0.5) > 0


@pytest.mark.parametrize("first", ["", "import nndl_fast"])
@pytest.mark.parametrize("kind", [{"isolated": False}, {}])
def test_importing_in_a_subinterpreter_says_why_it_cannot_be(first, kind):
    if kind and sys.version_info >= (3, 13):
        pytest.skip("initialised in the main interpreter, it waits for nothing")
    code = "try: import nndl_fast.kernels\nexcept ImportError as error: print(error, flush=True)"
    said = ended(f"""
{first}
try:
    import _interpreters as interpreters
    one = interpreters.create("legacy" if {kind} else "isolated")
except ImportError:
    import _xxsubinterpreters as interpreters
    one = interpreters.create(**{kind})
interpreters.run_string(one, {code!r})
""")
    assert "subinterpreter" in said  # Python's own message from 3.13 on


def test_no_copy_of_the_whole_input_for_odd_strides():
    z = np.zeros((2000, 600), F4)[::-2, ::2]
    out = np.empty(z.shape, F4)
    nf.softmax(z[:4], out=out[:4])
    tracemalloc.start()
    nf.softmax(z, out=out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000


def test_messages_of_huge_views_cost_no_memory():
    rows = np.broadcast_to(np.float32([[1, 2]]), (2**16, 2**16, 2))
    with pytest.raises(ValueError, match=r"65536, 65536"):
        nf.log_likelihood_cost(rows, [0])


def test_configuration_and_threads():
    config = nf.show_config()
    assert config["instruction_set"] in config["instruction_sets"] and config["version"] == nf.__version__
    before = nf.get_num_threads()
    with nf.num_threads(1):
        assert nf.get_num_threads() == 1
    assert nf.get_num_threads() == before
    with pytest.raises(ValueError, match="n is 0"):
        nf.set_num_threads(0)


def test_the_limit_of_others_is_not_kept():
    """In a process of its own, as the limit that threadpoolctl restores is one where there was none."""
    pytest.importorskip("threadpoolctl")
    code = """
import threadpoolctl, nndl_fast as nf
before = nf.get_num_threads()
with threadpoolctl.threadpool_limits(1):
    assert nf.get_num_threads() == 1
    with nf.num_threads(4):
        pass
assert nf.get_num_threads() == before
print("ended")
"""
    assert ended(code) == "ended"


@pytest.mark.parametrize("first, second", [("nndl_fast", "threadpoolctl"), ("threadpoolctl", "nndl_fast")])
def test_threadpoolctl_limits_us_whoever_is_imported_first(first, second):
    pytest.importorskip("threadpoolctl")
    code = f"""
import sys, {first}
assert {first!r} == "threadpoolctl" or "threadpoolctl" not in sys.modules
import {second}
from threadpoolctl import threadpool_info, threadpool_limits
import nndl_fast as nf
nf._core.assume_processors(4)
ours = [pool for pool in threadpool_info() if pool["internal_api"] == "nndl_fast"]
assert [(pool["user_api"], pool["num_threads"]) for pool in ours] == [("openmp", 4)], ours
for options in dict(), dict(user_api="openmp"):
    with threadpool_limits(2, **options):
        print(nf.get_num_threads())
with threadpool_limits(2, user_api="blas"):
    print(nf.get_num_threads())
print(sum(type(finder).__module__.startswith("nndl_fast") for finder in sys.meta_path))
"""
    if nf.show_config()["threads_by"] != "pool":
        pytest.skip("threadpoolctl knows the runtime that is used instead")
    assert ended(code).split() == ["2", "2", "4", "0"]


def test_the_environment_limits_us():
    code = "import os; os.environ['OMP_NUM_THREADS'] = '1'\nimport nndl_fast as nf; nf.set_num_threads(9)"
    assert ended(code + "\nnf._core.assume_processors(4); print(nf.get_num_threads())") == "1"


COUNT_THREADS = """
import os, time, numpy as np, nndl_fast as nf
def threads():  # of this process, those of BLAS and others left out
    time.sleep(0.1)  # a new thread gives itself its name
    names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
    return names.count("nndl_fast")
z = np.zeros((2000, 1000), np.float32)
nf._core.assume_processors(4)
"""
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists() or nf.show_config()["threads_by"] != "pool",
    reason="no pool, or no /proc",
)


@needs_proc
def test_no_thread_before_there_is_work_for_it():
    code = """
before = threads()
nf.softmax(z[:10, :10])
small = threads()
nf.set_num_threads(10**6)
nf.softmax(z)
print(before, small, threads())
"""
    assert ended(COUNT_THREADS + code) == "0 0 3"


@needs_proc
def test_threads_that_the_system_refused_are_asked_for_again():
    code = """
import resource
out = np.empty_like(z)
_, most = resource.getrlimit(resource.RLIMIT_AS)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, most))  # no room for the stack of a thread
nf.softmax(z, out=out)
refused = threads()
resource.setrlimit(resource.RLIMIT_AS, (most, most))
time.sleep(0.1)
nf.softmax(z, out=out)
print(refused, threads())
"""
    assert ended(COUNT_THREADS + code) == "0 3"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_the_number_of_threads_follows_the_affinity():
    code = """
import os, nndl_fast as nf
usable = os.sched_getaffinity(0)
before = nf.get_num_threads()
os.sched_setaffinity(0, {min(usable)})
one = nf.get_num_threads()
os.sched_setaffinity(0, usable)
print(one, nf.get_num_threads() == before)
"""
    assert ended(code) == "1 True"


HELD = """
import sys
nf.softmax(z)
time.sleep(0.1)
tasks = [t for t in os.listdir("/proc/self/task") if "nndl_fast" in open(f"/proc/self/task/{t}/comm").read()]
usable = os.sched_getaffinity(0)
held = [os.sched_getaffinity(int(task)) != usable for task in tasks]
hooks = [finder for finder in sys.meta_path if type(finder).__module__.startswith("nndl_fast")]
print(len(tasks), any(held), len(hooks))
"""


@needs_proc
@pytest.mark.parametrize("unobtrusive", ["0", "1"])
def test_the_process_is_left_as_it_is_if_asked_to(unobtrusive):
    switch = f"import os; os.environ['NNDL_FAST_UNOBTRUSIVE'] = '{unobtrusive}'\n"
    held = unobtrusive == "0" and len(os.sched_getaffinity(0)) > 1
    assert ended(switch + COUNT_THREADS + HELD) == f"3 {held} {int(unobtrusive == '0')}"


@needs_proc
def test_a_forked_child_computes_in_parallel():
    code = """
expected = nf.softmax(z)
child = os.fork()
if child == 0:
    before = threads()
    same = np.array_equal(nf.softmax(z), expected)
    os._exit(0 if same and (before, threads()) == (0, 3) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert ended(COUNT_THREADS + code) == "0"


@pytest.mark.parametrize("last", ["", "time.sleep(0.01)", "sys.exit(0)"])
def test_daemon_threads_in_a_call_when_the_interpreter_ends(last):
    """Up to 3.13 Python unwinds them, which once ended in std::terminate."""
    code = f"""
import sys, threading, time, numpy as np, nndl_fast as nf
z = np.zeros((3000, 1000), np.float32)
def work():
    while True:
        nf.softmax(z, out=z)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
print("ended")
{last}
"""
    for _ in range(3):
        assert ended(code) == "ended"


def test_calls_at_exit():
    code = """
import atexit, numpy as np, nndl_fast as nf
atexit.register(lambda: print(nf.softmax(np.zeros((2000, 1000), np.float32)).shape))
"""
    assert ended(code) == "(2000, 1000)"


def test_calls_from_several_threads_at_once():
    z = np.random.default_rng(0).standard_normal((300, 500), dtype=F4)
    y, expected, start = np.zeros(300, int), nf.softmax(z), threading.Barrier(8)
    cost = nf.log_likelihood_cost(z, y)

    def work(_):
        start.wait()
        return [(nf.softmax(z), nf.log_likelihood_cost(z, y)) for _ in range(20)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for results in pool.map(work, range(8)):
            assert all(np.array_equal(a, expected) and c == cost for a, c in results)


def test_first_use_from_several_threads_at_once():
    code = """
import threading, numpy as np, nndl_fast as nf
barrier, z = threading.Barrier(8), np.zeros((200, 300), np.float32)
def work():
    barrier.wait()
    for _ in range(20):
        assert (nf.softmax(z) == np.float32(1 / 300)).all()
threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
for t in threads: t.start()
for t in threads: t.join(30)
print(sum(t.is_alive() for t in threads))
"""
    assert ended(code, 120) == "0"


def test_forked_many_times():
    """200 rounds: the parent computes on all threads, forks at once, and both compute again."""
    code = """
import os, numpy as np, nndl_fast as nf
nf.set_num_threads(4)
z = np.random.default_rng(0).standard_normal((2000, 50), dtype=np.float32)
expected = nf.softmax(z)
for _ in range(200):
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(nf.softmax(z), expected) else 1)
    assert np.array_equal(nf.softmax(z), expected)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("ended")
"""
    assert ended(code) == "ended"


def test_a_pool_of_forked_processes():
    code = """
import multiprocessing, numpy as np, nndl_fast as nf
z = np.random.default_rng(0).standard_normal((2000, 50), dtype=np.float32)
expected = nf.softmax(z)
def work(part):
    return nf.softmax(z[part])
parts = [slice(i, i + 250) for i in range(0, 2000, 250)]
with multiprocessing.get_context("fork").Pool(3) as pool:
    for _ in range(5):
        assert np.array_equal(np.concatenate(pool.map(work, parts)), expected)
print("ended")
"""
    assert ended(code) == "ended"


def test_joblib_and_dask_workers():
    pytest.importorskip("joblib")
    pytest.importorskip("distributed")
    code = """
import joblib, numpy as np, nndl_fast as nf
from distributed import Client, LocalCluster
if __name__ == "__main__":
    z = np.random.default_rng(0).standard_normal((2000, 50), dtype=np.float32)
    expected, parts = nf.softmax(z), [z[i : i + 250] for i in range(0, 2000, 250)]
    got = joblib.Parallel(2)(joblib.delayed(nf.softmax)(part) for part in parts)
    assert np.array_equal(np.concatenate(got), expected)
    with LocalCluster(n_workers=2, dashboard_address=None) as cluster, Client(cluster) as client:
        assert np.array_equal(np.concatenate(client.gather(client.map(nf.softmax, parts))), expected)
    print("ended")
"""
    assert ended(code) == "ended"
