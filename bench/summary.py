"""The tables of a report, as text in rows and columns that a page, a Markdown file or a test can take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import geometric_mean
from typing import Any, NamedTuple

import limits
import results
from results import COST_AND_DELTA, OURS, OURS_OUT, SOFTMAX, Shape, Times, named, shape_name, varied

# Examples, classes that fill no vector, and the next number of them that does.
WIDTHS = [(256, 100, 112), (1024, 250, 256), (1024, 1001, 1008)]
LIMITS, THREADS = "Distance to the machine's limits", "Threads"
LEFT_OUT = "scikit-learn's loss"  # of the table of company


class Table(NamedTuple):
    title: str
    note: str
    header: list[str]
    rows: list[list[str]]


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
    return f"{ratio:.2f} slower" if results.is_loss(ratio) else f"{ratio:.2f}"


def markdown(table: Table) -> str:
    return f"## {table.title}\n\n{table.note}\n\n{markdown_rows(table.header, table.rows)}"


def markdown_rows(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def of(times: Times, company: Sequence[Mapping[str, Any]] = ()) -> list[Table]:
    """Every table that the times have something for, in the order of the report."""
    found = [ratio_table(times, operation) for operation in results.compared(times, company)]
    found += [family_table(times, family) for family in FAMILIES]
    found += [networks_table(times), limits_table(times), widths_table(times)]
    found += [threads_table(times), instruction_sets_table(times)]
    return [table for table in found if table.rows]


def of_company(after: list[dict[str, Any]], turns: list[dict[str, Any]]) -> list[Table]:
    found = [steps_table(after), company_table(after), turns_table(turns)]
    return [table for table in found if table.rows]


def sentence(times: Times, company: Sequence[Mapping[str, Any]]) -> str:
    """What was found, in one sentence."""
    steps: dict[str, list[float]] = {}
    for name, _, ratio in results.steps_in_company(company):
        steps.setdefault(name, []).append(ratio)
    said = []
    titles = {results.STEP: "a whole step of a last layer", COST_AND_DELTA: "cost and delta alone"}
    for operation, what in titles.items():
        of = steps if company and operation == results.STEP else {}
        for name in [] if of else results.peers_of(times, operation):
            of[name] = list(results.ratios(times, operation, name).values())
        means = [f"{name} {number(geometric_mean(ratios))}" for name, ratios in of.items() if ratios]
        said += [f"for {what} {', '.join(means)}"] if means else []
    found = results.comparisons(times, company)
    return (
        f"How many times as long as {OURS} others take, geometric means over the shapes: "
        f"{'; '.join(said) or 'nothing'}. In {sum(its.is_loss for its in found)} of {len(found)} comparisons "
        f"{OURS} takes longer."
    )


def ratio_table(times: Times, operation: str) -> Table:
    columns = {}
    for name in results.peers_of(times, operation):
        if its := results.ratios(times, operation, name):
            columns[name] = its
        if awake := results.ratios(times, results.in_turn(operation, name), name):
            columns[f"{name}, awake"] = awake
    header = ["examples x classes", f"{OURS}, µs", "the same with out=, µs", *columns]
    if not columns:
        return Table(results.TITLES[operation], "", header, [])
    rows = []
    for shape in results.shapes(times, operation):
        ours = [microseconds(results.seconds(times, operation, shape, name)) for name in (OURS, OURS_OUT)]
        rows.append([shape_name(shape), *ours, *(against_us(its.get(shape)) for its in columns.values())])
    standings = [results.standing(its) for its in columns.values()]
    rows.append(["geometric mean", "", "", *(against_us(s.geometric_mean) for s in standings)])
    worst = [f"{against_us(s.worst)} ({shape_name(s.worst_shape)})" for s in standings]
    rows.append(["worst for us", "", "", *worst])
    note = (
        f"How many times as long as {OURS} each library takes, both with a fresh result in every call; where "
        f"it says slower, {OURS} takes longer."
    )
    if any(name.endswith(", awake") for name in columns):
        note += f" Awake: in turn with {OURS}, without a pause, while the threads of both may spin; means."
    return Table(results.TITLES[operation], note, header, rows)


# Operations whose names begin with a family, or end with it, are compared in one table, a row each.
FAMILIES = {
    "training": "An epoch on 5,000 images, in mini-batches of 10 unless said otherwise.",
    "fit": "Whole fits of estimators, in seconds.",
    "product": "Matrix products by nf.matmul and by NumPy, as the operands stand in programs.",
    "call": "Small calls beside the lines of NumPy that they replace.",
    "layouts": "The same batch in rows (axis=1) and in columns (axis=0), with out=.",
    "callers": "Cost and delta called by many threads of Python at once.",
    "oversubscription": "Cost and delta on more threads than there are processors.",
}


def is_of(family: str, operation: str) -> bool:
    return operation.startswith((f"{family}:", f"{family} ")) or operation.endswith(f", {family}")


def family_table(times: Times, family: str) -> Table:
    """Every operation of a family, over the library that the first one begins with, as a rule ours."""
    names = [operation for operation in results.operations(times) if is_of(family, operation)]
    first, *others = dict.fromkeys(key.library for key in times if key.operation in names) or [""]
    show, time = against_us if first == OURS else number, number if family == "fit" else microseconds
    columns: dict[str, list[float]] = {library: [] for library in others}
    rows = []
    for operation in names:
        for shape in results.shapes(times, operation):
            ours = results.seconds(times, operation, shape, first)
            place = operation.removeprefix(f"{family}: ").removesuffix(f", {family}")
            row = [place, shape_name(shape), time(ours)]
            for library, ratios in columns.items():
                ratio = limits.quotient(results.seconds(times, operation, shape, library), ours)
                row.append("" if ratio is None else show(ratio))
                ratios += [] if ratio is None else [ratio]
            rows.append(row)
    if len(rows) > 1:
        for what, value in (("geometric mean", geometric_mean), ("the least", min)):
            rows.append([what, "", "", *(show(value(its)) if its else "" for its in columns.values())])
    header = [family, "shape", f"{first}, {'s' if family == 'fit' else 'µs'}", *others]
    note = f"{FAMILIES[family]} How many times as long as the first the others take."
    return Table(family.capitalize(), note, header, rows)


def networks_table(times: Times) -> Table:
    names = [operation for operation in results.operations(times) if is_of("epoch", operation)]
    stages = dict.fromkeys(
        key.library for key in times if key.operation in names and key.library != results.WRITTEN
    )
    rows = []
    for operation in names:
        (shape,) = results.shapes(times, operation)
        if written := results.seconds(times, operation, shape, results.WRITTEN):
            took = (results.seconds(times, operation, shape, stage) for stage in stages)
            cells = (f"{written / its:.2f} ({its / written:.0%})" if its else "" for its in took)
            rows.append([operation.removeprefix("epoch: "), number(written), *cells])
    return Table(
        "Whole epochs of networks in NumPy, with more and more of their lines replaced",
        "How many times as fast as the network as it was written each stage is, and what share of its time "
        "it takes.",
        ["network", f"{results.WRITTEN}, s", *stages],
        rows,
    )


def limits_table(times: Times) -> Table:
    ours = [f"{operation}, {name}" for operation in (SOFTMAX, COST_AND_DELTA) for name in (OURS, OURS_OUT)]
    floors = [f"{operation} / floor" for operation in (SOFTMAX, COST_AND_DELTA)]
    copies = limits.COPY, limits.NP_COPYTO
    rows = [
        [
            shape_name(record["shape"]),
            *(microseconds(results.seconds(times, "limits", record["shape"], kind)) for kind in copies),
            record["limit"],
            *(number(record.get(name)) for name in [*ours, *floors]),
        ]
        for record in limits.limits(times)
    ]
    return Table(
        LIMITS,
        "Times of copies of the same array, on all threads and on one; then the time "
        f"of {OURS} over the limit named: 1 would be as fast as copying. The floor is the larger of that and "
        "of the arithmetic: what the operation takes on one thread in the nearest caches "
        f"({shape_name(limits.NEAREST)}), by the number of threads; with out=.",
        ["examples x classes", *(f"{kind}, µs" for kind in copies), "limit"]
        + [f"{name} / limit" for name in ours]
        + floors,
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


def threads_table(times: Times) -> Table:
    found = varied(times, "threads")
    counts = sorted({int(count) for shapes in found.values() for row in shapes.values() for count in row})
    rows = [
        [operation, shape_name(shape), microseconds(row["1"])]
        + [number(limits.quotient(row["1"], row.get(str(count)))) for count in counts[1:]]
        for operation, shapes in found.items()
        for shape, row in shapes.items()
        if "1" in row
    ]
    return Table(
        THREADS,
        "How many times as fast as one thread, with out=.",
        ["operation", "examples x classes", "1 thread, µs", *(f"{count} threads" for count in counts[1:])],
        rows,
    )


def instruction_sets_table(times: Times) -> Table:
    best, *others = results.libraries(times, f"{SOFTMAX}, instruction sets") or [""]
    rows = []
    for operation, shapes in varied(times, "instruction sets").items():
        columns: dict[str, list[float]] = {name: [] for name in others}
        for shape, row in shapes.items():
            ratios = [limits.quotient(row.get(name), row.get(best)) for name in others]
            rows.append([operation, shape_name(shape), microseconds(row.get(best)), *map(number, ratios)])
            for its, ratio in zip(columns.values(), ratios):
                its += [] if ratio is None else [ratio]
        means = (geometric_mean(its) if its else None for its in columns.values())
        rows.append([operation, "geometric mean", "", *map(number, means)])
    return Table(
        "Instruction sets",
        f"How many times as long as with {best}, with out=.",
        ["operation", "examples x classes", f"{best}, µs", *others],
        rows,
    )


def steps_table(records: list[dict[str, Any]]) -> Table:
    names = [name for name in named(records, "step ") if name != OURS]
    rows = []
    for record in records:
        ours, one = record[f"step {OURS}"]["median"], record["one thread"]["median"]
        products = record["products"]["median"]
        peers = (record.get(f"step {name}") for name in names)
        rows.append(
            [shape_name(record["shape"]), microseconds(ours)]
            + [against_us(step["median"] / ours if step else None) for step in peers]
            + [f"{products / ours:.2f}", f"{ours / (products + one):.2f}"]
        )
    return Table(
        "A whole step: product, cost and delta, product",
        "How many times as long as the step with nndl_fast the others take. The products are NumPy's, but "
        "for PyTorch's step; the column before the last has the part of our step that they take alone. The "
        "last is our step over its products alone and one thread of nndl_fast alone.",
        ["rows x features x classes", f"{OURS}, µs", *names, "products alone", "over products + one thread"],
        rows,
    )


def others(records: Iterable[Mapping[str, Any]]) -> list[str]:
    return [name for name in named(records, "after ") if name not in ("nothing", LEFT_OUT)]


def slowed(record: Mapping[str, Any], names: Iterable[str], kind: str) -> str:
    """From the least to the most of the others' times beside ours over their times without."""
    found = [record[f"beside {name}"][kind] / record[f"other {name}"][kind] for name in names]
    return f"{min(found):.2f} to {max(found):.2f}" if found else ""


