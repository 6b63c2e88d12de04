"""What somebody must look at, and what its assignee is told, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Final

from shared.events import DeliveryState, OutgoingMode
from tickets.domain.deliveries import LEFT, LOST

NAMED: Final = 3
MAX_CHARS: Final = 1000
WHY_CHARS: Final = 300
_WHAT: Final = {
    OutgoingMode.ACKNOWLEDGEMENT: "the acknowledgement",
    OutgoingMode.NOTICE: "the notice that an answer did not arrive",
}


class Trouble(Enum):
    """Why somebody must look."""

    LOST = auto()
    """It did not reach the recipient."""
    LOST_TO_SOMEBODY = auto()
    """A bounce that names none of its recipients."""
    SENT_ANYWAY = auto()
    """It was taken back, and went out all the same."""
    ON_ITS_WAY = auto()
    """It was taken back while the server was taking it: whether it has it is not known."""


@dataclass(frozen=True)
class Failure:
    """A mail of ours that did not do what somebody thinks it did."""

    recipient: str
    mode: OutgoingMode
    sent_at: datetime
    reason: str
    """The server's words, or the bounce's; may be empty."""
    trouble: Trouble = Trouble.LOST


def trouble(state: DeliveryState, *, taken_back: bool) -> Trouble | None:
    """What a flagged recipient's state means; None where there is nothing to look at."""
    if state in LOST:
        return Trouble.LOST
    if not taken_back or state not in LEFT:
        return None
    return Trouble.ON_ITS_WAY if state is DeliveryState.TOO_LATE else Trouble.SENT_ANYWAY


def attention(failures: Sequence[Failure]) -> str | None:
    """Who did not get what, and why, at most 1,000 characters; None where nothing is left to look at."""
    if not failures:
        return None
    said = [sentence(one) for one in failures[:NAMED]]
    more = [f"and {len(failures) - NAMED} more"] if len(failures) > NAMED else []
    return "; ".join([*said, *more])[:MAX_CHARS]


def sentence(one: Failure) -> str:
    mail = f"{_WHAT.get(one.mode, 'the answer')} of {one.sent_at.astimezone(UTC):%d %b %Y, %H:%M} UTC"
    if one.trouble is Trouble.SENT_ANYWAY:
        return f"taking back {mail} came too late: it was sent to {one.recipient}"
    said = {
        Trouble.LOST: f"{one.recipient} did not get {mail}",
        Trouble.LOST_TO_SOMEBODY: f"one of its recipients did not get {mail}, as a bounce says",
        Trouble.ON_ITS_WAY: f"taking back {mail} came too late: it was on its way to {one.recipient}",
    }[one.trouble]
    return f"{said}: {one.reason[:WHY_CHARS]}" if one.reason else said


def notice(ticket_id: int, title: str, failures: Sequence[Failure]) -> str:
    """The text of the mail to the ticket's assignee."""
    told = "\n".join(f"- {sentence(one)}" for one in failures)
    return (
        f"An answer on ticket {ticket_id} ({title[:200]}) did not arrive.\n\n{told}\n\n"
        f"Open the ticket to see what came back about it. Correct the address, or reach the customer another way; "
        f"then tick the warning off there.\n"
    )
