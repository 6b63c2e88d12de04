"""The tickets and mails of contacts, accounts and leads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import FiledMail, RecordType
from tickets.adapters.tables import mails, tickets
from tickets.domain.registry import sender_keys, stronger, tagged_senders

_UNCONNECTED = text(
    """
    select t.id, t.title, t.version, t.contact_id, t.sender from tickets t left join contacts c on c.id = t.contact_id
    where t.id in (
        select id from tickets where sender_folded = any(cast(:keys as text[]))
        union
        select tagged.id from unnest(cast(:lows as text[]), cast(:highs as text[]), cast(:endings as text[])) r(low, high, ending)
        cross join lateral (
            select id from tickets
            where sender_folded ~>=~ r.low and sender_folded ~<~ r.high and right(sender_folded, length(r.ending)) = r.ending
        ) tagged
    ) and (t.contact_id is null or c.type <> all(cast(:stronger as text[])))
    order by t.id limit :limit for no key update of t
    """
)
_CONNECT = text(
    """
    update tickets t set contact_id = r.owner, version = t.version + 1, updated_at = now()
    from unnest(cast(:ids as bigint[]), cast(:owners as text[])) r(id, owner) where t.id = r.id returning t.id, t.version
    """
)
_MAILS = text(
    """
    select m.mail_id, m.ticket_id, m.sender_folded, m.rule_name, m.received_at from (
        (select mail_id, ticket_id, sender_folded, rule_name, received_at from mails
         where record_id = :record and received_at is not null and (received_at, mail_id) < (cast(:at as timestamptz), cast(:id as text))
         order by received_at desc, mail_id desc limit :limit)
        union
        (select o.mail_id, o.ticket_id, o.sender_folded, o.rule_name, o.received_at from tickets t join mails o on o.ticket_id = t.id
         where t.contact_id = :record and o.received_at is not null
         and (o.received_at, o.mail_id) < (cast(:at as timestamptz), cast(:id as text))
         order by o.received_at desc, o.mail_id desc limit :limit)
    ) m order by m.received_at desc, m.mail_id desc limit :limit
    """
)
"""Either half is bounded and comes by an index: that of `record_id`, and those of the record's tickets and of their mails."""


async def unconnected(conn: AsyncConnection, sort: RecordType, addresses: Collection[str], limit: int) -> Sequence[Row[Any]]:
    """Tickets of these senders that are connected to nobody, or to a weaker sort than this; locked, the oldest first."""
    tagged = [one for address in addresses for one in tagged_senders(address)]
    values = {
        "keys": sorted({key for address in addresses for key in sender_keys(address)}),
        "lows": [one.low for one in tagged],
        "highs": [one.high for one in tagged],
        "endings": [one.ending for one in tagged],
        "stronger": list(stronger(sort)),
        "limit": limit,
    }
    return (await conn.execute(_UNCONNECTED, values)).all()


async def tickets_of(conn: AsyncConnection, record_ids: Sequence[str], limit: int) -> Sequence[Row[Any]]:
    """Tickets connected to one of these, locked, the oldest first."""
    columns: list[Any] = [tickets.c.id, tickets.c.title, tickets.c.version, tickets.c.contact_id, tickets.c.sender]
    query = select(*columns).where(tickets.c.contact_id.in_(record_ids)).order_by(tickets.c.id).limit(limit)
    rows: Sequence[Row[Any]] = (await conn.execute(query.with_for_update(key_share=True))).all()
    return rows


async def count_tickets(conn: AsyncConnection, record_ids: Sequence[str], most: int) -> int:
    """How many are connected to one of these; counts no further than `most`."""
    some = select(tickets.c.id).where(tickets.c.contact_id.in_(record_ids)).limit(most).subquery()
    return int(await conn.scalar(select(func.count()).select_from(some)) or 0)


async def set_owners(conn: AsyncConnection, owners: Mapping[int, str | None]) -> dict[int, int]:
    """Connect the tickets; returns their new versions."""
    rows = await conn.execute(_CONNECT, {"ids": list(owners), "owners": list(owners.values())})
    return {row.id: row.version for row in rows}


async def move_mails(conn: AsyncConnection, from_ids: Sequence[str], to: str, limit: int) -> int:
    """Mails filed with one of these are filed with another record; returns how many."""
    some = select(mails.c.mail_id).where(mails.c.record_id.in_(from_ids)).order_by(mails.c.mail_id).limit(limit).with_for_update()
    moved = await conn.execute(update(mails).where(mails.c.mail_id.in_(some)).values(record_id=to))
    return moved.rowcount


async def list_mails(conn: AsyncConnection, record_id: str, before: tuple[datetime, str] | None, limit: int) -> list[FiledMail]:
    """Filed with the record, or on a ticket of it; newest first."""
    at, mail_id = before or ("infinity", "")
    rows = await conn.execute(_MAILS, {"record": record_id, "at": at, "id": mail_id, "limit": limit})
    return [
        FiledMail(
            mail_id=row.mail_id, ticket_id=row.ticket_id, sender=row.sender_folded, received_at=row.received_at, rule_name=row.rule_name
        )
        for row in rows
    ]
