"""The transactional outbox: events leave in the same transaction as the change they tell of.

A `Unit` is one transaction with the events it will emit; they are written with one statement before the commit. The relay
(`shared.messaging.relay`) publishes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.clock import Clock, utc_now
from shared.events import EventModel
from shared.messaging.envelope import Envelope, child_traceparent
from shared.topics import Topic

WAKE_CHANNEL = "outbox"
"""LISTEN/NOTIFY channel on which the relay is woken."""

# Binary COPY: a seventh of the CPU of an INSERT with arrays. Ids are given in the order of emission.
_COPY = "copy outbox (topic, key, headers, value) from stdin (format binary)"
_COPY_TYPES = ("varchar", "bytea", "jsonb", "bytea")
_WAKE = text("select pg_notify(:channel, '')")


@dataclass(frozen=True)
class Source:
    """Who emits: the service's name and the namespace of its topics."""

    service: str
    namespace: str

    def envelope(self, topic: Topic, event_id: str, cause: Envelope | None, clock: Clock) -> Envelope:
        """A new event's envelope, which carries on the trace and the replay mark of the event that caused it."""
        return Envelope(
            id=event_id,
            source=f"/mailconverter/{self.service}",
            type=topic.event_type,
            time=clock(),
            content_type=topic.content_type,
            traceparent=child_traceparent(cause.traceparent) if cause else "",
            causation_id=cause.id if cause else None,
            replay=cause.replay if cause else None,
            resend=cause.resend if cause else 0,
        )


@dataclass
class Unit:
    """One transaction and the events that leave with it. Emitted events are lost with the transaction, as they should be."""

    conn: AsyncConnection
    source: Source
    clock: Clock = utc_now
    rows: list[dict[str, object]] = field(default_factory=list)
    memo: dict[str, Any] = field(default_factory=dict)
    """What a batch hook found out for the handlers of its records; it ends with the transaction."""

    def emit(
        self, topic: Topic, *, event_id: str, key: str, body: EventModel, cause: Envelope | None = None, resend: int | None = None
    ) -> None:
        """Add one event. `event_id` must be a function of what happened, so that a second handling emits the same id."""
        envelope = self.source.envelope(topic, event_id, cause, self.clock)
        headers = envelope.headers()
        if resend:
            headers["ce_resend"] = str(resend)
        mail_id = getattr(body, "mail_id", None)
        if mail_id:
            headers["ce_mailid"] = mail_id
        self._add(topic, key, headers, body.model_dump_json(by_alias=True, exclude_none=True).encode())

    def emit_tombstone(self, topic: Topic, *, key: str, event_id: str, cause: Envelope | None = None) -> None:
        """Delete `key` from a compacted topic."""
        self._add(topic, key, self.source.envelope(topic, event_id, cause, self.clock).headers(), None)

    def _add(self, topic: Topic, key: str, headers: Mapping[str, str], value: bytes | None) -> None:
        self.rows.append({"topic": topic.full_name(self.source.namespace), "key": key.encode(), "headers": dict(headers), "value": value})

    async def flush(self) -> None:
        """Write the events to the outbox and wake the relay at commit. Called by `Outbox.transaction` and the consumer."""
        if not self.rows:
            return
        connection = (await self.conn.get_raw_connection()).driver_connection
        assert isinstance(connection, psycopg.AsyncConnection)  # noqa: S101 -- the only driver we use
        async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.set_types(_COPY_TYPES)
            for row in self.rows:
                await copy.write_row((row["topic"], row["key"], Jsonb(row["headers"]), row["value"]))
        await self.conn.execute(_WAKE, {"channel": WAKE_CHANNEL})
        self.rows.clear()


class Outbox:
    """Opens units of work on the service's database."""

    def __init__(self, engine: AsyncEngine, source: Source, clock: Clock = utc_now) -> None:
        self.engine = engine
        self.source = source
        self.clock = clock

    def unit(self, conn: AsyncConnection) -> Unit:
        """A unit on a transaction the caller began; the caller flushes it before the commit."""
        return Unit(conn, self.source, self.clock)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        """`async with outbox.transaction() as unit:` commits state and events together, or neither."""
        async with self.engine.begin() as conn:
            unit = self.unit(conn)
            yield unit
            await unit.flush()
