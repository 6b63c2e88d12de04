"""Where reading goes on in a folder: (UIDVALIDITY, UID), never a date, and only a hint.

The ledger decides what was handled; the cursor keeps a scan from listing the whole folder each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fetcher.domain.mails import Listed, Treatment

WINDOW = 1_000
"""A scan looks this many UIDs back: servers have been seen to show a lower UID later than a higher one."""


@dataclass(frozen=True, slots=True)
class FolderState:
    """What the database keeps of a folder. `uid_validity` is None before its first scan."""

    uid_validity: int | None = None
    cursor: int = 0
    start_uid: int = 0
    """Mails up to here were there before the scanner's start and get no line."""
    start_at: datetime | None = None
    """Mails older than this are not meant to be read; asked of UIDs up to `checked_uid` only, as a mail moved in later may be old."""
    checked_uid: int = 0
    added_at: datetime | None = None
    """When the folder was ticked: `now` and `N days back` mean this moment, however late the first scan that succeeds."""
    problem: str | None = None
    """Why it could not be read at the last scan."""
    renamed_to: str | None = None

    def low(self) -> int:
        """The scan asks for UIDs above this."""
        return max(self.start_uid, self.cursor - WINDOW)


def start_moment(start_from: str, added_at: datetime) -> datetime | None:
    """The moment `now` or `P7D` means, None for `everything`. Whole seconds, as INTERNALDATE has them: none of that second is lost."""
    if start_from == "everything":
        return None
    days = re.fullmatch(r"P(\d{1,4})D", start_from)
    return added_at.replace(microsecond=0) - timedelta(days=int(days[1]) if days else 0)


def first_state(start_from: str, uid_validity: int, last_uid: int, first_wanted: int | None, moment: datetime | None) -> FolderState:
    """State of a folder met for the first time. For `now`, `first_wanted` is the first UID that came after `moment`, None without any."""
    state = FolderState(uid_validity=uid_validity, start_at=moment)
    if start_from == "now":
        before = last_uid if first_wanted is None else first_wanted - 1
        return replace(state, cursor=before, start_uid=before)
    return replace(state, checked_uid=last_uid) if moment is not None else state


def renumbered(state: FolderState, uid_validity: int, last_uid: int) -> FolderState:
    """The server gave all mails new UIDs: read the folder again. What is older than the start stays unread."""
    return FolderState(uid_validity=uid_validity, start_at=state.start_at, checked_uid=last_uid if state.start_at else 0)


def treat(state: FolderState, listed: Listed, unread: frozenset[int] | None, max_bytes: int) -> Listed:
    """Decide what a UID without line gets. `unread`: the unread UIDs where only those are wanted."""
    if state.start_at is not None and listed.uid <= state.checked_uid and _before(listed.received_at, state):
        return replace(listed, treatment=Treatment.BEFORE_START)
    if unread is not None and listed.uid not in unread:
        return replace(listed, treatment=Treatment.ALREADY_READ)
    if listed.size > max_bytes:
        return replace(listed, treatment=Treatment.TOO_LARGE)
    return listed


def _before(received_at: datetime, state: FolderState) -> bool:
    return state.start_at is not None and received_at < state.start_at


LEAST_BYTES = 256 * 1024
SECONDS_AHEAD = 2.0
FASTER = 8
"""At most so many times as much at once as before."""


@dataclass
class Pace:
    """How many bytes to ask for at once: about two seconds' worth, so that a server that trickles never holds much memory."""

    most: int
    room: int = 0

    def __post_init__(self) -> None:
        self.room = min(self.most, LEAST_BYTES)

    def note(self, size: int, seconds: float) -> None:
        """So many bytes took so long."""
        wanted = int(size / max(seconds, 0.001) * SECONDS_AHEAD)
        self.room = min(self.most, max(LEAST_BYTES, min(wanted, FASTER * self.room)))


def batches(listed: Iterable[Listed], count: int, pace: Pace) -> Iterator[list[Listed]]:
    """Groups in the given order, bounded by number and by the pace so far; a mail above that comes alone."""
    group: list[Listed] = []
    total = 0
    for one in listed:
        weight = one.size if one.treatment.whole else 0
        if group and (len(group) >= count or total + weight > pace.room):
            yield group
            group, total = [], 0
        group.append(one)
        total += weight
    if group:
        yield group


def taken_up_again(skipped: Mapping[int, str | None], unread: frozenset[int] | None) -> list[int]:
    """UIDs skipped because they were read, found unread now. `skipped`: uid → reason."""
    if unread is None:
        return []
    return sorted(uid for uid, reason in skipped.items() if uid in unread and reason == Treatment.ALREADY_READ.value)
