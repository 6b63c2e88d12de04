"""What follows from a try: the state of each recipient, of the mail, and when to try again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.events import DeliveryState

LONGEST_PAUSE = timedelta(hours=1)
LONGEST_AWAY = timedelta(minutes=2)
"""Nothing was said about the mail, and nothing of it was handed over: it should leave soon after its server is back."""
NOTICE_AFTER = timedelta(hours=4)
"""From then on whoever wrote it is told that it is late (RFC 5321, 4.5.4.1 gives up after 4 to 5 days; mail servers warn after 4 hours)."""
OPEN = frozenset({DeliveryState.ACCEPTED, DeliveryState.DELAYED})
"""Recipients that still wait for the mail."""
JITTER = 0.2


class Result(StrEnum):
    """What an SMTP server said about one recipient (RFC 5321, 4.2.1)."""

    SENT = "sent"
    TEMPORARY = "temporary"
    GREYLISTED = "greylisted"
    """Temporary, and sure to pass: a stranger was asked to come again."""
    NEXT = "next"
    """Not in this dialogue: the server takes so many recipients at a time. No failure."""
    PERMANENT = "permanent"


WAITING = frozenset({Result.TEMPORARY, Result.GREYLISTED})


@dataclass(frozen=True)
class Verdict:
    """The result for one recipient with the server's words."""

    result: Result
    detail: str
    wait: timedelta | None = None
    """How long the server asked to wait."""
    alias: str | None = None
    """The Message-ID the server gave the mail in place of ours."""


def pause(failures: int, first: timedelta, longest: timedelta, chance: float) -> timedelta:
    """Time until the next try after `failures` in a row: doubling up to `longest`, spread by ±20 % with `chance` in [0, 1)."""
    doubled = min(first * (1 << min(failures - 1, 30)), longest)
    return doubled * (1 - JITTER + 2 * JITTER * chance)


def delivery_state(result: Result, *, give_up: bool) -> DeliveryState:
    """The recipient's new state; what is only delayed fails once the time is over."""
    if result in WAITING:
        return DeliveryState.FAILED if give_up else DeliveryState.DELAYED
    return DeliveryState.SENT if result is Result.SENT else DeliveryState.FAILED


TAKEN_BACK_LATE = "taken back after a dialogue that ended without an answer: the server may have the mail, and it is not tried again"


def given_up(*, unanswered: bool) -> tuple[DeliveryState, str]:
    """New state of a recipient who waited for an answer that was taken back. `unanswered`: the server may have it from an earlier try."""
    return (DeliveryState.FAILED, TAKEN_BACK_LATE) if unanswered else (DeliveryState.CANCELLED, "")


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
    greylisted: timedelta = timedelta(minutes=1)
    """The first pause of a greylisted mail whose server did not say how long to wait."""


@dataclass(frozen=True)
class Settled:
    """What a try makes of a mail."""

    verdicts: Mapping[str, Verdict]
    changes: Mapping[str, tuple[DeliveryState, str]]
    """Recipient → new state and the server's words."""
    state: str
    next_try_at: datetime | None
    failures: int
    detail: str
    error: str | None
    """What is wrong with it now; None when everybody has it."""


def settle(
    people: Mapping[str, DeliveryState],
    verdicts: Mapping[str, Verdict],
    retries: Retries,
    *,
    failures: int,
    first_try: datetime | None,
    now: datetime,
    away: bool,
) -> Settled:
    """After a try that followed `failures` in a row. `people` are all recipients with the states before it.

    Without `first_try` it is never given up.
    """
    give_up = first_try is not None and is_over(first_try, now, retries.limit)
    told = {one: verdict for one, verdict in verdicts.items() if verdict.result is not Result.NEXT}
    changes = {
        one: (delivery_state(verdict.result, give_up=give_up), _told(verdict, first_try, now, retries.limit))
        for one, verdict in told.items()
    }
    after = {**people, **{one: state for one, (state, _) in changes.items()}}
    state = mail_state(after.values())
    well = all(one is DeliveryState.SENT for one in after.values())
    failures = 0 if well or _goes_on(verdicts.values()) else failures + 1
    wait = _wait(verdicts.values(), retries, failures, LONGEST_AWAY if away else LONGEST_PAUSE)
    troubles = sorted({verdict.detail for verdict in verdicts.values() if verdict.result is not Result.SENT})
    detail = "; ".join(troubles) or next((verdict.detail for verdict in verdicts.values()), "")
    return Settled(verdicts, changes, state, now + wait if state == "delayed" else None, failures, detail, None if well else detail)


def taken_back(one: Settled, people: Mapping[str, DeliveryState], *, unanswered: bool) -> Settled:
    """What the try makes of a mail that was taken back during it: nobody waits for another. `people` as `settle` has them."""
    after = {**people, **{address: state for address, (state, _) in one.changes.items()}}
    stopped = {address: given_up(unanswered=unanswered) for address, state in after.items() if state in OPEN}
    if not stopped:
        return one
    ended = [stopped[address][0] if address in stopped else state for address, state in after.items()]
    return replace(one, changes={**one.changes, **stopped}, state=mail_state(ended), next_try_at=None)


def is_over(first_try: datetime, now: datetime, limit: timedelta) -> bool:
    """Whether a mail has been tried long enough."""
    return now - first_try >= limit


def _goes_on(verdicts: Collection[Verdict]) -> bool:
    """Some got it, and the others are only one dialogue away."""
    results = {verdict.result for verdict in verdicts}
    return {Result.SENT, Result.NEXT} <= results


def _wait(verdicts: Collection[Verdict], retries: Retries, failures: int, longest: timedelta) -> timedelta:
    if not failures:
        return timedelta()
    chance = retries.chance()
    waiting = [verdict for verdict in verdicts if verdict.result in WAITING]
    if not waiting or any(verdict.result is Result.TEMPORARY for verdict in waiting):
        return pause(failures, retries.first, longest, chance)
    asked = max((verdict.wait for verdict in waiting if verdict.wait), default=timedelta())
    return max(asked * (1 + JITTER * chance), pause(failures, retries.greylisted, longest, chance))


def _told(verdict: Verdict, first_try: datetime | None, now: datetime, limit: timedelta) -> str:
    """The server's words; once a mail is late, how late, and until when it is tried."""
    if verdict.result not in WAITING or first_try is None or not NOTICE_AFTER <= now - first_try < limit:
        return verdict.detail
    hours = (now - first_try) // timedelta(hours=1)
    return f"not delivered for {hours} hours, tried until {first_try + limit:%Y-%m-%d %H:%M} UTC: {verdict.detail}"
