"""The figures of a report and what follows from them: medians and noise, ratios, geometric means, what is
slower, two reports compared. Nothing here measures or draws."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import geometric_mean, median, quantiles
from typing import Any, NamedTuple

FORMAT = 1  # of report.json; raised when an older report can no longer be compared
OURS, OURS_OUT = "nndl_fast", "nndl_fast, out="

COST_AND_DELTA, SOFTMAX, STEP = "cost and delta", "softmax", "step"
BRIDGE, LAST_LAYER = "cross_entropy in PyTorch", "last layer without logits"
# Those that have a table in the report for each, beside the others.
TITLES = {
    STEP: "A whole step: product, cost and delta, product; float32",
    COST_AND_DELTA: "Cost and delta, float32, integer labels, mean",
    SOFTMAX: "Softmax, float32",
    "softmax, examples in columns": "Softmax, float32, examples in columns",
    "cost and delta, float64": "Cost and delta, float64",
    "softmax, float64": "Softmax, float64",
    "softmax, float16": "Softmax, float16",
    "softmax, bfloat16": "Softmax, bfloat16",
    BRIDGE: "nndl_fast.torch.cross_entropy and its gradient beside PyTorch's own",
    LAST_LAYER: "A last layer of 512 features and its gradients, without logits",
}
PARTS = (
    "products alone",
    "the cost alone",
    "the bridge to PyTorch",
)  # measured beside the last layer, no peers of it

Shape = tuple[int, int]


class Key(NamedTuple):
    operation: str
    n: int
    classes: int
    library: str

    @property
    def shape(self) -> Shape:
        return self.n, self.classes


class Time(NamedTuple):
    seconds: float  # of a call: the median over the rounds
    noise: float  # interquartile range over median
    rounds: int


Times = Mapping[Key, Time]


REPORTS = Path(__file__).resolve().parent / "reports"  # of each release; not in a wheel


def releases() -> list[Path]:
    """Their reports, the oldest first."""
    return sorted(REPORTS.glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])


class ReportError(Exception):
    """A report that cannot be read; the message names the file."""


def summary(values: list[float]) -> Time:
    middle = median(values)
    quarters = quantiles(values, n=4, method="inclusive") if len(values) > 1 else [middle] * 3
    return Time(middle, (quarters[2] - quarters[0]) / middle, len(values))


def operations(times: Times) -> list[str]:
    return list(dict.fromkeys(key.operation for key in times))


def shapes(times: Times, operation: str) -> list[Shape]:
    return list(dict.fromkeys(key.shape for key in times if key.operation == operation))


def libraries(times: Times, operation: str) -> list[str]:
    return list(dict.fromkeys(key.library for key in times if key.operation == operation))


def seconds(times: Times, operation: str, shape: Shape, library: str) -> float | None:
    time = times.get(Key(operation, *shape, library))
    return None if time is None else time.seconds


def ratios(times: Times, operation: str, library: str) -> dict[Shape, float]:
    """How many times as long as ours the library takes, for each shape that has both."""
    found = {}
    for shape in shapes(times, operation):
        its, ours = (seconds(times, operation, shape, name) for name in (library, OURS))
        if its is not None and ours is not None:
            found[shape] = its / ours
    return found


def peers_of(times: Times, operation: str) -> list[str]:
    return [name for name in libraries(times, operation) if name not in (OURS, OURS_OUT)]


class Standing(NamedTuple):
    """A peer over nndl_fast at one operation, all shapes together."""

    geometric_mean: float
    worst: float  # where we stand worst
    worst_shape: Shape


def standing(ratio: Mapping[Shape, float]) -> Standing:
    worst_shape = min(ratio, key=lambda shape: ratio[shape])
    return Standing(geometric_mean(ratio.values()), ratio[worst_shape], worst_shape)


def in_turn(operation: str, peer: str) -> str:
    """The operation while the threads of both are awake: in turn with the peer, without a pause."""
    return f"{operation}, in turn with {peer}"


def shape_name(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))


def varied(times: Times, what: str) -> dict[str, dict[Shape, dict[str, float]]]:
    """operation, then shape, then what was varied: seconds."""
    found: dict[str, dict[Shape, dict[str, float]]] = {}
    for operation in (SOFTMAX, COST_AND_DELTA):
        for key, time in times.items():
            if key.operation == f"{operation}, {what}":
                found.setdefault(operation, {}).setdefault(key.shape, {})[key.library] = time.seconds
    return found


def compared(times: Times, company: Sequence[Mapping[str, Any]]) -> list[str]:
    """The operations that have peers. A step is that in company, if it was measured there."""
    names = [name for name in TITLES if peers_of(times, name)]
    return [name for name in names if name != STEP or not company]


def steps_in_company(company: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, float]]:
    """Of each step of a peer its name, its shape, and its time over that of ours."""
    for record in company:
        for name in named([record], "step "):
            if name != OURS:
                ratio = record[f"step {name}"]["median"] / record[f"step {OURS}"]["median"]
                yield name, shape_name(record["shape"]), ratio


class Comparison(NamedTuple):
    in_company: bool
    ratio: float  # a peer's time over ours
    text: str

    @property
    def is_loss(self) -> bool:
        return is_loss(self.ratio)


def is_loss(ratio: float) -> bool:
    """Whether it is below 1 as it is printed."""
    return round(ratio, 2) < 1


def comparisons(times: Times, company: Sequence[Mapping[str, Any]]) -> list[Comparison]:
    """Of every operation and shape, the worst for us first; then of the steps in company."""
    found = []
    training = [operation for operation in operations(times) if operation.startswith("training")]
    for operation in (*compared(times, company), *training):
        for name in peers_of(times, operation):
            if name in PARTS:
                continue
            places = {operation: operation, in_turn(operation, name): f"{operation} in turn with us"}
            found += [
                Comparison(False, ratio, f"{name} at {place}, {shape_name(shape)} ({ratio:.2f})")
                for measured, place in places.items()
                for shape, ratio in ratios(times, measured, name).items()
            ]
    found += [
        Comparison(True, ratio, f"{name} at a step in company, {shape} ({ratio:.2f})")
        for name, shape, ratio in steps_in_company(company)
    ]
    return sorted(found)


def losses(times: Times, company: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Where a peer is faster."""
    return [comparison.text for comparison in comparisons(times, company) if comparison.is_loss]


