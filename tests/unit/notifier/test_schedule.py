"""When a mail is tried again, and what its recipients' states make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.schedule import Result, delivery_state, is_over, mail_state, pause
from shared.events import DeliveryState as S

FIRST, LONGEST = timedelta(seconds=10), timedelta(hours=1)


def test_the_pause_doubles_up_to_an_hour() -> None:
    assert [pause(tries, FIRST, LONGEST, 0.5).total_seconds() for tries in (1, 2, 3, 9, 10, 1000)] == [10, 20, 40, 2560, 3600, 3600]


def test_the_pause_is_spread_so_that_mails_do_not_come_in_step() -> None:
    assert pause(1, FIRST, LONGEST, 0.0) == timedelta(seconds=8)
    assert pause(1, FIRST, LONGEST, 0.999) < timedelta(seconds=12)


@pytest.mark.parametrize(
    ("result", "give_up", "state"),
    [
        (Result.SENT, True, S.SENT),
        (Result.TEMPORARY, False, S.DELAYED),
        (Result.TEMPORARY, True, S.FAILED),
        (Result.PERMANENT, False, S.FAILED),
    ],
)
def test_what_is_only_delayed_fails_when_the_time_is_over(result: Result, give_up: bool, state: S) -> None:
    assert delivery_state(result, give_up=give_up) is state


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([S.SENT, S.FAILED], "sent"),
        ([S.SENT, S.DELAYED], "delayed"),
        ([S.FAILED, S.CANCELLED], "failed"),
        ([S.CANCELLED], "cancelled"),
        ([], "failed"),
    ],
)
def test_a_mail_is_as_far_as_its_recipients(states: list[S], expected: str) -> None:
    assert mail_state(states) == expected


def test_three_days() -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    assert not is_over(start, start + timedelta(hours=71), timedelta(days=3))
    assert is_over(start, start + timedelta(hours=72), timedelta(days=3))
