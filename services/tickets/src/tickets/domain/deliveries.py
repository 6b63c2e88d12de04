"""How far an answer came: over all its recipients, and what a recipient's new state means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.events import DeliveryState

WORST_FIRST: Final = (
    DeliveryState.FAILED,
    DeliveryState.BOUNCED,
    DeliveryState.CANCELLED,
    DeliveryState.DELAYED,
    DeliveryState.QUEUED,
    DeliveryState.ACCEPTED,
    DeliveryState.SENT,
    DeliveryState.TOO_LATE,
    DeliveryState.DELIVERED,
    DeliveryState.READ,
)
"""`too_late` is a cancel that found the mail sent."""
LOST: Final = frozenset({DeliveryState.FAILED, DeliveryState.BOUNCED})
LEFT: Final = frozenset({DeliveryState.SENT, DeliveryState.TOO_LATE, DeliveryState.DELIVERED, DeliveryState.READ})
"""A server has it, or (`too_late`) may have it."""
WAITING: Final = "waiting"
"""Status of a ticket that was answered."""
GOT: Final = frozenset({DeliveryState.DELIVERED, DeliveryState.READ})
"""The recipient has it, as what came back says."""


@dataclass(frozen=True)
class Moved:
    """A recipient's new state."""

    recipient: str
    before: DeliveryState | None
    after: DeliveryState

    @property
    def lost(self) -> bool:
        return self.after in LOST

    @property
    def left(self) -> bool:
        return self.after in LEFT and self.before not in LEFT

    @property
    def found(self) -> bool:
        """What was called lost is not."""
        return self.before is DeliveryState.FAILED and self.after not in LOST

    @property
    def in_time(self) -> bool:
        """What was called too late to be taken back did not leave."""
        return self.before is DeliveryState.TOO_LATE and self.after in {DeliveryState.CANCELLED, DeliveryState.FAILED}


@dataclass(frozen=True)
class Answered:
    """An answer of an operator on a ticket."""

    id: str
    status: str
    """Of the ticket, before it."""
    out: bool
    """Not taken back, or too late."""


def status_before(newest_first: Sequence[Answered], answer_id: str) -> str | None:
    """What a waiting ticket's status is without this answer; None where it goes on waiting, for a later answer or as before this one.

    Where those before it were taken back too, it is what it was before them.
    """
    reached = False
    for one in newest_first:
        if one.out and one.id != answer_id:
            break
        reached = reached or one.id == answer_id
        if reached and one.status != WAITING:
            return one.status
    return None


def worst(states: Iterable[DeliveryState]) -> DeliveryState | None:
    """The state that asks most for attention; None without recipients."""
    return min(states, key=WORST_FIRST.index, default=None)
