"""What a ticket's status is once answers on it are taken back."""

from __future__ import annotations

import pytest

from tickets.domain.deliveries import Answered, status_before

A, A_BACK = Answered("a", "open", out=True), Answered("a", "open", out=False)
B, B_BACK = Answered("b", "waiting", out=True), Answered("b", "waiting", out=False)


@pytest.mark.parametrize(
    ("newest_first", "taken_back", "status"),
    [
        ([A], "a", "open"),
        ([B, A], "a", None),
        ([B, A], "b", None),
        ([B, A_BACK], "b", "open"),
        ([B_BACK, A], "a", "open"),
        ([Answered("b", "in_progress", out=True), A_BACK], "b", "in_progress"),
        ([A], "unknown", None),
        ([], "a", None),
    ],
)
def test_it_is_what_it_was_before_the_answers_that_are_not_out(newest_first: list[Answered], taken_back: str, status: str | None) -> None:
    assert status_before(newest_first, taken_back) == status
