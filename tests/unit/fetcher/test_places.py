from __future__ import annotations

from dataclasses import dataclass

from fetcher.domain.lines import duplicate
from fetcher.domain.places import places

FOUND = str(duplicate({}, "m")["outcome_reason"])
MOVED = "we moved it there"


@dataclass
class Line:
    id: str
    folder: str
    uid: int
    outcome_reason: str | None = None
    at_folder: str | None = None
    at_uid_validity: int | None = None
    at_uid: int | None = None
    uid_validity: int = 7


def shown(first: Line, *further: Line) -> list[tuple[str, int | None, str, bool, bool]]:
    return [(one.folder, one.uid, one.mail_id, one.moved, one.current) for one in places(first, further)]


def test_a_mail_is_at_its_first_place_and_where_else_it_was_found() -> None:
    assert shown(Line("m", "INBOX", 1), Line("d", "Copies", 4, FOUND)) == [
        ("INBOX", 1, "m", False, True),
        ("Copies", 4, "d", False, True),
    ]


def test_of_our_own_moves_the_last_is_where_it_is() -> None:
    first = Line("m", "INBOX", 1, at_folder="Junk", at_uid_validity=7, at_uid=9)
    assert shown(first, Line("d", "Done", 4, MOVED), Line("e", "Junk", 9, MOVED)) == [
        ("INBOX", 1, "m", False, False),
        ("Done", 4, "d", True, False),
        ("Junk", 9, "e", True, True),
    ]


def test_a_mail_moved_back_is_at_a_new_place_in_its_first_folder() -> None:
    first = Line("m", "INBOX", 1, at_folder="INBOX", at_uid_validity=7, at_uid=12)
    assert shown(first, Line("d", "Junk", 4, MOVED), Line("e", "INBOX", 12, MOVED)) == [
        ("INBOX", 1, "m", False, False),
        ("Junk", 4, "d", True, False),
        ("INBOX", 12, "e", True, True),
    ]


def test_where_the_server_did_not_say_the_new_uid_the_folder_alone_is_known() -> None:
    first = Line("m", "INBOX", 1, at_folder="Done")
    assert shown(first) == [("INBOX", 1, "m", False, False), ("Done", None, "m", True, True)]
    assert shown(first, Line("d", "Done", 4, FOUND))[1:] == [("Done", 4, "d", True, True)]
