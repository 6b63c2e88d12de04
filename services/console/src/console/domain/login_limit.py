"""When somebody who gave wrong passwords may try again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

MAX_WRONG = 10
WINDOW = timedelta(minutes=15)


def try_again_at(wrong: Sequence[datetime], now: datetime) -> datetime | None:
    """None when a try is allowed now, else the moment from which it is: when fewer than MAX_WRONG lie within the WINDOW again."""
    recent = sorted(at for at in wrong if at > now - WINDOW)
    if len(recent) < MAX_WRONG:
        return None
    return recent[-MAX_WRONG] + WINDOW
