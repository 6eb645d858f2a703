"""A step is done as a whole or not at all: what is refused changes nothing, an interruption comes before or
after a step, and several threads may step at once."""

import itertools
import signal
import sys
import threading

import numpy as np
import pytest
from arrays import at_offset
from stepping import KINDS, OPTIONS, drawn, gradients_of, made, of, taken

import nndl_fast as nf
from nndl_fast import optimizers

F4, F8 = np.float32, np.float64
SHAPES = [(4, 5), (5,), (), (2, 3)]


def read_only(array):
    array.flags.writeable = False
    return array


def unaligned(array):
    return at_offset(array, 1)


WRONG_PARAMETERS = [
    (lambda p: p[:1], ValueError, r"gradients\[3\] has shape \(2, 3\); it must be that of parameters\[3\], "),
    (read_only, ValueError, r"parameters\[3\] is read-only"),
    (unaligned, ValueError, r"parameters\[3\] is not aligned in memory"),
    (lambda p: p.astype(">f4"), ValueError, r"parameters\[3\] is .* of another machine's byte order"),
    (lambda p: p.astype(np.float16), TypeError, r"parameters\[3\] has dtype float16; it must be float32"),
    (lambda p: p.astype(int), TypeError, r"parameters\[3\] has dtype int\d\d"),
    (lambda p: p.astype(complex), TypeError, r"parameters\[3\] has dtype complex128"),
    (lambda p: p.astype(object), TypeError, r"parameters\[3\] has dtype object"),
    (lambda p: np.ma.masked_array(p), TypeError, r"parameters\[3\] is a masked array"),
    (lambda p: p.tolist(), TypeError, r"parameters\[3\] is no NumPy array: <class 'list'>"),
    (lambda p: p[0, 0], TypeError, r"parameters\[3\] is no NumPy array: <class 'numpy.float"),
    (lambda p: None, TypeError, r"parameters\[3\] is no NumPy array"),
    (
        lambda p: np.lib.stride_tricks.as_strided(p, (2, 3), p.strides[1:] * 2),
        ValueError,
        r"parameters\[3\] has elements that share memory",
    ),
]  # fmt: skip
WRONG_GRADIENTS = [
    (lambda g: g[:1], ValueError, r"gradients\[3\] has shape \(1, 3\); it must be that of parameters\[3\], "),
    (lambda g: g[None], ValueError, r"gradients\[3\] has shape \(1, 2, 3\)"),
    (lambda g: g[0, 0], ValueError, r"gradients\[3\] has shape \(\)"),
    (lambda g: g > 0, TypeError, r"gradients\[3\] has dtype bool"),
    (lambda g: g.astype(complex), TypeError, r"gradients\[3\] has dtype complex128"),
    (lambda g: g.astype(object), TypeError, r"gradients\[3\] has dtype object"),
    (lambda g: g.astype(str), TypeError, r"gradients\[3\] has dtype <U"),
    (lambda g: np.ma.masked_array(g), TypeError, r"gradients\[3\] is a masked array"),
    (lambda g: None, TypeError, r"gradients\[3\] has dtype object"),
]  # fmt: skip
WRONG_OPTIONS = [
    *[("lr", x, ValueError) for x in (-1, -1e-300, np.nan, np.inf)],
    *[("lr", x, TypeError) for x in ("x", None, 1j, [1])],
    *[("weight_decay", x, ValueError) for x in (-1, np.nan, np.inf)],
    *[("weight_decay", x, TypeError) for x in ("x", None)],
    *[("max_norm", x, ValueError) for x in (0, -1, np.nan)],
    ("max_norm", "x", TypeError),
    *[("momentum", x, ValueError) for x in (1, -0.1, np.nan, 2)],
    ("momentum", "x", TypeError),
    *[("alpha", x, ValueError) for x in (1, -0.1, np.nan)],
    *[("eps", x, ValueError) for x in (-1e-9, np.nan, np.inf)],
    ("eps", None, TypeError),
    *[("betas", x, ValueError) for x in ((1, 0.9), (0.9, 1), (-0.1, 0.9), (0.9, np.nan))],
    *[("betas", x, TypeError) for x in (("x", 0.9), (0.9, None))],
]


