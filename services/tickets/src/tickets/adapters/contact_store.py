"""Contacts and their addresses; a ticket is connected to the contact that has its sender's address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import Record
from shared.http import ProblemError, not_found
from tickets.adapters.tables import record_addresses, records, tickets
from tickets.domain.keys import address_key


async def list_contacts(conn: AsyncConnection, q: str | None, after: tuple[datetime, str] | None, limit: int) -> list[Record]:
    query = select(records).order_by(records.c.created_at, records.c.id).limit(limit)
    words = (q or "").replace("\x00", "").strip()
    if words:
        having = select(record_addresses.c.contact_id).where(record_addresses.c.address.icontains(words, autoescape=True))
        query = query.where(or_(records.c.name.icontains(words, autoescape=True), records.c.id.in_(having)))
    if after is not None:
        query = query.where(tuple_(records.c.created_at, records.c.id) > tuple_(*after))
    return await _shown(conn, (await conn.execute(query)).all())


async def get_contact(conn: AsyncConnection, contact_id: str, *, lock: bool = False) -> Record:
    """Raises ProblemError 404."""
    query = select(records).where(records.c.id == contact_id.replace("\x00", ""))
    row = (await conn.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise not_found("contact", contact_id)
    return (await _shown(conn, [row]))[0]


async def insert_contact(conn: AsyncConnection, contact_id: str, name: str, at: datetime) -> bool:
    """False where it was there already."""
    statement = insert(records).values(id=contact_id, name=name, created_at=at).on_conflict_do_nothing()
    return (await conn.execute(statement.returning(records.c.id))).first() is not None


async def change_contact(conn: AsyncConnection, contact_id: str, name: str) -> None:
    await conn.execute(update(records).where(records.c.id == contact_id).values(name=name, version=records.c.version + 1))


async def delete_contact(conn: AsyncConnection, contact_id: str) -> None:
    """Its tickets stay, connected to nobody."""
    values = {"contact_id": None, "version": tickets.c.version + 1, "updated_at": func.now()}
    await conn.execute(update(tickets).where(tickets.c.contact_id == contact_id).values(values))
    await conn.execute(delete(records).where(records.c.id == contact_id))


async def set_addresses(conn: AsyncConnection, contact_id: str, addresses: Sequence[str]) -> list[str]:
    """Replace the contact's addresses; returns their keys. Raises ProblemError 409 where another contact has one."""
    by_key = {address_key(address): address for address in addresses}
    taken = select(record_addresses.c.address, record_addresses.c.contact_id)
    query = taken.where(record_addresses.c.folded.in_(list(by_key)), record_addresses.c.contact_id != contact_id)
    if found := (await conn.execute(query)).first():
        raise ProblemError(409, "Address taken", f"{found.address} belongs to contact {found.contact_id}; take it out there first.")
    await conn.execute(delete(record_addresses).where(record_addresses.c.contact_id == contact_id))
    rows = [
        {"folded": key, "contact_id": contact_id, "address": address, "position": position}
        for position, (key, address) in enumerate(by_key.items())
    ]
    await conn.execute(insert(record_addresses), rows)
    return list(by_key)


async def connect_tickets(conn: AsyncConnection, contact_id: str, keys: Sequence[str]) -> Sequence[Row[Any]]:
    """Connect the tickets of these senders that are connected to nobody; returns their numbers, titles and versions."""
    values = {"contact_id": contact_id, "version": tickets.c.version + 1, "updated_at": func.now()}
    statement = update(tickets).where(tickets.c.sender_folded.in_(keys), tickets.c.contact_id.is_(None)).values(values)
    return (await conn.execute(statement.returning(tickets.c.id, tickets.c.title, tickets.c.version))).all()


async def _shown(conn: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Record]:
    query = select(record_addresses).where(record_addresses.c.contact_id.in_([row.id for row in rows]))
    addresses: dict[str, list[str]] = {}
    for row in await conn.execute(query.order_by(record_addresses.c.contact_id, record_addresses.c.position)):
        addresses.setdefault(row.contact_id, []).append(row.address)
    return [
        Record(
            id=row.id,
            type="contact",
            updated_at=row.updated_at,
            name=row.name,
            addresses=addresses.get(row.id, []),
            version=row.version,
            created_at=row.created_at,
        )
        for row in rows
    ]
