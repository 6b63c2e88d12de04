"""The subject of an answer on a ticket. The page on which it is written shows the same one that is sent."""

from __future__ import annotations

import re
from typing import Final

from shared.mail.words import no_bidi, one_line

MAX_TITLE: Final = 250
_REPLY: Final = re.compile(r"^(?:(?:re|aw|antw|sv|r|rif)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[\s–-]*\[?\bTicket Id:\s*\d+\b\]?", re.IGNORECASE)


def answer_subject(title: str, ticket_id: int) -> str:
    """`Re: <title> - Ticket Id: <n>`. Marks the title brought along are taken out: a second number would name another ticket."""
    bare = bare_title(title)
    return f"Re: {bare} - Ticket Id: {ticket_id}" if bare else f"Re: Ticket Id: {ticket_id}"


def bare_title(title: str) -> str:
    """The title in one line, at most 250 characters and an ellipsis, without `Re:` and marks of tickets."""
    bare = _REPLY.sub("", _TOKEN.sub("", no_bidi(one_line(title))).strip()).strip()
    return f"{bare[:MAX_TITLE].rstrip()}…" if len(bare) > MAX_TITLE else bare
