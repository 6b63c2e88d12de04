"""What came back about our mails: a row per recipient, their states, and the failures somebody must look at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import DeliveryState, OutgoingMode
from tickets.adapters.tables import deliveries, message_reports, messages, tickets
from tickets.domain.attention import Failure
from tickets.domain.coming_back import Reported

MAX_SHOWN: Final = 50
_OLDEST: Final = text(
    """
    select r.* from unnest(cast(:ids as text[])) m(id)
    cross join lateral (select * from message_reports where message_id = m.id order by at, id limit :most) r
    """
)


async def answer_of(conn: AsyncConnection, answer_id: str) -> Row[Any] | None:
    """The message of ours; None where it was purged."""
    return (await conn.execute(select(messages).where(messages.c.id == answer_id, messages.c.direction == "out"))).first()


async def lock_ticket_of(conn: AsyncConnection, answer_id: str) -> Row[Any] | None:
    """Its ticket, locked before the rows of its recipients, as everybody does."""
    query = select(tickets).join(messages, messages.c.ticket_id == tickets.c.id).where(messages.c.id == answer_id)
    return (await conn.execute(query.with_for_update(of=tickets, key_share=True))).first()


async def lock_states(conn: AsyncConnection, answer_id: str) -> dict[str, DeliveryState]:
    """Recipients of an answer with their states, locked."""
    query = select(deliveries).where(deliveries.c.message_id == answer_id).order_by(deliveries.c.recipient).with_for_update()
    return {row.recipient: DeliveryState(row.state) for row in await conn.execute(query)}


async def add_reports(conn: AsyncConnection, answer_id: str, mail_id: str, at: datetime, found: Sequence[Reported]) -> list[Reported]:
    """Those of them that were not there already."""
    rows = [
        {"message_id": answer_id, "mail_id": mail_id, "kind": one.kind, "recipient": one.recipient, "detail": one.detail, "at": at}
        for one in found
    ]
    if not rows:
        return []
    made = insert(message_reports).values(rows).on_conflict_do_nothing().returning(message_reports.c.recipient)
    new = set((await conn.execute(made)).scalars())
    return [one for one in found if one.recipient in new]


async def put_states(conn: AsyncConnection, answer_id: str, at: datetime, changed: Collection[Reported]) -> None:
    """The sequence stays: it orders the notifier's news."""
    for one in changed:
        which = (deliveries.c.message_id == answer_id) & (deliveries.c.recipient == one.recipient)
        await conn.execute(update(deliveries).where(which).values(state=one.state, detail=one.reason, at=at))


async def flag(conn: AsyncConnection, answer_id: str, recipients: Collection[str]) -> None:
    """These failures are to be looked at."""
    which = (deliveries.c.message_id == answer_id) & deliveries.c.recipient.in_(recipients)
    await conn.execute(update(deliveries).where(which).values(flagged=True))


async def unflag(conn: AsyncConnection, ticket_id: int) -> None:
    """An operator looked at the ticket."""
    of_it = select(messages.c.id).where(messages.c.ticket_id == ticket_id).scalar_subquery()
    await conn.execute(update(deliveries).where(deliveries.c.message_id.in_(of_it), deliveries.c.flagged).values(flagged=False))


async def unflag_older(conn: AsyncConnection, answer: Row[Any], recipients: Collection[str]) -> None:
    """What these recipients did not get of the ticket's answers before this one, which they got."""
    older = select(messages.c.id).where(
        messages.c.ticket_id == answer.ticket_id, messages.c.direction == "out", messages.c.received_at < answer.received_at
    )
    folded = [recipient.casefold() for recipient in recipients]
    which = deliveries.c.message_id.in_(older.scalar_subquery()) & func.lower(deliveries.c.recipient).in_(folded) & deliveries.c.flagged
    await conn.execute(update(deliveries).where(which).values(flagged=False))


async def failures_of(conn: AsyncConnection, ticket_id: int, answer_id: str | None = None) -> list[Failure]:
    """The flagged ones of a ticket, the newest first; of one answer where it is named."""
    columns = (deliveries.c.recipient, deliveries.c.detail, messages.c.mode, messages.c.received_at)
    query = select(*columns).join(messages, messages.c.id == deliveries.c.message_id)
    query = query.where(messages.c.ticket_id == ticket_id, deliveries.c.flagged)
    if answer_id is not None:
        query = query.where(messages.c.id == answer_id)
    rows = await conn.execute(query.order_by(messages.c.received_at.desc(), deliveries.c.recipient))
    return [Failure(row.recipient, OutgoingMode(row.mode or OutgoingMode.INFO), row.received_at, row.detail) for row in rows]


async def reports_of(conn: AsyncConnection, ids: Sequence[str]) -> Mapping[str, list[Row[Any]]]:
    """By message, the oldest first, at most 50 of each."""
    found: dict[str, list[Row[Any]]] = {}
    for row in await conn.execute(_OLDEST, {"ids": list(ids), "most": MAX_SHOWN}):
        found.setdefault(row.message_id, []).append(row)
    return found