def assert_nothing_changes(kind, change, error, match):
    """A step of what ``change`` makes of the arguments is refused, as the first one and as a later one."""
    for steps in (0, 2):
        parameters, optimizer = drawn(SHAPES), made(kind)
        kept = list(parameters)
        taken(optimizer, parameters, range(steps))
        before = of(optimizer, kept)
        given = change(optimizer, parameters, gradients_of(kept, 5))
        with pytest.raises(error, match=match):
            optimizer.step(*given)
        assert of(optimizer, kept) == before


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_parameters_change_nothing(kind):
    for make, error, match in WRONG_PARAMETERS:
        assert_nothing_changes(
            kind, lambda _, p, g, make=make: ([*p[:3], make(p[3].copy())], g), error, f"{kind}: {match}"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_gradients_change_nothing(kind):
    for make, error, match in WRONG_GRADIENTS:
        assert_nothing_changes(
            kind, lambda _, p, g, make=make: (p, [*g[:3], make(g[3])]), error, f"{kind}: {match}"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_numbers_and_kinds_of_arguments_change_nothing(kind):
    for change, error, match in (
        (lambda p, g: (p, g[:3]), ValueError, "there are 4 parameters and 3 gradients"),
        (lambda p, g: (p[:3], g), ValueError, "there are 3 parameters and 4 gradients"),
        (lambda p, g: (p, dict(enumerate(g))), TypeError, "gradients is a dict; it must be a list, tuple"),
        (lambda p, g: (dict(enumerate(p)), g), KeyError, "parameters have the keys .*, gradients list"),
        (lambda p, g: (p, iter(g)), TypeError, "gradients is a list_iterator; it must be"),
        (lambda p, g: (iter(p), g), TypeError, "parameters is a list_iterator; it must be"),
        (lambda p, g: (p[0], [g[0]]), TypeError, "parameters is a ndarray; it must be a list, tuple"),
        (lambda p, g: (None, g), TypeError, "parameters is a NoneType; it must be"),
        (lambda p, g: ([*p, p[0]], [*g, g[0]]), ValueError, r"parameters\[0\] and parameters\[4\] share"),
    ):  # fmt: skip
        assert_nothing_changes(kind, lambda _, p, g, f=change: f(p, g), error, f"{kind}: {match}")


@pytest.mark.parametrize("kind", KINDS)
def test_options_out_of_their_range_change_nothing(kind):
    for name, value, error in WRONG_OPTIONS:
        if name in vars(made(kind)):
            part = f"betas\\[{int(value[0] == 0.9)}\\]" if name == "betas" else name

            def change(optimizer, p, g, name=name, value=value):
                setattr(optimizer, name, value)
                return p, g

            assert_nothing_changes(kind, change, error, f"{kind}: {part} is .*; it must be")
            with pytest.raises(error, match=f"{kind}: {part} is .*; it must be"):
                made(kind, **{name: value})


@pytest.mark.parametrize("kind", KINDS[1:])
def test_later_steps_have_the_same_arrays(kind):
    for change, match in (
        (lambda p: [*p, np.zeros(3)], "there are 5 parameters; in its earlier steps there were 4"),
        (lambda p: p[:3], "there are 3 parameters; in its earlier steps there were 4"),
        (lambda p: [], "there are 0 parameters; in its earlier steps there were 4"),
        (lambda p: [p[1], p[0], *p[2:]], r"parameters\[0\] has shape \(5,\) and dtype float64; the state's"),
        (lambda p: [p[0].astype(F8), *p[1:]], r"parameters\[0\] has shape \(4, 5\) and dtype float64"),
        (lambda p: [*p[:3], p[3].ravel()], r"parameters\[3\] has shape \(6,\)"),
    ):  # fmt: skip
        parameters, optimizer = drawn(SHAPES), made(kind)
        taken(optimizer, parameters, range(2))
        before = of(optimizer, parameters)
        other = change(parameters)
        with pytest.raises(ValueError, match=f"{kind}: {match}"):
            optimizer.step(other, gradients_of(other, 3))
        assert of(optimizer, parameters) == before


def named(arrays, names="abcd"):
    return dict(zip(names, arrays))


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_do_not_fit_change_nothing(kind):
    parameters, optimizer = drawn(SHAPES), made(kind)
    gradients = gradients_of(parameters, 0)
    optimizer.step(named(parameters), named(gradients))
    before = of(optimizer, parameters)
    for names, of_gradients, match in (
        (
            "abcd",
            "abce",
            r"parameters have the keys \['a', 'b', 'c', 'd'\], gradients \['a', 'b', 'c', 'e'\]",
        ),
        ("abcd", "abc", r"gradients \['a', 'b', 'c'\]"),
        ("abc", "abcd", r"parameters have the keys \['a', 'b', 'c'\], gradients"),
        ("wxyz", "wxyz", r"parameters have the keys \['w', .*\]; in its first step they were \['a', "),
        ("abc", "abc", r"in its first step they were \['a', 'b', 'c', 'd'\]"),
    ):
        with pytest.raises(KeyError, match=match):
            optimizer.step(named(parameters, names), named(gradients, of_gradients))
        assert of(optimizer, parameters) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_step_that_is_refused_leaves_no_keys(kind):
    parameters, optimizer = drawn(SHAPES), made(kind)
    with pytest.raises(ValueError, match="gradients"):
        optimizer.step(named(parameters), named([np.zeros(9)] * 4))
    optimizer.step(named(parameters, "wxyz"), named(gradients_of(parameters, 0), "wxyz"))


def test_keys_that_are_the_same_as_strings():
    first, second = np.zeros(2), np.zeros(2)
    try:
        optimizers.SGD(1.0).step({1: first, "1": second}, {1: np.ones(2), "1": np.ones(2)})
    except (KeyError, TypeError, ValueError):
        assert not first.any() and not second.any()
    else:
        assert first.all() and second.all()


@pytest.mark.parametrize("kind", ["Adam", "AdamW"])
def test_a_first_step_without_room_for_all_moments_leaves_none(kind, monkeypatch):
    def until_the_last(*args, zeros_like=np.zeros_like):
        calls.append(args)
        if len(calls) == 8:
            raise MemoryError
        return zeros_like(*args)

    calls, parameters, optimizer = [], drawn(SHAPES), made(kind)
    before = of(optimizer, parameters)
    monkeypatch.setattr(np, "zeros_like", until_the_last)
    with pytest.raises(MemoryError):
        taken(optimizer, parameters, [0])
    assert len(calls) == 8 and of(optimizer, parameters) == before


# Interruptions


class Interrupted(Exception):
    pass


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer's signal here")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "Adam"])
def test_an_interruption_comes_between_steps(kind, threads):
    """All elements are alike, so that a step that is done in part shows by itself."""

    def interrupt(*_):
        raise Interrupted

    options = {"lr": 0.01, "max_norm": 100.0}
    large, one = [np.zeros(2_500_000, F4), np.zeros(1_250_000, F8)], [np.zeros(1, F4), np.zeros(1, F8)]
    ones = [np.ones(p.shape, p.dtype) for p in large]
    clip = 100.0 / (np.sqrt(sum(p.size for p in large)) + 1e-6)
    optimizer, other = made(kind, **options), made(kind, lr=0.01)
    before, steps, moments = signal.signal(signal.SIGALRM, interrupt), 0, 0
    with nf.num_threads(threads):
        try:
            for seconds in np.linspace(1e-4, 0.02, 15):
                try:
                    signal.setitimer(signal.ITIMER_REAL, seconds)
                    while True:
                        optimizer.step(large, ones)
                except Interrupted:
                    moments += 1
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                powers = optimizer.state_dict()["powers"]
                while not same_state(large, one, powers, other):
                    assert steps < 2000
                    other.step(one, [np.full(1, clip, p.dtype) for p in one])
                    steps += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    assert moments == 15 and steps > 0


def same_state(large, one, powers, other):
    alike = [p.min() == p.max() == q[0] for p, q in zip(large, one)]
    assert all(p.min() == p.max() for p in large)
    return all(alike) and np.array_equal(powers, other.state_dict()["powers"])


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_at_any_line_leaves_a_step_undone_or_done(kind):
    """NumPy's lines that make the first state among them."""

    def trace(frame, event, _):
        if event == "line":
            lines.append(frame.f_lineno)
            if len(lines) == stop_at:
                raise Interrupted
        return trace

    def names():
        return dict(zip("abcd", parameters))

    parameters = drawn(SHAPES)
    gradients = named(gradients_of(parameters, 0))
    before = [p.copy() for p in parameters]
    made(kind).step(names(), gradients)
    after = [p.tobytes() for p in parameters]
    for stop_at in itertools.count(1):  # noqa: B007 (trace uses it)
        parameters, lines, optimizer, kept = [p.copy() for p in before], [], made(kind), sys.gettrace()
        given = names()
        sys.settrace(trace)
        try:
            optimizer.step(given, gradients)
            break
        except Interrupted:
            pass
        finally:
            sys.settrace(kept)
        found = [p.tobytes() for p in parameters]
        assert found in ([p.tobytes() for p in before], after)
        if found != after:
            optimizer.step(names(), gradients)
            assert [p.tobytes() for p in parameters] == after
    assert stop_at > 5


# Threads


def test_threads_may_step_one_optimizer_at_once():
    """The numbers are any then; nothing crashes, and nothing but the numbers is changed."""
    for kind in OPTIONS:
        for count in (20, 20_000):
            optimizer, faults = made(kind), []
            parameters, gradients = [np.zeros(count), np.zeros(3, F4)], [np.ones(count), np.ones(3)]
            start = threading.Barrier(4)

            def work(optimizer=optimizer, p=parameters, g=gradients, start=start, faults=faults):
                start.wait()
                try:
                    for _ in range(100):
                        optimizer.step(p, g)
                        optimizer.state_dict()
                except Exception as error:
                    faults.append(error)

            workers = [threading.Thread(target=work) for _ in range(4)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            assert not faults
            optimizer.step(parameters, gradients)
