"""Mails, registry, spam list, views and jobs without a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Text, bindparam, cast, delete, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.erasure.person import Person
from tickets.adapters.tables import import_parts, jobs, mails, record_addresses, records, saved_views, spam_senders

ROWS: Final = 500
_LAST_MAIL: Final = text("select max(mail_id) from (select mail_id from mails where mail_id > :after order by mail_id limit :rows) part")
_MAILS: Final = text(
    """
    select mail_id, reason, sender_folded from mails
    where mail_id > :after and mail_id <= :last and (received_at is null or received_at <= :before)
      and (sender_folded = :folded or reason ilike :like or mail_id = any(cast(:named as text[])))
    order by mail_id for update
    """
)
_RECORDS: Final = text(
    """
    select c.id, c.type, c.type <> 'account' and not exists (
        select 1 from contact_addresses other where other.contact_id = c.id and other.folded <> :folded) as alone
    from contacts c where exists (select 1 from contact_addresses a where a.contact_id = c.id and a.folded = :folded)
      and c.created_at <= :until
    order by c.id limit :rows
    """
)


async def last_mail(conn: AsyncConnection, after: str) -> str | None:
    """Id of the last of the next mails; None where there are no more."""
    last: str | None = await conn.scalar(_LAST_MAIL, {"after": after, "rows": ROWS})
    return last


async def mails_of(
    conn: AsyncConnection, person: Person, before: datetime, named: Sequence[str], after: str, last: str
) -> Sequence[Row[Any]]:
    """Of the mails up to `last`: the person's, those the fetcher named, and those whose outcome names the address. Locked."""
    within = [mail_id for mail_id in named if after < mail_id <= last]
    values = {"folded": person.folded, "like": person.like, "before": before, "named": within, "after": after, "last": last}
    return (await conn.execute(_MAILS, values)).all()


async def put_mails(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """`key`, `why` and `who`."""
    if rows:
        values: dict[str, Any] = {"reason": bindparam("why"), "sender_folded": bindparam("who")}
        await conn.execute(update(mails).where(mails.c.mail_id == bindparam("key")).values(values), list(rows))


async def records_of(conn: AsyncConnection, person: Person, until: datetime) -> Sequence[Row[Any]]:
    """Records with the address; `alone`: it is a contact or lead without any other."""
    return (await conn.execute(_RECORDS, {"folded": person.folded, "until": until, "rows": ROWS})).all()


async def remove_from_records(conn: AsyncConnection, person: Person, ids: Sequence[str], whole: Sequence[str]) -> None:
    """The address from all of them; `whole` ones go with it."""
    of = record_addresses.c
    await conn.execute(delete(record_addresses).where(of.contact_id.in_(ids), of.folded == person.folded))
    await conn.execute(update(records).where(records.c.id.in_(ids)).values(version=records.c.version + 1))
    await conn.execute(delete(records).where(records.c.id.in_(whole)))


async def remove_from_spam_list(conn: AsyncConnection, person: Person) -> int:
    return (await conn.execute(delete(spam_senders).where(spam_senders.c.folded == person.folded))).rowcount


TEXTS: Final = (
    (records, ("name", "company", "website", "note"), None),
    (saved_views, ("name", "filter"), None),
    (jobs, ("input", "result"), ("done", "failed")),
    (import_parts, ("lines",), None),
)
"""Small tables that people's own words are in: table, columns, and the states in which a row is not changed by others any more."""


async def clean_texts(conn: AsyncConnection, person: Person) -> int:
    """The address replaced in all of them, at most so many rows of each; returns how many were."""
    cleaned = 0
    for table, names, states in TEXTS:
        key = list(table.primary_key.columns)
        query = select(*key, *(table.c[name] for name in names)).where(
            or_(*(cast(table.c[name], Text).ilike(person.like) for name in names))
        )
        if states is not None:
            query = query.where(table.c.state.in_(states))
        for row in (await conn.execute(query.limit(ROWS))).all():
            before = {name: getattr(row, name) for name in names}
            after = {name: person.without(value) for name, value in before.items()}
            if after == before:
                continue
            same = [column == getattr(row, column.name) for column in key]
            await conn.execute(update(table).where(*same).values(after))
            cleaned += 1
    return cleaned
