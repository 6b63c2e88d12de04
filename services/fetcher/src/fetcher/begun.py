"""Mails that are begun but not known to be published: the end of each batch, and what a crash left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters import ledger
from fetcher.adapters.leases import Lease
from fetcher.publish import INLINE_BYTES, Item
from shared.archive import Archive, BlobNotFoundError
from shared.events import OutcomeType
from shared.messaging.errors import UnavailableError
from shared.observability import get_logger

if TYPE_CHECKING:
    from fetcher.poll import Tools

log = get_logger("begun")

AT_ONCE = 20
"""Read from the archive together; none of them is larger than an event."""
MOST = 100_000


async def finish_begun(tools: Tools, lease: Lease, scanner_id: str) -> int:
    """Publish what a crash left `seen` and is in the archive; the rest is fetched again by its folder's scan. Returns how many."""
    finished = 0
    async with tools.engine.connect() as conn:
        waiting = await ledger.begun(conn, scanner_id, MOST)
    for first in range(0, len(waiting), AT_ONCE):
        found = [await from_archive(tools.archive, line) for line in waiting[first : first + AT_ONCE]]
        items = [item for item in found if item is not None]
        if not items:
            continue
        lease.check()
        refused = await tools.publisher.publish(items)
        async with tools.engine.begin() as conn:
            await lease.fence(conn)
            await confirm(conn, items, refused)
        finished += len(items) - len(refused)
    return finished


async def from_archive(archive: Archive, line: ledger.Line) -> Item | None:
    """The line with its bytes, which a large one's event does without; None where the archive has none. Raises UnavailableError."""
    try:
        if line.size > INLINE_BYTES:
            return Item(line, b"") if await archive.holds(line.archive_key) else None
        return Item(line, await archive.get(line.archive_key))
    except BlobNotFoundError:
        return None
    except (OSError, BaseError) as error:
        raise UnavailableError(f"the archive did not give a mail: {error}") from error


async def confirm(conn: AsyncConnection, items: Sequence[Item], refused: Mapping[str, str]) -> None:
    """Lines `published`, or `failed` where Kafka refuses the event for good."""
    await ledger.published(conn, [item.line.id for item in items if item.line.id not in refused])
    for mail_id, why in refused.items():
        log.error("Kafka refuses a mail", mail_id=mail_id, reason=why)
        await ledger.finish(conn, [mail_id], OutcomeType.FAILED.value, f"Kafka refuses the event: {why}"[:500])
