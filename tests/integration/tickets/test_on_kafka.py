"""The whole service on real Kafka and Postgres: commands in, outcomes out, and a clean stop."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from shared.archive import Archive
from shared.events import TicketCommand
from shared.messaging.producer import Message, make_producer, send_all
from shared.topics import MAIL_OUTCOMES, TICKET_COMMANDS
from tests.integration.tickets.rig import CREATE, REPLY, RING, Rig, command, command_record, mail
from tests.kit.eventually import eventually_async
from tickets.app import create_app
from tickets.settings import Settings

pytestmark = pytest.mark.connected
TOKEN = "a-service-token-of-the-test"


async def test_commands_become_tickets_and_outcomes(
    rig: Rig, kafka_bootstrap: str, own_namespace: str, tickets_database: str, tmp_path: Path
) -> None:
    archive = (tmp_path / "archive").as_uri()
    Archive(archive).initialise()
    settings = Settings(
        database_url=SecretStr(tickets_database),
        service_token=SecretStr(TOKEN),
        secret_keys=SecretStr(RING),
        kafka_bootstrap=kafka_bootstrap,
        namespace=own_namespace,
        archive_url=archive,
    )
    first = command(mail(message_id="<a@x>"), [REPLY, CREATE])
    answer = command(mail(references=["<a@x>"]), [REPLY, CREATE])
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        await publish(kafka_bootstrap, own_namespace, [first, answer, first])
        outcomes = await read_outcomes(kafka_bootstrap, own_namespace, 2)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://tickets") as client:
            assert (await client.get("/tickets")).status_code == 401
            assert (await client.post("/resolutions", json={"commands": []})).status_code == 401
            tickets = (await client.get("/tickets", headers={"X-Service-Token": TOKEN})).json()["items"]

            async def ready() -> bool:
                return (await client.get("/health/ready")).status_code == 200

            await eventually_async(ready)
    assert {outcome["mail_id"]: outcome["type"] for outcome in outcomes} == {first.mail_id: "ticket", answer.mail_id: "update"}
    assert [ticket["message_count"] for ticket in tickets] == [2]


async def publish(bootstrap: str, namespace: str, commands: list[TicketCommand]) -> None:
    producer = make_producer(bootstrap, "test")
    await producer.start()
    try:
        records = [command_record(one) for one in commands]
        topic = TICKET_COMMANDS.full_name(namespace)
        assert await send_all(producer, [Message(topic, b"<a@x>", one.headers, one.value) for one in records]) == [None] * len(records)
    finally:
        await producer.stop()


async def read_outcomes(bootstrap: str, namespace: str, count: int) -> list[dict[str, str]]:
    consumer = AIOKafkaConsumer(MAIL_OUTCOMES.full_name(namespace), bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[dict[str, str]] = []

    async def enough() -> bool:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found.extend(json.loads(record.value or b"{}") for record in records)
        return len(found) >= count

    try:
        await eventually_async(enough, seconds=60)
    finally:
        await consumer.stop()
    return found
