"""States of answers per recipient, and which answers still wait for one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import DeliveryState, MailDelivery, OutgoingMail
from tickets.adapters.tables import deliveries, messages, outgoing
from tickets.domain.coming_back import FINAL
from tickets.domain.deliveries import LEFT, Answered

OPEN: Final = (DeliveryState.QUEUED, DeliveryState.ACCEPTED, DeliveryState.DELAYED)
"""It has not left for that recipient, as far as we know."""
MAX_ANSWERS: Final = 50


async def queue_answer(conn: AsyncConnection, mail: OutgoingMail, at: datetime, draft: Mapping[str, Any] | None = None) -> None:
    """Remember an answer and that each of its recipients waits for it. `draft`: what comes back when it is taken back."""
    recipients = dict.fromkeys(address.address for address in [*mail.to, *mail.cc])
    rows = [{"message_id": mail.outgoing_id, "recipient": address, "state": DeliveryState.QUEUED, "at": at} for address in recipients]
    body = mail.model_dump(mode="json", by_alias=True)
    row = {"message_id": mail.outgoing_id, "ticket_id": mail.ticket_id, "body": body, "sent_at": at}
    row |= {"draft": dict(draft)} if draft is not None else {}
    await conn.execute(insert(outgoing), [row])
    await conn.execute(insert(deliveries), rows)


async def record_delivery(conn: AsyncConnection, news: MailDelivery) -> bool:
    """Keep the news of a known answer where it is newer; whether it was.

    What came back about the mail came later than all the notifier can say.
    """
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
        return False
    await settle(conn, news.outgoing_id)
    return True


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


async def left_for(conn: AsyncConnection, message_id: str) -> list[str]:
    """Recipients for whom it has left, or may have."""
    query = select(deliveries.c.recipient).where(deliveries.c.message_id == message_id, deliveries.c.state.in_(LEFT))
    return list((await conn.execute(query.order_by(deliveries.c.recipient))).scalars())


async def answers_of(conn: AsyncConnection, ticket_id: int) -> list[Answered]:
    """The operators' answers on the ticket, the newest first, at most 50."""
    gone = exists().where(deliveries.c.message_id == outgoing.c.message_id, deliveries.c.state.in_({*LEFT, DeliveryState.BOUNCED}))
    out = or_(outgoing.c.cancelled_at.is_(None), gone).label("out")
    query = select(outgoing.c.message_id, outgoing.c.draft["status"].astext.label("status"), out)
    query = query.join(messages, messages.c.id == outgoing.c.message_id).where(
        messages.c.ticket_id == ticket_id, outgoing.c.draft["status"].is_not(None)
    )
    rows = await conn.execute(query.order_by(messages.c.received_at.desc(), messages.c.order_id.desc()).limit(MAX_ANSWERS))
    return [Answered(row.message_id, row.status, row.out) for row in rows]


async def mark_cancelled(conn: AsyncConnection, message_id: str, at: datetime, restored_status: str | None) -> None:
    """It was taken back, and cannot be again; what status that gave the ticket again, if it did."""
    values = {"cancelled_at": at, "restored_status": restored_status}
    await conn.execute(update(outgoing).where(outgoing.c.message_id == message_id).values(values))
    await conn.execute(update(messages).where(messages.c.id == message_id).values(undo_until=None))


async def overdue(conn: AsyncConnection, before: datetime, limit: int) -> list[str]:
    """Answers that wait since before that moment."""
    query = select(outgoing.c.message_id).where(outgoing.c.waiting, outgoing.c.sent_at < before)
    return list((await conn.execute(query.order_by(outgoing.c.sent_at).limit(limit))).scalars())


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
