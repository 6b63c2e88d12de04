"""The spam list, and the mails and tickets it removed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import OutcomeType
from tickets.adapters.desk import mail_state
from tickets.adapters.tables import mails, spam_senders, tickets
from tickets.domain.state import MailState

SPAM_REASON = "spam"
_LOCKS = text(
    "select pg_advisory_xact_lock(k) from "
    "(select hashtextextended('sender:' || n, 0) k from unnest(cast(:senders as text[])) n order by 1) s"
)


async def lock_senders(conn: AsyncConnection, keys: Sequence[str]) -> None:
    """Wait until commands with mails of these senders are done, and hold new ones back; taken before any ticket's row is locked."""
    await conn.execute(_LOCKS, {"senders": sorted({key for key in keys if key})})


async def list_senders(conn: AsyncConnection, after: tuple[datetime, str] | None, limit: int) -> Sequence[Row[Any]]:
    query = select(spam_senders).order_by(spam_senders.c.created_at.desc(), spam_senders.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(spam_senders.c.created_at, spam_senders.c.id) < tuple_(*after))
    return (await conn.execute(query)).all()


async def get_sender(conn: AsyncConnection, sender_id: str) -> Row[Any] | None:
    return (await conn.execute(select(spam_senders).where(spam_senders.c.id == sender_id.replace("\x00", "")))).first()


async def add_sender(conn: AsyncConnection, address: str, key: str, actor: str, at: datetime) -> tuple[Row[Any], bool]:
    """The entry, and whether it is new: an address is listed once."""
    values = {"id": str(uuid4()), "address": address, "folded": key, "created_by": actor, "created_at": at}
    made = await conn.execute(insert(spam_senders).values(values).on_conflict_do_nothing(index_elements=["folded"]).returning(spam_senders))
    row = made.first()
    if row is not None:
        return row, True
    return (await conn.execute(select(spam_senders).where(spam_senders.c.folded == key))).one(), False


async def remove_sender(conn: AsyncConnection, sender_id: str) -> None:
    await conn.execute(delete(spam_senders).where(spam_senders.c.id == sender_id))


async def removed_tickets(conn: AsyncConnection, key: str, limit: int) -> Sequence[Row[Any]]:
    """Tickets of this sender that were deleted as spam, locked, in the order of their numbers."""
    query = select(tickets).where(tickets.c.sender_folded == key, tickets.c.deleted_reason == SPAM_REASON)
    return (await conn.execute(query.order_by(tickets.c.id).limit(limit).with_for_update(key_share=True))).all()


async def spam_mails(conn: AsyncConnection, ticket_id: int, at: datetime) -> list[MailState]:
    """The outcome of the ticket's mails becomes spam, with a higher revision; returns the new outcomes."""
    values = {
        "prior_type": mails.c.type,
        "type": OutcomeType.SPAM,
        "reason": "its ticket was marked as spam",
        "revision": mails.c.revision + 1,
        "at": at,
    }
    statement = update(mails).where(mails.c.ticket_id == ticket_id, mails.c.type != OutcomeType.SPAM).values(values)
    return [mail_state(row) for row in await conn.execute(statement.returning(mails))]


async def unspam_mails(conn: AsyncConnection, ticket_id: int, at: datetime) -> list[MailState]:
    """The outcome of the ticket's mails is again what it was, with a higher revision; returns the new outcomes."""
    values = {
        "type": func.coalesce(mails.c.prior_type, OutcomeType.UPDATE.value),
        "prior_type": None,
        "reason": "its ticket was restored",
        "revision": mails.c.revision + 1,
        "at": at,
    }
    statement = update(mails).where(mails.c.ticket_id == ticket_id, mails.c.type == OutcomeType.SPAM).values(values)
    return [mail_state(row) for row in await conn.execute(statement.returning(mails))]
