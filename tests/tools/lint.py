"""What files say of each other, where nobody has to build or install anything to see it:
``python tests/tools/lint.py``.

Prints a line for each finding, ``path:line: what``, and ends with 1 if there is one. It asks whether

- every wrong kernel of mutants.py can be made, that is, whether the code it changes stands exactly once;
- no line of the core is longer than clang-format's limit, as clang-format itself leaves comments alone;
- every action of the workflows is pinned by the hash of a commit, with its version beside it;
- CITATION.cff and CHANGELOG.md have the version of pyproject.toml;
- the dependency group dev has what the package is built with;
- no file of the core includes one of a room above its own (ROOMS), and none comes back to itself;
- no module of the package imports one of a room above its own (PACKAGES), and none comes back to itself;
- the figures in the pages are those of the newest release's report, which ``bench/readme.py`` writes."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mutants

ROOT = Path(__file__).resolve().parents[2]
# Folders of csrc: each includes files of its own and of those before it.
ROOMS = [
    *("common", "simd", "math", "kernels", "kernels/reduction", "kernels/traversal", "kernels/operations"),
    *("isa", "threads", "batch", "network", ".", "bindings"),
]
# Modules and packages of nndl_fast: each imports of its own floor and of those before it.
PACKAGES = [
    ("_runtime",),
    ("_functions",),
    ("functional", "optimizers"),
    ("costs",),
    ("_files",),
    ("_network",),
    ("network", "datasets"),
    ("_estimators", "_torch"),
    ("sklearn", "dask", "torch", "onnx"),
    ("_commands",),
    ("cli", "__main__"),
]
FOR_TYPES = {("_files/_onnx", "network")}  # imported only where types are checked
PINNED = re.compile(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def read(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def lines(*patterns: str) -> Iterator[tuple[Path, int, str]]:
    """Each line of the files of these names, with where it stands. A name that no file has is a mistake."""
    for pattern in patterns:
        paths = sorted(ROOT.glob(pattern))
        if not paths:
            raise SystemExit(f"lint.py: there is no {pattern}")
        for path in paths:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                yield path.relative_to(ROOT), number, line


def line_of(text: str, pattern: str) -> tuple[int, str]:
    """The number of the first line that matches, and what the pattern's group is there; or 1 and nothing."""
    found = re.search(pattern, text, re.MULTILINE)
    return (text.count("\n", 0, found.start()) + 1, found[1]) if found else (1, "")


def impossible_mutants() -> Iterator[str]:
    for mutant in mutants.MUTANTS:
        times = read(f"csrc/{mutant.path}").count(mutant.right)
        if times != 1:
            yield f"csrc/{mutant.path}:1: has {mutant.right!r} {times} times, not once ({mutant.what})"


def long_lines() -> Iterator[str]:
    limit = int(line_of(read(".clang-format"), r"^ColumnLimit: (\d+)")[1])
    for path, number, line in lines("csrc/**/*.[ch]*", "tests/core/*.[ch]*"):
        if len(line) > limit:
            yield f"{path}:{number}: is longer than {limit} characters"


def includes() -> dict[Path, list[tuple[int, Path]]]:
    """What each file of the core includes of the core, and in which line; paths from csrc."""
    root, found = ROOT / "csrc", {}
    for path in sorted([*root.rglob("*.h"), *root.rglob("*.cpp")]):
        at = found.setdefault(path.relative_to(root), [])
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if name := re.match(r'#include "(.*)"', line):
                at.append((number, (path.parent / name[1]).resolve().relative_to(root)))
    return found


def upward_includes() -> Iterator[str]:
    graph = includes()
    for path, included in graph.items():
        for number, other in included:
            if ROOMS.index(other.parent.as_posix()) > ROOMS.index(path.parent.as_posix()):
                yield f"csrc/{path}:{number}: includes {other}, of a room above"
    try:
        graphlib.TopologicalSorter({path: [to for _, to in its] for path, its in graph.items()}).prepare()
    except graphlib.CycleError as error:
        first, *others = map(str, error.args[1])
        yield f"csrc/{first}:1: includes itself by way of {', '.join(others[:-1])}"


def imports() -> dict[str, list[tuple[int, str]]]:
    """What each module of the package imports of it, and in which line, those within functions too."""
    root, found = ROOT / "nndl_fast", {}
    paths = {path.relative_to(root).with_suffix("").as_posix(): path for path in root.rglob("*.py")}
    for name, path in sorted(paths.items()):
        at = found.setdefault(name, [])
        folder = name.rpartition("/")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                start = folder if node.level == 1 else folder.rpartition("/")[0]
                start = "/".join(filter(None, [start, (node.module or "").replace(".", "/")]))
                named = [f"{start}/{alias.name}".lstrip("/") for alias in node.names]
                at += [(node.lineno, to if to in paths else start) for to in named if {to, start} & {*paths}]
    return found


def upward_imports() -> Iterator[str]:
    def floor(name: str) -> int:
        return next(i for i, rooms in enumerate(PACKAGES) if name in rooms or name.split("/")[0] in rooms)

    graph = {name: its for name, its in imports().items() if not name.endswith("__init__")}
    for name, its in graph.items():
        for line, other in its:
            if floor(other) > floor(name) and (name, other) not in FOR_TYPES:
                yield f"nndl_fast/{name}.py:{line}: imports {other}, of a room above"
    edges = {name: [to for _, to in its if (name, to) not in FOR_TYPES] for name, its in graph.items()}
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        first, *others = error.args[1]
        yield f"nndl_fast/{first}.py:1: imports itself by way of {', '.join(others[:-1])}"


def unpinned_actions() -> Iterator[str]:
    for path, number, line in lines(".github/workflows/*.yml"):
        if "uses:" in line and not PINNED.search(line):
            yield f"{path}:{number}: {line.strip()!r} is not pinned by hash and version"


def other_versions() -> Iterator[str]:
    expected = line_of(read("pyproject.toml"), r'^version = "(.*)"$')[1]
    for path, entry in (
        ("CITATION.cff", r"^version: (.*)$"),
        ("CHANGELOG.md", r"^## (\S+) - \d{4}-\d\d-\d\d$"),
    ):
        number, version = line_of(read(path), entry)
        if version != expected:
            yield f"{path}:{number}: the version is {version or 'missing'}; it must be {expected}"


def missing_requirements() -> Iterator[str]:
    text = read("pyproject.toml")
    number, group = line_of(text, r"^dev = \[(.*)\]$")
    for requirement in re.findall(r'"([^"]+)"', line_of(text, r"^requires = \[(.*)\]$")[1]):
        if f'"{requirement}"' not in group:
            yield f"pyproject.toml:{number}: the dependency group dev lacks {requirement}"


def other_figures() -> Iterator[str]:
    command = [sys.executable, str(ROOT / "bench" / "readme.py"), "--check"]
    result = subprocess.run(command, text=True, capture_output=True, check=False)
    if result.returncode:
        yield f"bench/readme.py:1: {result.stderr.strip().splitlines()[-1]}"


def main() -> int:
    checks = (
        impossible_mutants,
        long_lines,
        upward_includes,
        upward_imports,
        unpinned_actions,
        other_versions,
        missing_requirements,
        other_figures,
    )
    findings = [finding for check in checks for finding in check()]
    for finding in findings:
        print(finding)
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
