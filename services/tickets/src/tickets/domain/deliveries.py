"""How far an answer came, over all its recipients."""

from __future__ import annotations

from collections.abc import Iterable
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


def worst(states: Iterable[DeliveryState]) -> DeliveryState | None:
    """The state that asks most for attention; None without recipients."""
    return min(states, key=WORST_FIRST.index, default=None)
