"""What webhooks are to be told, and were: the queue that any number of senders share, and the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import webhook_deliveries as deliveries
from tickets.adapters.tables import webhooks

WAKE_CHANNEL = "webhooks"
MOST_WAITING = 10_000
PURGED_AT_ONCE = 1000
TOO_MANY = f"More than {MOST_WAITING:,} changes waited for this webhook, so the oldest were given up."
SWITCHED_OFF = "The webhook was switched off before it was told this. Once it is on again, it can be retried."

_WAKE = text("select pg_notify(:channel, '')")
_GIVE_UP_OLDEST = text(
    """
    update webhook_deliveries set state = 'failed', next_try_at = null, error = :reason
    where state = 'waiting' and id in (
        select oldest.id from (
            select webhook_id, count(*) - :most as surplus from webhook_deliveries
            where webhook_id = any(cast(:webhooks as text[])) and state = 'waiting' group by webhook_id having count(*) > :most
        ) full_one
        cross join lateral (
            select id from webhook_deliveries w
            where w.webhook_id = full_one.webhook_id and w.state = 'waiting' order by w.created_at, w.id limit full_one.surplus
        ) oldest
    )
    """
)
_CLAIM = text(
    """
    with due as (
        select id from webhook_deliveries
        where webhook_id = :webhook and state = 'waiting' and next_try_at <= :now and (claimed_until is null or claimed_until <= :now)
        order by next_try_at limit :rows for update skip locked
    )
    update webhook_deliveries d set claimed_by = :holder, claimed_until = :until from due where d.id = due.id returning d.*
    """
)


async def wake(conn: AsyncConnection) -> None:
    """Senders look at once when the transaction commits."""
    await conn.execute(_WAKE, {"channel": WAKE_CHANNEL})


async def add_deliveries(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Those that are there already stay as they are; of more than `MOST_WAITING` of a webhook the oldest are given up."""
    if not rows:
        return
    await conn.execute(insert(deliveries).on_conflict_do_nothing(), [dict(row) for row in rows])
    webhook_ids = sorted({row["webhook_id"] for row in rows})
    await conn.execute(_GIVE_UP_OLDEST, {"webhooks": webhook_ids, "most": MOST_WAITING, "reason": TOO_MANY})
    await wake(conn)


async def due_webhooks(conn: AsyncConnection, now: datetime) -> Sequence[Row[str, datetime | None]]:
    """Webhooks with something to be told now that nobody is telling; `failing_since` as it is."""
    free = or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= now)
    due = (deliveries.c.webhook_id == webhooks.c.id) & (deliveries.c.state == "waiting") & (deliveries.c.next_try_at <= now) & free
    query = select(webhooks.c.id, webhooks.c.failing_since).where(webhooks.c.enabled, select(1).where(due).exists())
    return (await conn.execute(query.order_by(webhooks.c.id))).all()


async def claim(conn: AsyncConnection, webhook_id: str, holder: str, now: datetime, lease: timedelta, rows: int) -> Sequence[Row[Any]]:
    """Take at most `rows` that are due, the longest due first; others cannot until the lease ends."""
    values = {"webhook": webhook_id, "holder": holder, "now": now, "until": now + lease, "rows": rows}
    return (await conn.execute(_CLAIM, values)).all()


async def settle(conn: AsyncConnection, delivery_id: str, holder: str, values: Mapping[str, Any]) -> bool:
    """Write the result of a try; False where the claim was lost meanwhile, so that somebody else's result holds."""
    mine = (deliveries.c.id == delivery_id) & (deliveries.c.claimed_by == holder) & (deliveries.c.state == "waiting")
    statement = update(deliveries).where(mine).values({**values, "claimed_by": None, "claimed_until": None})
    return (await conn.execute(statement)).rowcount > 0


async def give_up_waiting(conn: AsyncConnection, webhook_id: str, now: datetime) -> None:
    """Of a webhook that was switched off; what is being told at this moment is settled by whoever tells it."""
    free = or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= now)
    waiting = (deliveries.c.webhook_id == webhook_id) & (deliveries.c.state == "waiting") & free
    await conn.execute(update(deliveries).where(waiting).values(state="failed", next_try_at=None, error=SWITCHED_OFF))


async def list_deliveries(
    conn: AsyncConnection, webhook_id: str, state: str | None, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Newest first."""
    query = select(deliveries).where(deliveries.c.webhook_id == webhook_id)
    query = query.order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    if after is not None:
        query = query.where(tuple_(deliveries.c.created_at, deliveries.c.id) < tuple_(*after))
    return (await conn.execute(query)).all()


async def get_delivery(conn: AsyncConnection, webhook_id: str, delivery_id: str, *, lock: bool = False) -> Row[Any] | None:
    query = select(deliveries).where(deliveries.c.webhook_id == webhook_id, deliveries.c.id == delivery_id.replace("\x00", ""))
    return (await conn.execute(query.with_for_update() if lock else query)).first()


async def add_told(conn: AsyncConnection, values: Mapping[str, Any]) -> None:
    """One that was told already: a test. Nothing happens where it is there."""
    await conn.execute(insert(deliveries).values(**values).on_conflict_do_nothing())


async def tell_again(conn: AsyncConnection, delivery_id: str, now: datetime) -> None:
    """Due now. One that was finished gets the whole schedule anew."""
    tries = text("case when state = 'waiting' then tries else 0 end")
    values = {"state": "waiting", "tries": tries, "next_try_at": now, "delivered_at": None}
    await conn.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))
    await wake(conn)


async def waiting_count(conn: AsyncConnection) -> int:
    return await conn.scalar(select(func.count()).select_from(deliveries).where(deliveries.c.state == "waiting")) or 0


async def purge(conn: AsyncConnection, before: datetime) -> int:
    """Remove finished deliveries made before, `PURGED_AT_ONCE` at most; returns how many."""
    finished = (deliveries.c.state != "waiting") & (deliveries.c.created_at < before)
    some = select(deliveries.c.id).where(finished).order_by(deliveries.c.created_at).limit(PURGED_AT_ONCE).with_for_update(skip_locked=True)
    return (await conn.execute(delete(deliveries).where(deliveries.c.id.in_(some)))).rowcount
