"""Text that others wrote: names of files, classes and columns on their way to a terminal or a message."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""The text on one line, with escapes for what does not print, as Python's own strings show it: of a
    terminal, ``\x1b`` would change colours, title or what stands there already."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
