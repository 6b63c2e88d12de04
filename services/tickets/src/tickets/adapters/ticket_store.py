"""Tickets as the API reads and changes them. Changes of one row are guarded by its lock; versions rise with each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, Select, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.http import not_found
from tickets.adapters.tables import messages, records, tickets
from tickets.domain.keys import MAX_BIGINT


def selected() -> Select[Any]:
    """Tickets with what a view of them shows beyond their columns."""
    count = select(func.count()).where(messages.c.ticket_id == tickets.c.id).scalar_subquery()
    contact = [records.c.name.label("contact_name"), records.c.type.label("contact_type")]
    columns: list[Any] = [tickets, *contact, count.label("message_count")]
    return select(*columns).outerjoin(records, records.c.id == tickets.c.contact_id)


async def get_ticket(conn: AsyncConnection, ticket_id: int) -> Row[Any]:
    """Raises ProblemError 404, also for numbers no ticket can have."""
    row: Row[Any] | None = None
    if 0 < ticket_id <= MAX_BIGINT:
        row = (await conn.execute(selected().where(tickets.c.id == ticket_id))).first()
    if row is None:
        raise not_found("ticket", ticket_id)
    return row


async def lock_ticket(conn: AsyncConnection, ticket_id: int) -> Row[Any]:
    """The row, locked for change. Raises ProblemError 404."""
    row = None
    if 0 < ticket_id <= MAX_BIGINT:
        row = (await conn.execute(select(tickets).where(tickets.c.id == ticket_id).with_for_update(key_share=True))).first()
    if row is None:
        raise not_found("ticket", ticket_id)
    return row


async def lock_tickets(conn: AsyncConnection, ticket_ids: Collection[int]) -> dict[int, Row[Any]]:
    """The rows by number, locked for change in the order of their numbers. Raises ProblemError 404."""
    return {ticket_id: await lock_ticket(conn, ticket_id) for ticket_id in sorted(ticket_ids)}


async def made_before(conn: AsyncConnection, idempotency_id: str) -> int | None:
    """Number of the ticket that was made under this id."""
    found: int | None = await conn.scalar(select(tickets.c.id).where(tickets.c.idempotency_id == idempotency_id))
    return found


async def change_ticket(conn: AsyncConnection, ticket_id: int, values: Mapping[str, Any]) -> int:
    """Set the values; returns the new version."""
    raised = {"version": tickets.c.version + literal(1), "updated_at": func.now()}
    statement = update(tickets).where(tickets.c.id == ticket_id).values({**values, **raised}).returning(tickets.c.version)
    return int(await conn.scalar(statement) or 0)


async def insert_ticket(conn: AsyncConnection, values: Mapping[str, Any]) -> tuple[int, bool]:
    """Number of the ticket with this `idempotency_id`, and whether it was made now."""
    statement = insert(tickets).values(values).on_conflict_do_nothing(index_elements=[tickets.c.idempotency_id])
    made = await conn.scalar(statement.returning(tickets.c.id))
    if made is not None:
        return int(made), True
    return await made_before(conn, values["idempotency_id"]) or 0, False
