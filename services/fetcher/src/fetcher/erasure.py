"""The fetcher's part of an erasure: the ledger and the archive.

Mails from the address go whole: what the ledger says of them, and their bytes. So do bounces and receipts about answers to it, which
quote both. In the lines of other people's mails the address is replaced; their bytes stay as they came, since those are their mails,
and a signature holds only for whole bytes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from obstore.exceptions import BaseError
from sqlalchemy import Row

from fetcher.adapters import erasure as lines
from shared.archive import Archive
from shared.erasure.eraser import Erasing, Step, Stepped
from shared.erasure.messages import messaging_steps
from shared.events import OutcomeType
from shared.messaging.errors import UnavailableError
from shared.messaging.outbox import Unit

ROWS: Final = 500
SETTLING: Final = timedelta(minutes=5)
"""A line first seen less than this ago may be of a scan that is about to archive its mail: it is waited for."""
ABOUT_ANSWERS: Final = frozenset({OutcomeType.BOUNCE, OutcomeType.RECEIPT})
KEPT: Final = (
    "The mails in the mailbox itself, which the mail server keeps: delete them there.",
    "Of each mail removed: its place in the mailbox, size, SHA-256 and outcome, so that it is never read as a new one.",
    "The bytes of other people's mails that name the address among their recipients or in their text.",
)


def steps(archive: Archive) -> list[Step]:
    """In their order."""

    async def erase_lines(unit: Unit, erasing: Erasing, place: int | None) -> Stepped:
        """The next lines of the ledger."""
        after = place or 0
        last = await lines.last_of(unit.conn, after, ROWS)
        if last is None:
            return Stepped(kept=KEPT)
        found = await lines.naming(unit.conn, erasing.person, after, last, SETTLING)
        theirs = [row for row in found if _is_theirs(row, erasing)]
        unsettled = next((row.number for row in theirs if row.state == "seen" and row.archive_key and row.fresh), None)
        if unsettled is not None:
            last = unsettled - 1
        gone = [row for row in theirs if row.number <= last]
        removed = {"mails": len(gone), "archived": await _remove(archive, [row.archive_key for row in gone if row.archive_key])}
        await lines.erase(unit.conn, [row.id for row in gone])
        others = [row for row in found if row.number <= last and row not in gone and _names(row, erasing)]
        await lines.put_recipients(unit.conn, [_replaced(row, erasing) for row in others])
        removed["mails_of_others"] = len(others)
        return Stepped(last, removed, mails=[row.id for row in gone], waits=unsettled is not None)

    return [erase_lines, *messaging_steps()]


def _is_theirs(row: Row[Any], erasing: Erasing) -> bool:
    if row.received_at is None or row.received_at > erasing.before:
        return False
    return erasing.person.wrote(row.sender) or (row.outcome_type in ABOUT_ANSWERS and erasing.person.named_in(row.outcome_reason))


def _names(row: Row[Any], erasing: Erasing) -> bool:
    if row.received_at is not None and row.received_at > erasing.before:
        return False
    return any(erasing.person.named_in(text) for text in (*row.recipients, row.outcome_reason))


def _replaced(row: Row[Any], erasing: Erasing) -> dict[str, Any]:
    recipients = [erasing.person.without_name(one) for one in row.recipients]
    return {"key": row.id, "recipients": recipients, "reason": erasing.person.without(row.outcome_reason)}


async def _remove(archive: Archive, keys: list[str]) -> int:
    try:
        await archive.remove_many(keys)
    except (OSError, BaseError) as error:
        raise UnavailableError(f"the archive did not remove {len(keys)} mails: {type(error).__name__}") from error
    return len(keys)
