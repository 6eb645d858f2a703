"""The cost and the error of activations that are there already, and their logarithms."""

import numpy as np
import pytest
import reference as ref
from arrays import DTYPES, SIZES, example, same_bits

import nndl_fast as nf

F4, F8 = np.float32, np.float64


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cost_and_delta_are_those_of_the_reference(isa, reduction, dtype):
    for classes in SIZES:
        _, y, t = example(7, classes, dtype)
        a = nf.softmax(9 * t)
        for targets in (y, t, np.eye(classes, dtype=np.int8)[y], np.eye(classes, dtype=bool)[y]):
            for axis in (-1, 0):
                given = (a, targets) if axis else (a.T, targets if targets.ndim == 1 else targets.T)
                cost, delta = nf.cost_and_delta_from_activations(*given, axis, reduction=reduction)
                expected, error = ref.cost_and_delta_from_activations(*given, axis, reduction)
                eps = np.finfo(dtype).eps
                assert abs(cost - expected) <= 4 * eps * abs(expected) + 4 * eps
                assert delta.dtype == dtype and np.abs(delta - error).max() <= 2 * eps


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_layout_number_of_threads_and_instruction_set_gives_the_same_bits(
    every_isa, threads, many_processors, dtype
):
    _, y, t = example(3000, 10, dtype)
    a = nf.softmax(9 * t)
    wide = np.full((3000, 23), np.nan, dtype)
    wide[:, 2:22:2] = a
    cost, delta = nf.cost_and_delta_from_activations(a, y)
    assert cost.tobytes() == BITS.setdefault((dtype, "cost"), cost.tobytes())
    assert delta.tobytes() == BITS.setdefault((dtype, "delta"), delta.tobytes())
    for given in (np.asfortranarray(a), wide[:, 2:22:2], a[::-1].copy()[::-1]):
        others = nf.cost_and_delta_from_activations(given, y)
        assert same_bits(np.asarray(others[0]), np.asarray(cost)) and same_bits(others[1], delta)
    out = a.copy()
    assert nf.cost_and_delta_from_activations(out, y, out=out)[1] is out and same_bits(out, delta)


BITS = {}


def test_a_target_of_0_counts_0_and_an_activation_of_0_is_infinite():
    cost, delta = nf.cost_and_delta_from_activations([[0.0, 1.0]], [[0.0, 1.0]])
    assert cost == 0 and not delta.any()
    assert nf.cost_and_delta_from_activations([[0.0, 1.0]], [0])[0] == np.inf
    assert np.isnan(nf.cost_and_delta_from_activations([[np.nan, 1.0]], [0])[0])


def test_no_examples():
    for y in ([], np.empty((0, 3))):
        cost, delta = nf.cost_and_delta_from_activations(np.empty((0, 3)), y)
        assert np.isnan(cost) and delta.shape == (0, 3)


@pytest.mark.parametrize(
    ("y", "options", "error", "match"),
    [
        ([0, 1], {}, ValueError, r"y has shape \(2,\); for a of shape \(3, 4\) it must be \(3,\) \(labels\)"),
        ([0, 1, 4], {}, IndexError, r"label 4 at row 2 is outside 0\.\.3"),
        ([0, -1, 2], {}, IndexError, r"label -1 at row 1 is outside 0\.\.3"),
        (
            np.array([0, 2**63, 1], "u8"),
            {},
            IndexError,
            r"label 9223372036854775808 at row 1 is outside 0\.\.3",
        ),
        ([0.0, 1.0, 2.0], {}, TypeError, "y has dtype float64; labels must be integers"),
        ([0, 1, 2], {"reduction": "none"}, ValueError, "reduction is 'none'; it must be 'mean' or 'sum'"),
        (
            [0, 1, 2],
            {"axis": 2},
            np.exceptions.AxisError if hasattr(np, "exceptions") else ValueError,
            "axis is 2",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_nothing_is_written(y, options, error, match):
    out = np.full((3, 4), 7.0)
    with pytest.raises(error, match=f"cost_and_delta_from_activations: {match}"):
        nf.cost_and_delta_from_activations(np.full((3, 4), 0.25), y, out=out, **options)
    assert (out == 7).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_logarithms_are_within_one_unit(every_isa, dtype):
    info, rng = np.finfo(dtype), np.random.default_rng(0)
    lowest, highest = np.log(info.smallest_subnormal.astype(F8)), np.log(info.max.astype(F8))
    a = np.concatenate(
        [
            np.exp(rng.uniform(lowest, highest, 20000)),
            rng.uniform(0.4, 2.1, 20000),
            1 + rng.uniform(-1e-3, 1e-3, 2000),
            [info.smallest_subnormal, info.tiny, info.max, np.nextafter(dtype(1), dtype(0)), 1.0],
        ]
    ).astype(dtype)
    a = a[a > 0]
    z = nf.inverse_softmax(a)
    expected = np.log(a.astype(ref.WIDE))
    units = np.abs(z - expected) / np.spacing(np.abs(expected).astype(dtype))
    assert units.max() < 0.9
    assert z.tobytes() == BITS.setdefault((dtype, "logarithms"), z.tobytes())
    special = nf.inverse_softmax(np.array([0, -0.0, -1, np.inf, -np.inf, np.nan], dtype))
    assert np.array_equal(special, [-np.inf, -np.inf, np.nan, np.inf, np.nan, np.nan], equal_nan=True)
