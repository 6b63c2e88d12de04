"""Texts as `format=flowed` (RFC 3676): short lines for old mail programs, paragraphs as wide as their window for all others."""

from __future__ import annotations

import re
from typing import Final

WIDTH: Final = 72
"""Of a line with its quote marks and the blank at its end."""
MOST_MARKS: Final = 36
"""Where more quote marks are before a paragraph, no room is left to break it, and each line would repeat them all."""
SEPARATOR: Final = "-- "
"""The line before a signature (RFC 3676, 4.3), which is never joined to the next."""

_CHUNK: Final = re.compile(r"[^ ]+ {0,3}| {1,3}")


def flowed(text: str) -> str:
    r"""The text with its paragraphs, quoted ones too, broken at blanks; a line that ends in a blank goes on in the next.

    Each of `text` is a line of its own, its leading `>` are quote marks. Words are never broken, and so neither are URLs, nor languages
    without blanks. Blanks before a line end are taken off, as RFC 3676, 4.2 has it: they would join lines that somebody set apart.
    """
    return "\n".join(line for paragraph in text.split("\n") for line in _lines(paragraph))


def _lines(paragraph: str) -> list[str]:
    content = paragraph.lstrip(">")
    marks = paragraph[: len(paragraph) - len(content)]
    if marks:
        content = content.removeprefix(" ")
    if content != SEPARATOR:
        content = content.rstrip(" ")
    pieces = _pieces(content, WIDTH - len(marks) - bool(marks)) if len(marks) <= MOST_MARKS else [content]
    return [_stuffed(marks, piece) for piece in pieces]


def _pieces(content: str, room: int) -> list[str]:
    """The content in pieces that end in a blank, but for the last. None of several is `-- `: that would be read as the separator."""
    pieces, piece = [], ""
    for chunk in _CHUNK.findall(content):
        if piece and piece != SEPARATOR and len(piece) + len(chunk) > room:
            pieces.append(piece)
            piece = ""
        piece += chunk
    return [*pieces, piece]


def _stuffed(marks: str, piece: str) -> str:
    """A blank before what else would be read as something else (RFC 3676, 4.4); the same blank makes quoted text legible.

    "From " needs none: it is escaped on the way, and an old program shows no blank too many.
    """
    stuffing = " " if piece and (marks or piece.startswith((" ", ">"))) else ""
    return f"{marks}{stuffing}{piece}"
