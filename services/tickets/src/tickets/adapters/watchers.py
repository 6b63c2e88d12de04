"""Who gets a copy of a ticket's answers, and whom an operator took off: a later Cc does not bring him back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.mail.model import Address
from tickets.adapters.tables import watchers


async def watchers_of(conn: AsyncConnection, ticket_ids: Sequence[int]) -> dict[int, list[Address]]:
    """By ticket, in the order they were added."""
    query = select(watchers).where(watchers.c.ticket_id.in_(ticket_ids), watchers.c.removed.is_(False))
    found: dict[int, list[Address]] = {}
    for row in await conn.execute(query.order_by(watchers.c.ticket_id, watchers.c.created_at, watchers.c.folded)):
        found.setdefault(row.ticket_id, []).append(Address(name=row.name, address=row.address))
    return found


async def removed_watchers(conn: AsyncConnection, ticket_id: int) -> frozenset[str]:
    """Folded addresses of those an operator took off."""
    query = select(watchers.c.folded).where(watchers.c.ticket_id == ticket_id, watchers.c.removed)
    return frozenset((await conn.execute(query)).scalars())


async def set_watchers(conn: AsyncConnection, ticket_id: int, wanted: Mapping[str, Address]) -> None:
    """By their keys. Whoever is not among them any more is marked as removed."""
    gone = update(watchers).where(watchers.c.ticket_id == ticket_id, watchers.c.folded.notin_(list(wanted)))
    await conn.execute(gone.values(removed=True))
    await add_watchers(conn, ticket_id, wanted)


async def add_watchers(conn: AsyncConnection, ticket_id: int, added: Mapping[str, Address]) -> None:
    """By their keys; one that was removed is back."""
    rows = [{"ticket_id": ticket_id, "folded": key, "address": one.address, "name": one.name} for key, one in added.items()]
    if rows:
        statement = insert(watchers).values(created_at=func.clock_timestamp())
        await conn.execute(statement.on_conflict_do_update(index_elements=["ticket_id", "folded"], set_={"removed": False}), rows)
