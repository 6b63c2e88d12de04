"""When a mail is tried again, and what its recipients' states make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.schedule import Result, Retries, Settled, Verdict, delivery_state, is_over, mail_state, pause, settle, taken_back
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


START = datetime(2026, 11, 23, tzinfo=UTC)
RETRIES = Retries(FIRST, timedelta(days=3), lambda: 0.5)
ANNA, BRUNO = "anna@lakeside.example", "bruno@bikes.example"


def tried(verdicts: dict[str, Verdict], *, failures: int = 0, after: timedelta = timedelta(), away: bool = False) -> Settled:
    return settle(dict.fromkeys(verdicts, S.ACCEPTED), verdicts, RETRIES, failures=failures, first_try=START, now=START + after, away=away)


def test_who_was_one_too_many_goes_at_once_and_nothing_has_failed() -> None:
    settled = tried({ANNA: Verdict(Result.SENT, "250"), BRUNO: Verdict(Result.NEXT, "452 4.5.3")}, failures=2)
    assert settled.changes == {ANNA: (S.SENT, "250")}
    assert (settled.state, settled.next_try_at, settled.failures) == ("delayed", START, 0)


@pytest.mark.parametrize(
    ("failures", "wait", "seconds"),
    [(0, None, 60), (1, None, 120), (0, timedelta(minutes=5), 330), (9, timedelta(minutes=5), 3600)],
)
def test_a_greylisted_mail_comes_again_when_the_server_said(failures: int, wait: timedelta | None, seconds: int) -> None:
    settled = tried({ANNA: Verdict(Result.GREYLISTED, "450 greylisted", wait)}, failures=failures)
    assert settled.next_try_at == START + timedelta(seconds=seconds)
    assert settled.changes[ANNA] == (S.DELAYED, "450 greylisted")


def test_a_server_that_was_away_is_asked_again_sooner_than_one_that_refused() -> None:
    verdicts = {ANNA: Verdict(Result.TEMPORARY, "421 busy")}
    assert tried(verdicts, failures=20, away=True).next_try_at == START + timedelta(minutes=2)
    assert tried(verdicts, failures=20).next_try_at == START + timedelta(hours=1)


def test_whoever_wrote_it_is_told_after_four_hours_that_it_is_late() -> None:
    verdicts = {ANNA: Verdict(Result.TEMPORARY, "450 4.2.1 later")}
    assert tried(verdicts, after=timedelta(hours=3)).changes[ANNA] == (S.DELAYED, "450 4.2.1 later")
    late = "not delivered for 5 hours, tried until 2026-11-26 00:00 UTC: 450 4.2.1 later"
    assert tried(verdicts, after=timedelta(hours=5)).changes[ANNA] == (S.DELAYED, late)
    assert tried(verdicts, after=timedelta(hours=72)).changes[ANNA] == (S.FAILED, "450 4.2.1 later")


@pytest.mark.parametrize(("unanswered", "state", "mail"), [(False, S.CANCELLED, "sent"), (True, S.FAILED, "sent")])
def test_of_a_mail_that_was_taken_back_nobody_waits_for_another_try(unanswered: bool, state: S, mail: str) -> None:
    people = {ANNA: S.ACCEPTED, BRUNO: S.DELAYED}
    verdicts = {ANNA: Verdict(Result.SENT, "250"), BRUNO: Verdict(Result.TEMPORARY, "450 later")}
    settled = settle(people, verdicts, RETRIES, failures=0, first_try=START, now=START, away=False)
    ended = taken_back(settled, people, unanswered=unanswered)
    assert {one: told for one, (told, _) in ended.changes.items()} == {ANNA: S.SENT, BRUNO: state}
    assert (ended.state, ended.next_try_at) == (mail, None)
    assert "250" in ended.changes[ANNA][1]
    assert ("the server may have the mail" in ended.changes[BRUNO][1]) is unanswered
