"""Tickets whose words the search has to read anew; `tickets.search` works it off."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_QUEUE = text("insert into search_queue (ticket_id) select n from unnest(cast(:numbers as bigint[])) n order by n on conflict do nothing")


async def read_again(conn: AsyncConnection, ticket_ids: Collection[int]) -> None:
    """In the transaction of the change: one that is being worked off at this moment is worked off once more."""
    if ticket_ids:
        await conn.execute(_QUEUE, {"numbers": list(ticket_ids)})
