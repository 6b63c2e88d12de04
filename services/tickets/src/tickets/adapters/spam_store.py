"""The spam list, and the mails and tickets it removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Column, ColumnElement, Row, and_, delete, func, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import OutcomeType
from tickets.adapters.desk import mail_state
from tickets.adapters.tables import mails, spam_senders, tickets
from tickets.domain.spam import spellings
from tickets.domain.state import MailState

SPAM_REASON: Final = "spam"
CAME_BACK: Final = (OutcomeType.BOUNCE, OutcomeType.RECEIPT, OutcomeType.AUTO_REPLY, OutcomeType.LOOP)
"""Outcomes of mails that name a ticket without being on it."""
_LOCKS = text(
    "select pg_advisory_xact_lock(k) from "
    "(select hashtextextended('sender:' || n, 0) k from unnest(cast(:senders as text[])) n order by 1) s"
)

Place = tuple[str, str | int]
"""Where a walk through what an entry concerns has come: sender, and number of the ticket or id of the mail."""


async def lock_senders(conn: AsyncConnection, entries: Collection[str]) -> None:
    """Wait until commands with mails that these entries (or addresses) concern are done, and hold new ones back.

    Taken before any ticket's row is locked.
    """
    await conn.execute(_LOCKS, {"senders": sorted({entry for entry in entries if entry})})


# --- the list -----------------------------------------------------------------------------------------------------------------------


async def list_senders(conn: AsyncConnection, q: str | None, after: tuple[datetime, str] | None, limit: int) -> Sequence[Row[Any]]:
    """Newest first; `q` is a part of the address."""
    query = select(spam_senders).order_by(spam_senders.c.created_at.desc(), spam_senders.c.id.desc()).limit(limit)
    if q:
        query = query.where(
            or_(spam_senders.c.folded.contains(q.casefold(), autoescape=True), spam_senders.c.address.icontains(q, autoescape=True))
        )
    if after is not None:
        query = query.where(tuple_(spam_senders.c.created_at, spam_senders.c.id) < tuple_(*after))
    return (await conn.execute(query)).all()


async def get_sender(conn: AsyncConnection, sender_id: str) -> Row[Any] | None:
    return (await conn.execute(select(spam_senders).where(spam_senders.c.id == sender_id.replace("\x00", "")))).first()


async def add_senders(conn: AsyncConnection, entries: Mapping[str, str], actor: str, at: datetime) -> list[Row[Any]]:
    """Entries by their folded form, with the address as it is shown; returns those that are new: each is listed once."""
    rows = [{"id": str(uuid4()), "address": entries[key], "folded": key, "created_by": actor, "created_at": at} for key in sorted(entries)]
    if not rows:
        return []
    made = insert(spam_senders).values(rows).on_conflict_do_nothing(index_elements=["folded"]).returning(spam_senders)
    return list((await conn.execute(made)).all())


async def listed(conn: AsyncConnection, entries: Collection[str]) -> dict[str, Row[Any]]:
    """Those of the entries that are on the list, by their folded form."""
    found = await conn.execute(select(spam_senders).where(spam_senders.c.folded.in_(entries)))
    return {row.folded: row for row in found}


async def remove_sender(conn: AsyncConnection, sender_id: str) -> None:
    await conn.execute(delete(spam_senders).where(spam_senders.c.id == sender_id))


# --- what an entry removed and held -------------------------------------------------------------------------------------------------


def _of(entry: str, sender: Column[Any]) -> ColumnElement[bool]:
    """Senders that the entry concerns."""
    if not entry.startswith("@"):
        return sender.in_(spellings(entry))
    return or_(*(sender.endswith(f"{mark}{one[1:]}", autoescape=True) for one in spellings(entry) for mark in "@."))


def _removed(entry: str) -> ColumnElement[bool]:
    return and_(tickets.c.deleted_reason == SPAM_REASON, _of(entry, tickets.c.sender_folded))


def _held(entry: str) -> ColumnElement[bool]:
    return and_(mails.c.type == OutcomeType.SPAM, mails.c.ticket_id.is_(None), _of(entry, mails.c.sender_folded))


async def count_concerned(conn: AsyncConnection, entry: str) -> int:
    """Tickets that were removed as spam and mails that were held, of senders the entry concerns."""
    removed = select(func.count()).select_from(tickets).where(_removed(entry)).scalar_subquery()
    held = select(func.count()).select_from(mails).where(_held(entry)).scalar_subquery()
    return int(await conn.scalar(select(removed + held)) or 0)


async def removed_tickets(conn: AsyncConnection, entry: str, after: Place | None, limit: int) -> list[Place]:
    """Tickets of the entry's senders that were deleted as spam, by (sender, number)."""
    return await _next_places(conn, tickets.c.sender_folded, tickets.c.id, _removed(entry), after, limit)


