"""Messages that change their ticket, by a merge or a split: they are kept apart from the mails being carried out.

A command reads which ticket a Message-ID leads to, and stores the mail there some statements later. Were the messages moved in
between, the mail would land on the ticket they left. So every batch of commands holds a lock that all batches share, and a move holds it
alone: a move waits for the batches under way, and the following ones see all of it. It is taken before any ticket's row is locked.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SHARED = text("select pg_advisory_xact_lock_shared(hashtextextended('moves', 0))")
_ALONE = text("select pg_advisory_xact_lock(hashtextextended('moves', 0))")


async def hold_moves_off(conn: AsyncConnection) -> None:
    """Until the transaction ends, no message changes its ticket."""
    await conn.execute(_SHARED)


async def begin_move(conn: AsyncConnection) -> None:
    """Wait for the mails being carried out, and hold the next ones back until the transaction ends."""
    await conn.execute(_ALONE)
