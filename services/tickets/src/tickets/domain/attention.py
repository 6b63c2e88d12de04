"""What somebody must look at, and what its assignee is told, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.events import OutgoingMode

NAMED: Final = 3
MAX_CHARS: Final = 1000
WHY_CHARS: Final = 300
_WHAT: Final = {
    OutgoingMode.ACKNOWLEDGEMENT: "the acknowledgement",
    OutgoingMode.NOTICE: "the notice that an answer did not arrive",
}


@dataclass(frozen=True)
class Failure:
    """A recipient who did not get a mail of ours."""

    recipient: str
    mode: OutgoingMode
    sent_at: datetime
    reason: str
    """The server's words; may be empty."""


def attention(failures: Sequence[Failure]) -> str | None:
    """Who did not get what, and why, at most 1,000 characters; None where nothing is left to look at."""
    if not failures:
        return None
    said = [sentence(one) for one in failures[:NAMED]]
    more = [f"and {len(failures) - NAMED} more"] if len(failures) > NAMED else []
    return "; ".join([*said, *more])[:MAX_CHARS]


def sentence(one: Failure) -> str:
    what = _WHAT.get(one.mode, "the answer")
    said = f"{one.recipient} did not get {what} of {one.sent_at.astimezone(UTC):%d %b %Y, %H:%M} UTC"
    return f"{said}: {one.reason[:WHY_CHARS]}" if one.reason else said


def notice(ticket_id: int, title: str, failures: Sequence[Failure]) -> str:
    """The text of the mail to the ticket's assignee."""
    told = "\n".join(f"- {sentence(one)}" for one in failures)
    return (
        f"An answer on ticket {ticket_id} ({title[:200]}) did not arrive.\n\n{told}\n\n"
        f"Open the ticket to see what came back about it. Correct the address, or reach the customer another way; "
        f"then tick the warning off there.\n"
    )