async def held_mails(conn: AsyncConnection, entry: str, after: Place | None, limit: int) -> list[Place]:
    """Mails of the entry's senders that were held and so never had a ticket, by (sender, mail id)."""
    return await _next_places(conn, mails.c.sender_folded, mails.c.mail_id, _held(entry), after, limit)


async def lock_tickets(conn: AsyncConnection, ticket_ids: Collection[int]) -> Sequence[Row[Any]]:
    """The rows of those that are there, locked for change with one statement, in the order of their numbers."""
    query = select(tickets).where(tickets.c.id.in_(ticket_ids)).order_by(tickets.c.id).with_for_update(key_share=True)
    return (await conn.execute(query)).all()


async def _next_places(
    conn: AsyncConnection, sender: Column[Any], key: Column[Any], which: ColumnElement[bool], after: Place | None, limit: int
) -> list[Place]:
    query = select(sender, key).where(which).order_by(sender, key).limit(limit)
    if after is not None:
        query = query.where(tuple_(sender, key) > tuple_(*after))
    return [(row[0], row[1]) for row in await conn.execute(query)]


# --- outcomes of mails --------------------------------------------------------------------------------------------------------------


async def spam_mails(conn: AsyncConnection, ticket_ids: Collection[int], at: datetime) -> list[MailState]:
    """The outcomes of the tickets' mails become spam, with higher revisions; returns the new outcomes."""
    values = {"prior_type": mails.c.type, "type": OutcomeType.SPAM, "reason": "its ticket was marked as spam"}
    on_them = and_(mails.c.ticket_id.in_(ticket_ids), mails.c.type.notin_([OutcomeType.SPAM, *CAME_BACK]))
    return await _change_mails(conn, on_them, values, at)


async def unspam_mails(conn: AsyncConnection, ticket_ids: Collection[int], at: datetime) -> list[MailState]:
    """The outcomes of the tickets' mails are again what they were, with higher revisions; returns the new outcomes."""
    values = {
        "type": func.coalesce(mails.c.prior_type, OutcomeType.UPDATE.value),
        "prior_type": None,
        "reason": "its ticket was restored",
    }
    return await _change_mails(conn, and_(mails.c.ticket_id.in_(ticket_ids), mails.c.type == OutcomeType.SPAM), values, at)


async def release_mails(conn: AsyncConnection, mail_ids: Collection[str], at: datetime) -> list[MailState]:
    """Held mails are to be run again; returns the new outcomes."""
    held = and_(mails.c.mail_id.in_(mail_ids), mails.c.type == OutcomeType.SPAM, mails.c.ticket_id.is_(None))
    values = {"type": OutcomeType.RELEASED, "reason": "its sender was taken off the spam list"}
    return await _change_mails(conn, held, values, at)


async def _change_mails(conn: AsyncConnection, which: ColumnElement[bool], values: Mapping[str, Any], at: datetime) -> list[MailState]:
    statement = update(mails).where(which).values({**values, "revision": mails.c.revision + 1, "at": at}).returning(mails)
    return [mail_state(row) for row in await conn.execute(statement)]
