"""What follows from a try of a webhook: delivered, tried again and when, or given up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""After the first try, the second, …: the schedule of Standard Webhooks 1.0.0, "Deliverability and reliability"."""
JITTER: Final = 0.2
LONGEST_PAUSE: Final = timedelta(hours=24)
GIVEN_UP_AFTER: Final = timedelta(days=5)
"""A webhook that only failed for so long is switched off."""
GONE: Final = 410
State = Literal["waiting", "delivered", "failed"]


@dataclass(frozen=True)
class Answer:
    """What a receiver answered. Without a status there was no answer; `error` says in plain words what is wrong."""

    status: int | None
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The receiver wants no more (RFC 9110, 15.5.11)."""
        return self.status == GONE


@dataclass(frozen=True)
class Verdict:
    """A delivery after a try."""

    state: State
    next_try_at: datetime | None = None


def settle(answer: Answer, tries: int, now: datetime, chance: Callable[[], float]) -> Verdict:
    """After try number `tries`. `chance` gives jitter in [0, 1), so that what failed together is not tried together for ever."""
    if answer.delivered:
        return Verdict("delivered")
    if answer.gone or tries > len(PAUSES):
        return Verdict("failed")
    pause = PAUSES[tries - 1] * (1 - JITTER + 2 * JITTER * chance())
    asked = min(answer.retry_after or timedelta(0), LONGEST_PAUSE)
    return Verdict("waiting", now + max(pause, asked))


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """`Retry-After` (RFC 9110, 10.2.3): seconds or a date; None for what is neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:10]), int(LONGEST_PAUSE.total_seconds())))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(at - now, timedelta(0)) if at.tzinfo is not None else None
