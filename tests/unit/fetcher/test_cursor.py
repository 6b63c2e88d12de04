from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fetcher.domain.cursor import FolderState, Pace, batches, first_state, renumbered, start_moment, taken_up_again, treat
from fetcher.domain.mails import Listed, Treatment

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def listed(uid: int, size: int = 100, received_at: datetime = NOW) -> Listed:
    return Listed(uid, size, received_at)


def test_a_scan_looks_a_thousand_uids_back_but_never_before_its_start() -> None:
    assert FolderState(cursor=5000).low() == 4000
    assert FolderState(cursor=5000, start_uid=4700).low() == 4700


def test_from_now_begins_behind_the_last_mail_that_came_before() -> None:
    assert first_state("now", 7, 41, None, NOW).low() == 41
    assert first_state("now", 7, 41, 40, NOW).low() == 39


def test_the_start_is_when_the_folder_was_ticked_in_whole_seconds() -> None:
    ticked = NOW.replace(second=7, microsecond=999_999)
    assert start_moment("now", ticked) == NOW.replace(second=7, microsecond=0)
    assert start_moment("P7D", ticked) == NOW.replace(second=7, microsecond=0) - 7 * DAY
    assert start_moment("everything", ticked) is None


def test_everything_begins_at_the_first_mail() -> None:
    assert first_state("everything", 7, 41, None, None) == FolderState(uid_validity=7)


def test_days_back_hold_for_the_mails_of_the_first_scan_only() -> None:
    state = first_state("P7D", 7, 41, None, NOW - 7 * DAY)
    old = NOW - 8 * DAY
    assert treat(state, listed(41, received_at=old), None, 1000).treatment is Treatment.BEFORE_START
    assert treat(state, listed(42, received_at=old), None, 1000).treatment is Treatment.TAKE
    assert treat(state, listed(41, received_at=NOW - 6 * DAY), None, 1000).treatment is Treatment.TAKE


def test_new_uids_begin_again_without_what_was_older_than_the_start() -> None:
    before = first_state("now", 7, 41, None, NOW - DAY)
    state = renumbered(before, 8, 50)
    assert (state.uid_validity, state.low()) == (8, 0)
    assert treat(state, listed(3, received_at=NOW - 2 * DAY), None, 1000).treatment is Treatment.BEFORE_START
    assert treat(state, listed(3, received_at=NOW), None, 1000).treatment is Treatment.TAKE
    assert treat(renumbered(FolderState(7), 8, 50), listed(3, received_at=NOW - 900 * DAY), None, 1000).treatment is Treatment.TAKE


def test_only_unread_mails_are_taken_where_only_those_are_wanted() -> None:
    state = FolderState(7)
    assert treat(state, listed(1), frozenset({2}), 1000).treatment is Treatment.ALREADY_READ
    assert treat(state, listed(2), frozenset({2}), 1000).treatment is Treatment.TAKE
    assert taken_up_again({1: Treatment.ALREADY_READ.value, 2: Treatment.BEFORE_START.value}, frozenset({1, 2})) == [1]
    assert taken_up_again({1: Treatment.ALREADY_READ.value}, None) == []


def test_a_server_is_asked_for_two_seconds_worth_of_bytes() -> None:
    pace = Pace(8_000_000)
    assert pace.room == 256 * 1024
    pace.note(256 * 1024, 0.01)
    assert pace.room == 2 * 1024 * 1024, "one fast answer is no proof yet"
    pace.note(2_000_000, 0.02)
    assert pace.room == 8_000_000
    pace.note(3_000_000, 6.0)
    assert pace.room == 1_000_000
    pace.note(1_000, 60.0)
    assert pace.room == 256 * 1024
    assert Pace(100_000).room == 100_000


def test_batches_are_bounded_by_number_and_bytes_and_keep_the_order() -> None:
    mails = [listed(1, 60), listed(2, 30), listed(3, 20), listed(4, 500), listed(5, 1), listed(6, 1), listed(7, 1), listed(8, 1)]
    groups = [[one.uid for one in group] for group in batches(mails, 3, Pace(100))]
    assert groups == [[1, 2], [3], [4], [5, 6, 7], [8]]
