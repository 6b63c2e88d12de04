"""Every place a mail was seen at, from its ledger lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fetcher.domain.lines import duplicate
from shared.api import Place


class PlaceLine(Protocol):
    """The columns of a ledger line that tell where its mail is."""

    id: str
    folder: str
    uid_validity: int
    uid: int
    outcome_reason: str | None
    at_folder: str | None
    at_uid_validity: int | None
    at_uid: int | None


def places(first: PlaceLine, further: Sequence[PlaceLine]) -> list[Place]:
    """The first place, then the further ones in the order they were met. `first` knows where our last move left the mail.

    A move to a server that did not say the new UID has no line before the folder is scanned, if ever: its place has no UID.
    """
    moved = first.at_folder is not None
    met_by_scan = duplicate({}, first.id)["outcome_reason"]
    found = [_place(first, moved=False, current=not moved)]
    for line in further:
        here = _left_here(first, line)
        ours = here or line.outcome_reason != met_by_scan
        found.append(_place(line, moved=ours, current=here or not ours))
    if first.at_folder is not None and not any(one.moved and one.current for one in found):
        uid_validity, uid = first.at_uid_validity, first.at_uid
        found.append(Place(folder=first.at_folder, uid_validity=uid_validity, uid=uid, mail_id=first.id, moved=True))
    return found


def _left_here(first: PlaceLine, line: PlaceLine) -> bool:
    if first.at_uid is None:
        return first.at_folder == line.folder
    return (first.at_folder, first.at_uid_validity, first.at_uid) == (line.folder, line.uid_validity, line.uid)


def _place(line: PlaceLine, *, moved: bool, current: bool) -> Place:
    return Place(folder=line.folder, uid_validity=line.uid_validity, uid=line.uid, mail_id=line.id, moved=moved, current=current)
