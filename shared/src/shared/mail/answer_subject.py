"""The subject of an answer on a ticket. The page on which it is written shows the same one that is sent."""

from __future__ import annotations

import re
from typing import Final

from shared.mail.words import no_bidi, one_line

MAX_TITLE: Final = 250
MAX_READ: Final = 2_000
"""Characters of a title that are looked at: eight times what is kept, so that marks at its beginning hide nothing."""
_REPLY: Final = re.compile(r"^(?:(?:re|aw|antw|sv|r|rif)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_MARK: Final = re.compile(r"\[?Ticket\s*Id\s*:\s*(\d+)\]?", re.IGNORECASE)


def answer_subject(title: str, ticket_id: int) -> str:
    """`Re: <title> - Ticket Id: <n>`. Marks the title brought along are taken out: a second number would name another ticket."""
    bare = bare_title(title)
    return f"Re: {bare} - Ticket Id: {ticket_id}" if bare else f"Re: Ticket Id: {ticket_id}"


def bare_title(title: str) -> str:
    """The title in one line, at most 250 characters and an ellipsis, without `Re:` and marks of tickets."""
    bare = _REPLY.sub("", without_marks(title)).strip()
    return f"{bare[:MAX_TITLE].rstrip()}…" if len(bare) > MAX_TITLE else bare


def without_marks(text: str, but: int | None = None) -> str:
    """The text in one line without marks of tickets, and the dashes before them; those of the ticket `but` stay.

    Until there is none: where one is taken out, what was around it can make the next.
    """
    left, before = no_bidi(one_line(text[:MAX_READ])), ""
    while left != before:
        before, left = left, _once(left, but)
    return one_line(left)


def _once(text: str, but: int | None) -> str:
    kept, at = "", 0
    for mark in _MARK.finditer(text):
        if int(mark[1]) != but:
            kept, at = f"{kept}{text[at : mark.start()]}".rstrip(" –—-"), mark.end()
    return kept + text[at:]
