"""What differs between a mail's result and what it would become."""

from __future__ import annotations

import pytest

from rules.simulation.difference import Tally, change
from shared.api import ResultSide
from shared.events import OutcomeType


def side(outcome: str, rule: str | None = None, ticket: int | None = None) -> ResultSide:
    return ResultSide(outcome=OutcomeType(outcome), rule_id=rule, ticket_id=ticket)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, side("ticket", "a"), "new"),
        (side("ticket", "a", 1), None, "failed"),
        (None, None, "failed"),
        (side("ticket", "a", 1), side("ticket", "a"), "none"),
        (side("ticket", "a", 1), side("ticket", "b"), "rule"),
        (side("ticket", "a", 1), side("update", "a", 1), "outcome"),
        (side("update", "a", 1), side("update", "a", 1), "none"),
        (side("update", "a", 1), side("update", "b", 1), "rule"),
        (side("update", "a", 1), side("update", "a", 2), "outcome"),
        (side("archived", "a"), side("ignored", "a"), "outcome"),
        (side("unmatched"), side("unmatched"), "none"),
        (side("unmatched"), side("link", "a"), "outcome"),
        (side("spam"), side("spam"), "none"),
        (side("spam"), side("ticket", "a"), "outcome"),
        (side("loop"), side("loop"), "none"),
        (side("bounce"), side("bounce"), "none"),
        (side("auto_reply"), side("auto_reply"), "none"),
        (side("failed"), side("ticket", "a"), "outcome"),
        (side("dropped"), side("ticket", "a"), "outcome"),
        (side("duplicate"), side("ticket", "a"), "none"),
        (side("skipped"), side("archived", "a"), "none"),
        (side("gone"), side("update", "a", 3), "none"),
    ],
)
def test_a_change_is_told(before: ResultSide | None, after: ResultSide | None, expected: str) -> None:
    assert change(before, after) == expected


def test_totals_are_counted_by_way_the_largest_first() -> None:
    tally = Tally()
    for before, after in (
        (side("ticket", "a", 1), side("update", "b", 7)),
        (side("ticket", "a", 2), side("ticket", "a")),
        (side("ticket", "a", 3), side("ticket", "a")),
        (None, side("ticket", "a")),
        (side("ticket", "a", 4), None),
    ):
        tally.add(before, after, change(before, after))
    assert tally.changed == 2
    totals = [(one.before, one.after, one.change, one.count) for one in tally.totals()]
    assert totals[0] == ("ticket", "ticket", "none", 2)
    assert set(totals[1:]) == {("ticket", "update", "outcome", 1), (None, "ticket", "new", 1), ("ticket", None, "failed", 1)}
