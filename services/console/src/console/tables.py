"""Tables on a terminal. What they show are strangers' words: no control character gets through."""

from __future__ import annotations

from collections.abc import Sequence

MAX_CELL = 60


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The columns' names and the rows, aligned; no line ends in spaces."""
    lines = [list(columns), *([cell(value) for value in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def cell(value: object, longest: int = MAX_CELL) -> str:
    """A value as one line of at most so many letters; empty for None."""
    text = "" if value is None else "".join(letter if letter.isprintable() else " " for letter in str(value))
    return text if len(text) <= longest else text[: longest - 1] + "…"
