"""Tickets whose words the search has to read anew; `tickets.search` works it off.

What somebody changed comes before those that were all queued at once, by a migration or with other languages.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_QUEUE: Final = text(
    """
    insert into search_queue (ticket_id) select n from unnest(cast(:numbers as bigint[])) n order by n
    on conflict (ticket_id) do update set background = false, created_at = now() where search_queue.background
    """
)
_QUEUE_ALL: Final = text("insert into search_queue (ticket_id, background) select id, true from tickets order by id on conflict do nothing")
_TAKE: Final = text(
    """
    delete from search_queue where ticket_id in
    (select ticket_id from search_queue order by background, created_at limit :count for update skip locked)
    returning ticket_id
    """
)
_WAITING: Final = text(
    """
    select (select count(*) from search_queue),
           (select extract(epoch from now() - min(created_at)) from search_queue where not background)
    """
)


async def read_again(conn: AsyncConnection, ticket_ids: Collection[int]) -> None:
    """In the transaction of the change: one that is being worked off at this moment is worked off once more."""
    if ticket_ids:
        await conn.execute(_QUEUE, {"numbers": list(ticket_ids)})


async def read_all_again(conn: AsyncConnection) -> None:
    """Every ticket, after those that somebody changed. It is one statement, and takes as long as it takes."""
    await conn.execute(text("set local statement_timeout = 0"))
    await conn.execute(_QUEUE_ALL)


async def take(conn: AsyncConnection, count: int) -> Sequence[int]:
    """The tickets that are next; those another replica is at are left to it. Back in the queue where the transaction fails."""
    return (await conn.execute(_TAKE, {"count": count})).scalars().all()


async def waiting(conn: AsyncConnection) -> tuple[int, float]:
    """How many wait, and for how many seconds the oldest change does."""
    row = (await conn.execute(_WAITING)).one()
    return int(row[0]), float(row[1] or 0)
