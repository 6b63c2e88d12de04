from datetime import UTC, datetime, timedelta

from console.domain.login_limit import MAX_WRONG, WINDOW, try_again_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def minutes_ago(*minutes: int) -> list[datetime]:
    return [NOW - timedelta(minutes=number) for number in minutes]


def test_nine_wrong_passwords_leave_the_door_open() -> None:
    assert try_again_at(minutes_ago(*range(1, MAX_WRONG)), NOW) is None


def test_ten_close_it_until_the_oldest_of_them_is_a_window_ago() -> None:
    assert try_again_at(minutes_ago(*range(1, MAX_WRONG + 1)), NOW) == NOW - timedelta(minutes=10) + WINDOW


def test_old_ones_do_not_count() -> None:
    assert try_again_at(minutes_ago(*range(15, 15 + 3 * MAX_WRONG)), NOW) is None


def test_the_order_they_come_in_does_not_matter() -> None:
    wrong = minutes_ago(1, 9, 3, 2, 8, 7, 4, 6, 5, 10, 14)
    assert try_again_at(wrong, NOW) == NOW - timedelta(minutes=10) + WINDOW
