"""One self-contained HTML page: no network, no script, the pictures inside."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from summary import Table, markdown_rows

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 76rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { font-weight: 600; line-height: 1.2; }
h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid #e4e4e4; }
th { border-bottom: 1px solid #999; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
.facts td { text-align: left; vertical-align: top; overflow-wrap: anywhere; }
td.bad { color: #a40000; background: #fff0ee; font-weight: 600; }
td.good { color: #00632e; background: #effaf1; }
.lead { font-size: 1.15em; }
img { max-width: 100%; }
summary { cursor: pointer; font-weight: 600; margin-top: 2.5rem; }
"""
# Cells that get a colour, which never says anything alone.
MARKS = {"bad": r"(?:[\d.]+ )?(?:slower|regression)", "good": "faster"}
MEANT = re.compile(r"([\\`*_\[\]<|!])")  # by Markdown, and not by who wrote a cell
READER = MarkdownIt("commonmark", {"html": False}).enable("table")


def table(content: Table, folded: bool = False) -> str:
    header, *rows = ([MEANT.sub(r"\\\1", cell) for cell in row] for row in (content.header, *content.rows))
    html = READER.render(markdown_rows(header, rows))
    for mark, words in MARKS.items():
        html = re.sub(rf"<td>(?={words}[ <])", f'<td class="{mark}">', html)
    html = f"<p>{escape(content.note)}</p>\n{html}"
    if folded:
        return f"<details><summary>{escape(content.title)}</summary>\n{html}</details>\n"
    return f"<h2>{escape(content.title)}</h2>\n{html}"


def picture(path: Path) -> str:
    data = b64encode(path.read_bytes()).decode("ascii")
    return f'<p><img alt="{escape(path.stem.replace("-", " "))}" src="data:image/png;base64,{data}"></p>\n'


def plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(its)}" for name, its in value.items() if its is not None)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def facts(content: Mapping[str, Any]) -> str:
    """Machine, versions and settings, a line each; what is not known or not set has none."""
    known = {name: plain(value) for name, value in content.items() if value is not None}
    rows = [
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in known.items() if value
    ]
    return '<table class="facts">\n' + "\n".join(rows) + "\n</table>\n"


def bullets(lines: list[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(line)}</li>" for line in lines) + "\n</ul>\n"


def page(title: str, parts: list[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{''.join(parts)}</body>\n</html>\n"
    )
