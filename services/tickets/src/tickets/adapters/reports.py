"""What came back about our mails: a row per recipient, their states, and the failures somebody must look at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import DeliveryState, OutgoingMode
from tickets.adapters.tables import deliveries, message_reports, messages, outgoing, tickets
from tickets.domain.attention import Failure, Trouble, trouble
from tickets.domain.coming_back import Reported
from tickets.domain.deliveries import LOST

MAX_SHOWN: Final = 50
_NEWEST: Final = text(
    """
    select r.* from unnest(cast(:ids as text[])) m(id)
    cross join lateral (select * from message_reports where message_id = m.id order by at desc, id desc limit :most) r
    order by r.at, r.id
    """
)


@dataclass(frozen=True)
class Answer:
    """A mail of ours, as far as what becomes of it matters to its ticket."""

    id: str
    ticket_id: int
    mode: str | None
    received_at: datetime
    cancelled_at: datetime | None
    """When it was taken back."""
    restored_status: str | None
    """What that made the ticket again; None where it changed nothing, or the message has moved to another ticket."""


async def lock_answer_of(conn: AsyncConnection, answer_id: str) -> Answer | None:
    """The mail of ours, locked after its ticket and before its recipients; None where it was purged."""
    sent = select(outgoing.c.cancelled_at, outgoing.c.restored_status).where(outgoing.c.message_id == answer_id)
    taken_back = (await conn.execute(sent.with_for_update())).first()
    columns = (messages.c.id, messages.c.ticket_id, messages.c.first_ticket_id, messages.c.mode, messages.c.received_at)
    query = select(*columns).where(messages.c.id == answer_id, messages.c.direction == "out")
    row = (await conn.execute(query)).first()
    if row is None:
        return None
    moved = row.first_ticket_id not in {None, row.ticket_id}
    return Answer(
        id=row.id,
        ticket_id=row.ticket_id,
        mode=row.mode,
        received_at=row.received_at,
        cancelled_at=taken_back.cancelled_at if taken_back else None,
        restored_status=taken_back.restored_status if taken_back and not moved else None,
    )


async def lock_tickets_of(conn: AsyncConnection, answer_ids: Collection[str]) -> Sequence[Row[Any]]:
    """Their tickets, locked in the order of their numbers, as everybody does."""
    of_them = select(messages.c.ticket_id).where(messages.c.id.in_(answer_ids)).scalar_subquery()
    query = select(tickets).where(tickets.c.id.in_(of_them)).order_by(tickets.c.id)
    return (await conn.execute(query.with_for_update(key_share=True))).all()


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
        {
            "message_id": answer_id,
            "mail_id": mail_id,
            "kind": one.kind,
            "recipient": one.recipient,
            "detail": one.detail,
            "flagged": one.somebody_lost,
            "at": at,
        }
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
    """What became of the answer for these is to be looked at."""
    await _set_flag(conn, answer_id, recipients, flagged=True)


async def unflag_recipients(conn: AsyncConnection, answer_id: str, recipients: Collection[str]) -> None:
    """It is not any more."""
    await _set_flag(conn, answer_id, recipients, flagged=False)


async def _set_flag(conn: AsyncConnection, answer_id: str, recipients: Collection[str], *, flagged: bool) -> None:
    if recipients:
        which = (deliveries.c.message_id == answer_id) & deliveries.c.recipient.in_(recipients)
        await conn.execute(update(deliveries).where(which).values(flagged=flagged))


async def unflag(conn: AsyncConnection, ticket_id: int) -> None:
    """An operator looked at the ticket."""
    of_it = select(messages.c.id).where(messages.c.ticket_id == ticket_id).scalar_subquery()
    for table in (deliveries, message_reports):
        await conn.execute(update(table).where(table.c.message_id.in_(of_it), table.c.flagged).values(flagged=False))


async def unflag_older(conn: AsyncConnection, answer: Answer, recipients: Collection[str]) -> None:
    """What these recipients did not get of the ticket's answers before this one, which they got."""
    if not recipients:
        return
    older = select(messages.c.id).where(
        messages.c.ticket_id == answer.ticket_id, messages.c.direction == "out", messages.c.received_at < answer.received_at
    )
    folded = [recipient.casefold() for recipient in recipients]
    which = deliveries.c.message_id.in_(older.scalar_subquery()) & func.lower(deliveries.c.recipient).in_(folded)
    lost = deliveries.c.flagged & deliveries.c.state.in_(LOST)
    await conn.execute(update(deliveries).where(which & lost).values(flagged=False))


async def failures_of(conn: AsyncConnection, ticket_id: int, answer_id: str | None = None) -> list[Failure]:
    """The flagged ones of a ticket, the newest first; of one answer where it is named."""
    which = (messages.c.ticket_id == ticket_id) & ((messages.c.id == answer_id) if answer_id is not None else true())
    found = [*await _flagged_recipients(conn, which), *await _flagged_reports(conn, which)]
    return sorted(found, key=lambda one: (-one.sent_at.timestamp(), one.recipient))


async def _flagged_recipients(conn: AsyncConnection, which: ColumnElement[bool]) -> list[Failure]:
    columns = (deliveries.c.recipient, deliveries.c.state, deliveries.c.detail, outgoing.c.cancelled_at)
    query = select(*columns, messages.c.mode, messages.c.received_at).join(messages, messages.c.id == deliveries.c.message_id)
    query = query.outerjoin(outgoing, outgoing.c.message_id == messages.c.id).where(which, deliveries.c.flagged)
    found = []
    for row in await conn.execute(query):
        what = trouble(DeliveryState(row.state), taken_back=row.cancelled_at is not None)
        if what is not None:
            found.append(Failure(row.recipient, _mode(row.mode), row.received_at, row.detail, what))
    return found


async def _flagged_reports(conn: AsyncConnection, which: ColumnElement[bool]) -> list[Failure]:
    columns = (message_reports.c.recipient, message_reports.c.detail, messages.c.mode, messages.c.received_at)
    query = select(*columns).join(messages, messages.c.id == message_reports.c.message_id).where(which, message_reports.c.flagged)
    rows = await conn.execute(query)
    return [Failure(row.recipient, _mode(row.mode), row.received_at, row.detail, Trouble.LOST_TO_SOMEBODY) for row in rows]


def _mode(written: str | None) -> OutgoingMode:
    return OutgoingMode(written or OutgoingMode.INFO)


async def reports_of(conn: AsyncConnection, ids: Sequence[str]) -> Mapping[str, list[Row[Any]]]:
    """By message, the newest 50 of each, the oldest of these first."""
    found: dict[str, list[Row[Any]]] = {}
    for row in await conn.execute(_NEWEST, {"ids": list(ids), "most": MAX_SHOWN}):
        found.setdefault(row.message_id, []).append(row)
    return found
