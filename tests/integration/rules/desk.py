"""A rules service without its process: events go in as records, what would leave is in its outbox, HTTP goes to its application."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import select

from rules.adapters.counts import Totals, totals
from rules.adapters.tables import DECISIONS, MESSAGING
from rules.app import create_app
from rules.settings import RulesSettings
from shared.events import EventModel, MailOutcome, OutcomeType, RawMail, ScannerSettings, TicketCommand
from shared.messaging.consumer import Consumer
from shared.messaging.envelope import Envelope
from shared.messaging.raw_mail import raw_mail_extensions
from shared.messaging.received import Record
from shared.service import Service
from shared.topics import MAIL_OUTCOMES, MAIL_RAW, SCANNERS, Topic

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
PLAIN = b"From: Anna <anna@customer.example>\r\nTo: help@company.example\r\nSubject: %s\r\nMessage-ID: <%s@c>\r\n\r\nHello\r\n"


def mail_bytes(subject: str = "Printer", number: str = "1") -> bytes:
    return PLAIN % (subject.encode(), number.encode())


def raw_record(mail_id: str, value: bytes, *, scanner: str = "s", at: datetime = NOW, resend: int = 0, **more: Any) -> Record:
    body = RawMail(
        scanner_id=scanner,
        folder="INBOX",
        uid_validity=1,
        uid=1,
        received_at=at,
        size=len(value),
        sha256="0",
        archive_key=f"{scanner}/{mail_id}",
        conversation=f"c-{mail_id}",
        **more,
    )
    envelope = Envelope(
        mail_id, "/test", MAIL_RAW.event_type, NOW, MAIL_RAW.content_type, resend=resend, extensions=raw_mail_extensions(body)
    )
    return Record("t.mail.raw", 0, 0, body.conversation.encode(), envelope.headers(), value)


def json_record(topic: Topic, event_id: str, key: str, body: EventModel | None) -> Record:
    value = body.model_dump_json(by_alias=True).encode() if body else None
    return Record("t", 0, 0, key.encode(), Envelope(event_id, "/test", topic.event_type, NOW).headers(), value)


class Desk:
    """One replica."""

    def __init__(self, settings: RulesSettings) -> None:
        self.app: FastAPI = create_app(settings)
        self.service: Service = self.app.state.service
        headers = {"X-Service-Token": settings.service_token.get_secret_value(), "X-Actor": "user:anna@company.example"}
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://rules", headers=headers)

    async def close(self) -> None:
        await self.client.aclose()
        await self.service.engine.dispose()

    def consumer(self, topic: Topic) -> Consumer[Any]:
        return next(one for one in self.service.consumers if one.topic is topic)

    async def mails(self, *records: Record) -> None:
        await self.consumer(MAIL_RAW).on_records(records)

    async def scanner(self, scanner_id: str = "s", version: int = 1) -> None:
        body = ScannerSettings(scanner_id=scanner_id, version=version, name="Help")
        await self.consumer(SCANNERS).on_records([json_record(SCANNERS, f"{scanner_id}-{version}", scanner_id, body)])

    async def scanner_gone(self, scanner_id: str = "s") -> None:
        await self.consumer(SCANNERS).on_records([json_record(SCANNERS, f"{scanner_id}-gone", scanner_id, None)])

    async def outcome(self, mail_id: str, revision: int, kind: OutcomeType, **more: Any) -> None:
        body = MailOutcome.model_validate(
            {"mail_id": mail_id, "scanner_id": "s", "revision": revision, "type": kind, "ticket_id": 7, "at": NOW, **more}
        )
        await self.consumer(MAIL_OUTCOMES).on_records([json_record(MAIL_OUTCOMES, f"{mail_id}-{revision}", mail_id, body)])

    async def add_rule(self, name: str, action: str, *conditions: dict[str, str], **more: Any) -> dict[str, Any]:
        body = {"name": name, "action": {"type": action}, "conditions": list(conditions), **more}
        answer = await self.client.post("/scanners/s/rules", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def rules(self) -> dict[str, Any]:
        answer = await self.client.get("/scanners/s/rules")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def sent(self) -> list[tuple[dict[str, str], TicketCommand]]:
        """Headers and commands in the outbox, in order."""
        async with self.service.engine.connect() as conn:
            rows = (await conn.execute(select(MESSAGING.outbox).order_by(MESSAGING.outbox.c.id))).all()
        return [(row.headers, TicketCommand.model_validate_json(row.value)) for row in rows]

    async def commands(self) -> dict[str, TicketCommand]:
        """The last command of each mail."""
        return {command.mail_id: command for _, command in await self.sent()}

    async def decisions(self) -> list[Any]:
        async with self.service.engine.connect() as conn:
            return list((await conn.execute(select(DECISIONS))).all())

    async def totals(self, *rule_ids: str) -> dict[str, Totals]:
        async with self.service.engine.connect() as conn:
            return await totals(conn, rule_ids)

    async def letters(self) -> list[Any]:
        async with self.service.engine.connect() as conn:
            return list((await conn.execute(select(MESSAGING.dead_letters))).all())
