"""What the messaging tests work with: tables, outbox, producer, consumers, and events of the topics `mail.outcomes` and `scanners`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from faststream.kafka import KafkaBroker
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import topics
from shared.database import make_engine, new_metadata
from shared.events import MailOutcome, OutcomeType
from shared.messaging.broker import make_broker
from shared.messaging.consumer import Consumer
from shared.messaging.dead_letters import Failed
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Outbox, Source, Unit
from shared.messaging.producer import Message, make_producer
from shared.messaging.received import Received, Record
from shared.messaging.relay import Relay
from shared.messaging.tables import messaging_tables
from shared.settings import ServiceSettings
from shared.topics import MAIL_OUTCOMES, Topic
from tests.kit.eventually import eventually_async

METADATA = new_metadata()
TABLES = messaging_tables(METADATA)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def outcome(mail_id: str, reason: str | None = None) -> MailOutcome:
    return MailOutcome(mail_id=mail_id, scanner_id="s", type=OutcomeType.TICKET, reason=reason, at=NOW)


def envelope(event_id: str, topic: Topic = MAIL_OUTCOMES, **more: Any) -> Envelope:
    return Envelope(id=event_id, source="/test", type=topic.event_type, time=NOW, **more)


def record(mail_id: str, *, resend: int = 0, value: bytes | None = None) -> Record:
    body = outcome(mail_id).model_dump_json().encode() if value is None else value
    headers = envelope(f"e-{mail_id}", resend=resend).headers() | {"ce_mailid": mail_id}
    return Record("t.mail.outcomes", 0, 0, mail_id.encode(), headers, body)


@dataclass
class Handling:
    """What the handler saw, and how it is to fail: a test sets `fail`."""

    seen: list[str] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    fail: Callable[[Unit, Received[Any]], Awaitable[None]] | None = None

    async def handle(self, unit: Unit, received: Received[Any]) -> None:
        self.seen.append(received.key)
        if self.fail is not None:
            await self.fail(unit, received)
        unit.emit(topics.TICKET_EVENTS, event_id=f"t-{received.key}", key=received.key, body=outcome(received.key), cause=received.envelope)

    async def on_failure(self, _: Unit, failed: Failed) -> None:
        self.failures.append(failed)


class Bench:
    """One namespace. The database is emptied at `open`."""

    def __init__(self, url: str, bootstrap: str, namespace: str) -> None:
        self.namespace = namespace
        self.settings = ServiceSettings(
            database_url=SecretStr(url),
            service_token=SecretStr("x" * 16),
            kafka_bootstrap=bootstrap,
            namespace=namespace,
            brake_after=3,
            max_tries=2,
        )
        self.engine: AsyncEngine = make_engine(self.settings.database_url, application="test")
        self.producer = make_producer(bootstrap, "test")
        self.outbox = Outbox(self.engine, Source("test", namespace))
        self._brokers: list[KafkaBroker] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        async with self.engine.begin() as conn:
            await conn.run_sync(METADATA.drop_all)
            await conn.run_sync(METADATA.create_all)
        await self.producer.start()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for broker in self._brokers:
            await broker.stop()
        await self.producer.stop()
        await self.engine.dispose()

    def consumer(self, handling: Handling, topic: Topic = MAIL_OUTCOMES, **more: Any) -> Consumer[Any]:
        hooks = {"on_failure": handling.on_failure} | more
        return Consumer("test", topic, handling.handle, outbox=self.outbox, tables=TABLES, settings=self.settings, **hooks)

    async def listen(self, consumer: Consumer[Any]) -> None:
        """Subscribe it for real."""
        broker = make_broker(self.settings, "test")
        consumer.subscribe(broker)
        await broker.start()
        self._brokers.append(broker)

    def relay(self, holder: str = "one") -> Relay:
        return Relay(self.engine, TABLES, self.producer, holder)

    def run(self, relay: Relay) -> None:
        self._tasks.append(asyncio.create_task(relay.run()))

    async def publish(self, topic: Topic, *messages: tuple[bytes, dict[str, str], bytes | None]) -> None:
        sent = [Message(topic.full_name(self.namespace), key, headers, value) for key, headers, value in messages]

        async def taken() -> bool:
            return await self.producer.send(sent) == [None] * len(sent)

        await eventually_async(taken, 60, what="a new topic on a busy machine")  # a second try has the same ids

    async def publish_outcomes(self, *mail_ids: str, resend: int = 0) -> None:
        records = [record(mail_id, resend=resend) for mail_id in mail_ids]
        await self.publish(MAIL_OUTCOMES, *((one.key or b"", dict(one.headers), one.value) for one in records))

    async def emit(self, *keys: str, topic: Topic = MAIL_OUTCOMES, reason: str | None = None) -> None:
        async with self.outbox.transaction() as unit:
            for key in keys:
                unit.emit(topic, event_id=f"e-{key}", key=key, body=outcome(key, reason))

    async def rows(self, table: str) -> list[Any]:
        async with self.engine.connect() as conn:
            ordered = METADATA.tables[table]
            return list((await conn.execute(select(ordered).order_by(text("created_at")))).all())

    async def outbox_state(self) -> dict[str, str]:
        """Key → sent, parked or waiting."""
        return {row.key.decode(): "sent" if row.sent_at else "parked" if row.parked_at else "waiting" for row in await self.rows("outbox")}
