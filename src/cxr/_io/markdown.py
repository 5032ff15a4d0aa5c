"""Markdown (GitHub's) in which any text stands as it is: no markup, no HTML, no new line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_ACTIVE = re.compile(r"([\\`*_\[\]|~$#])")
_PLAIN_CODE = re.compile(r"[\w .,:/@+()=-]+")


def one_line(text: object) -> str:
    """Runs of blanks and line ends become one space; what cannot be seen (bidi marks too) goes."""
    visible = (sign for sign in str(text) if sign.isprintable() or sign.isspace())
    return " ".join("".join(visible).split())


def plain(text: object) -> str:
    """Any text, to be read letter by letter. Not for the start of a line, where `1.` is a list."""
    escaped = _ACTIVE.sub(r"\\\1", one_line(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: object) -> str:
    """In the letters of code where that is safe, else as plain text."""
    line = one_line(text)
    return f"`{line}`" if _PLAIN_CODE.fullmatch(line) and line.strip() else plain(line)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; "" where there is no row."""
    lines = [_row(cells) for cells in rows]
    if not lines:
        return ""
    return "\n".join([_row(head), _row(["---"] * len(head)), *lines])


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
