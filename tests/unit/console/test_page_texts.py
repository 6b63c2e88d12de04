"""How values are told to people: quoted history, times, folders as a tree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.pages import texts
from console.pages.folder_tree import tree
from console.pages.texts import Piece
from shared.api import Folder

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def message(*parts: tuple[str, str]) -> dict[str, Any]:
    """A message of these passages, each with what it is folded as, or nothing."""
    text, folds = "", []
    for passage, kind in parts:
        folds += [{"start": len(text), "end": len(text) + len(passage), "kind": kind}] if kind else []
        text += passage
    return {"text": text, "folds": folds}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([("Hello\nthere", "")], [Piece("Hello\nthere")]),
        ([("New\n\n", ""), ("Help wrote:\n> old\n", "quote")], [Piece("New"), Piece("Help wrote:\n> old", "quote")]),
        ([("> asked\n", "quote"), ("answered", "")], [Piece("> asked", "quote"), Piece("answered")]),
        ([("  in\n", ""), ("-- \nAnna", "signature")], [Piece("  in"), Piece("-- \nAnna", "signature")]),
        ([("", "")], []),
    ],
)
def test_what_is_folded_is_set_apart_and_nothing_is_left_out(parts: list[tuple[str, str]], expected: list[Piece]) -> None:
    assert texts.pieces(message(*parts)) == expected


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


def folder(name: str, delimiter: str | None = "/", **values: Any) -> dict[str, Any]:
    return Folder.model_validate({"name": name, "delimiter": delimiter} | values).model_dump(mode="json")


def test_folders_become_a_tree_with_the_inbox_first() -> None:
    (own,) = tree([folder(name) for name in ("Archive", "INBOX/Orders", "archive/2026", "INBOX", "Archive/2025")])
    assert [(one.label, one.depth) for one in own.folders] == [
        ("INBOX", 0),
        ("Orders", 1),
        ("Archive", 0),
        ("2025", 1),
        ("archive/2026", 0),
    ]


def test_a_folder_whose_parents_are_not_listed_shows_its_whole_name() -> None:
    listed = [folder("user.anna.INBOX", ".", namespace="other"), folder("user.anna.INBOX.a.b", ".", namespace="other"), folder("A.B", None)]
    groups = [(group.namespace, [(one.label, one.depth) for one in group.folders]) for group in tree(listed)]
    assert groups == [("personal", [("A.B", 0)]), ("other", [("user.anna.INBOX", 0), ("a.b", 1)])]


@pytest.mark.parametrize(
    ("ahead", "told"),
    [(timedelta(seconds=-1), "now"), (timedelta(seconds=40), "in 40 s"), (timedelta(hours=5), "in 5 h"), (timedelta(days=8), "1 Dec 2026")],
)
def test_what_is_to_come_is_told_roughly(ahead: timedelta, told: str) -> None:
    assert texts.until((NOW + ahead).isoformat(), NOW) == told


def test_an_unknown_value_is_shown_as_it_is() -> None:
    assert texts.badge("held_back", texts.OUTCOMES).text == "Held back"
    assert ("critical", "critical") in texts.priorities("critical")
