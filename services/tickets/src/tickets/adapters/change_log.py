"""The history of tickets: every change, by whom, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.operators import add_operators
from tickets.adapters.tables import ticket_changes


async def add_changes(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of `ticket_changes`, all with the same columns. Whoever changed a ticket, or was given one, is an operator from now on."""
    if rows:
        await conn.execute(insert(ticket_changes), list(rows))
        given = (told["after"] for row in rows for told in row["changes"] if told["field"] == "assignee")
        await add_operators(conn, {*(row["actor"] for row in rows), *given})


async def list_changes(conn: AsyncConnection, ticket_id: int, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """Newest first, those with ids below `before`."""
    query = select(ticket_changes).where(ticket_changes.c.ticket_id == ticket_id).order_by(ticket_changes.c.id.desc()).limit(limit)
    return (await conn.execute(query if before is None else query.where(ticket_changes.c.id < before))).all()
