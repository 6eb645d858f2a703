"""The tables of a report, as text in rows and columns that a page, a Markdown file or a test can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import geometric_mean
from typing import Any, NamedTuple

import results
from results import OURS, OURS_OUT, Shape, Times

COST_AND_DELTA, SOFTMAX, STEP = "cost and delta", "softmax", "step"
BRIDGE, LAST_LAYER = "cross_entropy in PyTorch", "last layer without logits"
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


# Examples, classes that fill no vector, and the next number of them that does.
WIDTHS = [(256, 100, 112), (1024, 250, 256), (1024, 1001, 1008)]


def in_turn(operation: str, peer: str) -> str:
    """The operation while the threads of both are awake: in turn with the peer, without a pause."""
    return f"{operation}, in turn with {peer}"


class Table(NamedTuple):
    title: str
    note: str
    header: list[str]
    rows: list[list[str]]


def shape_name(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))


def number(value: float | None) -> str:
    """Three digits and no exponent."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def microseconds(value: float | None) -> str:
    return number(None if value is None else value * 1e6)


def against_us(ratio: float | None) -> str:
    """A peer's time over ours; where ours is longer, the cell says so in a word."""
    if ratio is None:
        return ""
    text = f"{ratio:.2f}"
    return f"{text} slower" if float(text) < 1 else text


def ratios_beside(times: Times, operation: str) -> dict[str, dict[Shape, float]]:
    """By column: each peer alone, and after it the same in turn with us if that was measured."""
    columns = {}
    for name in results.peers_of(times, operation):
        columns[name] = results.ratios(times, operation, name)
        if awake := results.ratios(times, in_turn(operation, name), name):
            columns[f"{name}, awake"] = awake
    return columns


def ratio_table(times: Times, operation: str) -> Table:
    by_peer = ratios_beside(times, operation)
    peers = list(by_peer)
    rows = []
    for shape in results.shapes(times, operation):
        ours = [microseconds(results.seconds(times, operation, shape, name)) for name in (OURS, OURS_OUT)]
        rows.append([shape_name(shape), *ours, *(against_us(by_peer[name].get(shape)) for name in peers)])
    standings = [results.standing(by_peer[name]) for name in peers]
    rows.append(["geometric mean", "", "", *(against_us(s.geometric_mean) for s in standings)])
    worst = [f"{against_us(s.worst)} ({shape_name(s.worst_shape)})" for s in standings]
    rows.append(["worst for us", "", "", *worst])
    return Table(
        TITLES.get(operation, operation),
        f"How many times as long as {OURS} each library takes, both with a fresh result in every call; where "
        f"it says slower, {OURS} takes longer."
        + (
            f" Awake: in turn with {OURS}, without a pause, while the threads of both may spin; means."
            if any(name.endswith(", awake") for name in peers)
            else ""
        ),
        ["examples x classes", f"{OURS}, µs", "the same with out=, µs", *peers],
        rows,
    )


# What is measured beside a last layer, and does less than it.
PARTS = ("products alone", "the cost alone")


def compared(times: Times, company: Sequence[Mapping[str, Any]]) -> list[str]:
    """The operations that have peers. A step is that in company, if it was measured there."""
    names = [name for name in TITLES if results.peers_of(times, name)]
    return [name for name in names if name != STEP or not company]


def sentence(times: Times, company: Sequence[Mapping[str, Any]]) -> str:
    """What was found, in one sentence."""
    steps: dict[str, list[float]] = {}
    for name, _, ratio in steps_in_company(company):
        steps.setdefault(name, []).append(ratio)
    if not company:
        steps = ratios_by_peer(times, STEP)
    costs = ratios_by_peer(times, COST_AND_DELTA)
    said = []
    for what, of in (("for a whole step of a last layer", steps), ("for cost and delta alone", costs)):
        if of:
            means = (f"{name} {number(geometric_mean(ratios))}" for name, ratios in of.items())
            said.append(f"{what} {', '.join(means)}")
    times_as_long = "; ".join(said) or "nothing"
    alone, beside = comparisons(times, company)
    return (
        f"How many times as long as {OURS} others take, geometric means over the shapes: {times_as_long}. In "
        f"{len(losses(times, company))} of {len(alone) + len(beside)} comparisons {OURS} takes longer."
    )


def ratios_by_peer(times: Times, operation: str) -> dict[str, list[float]]:
    by_peer = {name: results.ratios(times, operation, name) for name in results.peers_of(times, operation)}
    return {name: list(ratios.values()) for name, ratios in by_peer.items() if ratios}


