"""Text on its way to a terminal or a message, above all what others wrote: names of files and of columns."""

from __future__ import annotations

import unicodedata

# Controls, halves of characters, ends of lines and paragraphs, and what turns the direction of text.
_ESCAPED = {"Cc", "Cs", "Cf", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # are of that kind too, but belong to words and to emoji


def printable(text: object) -> str:
    r"""The text on one line, with escapes for what a terminal acts upon, as Python's own strings have them:
    ``\x1b`` would change its colours, its title or what stands there already."""
    return "".join(
        c.encode("unicode_escape").decode()
        if unicodedata.category(c) in _ESCAPED and c not in _JOINERS
        else c
        for c in str(text)
    )


def counted(n: int, what: str) -> str:
    """So many of something: "1 row", "2 rows"."""
    return f"{n} {what}{'' if n == 1 else 's'}"
