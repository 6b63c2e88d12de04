"""Webhooks of one replica on a real Postgres, with a clock the test sets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from shared.database import make_engine
from shared.events import TicketEvent, TicketEventType
from shared.http import install_problems
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Outbox, Source
from shared.messaging.received import Record
from shared.secrets import KeyRing
from shared.topics import TICKET_EVENTS
from tests.integration.tickets.rig import RING
from tickets.adapters.tables import METADATA
from tickets.adapters.webhook_store import WebhookSecrets
from tickets.api.webhook_deliveries import webhook_deliveries_router
from tickets.api.webhooks import webhooks_router
from tickets.app import make_consumers
from tickets.settings import Settings
from tickets.webhooks.calling import Caller, Resolve, look_up
from tickets.webhooks.sender import Sender
from tickets.webhooks.telling import Teller

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
KEEP = timedelta(days=30)
_counter = itertools.count(1)


class Clock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


def changed(number: int = 1, kind: TicketEventType = TicketEventType.CREATED, *, replay: str | None = None, **fields: Any) -> Record:
    """A record of `ticket.events`."""
    values = {"title": "The printer is on fire", "actor": "mail", "at": NOON, **fields}
    body = TicketEvent(ticket_id=number, type=kind, **values)
    envelope = Envelope(id=f"event-{next(_counter)}", source="/test", type=TICKET_EVENTS.event_type, time=NOON, replay=replay)
    return Record("test.ticket.events", 0, next(_counter), str(number).encode(), envelope.headers(), body.model_dump_json().encode())


class WebhookRig:
    """Consumer, API and sender."""

    def __init__(self, database_url: str, clock: Clock, *, private: bool = True, resolve: Resolve = look_up, **options: Any) -> None:
        settings = Settings(
            database_url=SecretStr(database_url), service_token=SecretStr("t" * 32), secret_keys=SecretStr(RING), max_tries=1
        )
        self.clock = clock
        self.engine = make_engine(settings.database_url, application="test")
        self.outbox = Outbox(self.engine, Source("tickets", "test"), clock)
        consumers = {consumer.topic: consumer for consumer in make_consumers(self.outbox, settings)}
        self.events = consumers[TICKET_EVENTS]
        secrets = WebhookSecrets(KeyRing(RING))
        caller = Caller(options.pop("seconds", 30.0), clock, private=private, resolve=resolve, **options)
        self.teller = Teller(self.outbox, secrets, caller, lambda: 0.5)
        self.sender = Sender(self.teller, KEEP)
        app = FastAPI()
        install_problems(app)
        app.include_router(webhooks_router(self.outbox, caller, secrets))
        app.include_router(webhook_deliveries_router(self.teller))
        self.api = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tickets", headers={"X-Actor": "user:otto"})

    async def empty(self) -> None:
        names = ", ".join(f'"{table.name}"' for table in METADATA.sorted_tables)
        async with self.engine.begin() as conn:
            await conn.execute(text(f"truncate {names} restart identity cascade"))

    async def stop(self) -> None:
        await self.api.aclose()
        await self.engine.dispose()

    async def make(self, url: str, types: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
        """A webhook as the API answers, with its secret."""
        answer = await self.api.post("/webhooks", json={"name": "Warehouse", "url": url, "types": list(types), **fields})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def change(self, webhook: dict[str, Any], **fields: Any) -> dict[str, Any]:
        answer = await self.api.patch(f"/webhooks/{webhook['id']}", json=fields)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def read(self, webhook: dict[str, Any]) -> dict[str, Any]:
        read: dict[str, Any] = (await self.api.get(f"/webhooks/{webhook['id']}")).json()
        return read

    async def happen(self, *records: Record) -> None:
        """The consumer reads these."""
        await self.events.on_records(records or [changed()])

    async def log(self, webhook: dict[str, Any], **params: str) -> list[dict[str, Any]]:
        """Its deliveries, newest first."""
        answer = await self.api.get(f"/webhooks/{webhook['id']}/deliveries", params={"limit": 200, **params})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items
