"""What follows from a try: the state of each recipient, of the mail, and when to try again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.events import DeliveryState

LONGEST_PAUSE = timedelta(hours=1)
LONGEST_AWAY = timedelta(minutes=2)
"""Nothing was said about the mail: it should leave soon after its server is back."""
OPEN = frozenset({DeliveryState.ACCEPTED, DeliveryState.DELAYED})
"""Recipients that still wait for the mail."""
JITTER = 0.2


class Result(StrEnum):
    """What an SMTP server said about one recipient (RFC 5321, 4.2.1)."""

    SENT = "sent"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"


@dataclass(frozen=True)
class Verdict:
    """The result for one recipient with the server's words."""

    result: Result
    detail: str


def pause(tries: int, first: timedelta, longest: timedelta, chance: float) -> timedelta:
    """Time until the next try after `tries` failures: doubling up to `longest`, spread by ±20 % with `chance` in [0, 1)."""
    doubled = min(first * (1 << min(tries - 1, 30)), longest)
    return doubled * (1 - JITTER + 2 * JITTER * chance)


def delivery_state(result: Result, *, give_up: bool) -> DeliveryState:
    """The recipient's new state; what is only delayed fails once the time is over."""
    if result is Result.TEMPORARY:
        return DeliveryState.FAILED if give_up else DeliveryState.DELAYED
    return DeliveryState.SENT if result is Result.SENT else DeliveryState.FAILED


def mail_state(recipients: Iterable[DeliveryState]) -> str:
    """State of the whole mail: delayed while somebody waits, sent when anybody got it, else failed or cancelled."""
    states = set(recipients)
    if states & OPEN:
        return "delayed"
    if DeliveryState.SENT in states:
        return "sent"
    return "failed" if DeliveryState.FAILED in states or not states else "cancelled"


@dataclass(frozen=True)
class Retries:
    """How often and how long a mail is tried. `chance` gives jitter in [0, 1)."""

    first: timedelta
    limit: timedelta
    chance: Callable[[], float]


@dataclass(frozen=True)
class Settled:
    """What a try makes of a mail."""

    verdicts: Mapping[str, Verdict]
    changes: Mapping[str, tuple[DeliveryState, str]]
    """Recipient → new state and the server's words."""
    state: str
    next_try_at: datetime | None
    detail: str
    error: str | None
    """What is wrong with it now; None when everybody has it."""


def settle(
    people: Mapping[str, DeliveryState],
    verdicts: Mapping[str, Verdict],
    retries: Retries,
    *,
    tries: int,
    first_try: datetime | None,
    now: datetime,
    away: bool,
) -> Settled:
    """After the try number `tries`. `people` are all recipients with the states before it; without `first_try` it is never given up."""
    give_up = first_try is not None and is_over(first_try, now, retries.limit)
    changes = {one: (delivery_state(verdict.result, give_up=give_up), verdict.detail) for one, verdict in verdicts.items()}
    after = {**people, **{one: state for one, (state, _) in changes.items()}}
    state = mail_state(after.values())
    wait = pause(tries, retries.first, LONGEST_AWAY if away else LONGEST_PAUSE, retries.chance())
    troubles = sorted({one.detail for one in verdicts.values() if one.result is not Result.SENT})
    detail = "; ".join(troubles) or next((one.detail for one in verdicts.values()), "")
    well = all(one is DeliveryState.SENT for one in after.values())
    return Settled(verdicts, changes, state, now + wait if state == "delayed" else None, detail, None if well else detail)


def is_over(first_try: datetime, now: datetime, limit: timedelta) -> bool:
    """Whether a mail has been tried long enough."""
    return now - first_try >= limit
