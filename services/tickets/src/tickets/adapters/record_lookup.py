"""What a ticket asks of the registry."""

from __future__ import annotations

from sqlalchemy import case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import record_addresses, records
from tickets.domain.keys import record_keys
from tickets.domain.registry import SORTS


async def record_of(conn: AsyncConnection, address: str) -> str | None:
    """Id of the contact, else account, else lead that has the address; None for nobody's."""
    place = case({sort: place for place, sort in enumerate(SORTS)}, value=record_addresses.c.type)
    query = select(record_addresses.c.contact_id).where(record_addresses.c.folded.in_(record_keys(address))).order_by(place).limit(1)
    found: str | None = await conn.scalar(query)
    return found


async def holds_record(conn: AsyncConnection, record_id: str) -> bool:
    """Whether there is such a record; it stays until the transaction ends. Asked before any ticket's row is locked."""
    query = select(records.c.id).where(records.c.id == record_id).with_for_update(key_share=True, read=True)
    return await conn.scalar(query) is not None
