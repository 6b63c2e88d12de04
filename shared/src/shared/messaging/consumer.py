"""The batch consumer: every event's effect once, one bad event stops nothing.

A batch is first handled in one transaction: inbox rows, advisory locks in sorted order, each record, the events they emit. When
anything in it fails, the transaction is rolled back and the records go one by one, each in a transaction of its own. A record that
fails alone `max_tries` times becomes a dead letter, in one transaction with its inbox row. What is merely away (database, broker)
is waited for and never dead-lettered.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from sqlalchemy import text

from shared.events import EventModel
from shared.messaging.broker import reliable
from shared.messaging.dead_letters import DeadLetters, FailureHook
from shared.messaging.envelope import MalformedEventError
from shared.messaging.errors import BrakedError, NeverRetryError, is_race, is_unavailable
from shared.messaging.outbox import Outbox, Unit
from shared.messaging.received import Received, Record, receive
from shared.messaging.tables import MessagingTables
from shared.observability import BATCH_SECONDS, BRAKED, EVENTS_HANDLED, RETRIES, get_logger
from shared.settings import ServiceSettings
from shared.topics import Topic

log = get_logger("consumer")
M = TypeVar("M", bound=EventModel)

Handler = Callable[[Unit, Received[M]], Awaitable[None]]
BatchHook = Callable[[Unit, Sequence[Received[M]]], Awaitable[None]]
LockNames = Callable[[Received[M]], Iterable[str]]

_ENTER = text(
    """
    insert into inbox (consumer, event_id) select :consumer, id from unnest(cast(:ids as text[])) id
    on conflict do nothing returning event_id
    """
)
AWAY_TRIES = 6
"""Tries inside one delivery while something is away (about 30 s); then Kafka delivers the batch again."""
BACKOFF_S, MAX_BACKOFF_S = 0.2, 10.0
BRAKED_PAUSE_S = 5.0


class Consumer(Generic[M]):
    """One topic's consumer in one service. `handle` runs inside the transaction and may run again: it must have no other effect."""

    def __init__(
        self,
        service: str,
        topic: Topic,
        handle: Handler[M],
        *,
        outbox: Outbox,
        tables: MessagingTables,
        settings: ServiceSettings,
        begin: BatchHook[M] | None = None,
        locks: LockNames[M] | None = None,
        on_failure: FailureHook | None = None,
    ) -> None:
        """The consumer group is `<namespace>.<service>.<topic>`: one per topic, so that no topic's rebalance stops another.

        `begin` runs once per transaction, before the records. `locks` names the advisory locks a record needs. `on_failure` runs in
        the transaction that writes a dead letter.
        """
        self.name = f"{service}.{topic.name}"
        self.topic = topic
        self._handle = handle
        self._begin = begin
        self._locks = locks
        self._outbox = outbox
        self._tables = tables
        self._settings = settings
        self.dead_letters = DeadLetters(self.name, topic, self._run_again, outbox, tables, on_failure)
        self._dead_in_a_row = 0

    def subscribe(self, broker: KafkaBroker) -> None:
        """Register on the broker, with the options of `shared.messaging.broker.reliable`."""
        topic = self.topic.full_name(self._settings.namespace)

        @broker.subscriber(topic, title=self.name, **reliable(self._settings, self.name))  # type: ignore[untyped-decorator]  # options given as a dict
        async def on_batch(bodies: list[bytes], message: KafkaMessage) -> None:  # noqa: ARG001 -- the raw records are read instead
            raw = message.raw_message
            headers = message.batch_headers
            records = raw if isinstance(raw, list | tuple) else [raw]
            await self.on_records([Record.of(record, header) for record, header in zip(records, headers, strict=True)])

    @property
    def braked(self) -> bool:
        """True while it stands still after `brake_after` dead letters in a row."""
        return self._dead_in_a_row >= self._settings.brake_after

    def release_brake(self) -> None:
        """A person looked: go on."""
        self._dead_in_a_row = 0
        BRAKED.labels(self.name).set(0)

    async def on_records(self, records: Sequence[Record]) -> None:
        """Handle a batch. Returns when every record is done or dead-lettered; raises while something is away or the brake holds."""
        if self.braked:
            await asyncio.sleep(BRAKED_PAUSE_S)
            raise BrakedError(f"{self.name} stands still: {self._dead_in_a_row} dead letters in a row; look at them, then release it")
        with BATCH_SECONDS.labels(self.topic.name, self.name).time():
            await self._patiently(records)

    async def _patiently(self, records: Sequence[Record]) -> None:
        for attempt in range(AWAY_TRIES):
            try:
                await self._all(records)
            except Exception as error:
                if not is_unavailable(error) or attempt == AWAY_TRIES - 1:
                    raise
                await _back_off("away", attempt, error)
            else:
                return

    async def _all(self, records: Sequence[Record]) -> None:
        """Together when all are sound, else one by one."""
        received: list[Received[M]] = []
        for record in records:
            try:
                received.append(receive(record, self.topic))
            except (MalformedEventError, NeverRetryError):
                break
        if len(received) == len(records):
            try:
                await self._transaction(received)
            except Exception as error:
                if is_unavailable(error):
                    raise
                RETRIES.labels("batch", type(error).__name__).inc()
                log.info("batch goes one by one", consumer=self.name, records=len(records), error=str(error)[:300])
            else:
                self._dead_in_a_row = 0
                return
        for record in records:
            await self._one(record)

    async def _one(self, record: Record) -> None:
        """Handle one record alone, with bounded tries; then it is a dead letter."""
        if self.braked:
            raise BrakedError(f"{self.name}: {self._dead_in_a_row} dead letters in a row")
        tries = 0
        while True:
            tries += 1
            try:
                await self._transaction([receive(record, self.topic)])
            except Exception as error:
                if is_unavailable(error):
                    raise
                final = isinstance(error, MalformedEventError | NeverRetryError) or tries >= self._limit(error)
                if not final:
                    await _back_off("record", tries, error)
                    continue
                await self._bury(record, error, tries)
                return
            else:
                self._dead_in_a_row = 0
                return

    def _limit(self, error: Exception) -> int:
        return 10 * self._settings.max_tries if is_race(error) else self._settings.max_tries

    async def _bury(self, record: Record, error: Exception, tries: int) -> None:
        await self.dead_letters.bury(record, error, tries)
        EVENTS_HANDLED.labels(self.topic.name, self.name, "dead_letter").inc()
        self._dead_in_a_row += 1
        if self.braked:
            BRAKED.labels(self.name).set(1)
            log.critical("consumer braked: too many dead letters in a row", consumer=self.name, dead=self._dead_in_a_row)

    async def _transaction(self, received: Sequence[Received[M]]) -> None:
        async with self._outbox.transaction() as unit:
            new = await self._new_ones(unit, received)
            EVENTS_HANDLED.labels(self.topic.name, self.name, "repeated").inc(len(received) - len(new))
            await self._run(unit, new)
        EVENTS_HANDLED.labels(self.topic.name, self.name, "done").inc(len(new))

    async def _run(self, unit: Unit, received: Sequence[Received[M]]) -> None:
        if not received:
            return
        if self._locks is not None:
            await take_locks(unit, (name for one in received for name in self._locks(one)))
        if self._begin is not None:
            await self._begin(unit, received)
        for one in received:
            await self._handle(unit, one)

    async def _run_again(self, unit: Unit, record: Record) -> None:
        """For the retry of a dead letter: the same steps, its inbox row is there already."""
        await self._run(unit, [receive(record, self.topic)])

    async def _new_ones(self, unit: Unit, received: Sequence[Received[M]]) -> list[Received[M]]:
        """Insert the inbox rows; those that were there already are repeated deliveries and left out."""
        first: dict[str, Received[M]] = {}
        for one in received:
            first.setdefault(one.envelope.inbox_id(), one)
        rows = await unit.conn.execute(_ENTER, {"consumer": self.name, "ids": sorted(first)})
        new = {row.event_id for row in rows}
        return [one for event_id, one in first.items() if event_id in new]


async def take_locks(unit: Unit, names: Iterable[str]) -> None:
    """Transaction-scoped advisory locks by name, in sorted order, so that two transactions never wait for each other."""
    wanted = sorted(set(names))
    if wanted:
        statement = text(
            "select pg_advisory_xact_lock(k) from (select hashtextextended(n, 0) k from unnest(cast(:names as text[])) n order by 1) s"
        )
        await unit.conn.execute(statement, {"names": wanted})


async def _back_off(what: str, attempt: int, error: Exception) -> None:
    RETRIES.labels(what, type(error).__name__).inc()
    pause = min(BACKOFF_S * 2**attempt, MAX_BACKOFF_S)
    log.warning("retry", what=what, attempt=attempt, seconds=pause, error=str(error)[:300])
    await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 -- jitter, no secret
