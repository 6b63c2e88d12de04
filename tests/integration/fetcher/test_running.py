"""The whole service with its loops: scan now, shared mailboxes, the sweep, the API's manners."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text

from fetcher.adapters import leases
from fetcher.adapters.imap.errors import LeaseLostError
from fetcher.settings import Settings
from fetcher.sweep import Sweeper
from shared.clock import utc_now
from shared.events import MailOutcome, OutcomeType, derived_id
from shared.messaging.envelope import Envelope
from shared.messaging.producer import Message, make_producer, send_all
from shared.topics import MAIL_OUTCOMES, MAIL_RAW, TICKET_COMMANDS
from tests.integration.fetcher.imap_script import ScriptedImap, ok
from tests.integration.fetcher.rig import Rig, append, header, mail, make_settings, rig_on, running
from tests.kit.dovecot import PASSWORD, Dovecot
from tests.kit.eventually import eventually_async
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected


def body(port: int, user: str, **more: Any) -> dict[str, Any]:
    base = {"name": user, "server": "127.0.0.1", "port": port, "username": user, "password": PASSWORD, "ssl_type": "none"}
    return base | {"start_from": "everything", "interval_seconds": 3600} | more


async def test_scan_now_reads_what_came_and_says_how_much(settings: Settings, dovecot: Dovecot, user: str) -> None:
    async with running(settings) as api:
        scanner_id = (await api.post("/scanners", json=body(dovecot.port, user))).json()["id"]
        await eventually_async(lambda: _scanned(api, scanner_id))
        append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>"), mail("Two", "<two@x>")])
        answer = await api.post(f"/scanners/{scanner_id}/scan")
        assert answer.status_code == 202
        where = answer.headers["Location"].removeprefix("/api/v1")
        job = await eventually_async(lambda: _done(api, where), every=0.02)
        assert job["result"] == {"found": 2, "read": 2}
        mails = (await api.get("/mails", params={"scanner_id": scanner_id, "outcome": "pending"})).json()["items"]
        assert [one["subject"] for one in mails] == ["Two", "One"]


async def test_a_hanging_mailbox_delays_no_other(settings: Settings, dovecot: Dovecot, user: str) -> None:
    hangs_longer_than_the_test_waits = {"connect_timeout_seconds": 120.0, "read_timeout_seconds": 120.0}
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
    with ScriptedImap(ok, greeting=None) as hanging:
        async with running(settings.model_copy(update=hangs_longer_than_the_test_waits)) as api:
            for number in range(3):
                await api.post("/scanners", json=body(hanging.port, f"hangs-{number}"))
            scanner_id = (await api.post("/scanners", json=body(dovecot.port, user))).json()["id"]
            await eventually_async(lambda: _mails(api, scanner_id, 1))


async def test_two_fetchers_on_one_mailbox_publish_each_mail_once(settings: Settings, rig: Rig, dovecot: Dovecot, user: str) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(settings.model_copy(update={"instance": "f1"})))
        await stack.enter_async_context(running(settings.model_copy(update={"instance": "f2"})))
        scanner_id = (await first.post("/scanners", json=body(dovecot.port, user, interval_seconds=1))).json()["id"]
        for number in range(5):
            append(dovecot.port, user, PASSWORD, [mail(f"Mail {number}", f"<{number}@x>")])
            await eventually_async(lambda: _mails(first, scanner_id, number + 1))  # noqa: B023 -- awaited at once
        await eventually_async(lambda: _all_published(rig, scanner_id))
    ids = [header(record, "ce_id") for record in await rig.raw_mails(scanner_id)]
    assert len(ids) == len(set(ids)) == 5


async def test_a_mailbox_is_held_by_one_and_taken_over_when_its_lease_ends(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    async with rig.engine.begin() as conn:
        first, second = await leases.join(conn, "first", 30), await leases.join(conn, "second", 30)
        [row] = await leases.take(conn, first, 10)
        mine = leases.Lease(row.id, row.lease_token, first)
        assert await leases.take(conn, second, 10) == []
    async with rig.engine.begin() as conn:
        await conn.execute(text("update fetchers set until = now() - interval '1 second' where id = :id"), {"id": first.id})
        await leases.reap(conn)
        [row] = await leases.take(conn, second, 10)
        theirs = leases.Lease(row.id, row.lease_token, second)
        assert theirs.scanner_id == mine.scanner_id == scanner_id
    async with rig.engine.begin() as conn:
        with pytest.raises(LeaseLostError):
            await mine.fence(conn)
        await leases.renew(conn, first)
        await theirs.fence(conn)
    assert first.lost, "who was taken for dead joins anew, under another id"


async def test_a_holder_that_could_not_renew_stops_at_two_thirds() -> None:
    now = 0.0
    lease = leases.Lease("s", 1, leases.Membership("f", 30.0, 0.0, clock=lambda: now))
    now = 19.9
    lease.check()
    now = 20.1
    with pytest.raises(LeaseLostError):
        lease.check()


async def test_an_outcome_reaches_the_ledger(settings: Settings, rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
    async with running(settings) as api:
        scanner_id = (await api.post("/scanners", json=body(dovecot.port, user))).json()["id"]
        await eventually_async(lambda: _mails(api, scanner_id, 1))
        mail_id = (await rig.lines(scanner_id))[0].id
        await _send_outcome(settings, mail_id, scanner_id, OutcomeType.TICKET, ticket_id=7)
        found = await eventually_async(lambda: _mails(api, scanner_id, 1, outcome="ticket"))
        assert found[0]["outcome"]["ticket_id"] == 7
        assert (await api.post(f"/mails/{mail_id}/retry")).status_code == 409
        ledger = (await api.get("/ledger")).json()["items"]
        assert ledger == [{"scanner_id": scanner_id, "mails": 1, "under_way": 0, "outcomes": {"ticket": 1}}]


async def test_a_published_mail_without_outcome_is_swept_then_failed_then_retried(
    stack: TestStack, own_namespace: str, database: str, tmp_path: Path, dovecot: Dovecot, user: str
) -> None:
    settings = make_settings(database, stack.kafka_bootstrap, own_namespace, tmp_path / "archive", sweep_after_seconds=0.6)
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
    async with rig_on(settings) as rig, running(settings) as api:
        scanner_id = (await api.post("/scanners", json=body(dovecot.port, user))).json()["id"]
        await eventually_async(lambda: _mails(api, scanner_id, 1))
        await _catch_up(settings)  # while rules lags nothing is swept: its outcome may still come
        stopped = asyncio.Event()
        consuming = asyncio.create_task(_keep_up(settings, stopped))
        try:
            found = await eventually_async(lambda: _mails(api, scanner_id, 1, outcome="failed"), seconds=40)
        finally:
            stopped.set()
            await consuming
        assert "no outcome came" in found[0]["outcome"]["reason"]
        records = await rig.raw_mails(scanner_id)
        assert [header(one, "ce_resend") for one in records] == ["", "1", "2", "3"]
        assert len({header(one, "ce_id") for one in records}) == 1
        assert len({header(one, "traceparent") for one in records}) == 1

        assert (await api.post(f"/mails/{found[0]['id']}/retry")).json()["outcome"] is None
        assert [header(one, "ce_resend") for one in await rig.raw_mails(scanner_id)][-1] == "4"


async def test_nothing_is_swept_while_a_consumer_lags(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    async with rig.engine.begin() as conn:
        await conn.execute(text("update ledger set published_at = now() - interval '1 day'"))
    assert await Sweeper(rig.tools, rig.settings).sweep() == 0
    assert len(await rig.raw_mails(scanner_id)) == 1


async def _scanned(api: httpx.AsyncClient, scanner_id: str) -> bool:
    return (await api.get(f"/scanners/{scanner_id}")).json()["state"]["last_success_at"] is not None


async def _done(api: httpx.AsyncClient, where: str) -> dict[str, Any] | None:
    job: dict[str, Any] = (await api.get(where)).json()
    return job if job["state"] == "done" else None


async def _mails(api: httpx.AsyncClient, scanner_id: str, count: int, **params: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await api.get("/mails", params={"scanner_id": scanner_id, **params})).json()["items"]
    return items if len(items) == count else []


async def _all_published(rig: Rig, scanner_id: str) -> bool:
    return all(line.state == "published" for line in await rig.lines(scanner_id))


async def _send_outcome(settings: Settings, mail_id: str, scanner_id: str, kind: OutcomeType, ticket_id: int | None) -> None:
    outcome = MailOutcome(mail_id=mail_id, scanner_id=scanner_id, type=kind, ticket_id=ticket_id, at=utc_now())
    event_id = derived_id(mail_id, 1, 1, "outcome")
    envelope = Envelope(id=event_id, source="/mailconverter/tickets", type=MAIL_OUTCOMES.event_type, time=utc_now())
    producer = make_producer(settings.kafka_bootstrap, "tickets")
    await producer.start()
    try:
        value = outcome.model_dump_json().encode()
        await send_all(producer, [Message(MAIL_OUTCOMES.full_name(settings.namespace), mail_id.encode(), envelope.headers(), value)])
    finally:
        await producer.stop()


async def _catch_up(settings: Settings) -> None:
    """Commit, for the services that do not run here, all that is in their topics."""
    for service, topic in (("rules", MAIL_RAW), ("tickets", TICKET_COMMANDS)):
        group = f"{settings.namespace}.{service}.{topic.name}"
        consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic.full_name(settings.namespace), number) for number in range(topic.partitions)]
            consumer.assign(partitions)
            await consumer.commit(dict(await consumer.end_offsets(partitions)))
        finally:
            await consumer.stop()


async def _keep_up(settings: Settings, stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        await _catch_up(settings)
        try:
            await asyncio.wait_for(stopped.wait(), 0.3)
        except TimeoutError:
            continue