def beside_others(
    records: list[dict[str, Any]], names: list[str], kind: str, also: str, digits: int
) -> list[list[str]]:
    """After each of them the mean, and a second figure, over one thread alone; how much they are slowed."""
    rows = []
    for record in records:
        one = record["one thread"][kind]
        ours = (record[f"after {name}"] for name in names)
        cells = (f"{its['mean'] / one:.2f}; {its[also] / one:.{digits}f}" for its in ours)
        rows.append([shape_name(record["shape"]), *cells, slowed(record, names, kind)])
    return rows


def company_table(records: list[dict[str, Any]]) -> Table:
    names = others(records)
    return Table(
        "Cost and delta in company",
        "Right after another library's product on all cores, with out=: the mean time, and the 99th "
        "percentile, over the time of one thread alone; and how much slower the product becomes.",
        ["rows x features x classes", *(f"after {name}" for name in names), "the product itself, slowed"],
        beside_others(records, names, "median", "late", 1),
    )


def turns_table(records: list[dict[str, Any]]) -> Table:
    names = [name for name in named(records, "after ") if name != "nothing"]
    return Table(
        "Softmax in turn with another library",
        "The other's work on all cores for some milliseconds, then ours with out=, and so on: the mean time "
        "of a call over that of one thread alone, in all of a turn and in its last milliseconds; and the "
        "other's mean time over that in turn with one thread of ours.",
        ["examples x classes", *(f"after {name}" for name in names), "the other's work, slowed"],
        beside_others(records, names, "mean", "last", 2),
    )


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


