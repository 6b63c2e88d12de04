"""The outbox relay: publishes unsent rows in id order and marks them sent.

One relay per service is active: it holds a lease row and checks it in the transaction that marks rows sent, so a frozen one that
wakes up late can at worst publish the same ids again. Rows are taken by "unsent", never by a high-water mark: sequence numbers are
not commit order. A row the producer refuses is parked, with later rows of its key only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import listen
from shared.messaging.errors import UnavailableError, is_unavailable
from shared.messaging.outbox import WAKE_CHANNEL
from shared.messaging.producer import HeldBackError, Message, Producer, Result
from shared.messaging.tables import MessagingTables
from shared.observability import DEAD_LETTERS, OUTBOX_PARKED, OUTBOX_SENT, OUTBOX_WAITING, RETRIES, get_logger

log = get_logger("relay")

LEASE = timedelta(seconds=10)
BATCH_ROWS = 500
BATCH_BYTES = 8 * 1024 * 1024
POLL_S = 1.0
"""A notification may be lost while the listener is disconnected; polling finds what it missed."""
MAX_BACKOFF_S = 10.0
KEEP_SENT = timedelta(hours=1)
KEEP_INBOX = timedelta(days=45)
"""Longer than any topic keeps an event (30 days), so an old delivery is always recognised."""
PURGE_EVERY_ROUNDS = 600

_UNSENT = text(
    """
    select id, topic, key, headers, value from (
        select o.*, sum(coalesce(octet_length(value), 0)) over (order by id) as bytes, row_number() over (order by id) as n
        from (
            select * from outbox o
            where sent_at is null and parked_at is null
              and not exists (select 1 from outbox p where p.topic = o.topic and p.key = o.key
                              and p.parked_at is not null and p.sent_at is null and p.id < o.id)
            order by id limit :rows
        ) o
    ) bounded
    where bytes <= :bytes or n = 1
    order by id
    """
)


class Relay:
    """Run `run()` as a task while the service lives; cancel it to stop."""

    def __init__(self, engine: AsyncEngine, tables: MessagingTables, producer: Producer, holder: str) -> None:
        self._engine = engine
        self._tables = tables
        self._producer = producer
        self._holder = holder
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Publish for ever. What is merely away is retried with backoff; anything else is logged and retried too."""
        listener = asyncio.create_task(listen(self._engine, WAKE_CHANNEL, lambda _: self._wake.set()), name="relay-listener")
        backoff, rounds = 0.1, 0
        try:
            while True:
                try:
                    sent = await self._round()
                    rounds += 1
                    if rounds % PURGE_EVERY_ROUNDS == 1:
                        await self._purge()
                    backoff = 0.1
                except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                    RETRIES.labels("relay", type(error).__name__).inc()
                    log.warning("outbox relay waits", error=str(error)[:500], seconds=backoff, away=is_unavailable(error))
                    await asyncio.sleep(backoff)
                    backoff = min(backoff * 2, MAX_BACKOFF_S)
                    continue
                if sent < BATCH_ROWS // 2:
                    await self._pause()
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), POLL_S)
        self._wake.clear()

    async def _round(self) -> int:
        """Send one bounded batch; returns how many rows it took."""
        async with self._engine.begin() as conn:
            if not await self._take_lease(conn):
                return 0
            rows = (await conn.execute(_UNSENT, {"rows": BATCH_ROWS, "bytes": BATCH_BYTES})).all()
        if rows:
            await self._publish(rows)
        return len(rows)

    async def _publish(self, rows: Sequence[Row[Any]]) -> None:
        """Send the rows and mark what became of each. Raises UnavailableError where some were not acknowledged; they stay unsent."""
        results = await self._producer.send([Message(row.topic, row.key, row.headers, row.value) for row in rows])
        answers = list(zip(rows, results, strict=True))
        async with self._engine.begin() as conn:
            if not await self._take_lease(conn):
                raise UnavailableError("the relay's lease went to another replica; it will send the rows again")
            await self._mark(conn, answers)
        for row, result in answers:
            if result is None:
                OUTBOX_SENT.labels(row.topic).inc()
        for result in results:
            if isinstance(result, UnavailableError) and not isinstance(result, HeldBackError):
                raise result

    async def _mark(self, conn: AsyncConnection, answers: Sequence[tuple[Row[Any], Result]]) -> None:
        outbox = self._tables.outbox
        sent = [row.id for row, result in answers if result is None]
        await conn.execute(update(outbox).where(outbox.c.id.in_(sent)).values(sent_at=func.now()))
        for row, error in answers:
            if error is not None and not isinstance(error, UnavailableError):
                log.error("outbox row parked: Kafka refuses it for good", row=row.id, error=repr(error))
                await conn.execute(update(outbox).where(outbox.c.id == row.id).values(parked_at=func.now(), error=repr(error)))

    async def _take_lease(self, conn: AsyncConnection) -> bool:
        """Take or renew the lease; locks its row until the transaction ends."""
        lease = self._tables.relay_lease
        until = func.now() + LEASE
        statement = insert(lease).values(name="outbox", holder=self._holder, until=until)
        statement = statement.on_conflict_do_update(
            index_elements=[lease.c.name],
            set_={"holder": self._holder, "until": until},
            where=(lease.c.holder == self._holder) | (lease.c.until < func.now()),
        )
        return (await conn.execute(statement.returning(lease.c.name))).first() is not None

    async def _purge(self) -> None:
        outbox, inbox = self._tables.outbox, self._tables.inbox
        async with self._engine.begin() as conn:
            await conn.execute(outbox.delete().where(outbox.c.sent_at < func.now() - KEEP_SENT))
            await conn.execute(inbox.delete().where(inbox.c.created_at < func.now() - KEEP_INBOX))
            waiting = select(func.count()).where(outbox.c.sent_at.is_(None))
            OUTBOX_WAITING.set(await conn.scalar(waiting) or 0)
            OUTBOX_PARKED.set(await conn.scalar(waiting.where(outbox.c.parked_at.is_not(None))) or 0)
            letters = self._tables.dead_letters
            DEAD_LETTERS.set(await conn.scalar(select(func.count()).where(letters.c.state == "waiting")) or 0)
