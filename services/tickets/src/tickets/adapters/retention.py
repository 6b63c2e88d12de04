"""Removes for good: deleted tickets with all that belongs to them, and jobs that ended long ago."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Table, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import METADATA, messages, search_queue, ticket_search, tickets
from tickets.adapters.uploads import unwant_of_tickets

_OLD_JOBS: Final = text(
    """
    delete from jobs where id in (
        select id from jobs where state in ('done', 'failed') and updated_at < :before order by updated_at limit :rows)
    """
)


async def deleted_before(conn: AsyncConnection, before: datetime, limit: int) -> list[int]:
    """Numbers of tickets that were deleted until then, locked; another replica's are skipped."""
    old = select(tickets.c.id).where(tickets.c.deleted_at < before).order_by(tickets.c.deleted_at, tickets.c.id).limit(limit)
    return list((await conn.execute(old.with_for_update(skip_locked=True))).scalars())


async def remove_tickets(conn: AsyncConnection, numbers: Sequence[int]) -> None:
    """With messages, ids and people. What only refers to them, as the outcomes of their mails do, stays and refers to nothing.

    The bytes of their uploaded files are unwanted from now on.
    """
    await unwant_of_tickets(conn, numbers)
    of_them = select(messages.c.id).where(messages.c.ticket_id.in_(numbers)).scalar_subquery()
    for table, column in _referring_to(messages):
        await _remove_or_clear(conn, table, column, of_them)
    await conn.execute(delete(search_queue).where(search_queue.c.ticket_id.in_(numbers)))
    await conn.execute(delete(ticket_search).where(ticket_search.c.ticket_id.in_(numbers)))
    for table, column in _referring_to(tickets):
        await _remove_or_clear(conn, table, column, numbers)
    await conn.execute(delete(tickets).where(tickets.c.id.in_(numbers)))


async def remove_jobs(conn: AsyncConnection, before: datetime, limit: int) -> int:
    """Ended jobs whose last step was before then; returns how many."""
    return (await conn.execute(_OLD_JOBS, {"before": before, "rows": limit})).rowcount


def _referring_to(target: Table) -> Iterator[tuple[Table, Column[Any]]]:
    """Every column of ours that refers to the table's rows: those that hang on them first."""
    for table in reversed(METADATA.sorted_tables):
        for key in table.foreign_keys:
            if key.column.table is target:
                yield table, key.parent


async def _remove_or_clear(conn: AsyncConnection, table: Table, column: Column[Any], wanted: Any) -> None:
    if column.nullable:
        await conn.execute(update(table).where(column.in_(wanted)).values({column.name: None}))
    else:
        await conn.execute(delete(table).where(column.in_(wanted)))