def named(records: Iterable[Mapping[str, Any]], start: str) -> list[str]:
    """Whose measurements in company begin so, as in ``step PyTorch``."""
    names = (key for record in records for key in record if key.startswith(start))
    return list(dict.fromkeys(name.removeprefix(start) for name in names))


class Change(NamedTuple):
    key: Key
    old: Time
    new: Time
    control: float | None  # the peers' geometric mean of new over old at the same operation and shape
    drift: float  # between the two runs, of what has not changed

    @property
    def ratio(self) -> float:
        return self.new.seconds / self.old.seconds

    @property
    def noise(self) -> float:
        """What a ratio may be away from 1 by itself: the noise within both runs, or the drift between them,
        which the rounds of neither run show."""
        return max(self.new.noise + self.old.noise, self.drift)

    @property
    def verdict(self) -> str:
        if self.ratio > 1 + self.noise:
            return "regression" if is_ours(self.key) else "slower"
        if self.ratio < 1 / (1 + self.noise):
            return "faster"
        return ""


DRIFT_SHARE = 0.9

# What is varied in these is ours, although a number of threads or an instruction set stands for the library.
VARIED = (", threads", ", instruction sets", ", nearest caches", ", layouts")
LIKEWISE = ("callers: ", "oversubscription: ")
WRITTEN = "as written"  # of the stages of a network, the one that has nothing of ours


def is_ours(key: Key) -> bool:
    stage = key.operation.startswith("epoch: ") and key.library != WRITTEN
    varied = key.operation.endswith(VARIED) or key.operation.startswith(LIKEWISE)
    return key.library in (OURS, OURS_OUT, *PARTS[1:]) or varied or stage


def changes(new: Times, old: Times) -> list[Change]:
    """What both reports have, in the order of the new one. The drift is what nine in ten times of the peers
    and limits stay below: their code is the same in both runs."""
    peers: dict[tuple[str, Shape], list[float]] = {}
    for key in new:
        if key in old and not is_ours(key):
            peers.setdefault((key.operation, key.shape), []).append(new[key].seconds / old[key].seconds)
    moves = sorted(abs(math.log(ratio)) for values in peers.values() for ratio in values)
    drift = math.expm1(moves[int(DRIFT_SHARE * (len(moves) - 1))]) if moves else 0.0
    controls = {place: geometric_mean(values) for place, values in peers.items()}
    return [
        Change(
            key,
            old[key],
            new[key],
            controls.get((key.operation, key.shape)) if is_ours(key) else None,
            drift,
        )
        for key in new
        if key in old
    ]


# What is compared beside the times: the first by their entries.
DESCRIBED = ("machine", "versions", "config", "environment")
SETTINGS = ("threads", "rounds", "quick", "keep_memory", "commit")
LOAD = "load_before"  # of the machine; it differs between any two runs


def differences(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """What else has changed between two reports, so that a ratio need not be the code's doing."""
    lines = []
    for name in DESCRIBED:
        here, there = new.get(name) or {}, old.get(name) or {}
        for key in sorted({*here, *there} - {LOAD}):
            if here.get(key) != there.get(key):
                lines.append(f"{name}, {key.replace('_', ' ')}: {there.get(key)} before, {here.get(key)} now")
    for key in SETTINGS:
        if new.get(key) != old.get(key):
            lines.append(f"{key.replace('_', ' ')}: {old.get(key)} before, {new.get(key)} now")
    return lines


def to_records(times: Times) -> list[dict[str, Any]]:
    return [{**key._asdict(), **time._asdict()} for key, time in times.items()]


def from_records(records: Iterable[Mapping[str, Any]]) -> dict[Key, Time]:
    """Raises ``ValueError``, ``KeyError`` or ``TypeError`` where a record is none."""
    times = {}
    for record in records:
        key = Key(str(record["operation"]), int(record["n"]), int(record["classes"]), str(record["library"]))
        time = Time(float(record["seconds"]), float(record["noise"]), int(record["rounds"]))
        if not (0 < time.seconds < math.inf and 0 <= time.noise < math.inf):
            raise ValueError(
                f"{' '.join(map(str, key))} has the time {time.seconds} and the noise {time.noise}"
            )
        times[key] = time
    return times


def read_report(path: Path) -> tuple[dict[str, Any], dict[Key, Time]]:
    """The whole report, and its times. Raises ``ReportError``."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # of the encoding and of JSON
        raise ReportError(f"{path} is damaged or no JSON: {error}") from None
    if not isinstance(content, dict) or "times" not in content:
        raise ReportError(f"{path} is no report of this benchmark: it has no times")
    if content.get("format") != FORMAT:
        raise ReportError(f"{path} has the format {content.get('format')!r}; this program reads {FORMAT}")
    try:
        return content, from_records(content["times"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"{path} is damaged: its times do not read ({error!r})") from None
