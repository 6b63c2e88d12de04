"""What the notifier's tests run against: the service as a process, a bus, and an SMTP server that does as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import httpx
import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiosmtpd.smtp import SMTP, Envelope, Session

from shared import topics
from shared.events import EventModel, MailDelivery, OutgoingMail, ScannerSettings
from shared.mail.model import Address
from shared.messaging.envelope import Envelope as CloudEvent
from shared.topics import MAIL_DELIVERIES, MAIL_OUTGOING, SCANNERS, Topic
from tests.kit.eventually import eventually
from tests.kit.smtp_sink import ClosingController
from tests.kit.stack import TestStack

SERVICE_TOKEN = "a-service-token-of-a-test"
LOOPBACK = "127.0.0.1"
HANG_SECONDS = 20.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


class Notifier:
    """`python -m notifier` with an instance name that survives restarts."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self.log = log
        self._database_url = settings["DATABASE_URL"]
        ours = {f"MAILCONVERTER_NOTIFIER__{name}": value for name, value in {**settings, "PORT": str(self.port)}.items()}
        self._environment = {**os.environ, **ours}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen([sys.executable, "-m", "notifier"], env=self._environment, stdout=output, stderr=output)
        eventually(self._ready, seconds=90, what="the notifier is ready")

    def command(self, name: str) -> None:
        subprocess.run([sys.executable, "-m", "notifier", name], env=self._environment, check=True, timeout=60, capture_output=True)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        all_headers = {"X-Service-Token": SERVICE_TOKEN, "X-Actor": "user:test", **names}
        return httpx.request(method, f"http://{LOOPBACK}:{self.port}{path}", json=body, headers=all_headers, timeout=20)

    def rows(self, query: LiteralString, *values: Any) -> list[Any]:
        """What its database holds."""
        with psycopg.connect(self._database_url.replace("+psycopg", ""), connect_timeout=10) as connection:
            return connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def locked(self, outgoing_id: str) -> Iterator[None]:
        """Nothing about this mail can be written meanwhile. A database that is killed meanwhile lets go of it, too."""
        connection = psycopg.connect(self._database_url.replace("+psycopg", ""), connect_timeout=10)
        try:
            connection.execute("select from outgoing where id = %s for update", (outgoing_id,))
            yield
        finally:
            with contextlib.suppress(psycopg.Error):
                connection.rollback()
            connection.close()

    def _ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"the notifier ended: {self.log.read_text()[-2000:]}")
        try:
            return self.call("GET", "/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None


@contextlib.contextmanager
def running_notifier(settings: Mapping[str, str], log: Path) -> Iterator[Notifier]:
    """Migrated and ready."""
    process = Notifier(settings, log)
    process.command("migrate")
    try:
        process.start()
        yield process
    finally:
        process.stop()


def new_namespace(stack: TestStack, prefix: str) -> str:
    """A Kafka namespace with all topics."""
    name = f"{prefix}-{uuid4().hex[:8]}"
    asyncio.run(topics.apply(stack.kafka_bootstrap, name))
    return name


class Bus:
    """Publishes as tickets and the fetcher do, reads `mail.deliveries`."""

    def __init__(self, bootstrap: str, namespace: str) -> None:
        self._bootstrap = bootstrap
        self._namespace = namespace
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        self._seen: list[tuple[dict[str, str], MailDelivery]] = []

    async def start(self) -> None:
        await self._producer.start()
        await self._consumer.start()
        partitions = [TopicPartition(MAIL_DELIVERIES.full_name(self._namespace), number) for number in range(MAIL_DELIVERIES.partitions)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_end(*partitions)
        for partition in partitions:
            await self._consumer.position(partition)

    async def stop(self) -> None:
        await self._consumer.stop()
        await self._producer.stop()

    async def outgoing(self, mail: OutgoingMail, *, resend: int = 0, replay: str | None = None) -> None:
        event_id = mail.outgoing_id if mail.type == "send" else f"{mail.outgoing_id}-cancel"
        await self._publish(MAIL_OUTGOING, str(mail.ticket_id), event_id, mail, resend=resend, replay=replay)

    async def scanner(self, settings: ScannerSettings) -> None:
        await self._publish(SCANNERS, settings.scanner_id, f"{settings.scanner_id}-{settings.version}", settings)

    async def deliveries(self, outgoing_id: str) -> list[MailDelivery]:
        """All that were told of this mail since the bus started, in order."""
        return [body for _, body in await self.told(outgoing_id)]

    async def told(self, outgoing_id: str) -> list[tuple[dict[str, str], MailDelivery]]:
        """As `deliveries`, with their headers."""
        for records in (await self._consumer.getmany(timeout_ms=50)).values():
            for record in records:
                headers = {name: value.decode() for name, value in record.headers}
                self._seen.append((headers, MailDelivery.model_validate_json(record.value)))
        return [(headers, body) for headers, body in self._seen if body.outgoing_id == outgoing_id]

    async def _publish(
        self, topic: Topic, key: str, event_id: str, body: EventModel, *, resend: int = 0, replay: str | None = None
    ) -> None:
        envelope = CloudEvent(event_id, "/test", topic.event_type, datetime.now(UTC), resend=resend, replay=replay)
        headers = [(name, value.encode()) for name, value in envelope.headers().items()]
        value = body.model_dump_json(by_alias=True).encode()
        await self._producer.send_and_wait(topic.full_name(self._namespace), value, key=key.encode(), headers=headers)


@dataclass
class Taken:
    """A mail as the server got it. `answered` is what it said to it; empty when it said nothing."""

    sender: str
    recipients: list[str]
    data: bytes
    answered: str

    @property
    def message_id(self) -> str:
        lines = self.data.decode("utf-8", "replace").split("\r\n\r\n")[0].replace("\r\n ", " ").split("\r\n")
        return next(line.partition(":")[2].strip() for line in lines if line.lower().startswith("message-id:"))


Behaviour = Callable[["Handler", SMTP, Taken], Any]


@dataclass
class Handler:
    """Scripted answers, taken one by one; when a script is empty the server takes everything."""

    rcpt: dict[str, list[str]] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    """Answers to a whole mail; `drop` closes the connection without one, `hang` says nothing until `go_on` is set."""
    taken: list[Taken] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:  # noqa: N802 -- aiosmtpd's name
        script = self.rcpt.get(address, [])
        answer = script.pop(0) if script else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        answer = self.data.pop(0) if self.data else "250 OK: queued"
        content = envelope.original_content or b""
        self.taken.append(Taken(envelope.mail_from or "", list(envelope.rcpt_tos), content, answer))
        if answer == "hang":
            await asyncio.to_thread(self.go_on.wait, HANG_SECONDS)
            answer = "250 OK: at last"
        if answer == "drop":
            if server.transport is not None:
                server.transport.close()
            return "421 gone"
        return answer

    @property
    def accepted(self) -> list[Taken]:
        return [one for one in self.taken if one.answered.startswith("250")]


class ScriptedServer:
    """A real SMTP server in a thread, on a port of its own."""

    def __init__(self, **options: Any) -> None:
        self.handler = Handler()
        self.port = free_port()
        self._options = options
        self._controller: ClosingController | None = None

    def start(self) -> None:
        self._controller = ClosingController(self.handler, hostname=LOOPBACK, port=self.port, server_hostname="smtp.test", **self._options)
        self._controller.start()

    def stop(self) -> None:
        self.handler.go_on.set()
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


def sender_body(port: int, **more: Any) -> dict[str, Any]:
    """POST /senders for a server without encryption and log-in."""
    return {"name": "Sandbox", "server": LOOPBACK, "port": port, "ssl_type": "none", "auth": "none", **more}


def limit(notifier: Notifier, scanner_id: str, connections: int = 4, per_minute: int | None = None) -> None:
    """What the server of a mailbox puts up with."""
    row = notifier.rows("select sender_id from scanners where id = %s", scanner_id)[0]
    limits = {"connections": connections, "per_minute": per_minute}
    assert notifier.call("PATCH", f"/senders/{row[0]}", {"limits": limits}).status_code == 200


def answer(ticket_id: int, scanner_id: str, to: str = "anna@lakeside.example", **more: Any) -> OutgoingMail:
    """An answer with ids of its own."""
    outgoing_id = str(uuid4())
    values: dict[str, Any] = {
        "outgoing_id": outgoing_id,
        "ticket_id": ticket_id,
        "scanner_id": scanner_id,
        "message_id": f"<{outgoing_id}@help.example>",
        "to": [Address(name="Anna Keller", address=to)],
        "title": "Invoice 2026-0417",
        "text": "A corrected invoice is attached.",
    }
    return OutgoingMail(**(values | more))


def cancel(mail: OutgoingMail) -> OutgoingMail:
    """As tickets says it: with the mail's ids alone."""
    return OutgoingMail(outgoing_id=mail.outgoing_id, type="cancel", ticket_id=mail.ticket_id)
