"""The tickets service on a real Postgres, driven record by record; what it emits is read from its outbox."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.archive import Archive
from shared.database import make_engine
from shared.events import (
    Action,
    ActionType,
    Candidate,
    CommandKind,
    CommandMail,
    EventModel,
    Failure,
    Lookup,
    MailDelivery,
    ScannerSettings,
    TicketCommand,
    derived_id,
)
from shared.http import install_problems
from shared.mail.model import Address
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Outbox, Source
from shared.messaging.received import Record
from shared.topics import MAIL_DELIVERIES, SCANNERS, TICKET_COMMANDS, Topic
from tickets.adapters.tables import MESSAGING, METADATA
from tickets.api import routers
from tickets.app import JOBS, make_consumers
from tickets.jobs import Jobs
from tickets.search import Search
from tickets.settings import Settings
from tickets.sweep import Sweep

OWN = "help@company.example"
RING = "test:" + "A" * 43 + "="
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
CREATE = Candidate(rule_id="r-create", rule_name="Everything else", action=Action(type=ActionType.CREATE_TICKET))
REPLY = Candidate(
    rule_id="r-reply", rule_name="Known conversation", action=Action(type=ActionType.UPDATE_TICKET, lookup=Lookup.CONVERSATION)
)
_counter = itertools.count(1)


def update(key: str, lookup: Lookup = Lookup.TICKET_ID, **options: Any) -> Candidate:
    action = Action(type=ActionType.UPDATE_TICKET, lookup=lookup, **options)
    return Candidate(rule_id="r-update", rule_name="Answers by number", action=action, key=key)


def mail(sender: str = "anna@customer.example", subject: str = "The printer is on fire", **fields: Any) -> CommandMail:
    number = next(_counter)
    to = fields.pop("to", [Address(address=OWN)])
    message_id = fields.pop("message_id", f"<m{number}@customer.example>")
    values = {"text": "It burns.", **fields}
    return CommandMail(subject=subject, from_=Address(name="Anna", address=sender), to=to, message_id=message_id, **values)


def command(content: CommandMail | None = None, candidates: Sequence[Candidate] = (CREATE,), **fields: Any) -> TicketCommand:
    number = next(_counter)
    values = {
        "mail_id": f"mail-{number:06}",
        "kind": CommandKind.MAIL,
        "scanner_id": "s1",
        "received_at": NOON + timedelta(seconds=number),
        "archive_key": f"s1/2026-11/mail-{number:06}.eml.zst",
        "mail": content or mail(),
        "candidates": list(candidates),
    }
    return TicketCommand(**{**values, **fields})


def failure(of: TicketCommand, reason: str) -> TicketCommand:
    return of.model_copy(update={"kind": CommandKind.FAILURE, "mail": None, "failure": Failure(outcome="failed", reason=reason)})


def record(topic: Topic, body: EventModel, event_id: str, resend: int = 0, value: bytes | None = None) -> Record:
    envelope = Envelope(id=event_id, source="/test", type=topic.event_type, time=NOON, resend=resend)
    data = body.model_dump_json(by_alias=True, exclude_none=True).encode() if value is None else value
    return Record(topic.full_name("test"), 0, next(_counter), b"key", envelope.headers(), data)


def command_record(one: TicketCommand, resend: int = 0) -> Record:
    tail = ("failure", one.failure.reason) if one.failure else ("command",)
    return record(TICKET_COMMANDS, one, derived_id(one.mail_id, one.run, *tail), resend)


class Rig:
    """Consumers, API, sweep and spam jobs of one replica."""

    def __init__(self, database_url: str, archive: Path, **settings: Any) -> None:
        self.settings = Settings(
            database_url=SecretStr(database_url),
            service_token=SecretStr("t" * 32),
            secret_keys=SecretStr(RING),
            archive_url=archive.as_uri(),
            max_tries=1,
            **settings,
        )
        self.engine: AsyncEngine = make_engine(self.settings.database_url, application="test")
        self.outbox = Outbox(self.engine, Source("tickets", "test"))
        consumers = {consumer.topic: consumer for consumer in make_consumers(self.outbox, self.settings)}
        self.commands, self.scanners, self.deliveries = (consumers[topic] for topic in (TICKET_COMMANDS, SCANNERS, MAIL_DELIVERIES))
        self.archive_folder = archive
        self.archive = Archive(self.settings.archive_url)
        self.jobs = Jobs(self.outbox, JOBS)
        self.search = Search(self.engine, self.settings.search_languages)
        self.sweep = Sweep(self.outbox, timedelta(seconds=900), 1.0)
        app = FastAPI()
        install_problems(app)
        for router in routers(self.outbox, self.archive, self.jobs, self.settings):
            app.include_router(router)
        self.api = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tickets", headers={"X-Actor": "user:olga"})

    async def start(self) -> None:
        """An empty desk with one scanner."""
        self.archive.initialise()
        names = ", ".join(f'"{table.name}"' for table in METADATA.sorted_tables)
        async with self.engine.begin() as conn:
            await conn.execute(text(f"truncate {names} restart identity cascade"))
        await self.search.prepare()
        await self.add_scanner("s1", OWN)

    async def stop(self) -> None:
        await self.api.aclose()
        await self.engine.dispose()

    async def add_scanner(self, scanner_id: str, address: str) -> None:
        body = ScannerSettings(scanner_id=scanner_id, version=1, name=scanner_id, address=address)
        await self.scanners.on_records([record(SCANNERS, body, f"scanner-{scanner_id}-{next(_counter)}")])

    async def carry_out(self, *commands: TicketCommand, resend: int = 0) -> None:
        await self.commands.on_records([command_record(one, resend) for one in commands])

    async def report(self, news: MailDelivery) -> None:
        await self.deliveries.on_records([record(MAIL_DELIVERIES, news, f"delivery-{next(_counter)}")])

    async def run_jobs(self) -> None:
        while await self.jobs._step():
            pass

    async def read_for_search(self) -> None:
        """What changed until now can be found by its words."""
        while await self.search.step():
            pass

    async def emitted(self, topic: str) -> list[dict[str, Any]]:
        """Bodies of the topic's events so far, oldest first, with `ce_id` and `ce_resend`."""
        table = MESSAGING.outbox
        async with self.engine.connect() as conn:
            rows = await conn.execute(select(table).where(table.c.topic == f"test.{topic}").order_by(table.c.id))
            return [
                {**json.loads(row.value), "ce_id": row.headers["ce_id"], "ce_resend": row.headers.get("ce_resend"), "key": row.key.decode()}
                for row in rows
            ]

    async def outcome(self, mail_id: str) -> dict[str, Any]:
        """The mail's newest outcome."""
        found = [event for event in await self.emitted("mail.outcomes") if event["mail_id"] == mail_id]
        assert found, f"no outcome of {mail_id}"
        return max(found, key=lambda event: (event["run"], event["revision"]))

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.api.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def resolve(self, *commands: TicketCommand) -> list[dict[str, Any]]:
        """`POST /resolutions`."""
        bodies = [one.model_dump(mode="json", by_alias=True) for one in commands]
        answer = await self.api.post("/resolutions", json={"commands": bodies})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        assert [item["mail_id"] for item in items] == [one.mail_id for one in commands]
        return items

    async def tickets(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.get("/tickets", limit=200))["items"]
        return items

    async def messages(self, ticket_id: int) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.get(f"/tickets/{ticket_id}/messages", limit=200))["items"]
        return items
