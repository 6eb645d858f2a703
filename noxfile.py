"""What CONTRIBUTING.md says by hand, each in an environment of its own: ``nox -s lint types tests``."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]


@nox.session
def lint(session: nox.Session) -> None:
    session.install("--group", "dev")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "tests/tools/lint.py")
    files = [path for folder in ("csrc", "tests") for path in Path(folder).rglob("*")]
    sources = [str(path) for path in files if path.suffix in {".h", ".cpp"}]
    session.run("clang-format", "--dry-run", "-Werror", *sources)


@nox.session
def types(session: nox.Session) -> None:
    session.install(".[test]")
    session.run("pytest", "-m", "", "tests/project/test_typing.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The default tier; ``nox -s tests -- -m ""`` for all of them."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    session.install(".[docs]", "pytest>=8.2")
    session.run("pytest", "tests/project/test_docstrings.py")
    session.run("sphinx-build", "-W", "docs", *(session.posargs or [session.create_tmp()]))


@nox.session
def bench(session: nox.Session) -> None:
    """The report; ``nox -s bench -- FOLDER --quick`` for where and how much."""
    session.install(".[bench]")
    session.run("python", "bench/report.py", *(session.posargs or ["build/report"]))


@nox.session
def sanitizers(session: nox.Session) -> None:
    build = nox.project.load_toml("pyproject.toml")["build-system"]["requires"]
    session.install(*build, ".[test]")
    session.run("python", "tests/tools/sanitize.py", *session.posargs)