def comparison_tables(found: list[results.Change]) -> list[Table]:
    """Of a report with an earlier one."""
    title, drift = "Against the other report", found[0].drift if found else 0.0
    header = ["operation", "examples x classes", "library", "old, µs", "new, µs", "new / old", "noise"]

    def cells(change: results.Change) -> list[str]:
        key, both = change.key, (change.old.seconds, change.new.seconds)
        place = [key.operation, shape_name(key.shape), key.library, *map(microseconds, both)]
        return [*place, f"{change.ratio:.2f}", f"{change.noise:.1%}"]

    ours = [change for change in found if results.is_ours(change.key)]
    peers = [change for change in found if not results.is_ours(change.key)]
    means = []
    for operation in dict.fromkeys(change.key.operation for change in found):
        of = ([c.ratio for c in group if c.key.operation == operation] for group in (ours, peers))
        means.append([operation, *(f"{geometric_mean(ratios):.2f}" if ratios else "" for ratios in of)])
    return [
        Table(
            f"{title}: geometric means",
            "New over old; the second column is the control: what the same peers and limits did.",
            ["operation", OURS, "peers and limits"],
            means,
        ),
        Table(
            f"{title}: {OURS}",
            "A regression, or faster, is what exceeds the noise: that within both runs together, or, where "
            f"it is more, the drift between them, below {drift:.1%} for nine in ten times of the peers and "
            "limits. The control is the geometric mean of the peers at the same operation and shape.",
            [*header, "control", "verdict"],
            [[*cells(c), "" if c.control is None else f"{c.control:.2f}", c.verdict] for c in ours],
        ),
        Table(
            f"{title}: peers and limits",
            "The control.",
            [*header, "verdict"],
            [[*cells(c), c.verdict] for c in peers],
        ),
    ]
