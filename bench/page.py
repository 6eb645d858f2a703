"""One self-contained HTML page: no network, no script, the pictures inside."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from summary import Table

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 76rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { font-weight: 600; line-height: 1.2; }
h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
.facts td { overflow-wrap: anywhere; vertical-align: top; }
.facts td:first-child { overflow-wrap: normal; }
.wide td:first-child { white-space: nowrap; }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid #e4e4e4; }
th { border-bottom: 1px solid #999; font-weight: 600; vertical-align: bottom; }
th.text, td.text { text-align: left; }
td.bad { color: #a40000; background: #fff0ee; font-weight: 600; }
.lead { font-size: 1.15em; }
td.good { color: #00632e; background: #effaf1; }
img { max-width: 100%; }
summary { cursor: pointer; font-weight: 600; margin-top: 2.5rem; }
"""
# Words that mark a cell, so that a colour never says anything alone.
BAD, GOOD = ("slower", "regression"), ("faster",)


def is_number(text: str) -> bool:
    return text[:1].isdigit() and " x " not in text.partition("(")[0]


def cell(text: str, left: bool) -> str:
    words = text.split()
    marks = ["text"] if left else []
    marks += ["bad"] if any(w in BAD for w in words) else ["good"] if any(w in GOOD for w in words) else []
    return f'<td class="{" ".join(marks)}">{escape(text)}</td>' if marks else f"<td>{escape(text)}</td>"


def table(content: Table) -> str:
    columns = range(len(content.header))
    left = [not any(is_number(row[i]) for row in content.rows) for i in columns]
    head = "".join(f"<th{' class=text' if left[i] else ''}>{escape(content.header[i])}</th>" for i in columns)
    body = "\n".join(
        "<tr>" + "".join(cell(row[i], left[i]) for i in columns) + "</tr>" for row in content.rows
    )
    return (
        f"<p>{escape(content.note)}</p>\n"
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>\n"
    )


def section(content: Table) -> str:
    return f"<h2>{escape(content.title)}</h2>\n{table(content)}"


def folded(content: Table) -> str:
    return f"<details><summary>{escape(content.title)}</summary>\n{table(content)}</details>\n"


def picture(path: Path) -> str:
    data = b64encode(path.read_bytes()).decode("ascii")
    return f'<p><img alt="{escape(path.stem.replace("-", " "))}" src="data:image/png;base64,{data}"></p>\n'


def plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def lead(text: str) -> str:
    return f"<p class=lead>{escape(text)}</p>\n"


def facts(content: Mapping[str, Any]) -> str:
    """Machine, versions and settings, a line each; what is not known or not set has none."""
    lines = []
    for key, value in content.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{name} {plain(its)}" for name, its in value.items() if its is not None)
        if value in (None, "", []):
            continue
        value = plain(value)
        lines.append(f"<tr><td class=text>{escape(key)}</td><td class=text>{escape(str(value))}</td></tr>")
    return '<table class="facts">\n' + "\n".join(lines) + "\n</table>\n"


def bullets(lines: list[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(line)}</li>" for line in lines) + "\n</ul>\n"


def page(title: str, parts: list[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{''.join(parts)}</body>\n</html>\n"
    )
