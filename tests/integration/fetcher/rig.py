"""The fetcher's parts on real Kafka, Postgres and archive, scanning when a test says so; and its API."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.accounts import Accounts
from fetcher.adapters import leases, scanners
from fetcher.adapters.tables import LEDGER, SCANNERS
from fetcher.app import create_app, make_tools
from fetcher.poll import Tools
from fetcher.publish import Publisher
from fetcher.scan import Held, Scanning
from fetcher.settings import Settings
from shared.archive import Archive
from shared.database import make_engine
from shared.messaging.producer import make_producer
from shared.secrets import KeyRing, new_ring
from shared.topics import MAIL_RAW, Topic

TOKEN = "a-service-token-of-the-tests"
RING = new_ring()
USER_PASSWORD = "mailbox-secret-7"


def make_settings(database_url: str, bootstrap: str, namespace: str, archive: Path, **more: Any) -> Settings:
    values: dict[str, Any] = {"lease_seconds": 10, "connect_timeout_seconds": 3, "read_timeout_seconds": 10, "first_scan_after_seconds": 0}
    return Settings(
        database_url=SecretStr(database_url),
        service_token=SecretStr(TOKEN),
        secret_keys=SecretStr(RING),
        kafka_bootstrap=bootstrap,
        namespace=namespace,
        archive_url=archive.as_uri(),
        **(values | more),
    )


def client_of(app: FastAPI) -> httpx.AsyncClient:
    """The service's API, as the console calls it."""
    headers = {"X-Service-Token": TOKEN, "X-Actor": "user:anna@company.example"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fetcher", headers=headers, timeout=30)


@dataclass
class Rig:
    """Nothing scans by itself."""

    settings: Settings
    engine: AsyncEngine
    tools: Tools
    scanning: Scanning
    api: httpx.AsyncClient

    async def add_scanner(self, port: int, user: str, password: str, **more: Any) -> str:
        """A scanner of an unencrypted mailbox on loopback that reads everything; returns its id."""
        body = {
            "name": user,
            "server": "127.0.0.1",
            "port": port,
            "username": user,
            "password": password,
            "ssl_type": "none",
            "start_from": "everything",
        }
        answer = await self.api.post("/scanners", json=body | more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def scan(self, scanner_id: str, scanning: Scanning | None = None, held: Held | None = None) -> bool:
        """One scan, under a lease of its own, which is let go whatever happens."""
        async with self.engine.begin() as conn:
            await conn.execute(update(SCANNERS).values(next_scan_at=text("now() + interval '1 hour'")).where(SCANNERS.c.id != scanner_id))
            await conn.execute(update(SCANNERS).values(next_scan_at=text("now()")).where(SCANNERS.c.id == scanner_id))
            member = await leases.join(conn, "test", 600)
            taken = (await leases.take(conn, member, 1))[0]
            assert taken.id == scanner_id
            lease = leases.Lease(taken.id, taken.lease_token, member)
            row = await scanners.opening(conn, scanner_id)
        assert row is not None
        keep = held or Held()
        try:
            return (await (scanning or self.scanning).scan(row, keep, lease)).ok
        finally:
            if held is None:
                await keep.close()
            async with self.engine.begin() as conn:
                await leases.leave(conn, member)

    async def lines(self, scanner_id: str) -> list[Any]:
        """Ledger lines in the order of first sight."""
        async with self.engine.connect() as conn:
            found = select(LEDGER).where(LEDGER.c.scanner_id == scanner_id).order_by(LEDGER.c.number)
            return list((await conn.execute(found)).all())

    async def state(self, scanner_id: str) -> dict[str, Any]:
        """The scanner's state as the API shows it."""
        found: dict[str, Any] = (await self.api.get(f"/scanners/{scanner_id}")).json()["state"]
        return found

    async def raw_mails(self, scanner_id: str) -> list[ConsumerRecord[bytes, bytes]]:
        """All records of `mail.raw` that this scanner published."""
        return [record for record in await self.records(MAIL_RAW) if header(record, "ce_scannerid") == scanner_id]

    async def records(self, topic: Topic) -> list[ConsumerRecord[bytes, bytes]]:
        """Everything in a topic, by partition and offset."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka_bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            name = topic.full_name(self.settings.namespace)
            partitions = [TopicPartition(name, number) for number in range(topic.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[ConsumerRecord[bytes, bytes]] = []
            while any([await consumer.position(one) < ends[one] for one in partitions]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found.extend(records)
            return found
        finally:
            await consumer.stop()


def header(record: ConsumerRecord[bytes, bytes], name: str) -> str:
    """A header's text, empty where there is none."""
    return next((bytes(value).decode() for key, value in record.headers if key == name), "")


@asynccontextmanager
async def rig_on(settings: Settings) -> AsyncIterator[Rig]:
    """Wired as in `fetcher.app`, without the loops."""
    Archive(settings.archive_url).initialise()
    engine = make_engine(settings.database_url, application="test")
    producer = make_producer(settings.kafka_bootstrap, "test")
    await producer.start()
    pool = ThreadPoolExecutor(16)
    keys = KeyRing(settings.secret_keys.get_secret_value())
    tools = make_tools(engine, Archive(settings.archive_url), Publisher(producer, settings.namespace), settings)
    app = create_app(settings)
    try:
        async with client_of(app) as api:
            yield Rig(settings, engine, tools, Scanning(tools, settings, Accounts(settings, keys, engine), pool), api)
    finally:
        await producer.stop()
        await engine.dispose()
        await app.state.service.engine.dispose()
        await asyncio.to_thread(pool.shutdown)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The whole service, with its loops."""
    Archive(settings.archive_url).initialise()
    app = create_app(settings)
    async with app.router.lifespan_context(app), client_of(app) as api:
        yield api


def append(port: int, user: str, password: str, mails: list[bytes], folder: str = "INBOX", flags: str | None = None) -> None:
    """Put mails into a folder, which is made where it is missing."""
    client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    try:
        client.login(user, password)
        if folder != "INBOX":
            client.create(folder)
        for raw in mails:
            status, answer = client.append(folder, flags, None, raw)
            assert status == "OK", answer
    finally:
        client.logout()


def flags(port: int, user: str, password: str, folder: str = "INBOX") -> list[bytes]:
    """The FETCH FLAGS answer of each mail of a folder."""
    client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    try:
        client.login(user, password)
        client.select(folder, readonly=True)
        return [line for line in client.fetch("1:*", "(FLAGS)")[1] if isinstance(line, bytes)]
    finally:
        client.logout()


def mail(subject: str, message_id: str | None = None, body: str = "Hello.", **headers: str) -> bytes:
    """A small mail of our own."""
    lines = ["From: Paul <paul@customer.example>", "To: help@company.example", f"Subject: {subject}"]
    lines += [f"Message-ID: {message_id}"] if message_id else []
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body, ""]).encode()
