"""How values are told to people: quoted history, times, rules as sentences, folders as a tree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.pages import texts
from console.pages.folder_tree import tree
from console.pages.texts import Piece

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello\nthere", [Piece("Hello\nthere", quoted=False)]),
        (
            "New\n\nOn Mon, Nov 23, Help wrote:\n> old\n> older",
            [Piece("New", quoted=False), Piece("On Mon, Nov 23, Help wrote:\n> old\n> older", quoted=True)],
        ),
        ("> asked\nanswered", [Piece("> asked", quoted=True), Piece("answered", quoted=False)]),
        (
            "New\n-----Original Message-----\nFrom: a",
            [Piece("New", quoted=False), Piece("-----Original Message-----\nFrom: a", quoted=True)],
        ),
        ("", []),
    ],
)
def test_quoted_history_is_set_apart_and_nothing_is_left_out(text: str, expected: list[Piece]) -> None:
    assert texts.pieces(text) == expected


@pytest.mark.parametrize(
    ("past", "told"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=9), "14 Nov 2026"),
    ],
)
def test_times_are_told_roughly(past: timedelta, told: str) -> None:
    assert texts.ago((NOW - past).isoformat(), NOW) == told


def test_a_rule_is_a_sentence() -> None:
    conditions = [{"field": "subject", "operator": "contains", "value": "invoice"}, {"field": "from", "operator": "ends_with", "value": ""}]
    assert texts.conditions({"match": "any", "conditions": conditions}) == "If Subject contains “invoice”"
    assert texts.conditions({"match": "all", "conditions": []}) == "Every mail"
    update = {"type": "update_ticket", "lookup": "ticket_id", "create_when_missing": True}
    assert texts.action(update) == "add the mail to the ticket found by its Ticket Id, or create a ticket when there is none"


def test_folders_become_a_tree_with_the_inbox_first() -> None:
    names = ["Archive", "INBOX/Orders", "archive/2026", "INBOX"]
    folders = [{"name": name, "delimiter": "/", "special_use": None, "selectable": True, "selected": False} for name in names]
    assert [(folder.label, folder.depth) for folder in tree(folders)] == [("INBOX", 0), ("Orders", 1), ("Archive", 0), ("2026", 1)]


def test_an_unknown_value_is_shown_as_it_is() -> None:
    assert texts.badge("held_back", texts.OUTCOMES).text == "Held back"
    assert ("critical", "critical") in texts.priorities("critical")