def steps_in_company(company: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, float]]:
    """Of each step of a peer its name, its shape, and its time over that of ours."""
    for record in company:
        for name in named([record], "step "):
            if name != OURS:
                ratio = record[f"step {name}"]["median"] / record[f"step {OURS}"]["median"]
                yield name, shape_name(record["shape"]), ratio


def comparisons(
    times: Times, company: Sequence[Mapping[str, Any]]
) -> tuple[list[tuple[float, str]], list[tuple[float, str]]]:
    """A peer's time over ours, and where: of every operation and shape, and of the steps in company."""
    alone = []
    training = [operation for operation in results.operations(times) if operation.startswith("training")]
    for operation in (*compared(times, company), *training):
        for name in results.peers_of(times, operation):
            if name in PARTS:
                continue
            places = {operation: operation, in_turn(operation, name): f"{operation} in turn with us"}
            alone += [
                (ratio, f"{name} at {place}, {shape_name(shape)} ({ratio:.2f})")
                for measured, place in places.items()
                for shape, ratio in results.ratios(times, measured, name).items()
            ]
    beside = [
        (ratio, f"{name} at a step in company, {shape} ({ratio:.2f})")
        for name, shape, ratio in steps_in_company(company)
    ]
    return alone, beside


def losses(times: Times, company: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Every operation and shape at which a peer is faster, worst first; then the steps in company."""
    alone, beside = comparisons(times, company)
    return [text for ratio, text in [*sorted(alone), *beside] if "slower" in against_us(ratio)]


def named(records: Iterable[Mapping[str, Any]], start: str) -> list[str]:
    """Whose measurements in company begin so, as in ``step PyTorch``."""
    names = (key for record in records for key in record if key.startswith(start))
    return list(dict.fromkeys(name.removeprefix(start) for name in names))


def steps_table(records: list[dict[str, Any]]) -> Table:
    rows = []
    names = [name for name in named(records, "step ") if name != OURS]
    for record in records:
        ours, one = record[f"step {OURS}"]["median"], record["one thread"]["median"]
        products = record["products"]["median"]
        peer = [record.get(f"step {name}") for name in names]
        rows.append(
            [shape_name(record["shape"]), microseconds(ours)]
            + [against_us(step["median"] / ours if step else None) for step in peer]
            + [f"{products / ours:.2f}", f"{ours / (products + one):.2f}"]
        )
    return Table(
        "A whole step: product, cost and delta, product",
        "How many times as long as the step with nndl_fast the others take. The products are NumPy's, but "
        "for PyTorch's step; the column before the last has the part of our step that they take alone. The "
        "last is our step over its products alone and one thread of nndl_fast alone.",
        [
            "rows x features x classes",
            f"{OURS}, µs",
            *names,
            "products alone",
            "over products + one thread",
        ],
        rows,
    )


def varied(times: Times, what: str) -> dict[str, dict[Shape, dict[str, float]]]:
    """operation, then shape, then what was varied: seconds."""
    found: dict[str, dict[Shape, dict[str, float]]] = {}
    for operation in (SOFTMAX, COST_AND_DELTA):
        for key, time in times.items():
            if key.operation == f"{operation}, {what}":
                found.setdefault(operation, {}).setdefault(key.shape, {})[key.library] = time.seconds
    return found


def thread_scaling(times: Times) -> list[dict[str, Any]]:
    """How many times as fast as one thread each number of threads is."""
    return [
        {
            "operation": operation,
            "n": shape[0],
            "classes": shape[1],
            "speedups": {count: row["1"] / value for count, value in row.items()},
        }
        for operation, shapes in varied(times, "threads").items()
        for shape, row in shapes.items()
    ]


def threads_table(times: Times) -> Table:
    records = thread_scaling(times)
    counts = sorted({int(count) for record in records for count in record["speedups"]})
    rows = []
    for record in records:
        operation, shape = record["operation"], (record["n"], record["classes"])
        alone = results.seconds(times, f"{operation}, threads", shape, "1")
        speedups = (number(record["speedups"].get(str(count))) for count in counts[1:])
        rows.append([operation, shape_name(shape), microseconds(alone), *speedups])
    return Table(
        "Threads",
        "How many times as fast as one thread, with out=.",
        ["operation", "examples x classes", "1 thread, µs", *(f"{count} threads" for count in counts[1:])],
        rows,
    )


def layouts_table(times: Times) -> Table:
    rows = [
        [operation, shape_name(shape), *map(microseconds, both), number(both[1] / both[0])]
        for operation, by_shape in varied(times, "layouts").items()
        for shape, row in by_shape.items()
        if len(both := [row[layout] for layout in ("rows", "columns") if layout in row]) == 2
    ]
    return Table(
        "Examples in rows and in columns",
        "The same batch, each example's classes one after the other (axis=1) and each class's examples one "
        "after the other (axis=0), with out=.",
        ["operation", "examples x classes", "rows, µs", "columns, µs", "columns / rows"],
        rows,
    )


def widths_table(times: Times) -> Table:
    rows = []
    for operation, by_shape in varied(times, "widths").items():
        for n, odd, even in WIDTHS:
            each = [by_shape.get((n, c), {}).get(OURS_OUT, 0.0) / (n * c) for c in (odd, even)]
            if all(each):
                rows.append([operation, str(n), f"{odd} over {even}", number(each[0] / each[1])])
    return Table(
        "Classes that fill no vector",
        "The time per element over that with as many classes as fill the last vector, with out=.",
        ["operation", "examples", "classes", "time per element"],
        rows,
    )


def instruction_set_means(times: Times) -> dict[str, dict[str, float]]:
    """operation, then instruction set: the geometric mean of its times over those of the best one."""
    means: dict[str, dict[str, float]] = {}
    for operation, shapes in varied(times, "instruction sets").items():
        best, *others = results.libraries(times, f"{operation}, instruction sets")
        for name in others:
            quotients = [row[name] / row[best] for row in shapes.values() if name in row and best in row]
            means.setdefault(operation, {})[name] = geometric_mean(quotients)
    return means


def instruction_sets_table(times: Times) -> Table:
    content = varied(times, "instruction sets")
    names = results.libraries(times, f"{SOFTMAX}, instruction sets")
    best, others = names[0], names[1:]
    means = instruction_set_means(times)
    rows = []
    for operation, shapes in content.items():
        for shape, row in shapes.items():
            quotients = [number(row[name] / row[best]) for name in others]
            rows.append([operation, shape_name(shape), microseconds(row[best]), *quotients])
        rows.append([operation, "geometric mean", "", *(number(means[operation][name]) for name in others)])
    return Table(
        "Instruction sets",
        f"How many times as long as with {best}, with out=.",
        ["operation", "examples x classes", f"{best}, µs", *others],
        rows,
    )


def training_table(times: Times) -> Table:
    names = [name for name in results.operations(times) if name.startswith("training")]
    libraries = results.libraries(times, names[0])
    rows = []
    for operation in names:
        (shape,) = results.shapes(times, operation)
        each = (results.seconds(times, operation, shape, name) for name in libraries)
        rows.append([operation, *(microseconds(None if s is None else s / shape[0]) for s in each)])
    return Table("Training", "Mini-batches of 10, µs per example.", ["network", *libraries], rows)


def errors_table(records: Iterable[Mapping[str, Any]], kinds: Mapping[str, str]) -> Table:
    found: dict[tuple[str, Shape], dict[str, float]] = {}
    for record in records:
        place = record["rows"], (record["n"], record["classes"])
        found.setdefault(place, {})[record["library"]] = record["ulp"]
    libraries = list(dict.fromkeys(name for row in found.values() for name in row))
    rows = [
        [kinds.get(kind, kind), shape_name(shape), *(number(row.get(name)) for name in libraries)]
        for (kind, shape), row in found.items()
    ]
    return Table(
        "Error of softmax",
        "The largest error in units in the last place of float32, over all results that are normal numbers.",
        ["rows", "examples x classes", *libraries],
        rows,
    )


def times_table(times: Times) -> Table:
    rows = [
        [
            k.operation,
            shape_name(k.shape),
            k.library,
            microseconds(t.seconds),
            f"{t.noise:.1%}",
            str(t.rounds),
        ]
        for k, t in times.items()
    ]
    return Table(
        "All times",
        "Medians over the rounds; the noise is the interquartile range over the median.",
        ["operation", "examples x classes", "library", "µs", "noise", "rounds"],
        rows,
    )


def markdown(table: Table) -> str:
    return f"## {table.title}\n\n{table.note}\n\n{markdown_rows(table.header, table.rows)}"


def markdown_rows(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
