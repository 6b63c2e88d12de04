r"""Moving mails between folders of a server, of what it can do the safest.

MOVE (RFC 6851) where offered; else COPY, and with UIDPLUS (RFC 4315) just these mails are expunged. Without both they keep the flag
\Deleted and stay until somebody expunges the folder: an EXPUNGE of ours would also remove what others have marked.
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from fetcher.adapters.imap.syntax import answer_text, quoted_name
from fetcher.adapters.imap.wire import Client

MOST_CANDIDATES = 20
"""A mail is looked for among so many with its Message-ID, or without one with its size; the newest first."""
MISSING_CODES = ("[TRYCREATE]", "[NONEXISTENT]")


class Way(Enum):
    """How a server moves mails."""

    MOVE = "MOVE"
    COPY_AND_EXPUNGE = "COPY, UID EXPUNGE"
    COPY = "COPY"


@dataclass(frozen=True)
class Copied:
    """COPYUID: where mails came to be, by their UIDs in the source. `told` is False where the server does not say."""

    uid_validity: int | None = None
    uids: Mapping[int, int] = field(default_factory=dict)

    @property
    def told(self) -> bool:
        return self.uid_validity is not None


def way_of(client: Client) -> Way:
    """What the server offers; IMAP4rev2 (RFC 9051) has both."""
    rev2 = client.has_capability("IMAP4REV2")
    if rev2 or client.has_capability("MOVE"):
        return Way.MOVE
    return Way.COPY_AND_EXPUNGE if client.has_capability("UIDPLUS") else Way.COPY


def transfer(client: Client, uids: Sequence[int], folder: str, way: Way) -> Copied:
    """Move, or copy only, from the selected folder. UIDs that are gone are left out. Raises IMAP4.error."""
    client.wire.response("COPYUID")
    command = "MOVE" if way is Way.MOVE else "COPY"
    status, answer = client.wire.uid(command, _set(uids), quoted_name(folder))  # type: ignore[arg-type]  # bytes are sent as they are
    if status != "OK":
        raise imaplib.IMAP4.error(f"{command} failed: {answer_text(answer)}")
    return copied_uids(client.wire.response("COPYUID")[1], frozenset(uids))


def remove(client: Client, uids: Sequence[int], way: Way) -> None:
    """After a copy: no mail but these is expunged."""
    client.add_flags(list(uids), [b"\\Deleted"], silent=True)
    if way is Way.COPY_AND_EXPUNGE:
        client.uid_expunge(list(uids))


def create(client: Client, folder: str) -> None:
    """Make the folder, and show it to programs that list subscribed ones only."""
    client.create_folder(folder)
    with suppress(imaplib.IMAP4.error):
        client.subscribe_folder(folder)


def lacks(client: Client, folder: str, error: imaplib.IMAP4.error) -> bool:
    """Whether a transfer failed because the folder is not there. Not every server says so."""
    if any(code in str(error).upper() for code in MISSING_CODES):
        return True
    try:
        client.folder_status(folder, ["UIDVALIDITY"])
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        return True
    return False


def present(client: Client, uids: Sequence[int]) -> set[int]:
    """Those that are in the selected folder."""
    return set(client.search(["UID", _set(uids)])) & set(uids) if uids else set()


def candidates(client: Client, message_id: str | None, size: int) -> list[int]:
    """UIDs in the selected folder that may be the mail, newest first."""
    usable = message_id is not None and message_id.isascii() and message_id.isprintable() and 0 < len(message_id) <= 500
    if usable and message_id is not None:
        criteria: list[str | bytes] = ["HEADER", "Message-ID", message_id]
    else:
        criteria = ["LARGER", str(size - 1), "SMALLER", str(size + 1)]
    return sorted(client.search(criteria), reverse=True)[:MOST_CANDIDATES]


def copied_uids(data: Sequence[object], asked: frozenset[int]) -> Copied:
    """Read COPYUID; MOVE may give several. What does not fit together tells nothing: the mail is found by its bytes then."""
    validity, uids = None, dict[int, int]()
    for one in data:
        parts = one.split() if isinstance(one, bytes) else []
        if len(parts) != 3 or not parts[0].isdigit() or (validity is not None and validity != int(parts[0])):
            continue
        sources, places = list(_numbers(parts[1], len(asked))), list(_numbers(parts[2], len(asked)))
        if len(sources) == len(places) and asked.issuperset(sources):
            validity = int(parts[0])
            uids |= dict(zip(sources, places, strict=True))
    return Copied(validity, uids) if uids else Copied()


def _set(uids: Sequence[int]) -> str:
    return ",".join(str(uid) for uid in uids)


def _numbers(uid_set: bytes, most: int) -> Iterator[int]:
    """The numbers of a set in its order; one more than `most` at the most, however long its ranges."""
    left = most + 1
    for part in uid_set.split(b","):
        first, _, last = part.partition(b":")
        if not first.isdigit() or not (last or first).isdigit():
            return
        low, high = sorted((int(first), int(last or first)))
        for number in range(low, min(high, low + left - 1) + 1):
            yield number
            left -= 1
        if left <= 0:
            return
