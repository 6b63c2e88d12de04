"""The whole service with push: how soon a mail is published, and who ends a wait."""

from __future__ import annotations

import asyncio
import imaplib
import statistics
import time
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from fetcher.settings import Settings
from shared.topics import MAIL_RAW
from tests.integration.fetcher.rig import append, header, mail, running
from tests.kit.dovecot import PASSWORD, Dovecot
from tests.kit.eventually import eventually_async
from tests.kit.proxy import FaultProxy

pytestmark = pytest.mark.connected

MAILS = 50


async def add(api: httpx.AsyncClient, port: int, user: str, **more: Any) -> str:
    """A mailbox that is scanned once an hour, but for push."""
    body = {"name": user, "server": "127.0.0.1", "port": port, "username": user, "password": PASSWORD, "ssl_type": "none"}
    answer = await api.post("/scanners", json=body | {"start_from": "everything", "interval_seconds": 3600} | more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def state(api: httpx.AsyncClient, scanner_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/scanners/{scanner_id}")).json()["state"]
    return found


async def waits(api: httpx.AsyncClient, scanner_id: str, how: str = "push") -> None:
    async def check() -> bool:
        return bool((await state(api, scanner_id))["watching"] == how)

    await eventually_async(check, what=f"watching = {how}")


async def subjects(api: httpx.AsyncClient, scanner_id: str, *wanted: str) -> None:
    async def check() -> bool:
        items = (await api.get("/mails", params={"scanner_id": scanner_id})).json()["items"]
        return sorted(one["subject"] for one in items) == sorted(wanted)

    await eventually_async(check, seconds=60, what=str(wanted))


async def test_a_mail_is_published_within_a_second_or_so_of_its_arrival(settings: Settings, dovecot: Dovecot, user: str) -> None:
    """Dovecot itself speaks half a second after the arrival. The figure is printed; the limit leaves room for a busy machine."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False, fetch_max_wait_ms=10)
    await consumer.start()
    client = await asyncio.to_thread(imaplib.IMAP4, "127.0.0.1", dovecot.port, 20)
    try:
        partitions = [TopicPartition(MAIL_RAW.full_name(settings.namespace), number) for number in range(MAIL_RAW.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        await asyncio.to_thread(client.login, user, PASSWORD)
        async with running(settings) as api:
            scanner_id = await add(api, dovecot.port, user)
            await waits(api, scanner_id)
            took = []
            for number in range(MAILS):
                arrived = asyncio.to_thread(client.append, "INBOX", "", "", mail(f"Mail {number}", f"<{number}.{user}>"))
                began = time.monotonic()
                assert (await arrived)[0] == "OK"
                await asyncio.wait_for(_next_of(consumer, scanner_id), 20)
                took.append(time.monotonic() - began)
    finally:
        await asyncio.to_thread(client.logout)
        await consumer.stop()
    took.sort()
    print(f"APPEND to mail.raw, {MAILS} mails: p50 {statistics.median(took) * 1000:.0f} ms, p99 {took[-1] * 1000:.0f} ms")
    assert statistics.median(took) < 2


async def _next_of(consumer: AIOKafkaConsumer, scanner_id: str) -> None:
    async for record in consumer:
        if header(record, "ce_scannerid") == scanner_id:
            return


async def test_scan_now_and_new_settings_end_a_wait(settings: Settings, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
    append(dovecot.port, f"other.{user}", PASSWORD, [mail("Theirs", "<theirs@x>")])
    async with running(settings) as api:
        scanner_id = await add(api, dovecot.port, user)
        await subjects(api, scanner_id, "One")
        await waits(api, scanner_id)
        where = (await api.post(f"/scanners/{scanner_id}/scan")).headers["Location"].removeprefix("/api/v1")

        async def done() -> bool:
            return bool((await api.get(where)).json()["state"] == "done")

        began = time.monotonic()
        await eventually_async(done, every=0.02)
        assert time.monotonic() - began < 5
        await waits(api, scanner_id)
        await api.patch(f"/scanners/{scanner_id}", json={"username": f"other.{user}"})
        await subjects(api, scanner_id, "One", "Theirs")
        await waits(api, scanner_id)
        await api.patch(f"/scanners/{scanner_id}", json={"push": False})
        await waits(api, scanner_id, "poll")


async def test_a_connection_lost_while_it_waits_is_made_anew_and_nothing_is_missed(settings: Settings, dovecot: Dovecot, user: str) -> None:
    with FaultProxy(dovecot.port) as proxy:
        async with running(settings) as api:
            scanner_id = await add(api, proxy.port, user)
            await waits(api, scanner_id)
            proxy.refuse()
            append(dovecot.port, user, PASSWORD, [mail("Meanwhile", "<meanwhile@x>")])
            proxy.cut()
            proxy.accept()
            await subjects(api, scanner_id, "Meanwhile")
            append(dovecot.port, user, PASSWORD, [mail("After", "<after@x>")])
            await subjects(api, scanner_id, "Meanwhile", "After")
