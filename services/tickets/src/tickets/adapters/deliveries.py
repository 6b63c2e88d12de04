"""States of answers per recipient, and which answers still wait for one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import DeliveryState, MailDelivery, OutgoingMail
from tickets.adapters.tables import deliveries, messages, outgoing, tickets
from tickets.domain.coming_back import FINAL

OPEN: Final = (DeliveryState.QUEUED, DeliveryState.ACCEPTED, DeliveryState.DELAYED)
"""It has not left for that recipient, as far as we know."""


async def queue_answer(conn: AsyncConnection, mail: OutgoingMail, at: datetime, draft: Mapping[str, Any] | None = None) -> None:
    """Remember an answer and that each of its recipients waits for it. `draft`: what comes back when it is taken back."""
    recipients = dict.fromkeys(address.address for address in [*mail.to, *mail.cc])
    rows = [{"message_id": mail.outgoing_id, "recipient": address, "state": DeliveryState.QUEUED, "at": at} for address in recipients]
    body = mail.model_dump(mode="json", by_alias=True)
    row = {"message_id": mail.outgoing_id, "ticket_id": mail.ticket_id, "body": body, "sent_at": at}
    row |= {"draft": dict(draft)} if draft is not None else {}
    await conn.execute(insert(outgoing), [row])
    await conn.execute(insert(deliveries), rows)


async def record_delivery(conn: AsyncConnection, news: MailDelivery) -> Row[Any, Any] | None:
    """Keep the news where it is newer; returns id and title of the ticket, None where it was older or the answer is unknown.

    What came back about the mail came later than all the notifier can say.
    """
    query = select(tickets.c.id, tickets.c.title).join(messages, messages.c.ticket_id == tickets.c.id)
    ticket = (await conn.execute(query.where(messages.c.id == news.outgoing_id))).first()
    if ticket is None:
        return None
    row = {
        "message_id": news.outgoing_id,
        "recipient": news.recipient,
        "state": news.state,
        "sequence": news.sequence,
        "detail": news.detail,
        "at": news.at,
    }
    statement = insert(deliveries).values(row)
    changes = {name: statement.excluded[name] for name in ("state", "sequence", "detail", "at")}
    statement = statement.on_conflict_do_update(
        index_elements=[deliveries.c.message_id, deliveries.c.recipient],
        set_=changes,
        where=(deliveries.c.sequence < statement.excluded.sequence) & deliveries.c.state.notin_(FINAL),
    )
    if (await conn.execute(statement.returning(deliveries.c.message_id))).first() is None:
        return None
    await settle(conn, news.outgoing_id)
    return ticket


async def settle(conn: AsyncConnection, message_id: str) -> None:
    """An answer whose recipients all have news is no longer watched by the sweep."""
    still = exists().where(deliveries.c.message_id == message_id, deliveries.c.state == DeliveryState.QUEUED)
    await conn.execute(update(outgoing).where(outgoing.c.message_id == message_id, ~still).values(waiting=False))


async def lock_answer(conn: AsyncConnection, message_id: str) -> Row[Any] | None:
    """The answer as it was sent, locked; None for a message that is none."""
    return (await conn.execute(select(outgoing).where(outgoing.c.message_id == message_id).with_for_update())).first()


async def waits(conn: AsyncConnection, message_id: str) -> bool:
    """Whether it has not left for some recipient."""
    still = exists().where(deliveries.c.message_id == message_id, deliveries.c.state.in_(OPEN))
    return bool(await conn.scalar(select(still)))


async def mark_cancelled(conn: AsyncConnection, message_id: str, at: datetime) -> None:
    """It was taken back, and cannot be again."""
    await conn.execute(update(outgoing).where(outgoing.c.message_id == message_id).values(cancelled_at=at))
    await conn.execute(update(messages).where(messages.c.id == message_id).values(undo_until=None))


async def overdue(conn: AsyncConnection, before: datetime, limit: int) -> Sequence[Row[Any]]:
    """Answers that wait since before that moment, locked; another replica's sweep skips them."""
    query = select(outgoing).where(outgoing.c.waiting, outgoing.c.sent_at < before).order_by(outgoing.c.sent_at).limit(limit)
    return (await conn.execute(query.with_for_update(skip_locked=True))).all()


async def resent(conn: AsyncConnection, message_id: str, resends: int, at: datetime) -> None:
    await conn.execute(update(outgoing).where(outgoing.c.message_id == message_id).values(resends=resends, sent_at=at))


async def give_up(conn: AsyncConnection, message_id: str, reason: str, at: datetime) -> list[str]:
    """Recipients still without news are failed; returns them. The sequence stays: whatever the notifier reports later is newer."""
    waiting = (deliveries.c.message_id == message_id) & (deliveries.c.state == DeliveryState.QUEUED)
    failed = update(deliveries).where(waiting).values(state=DeliveryState.FAILED, detail=reason, at=at)
    lost = list((await conn.execute(failed.returning(deliveries.c.recipient))).scalars())
    await conn.execute(update(outgoing).where(outgoing.c.message_id == message_id).values(waiting=False))
    return lost


async def unsent(conn: AsyncConnection, ticket_ids: Collection[int]) -> Sequence[Row[Any, Any]]:
    """Answers of tickets that have not left for all recipients, as far as we know: rows (message_id, ticket_id)."""
    query = select(deliveries.c.message_id, messages.c.ticket_id).distinct().join(messages, messages.c.id == deliveries.c.message_id)
    query = query.where(messages.c.ticket_id.in_(ticket_ids), deliveries.c.state.in_(OPEN))
    return (await conn.execute(query.order_by(deliveries.c.message_id))).all()
