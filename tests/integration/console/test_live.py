"""Live pages on a real Kafka."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from console.live import Live
from console.settings import Settings
from shared.events import TicketEvent, TicketEventType
from shared.topics import TICKET_EVENTS, apply
from tests.kit.eventually import eventually_async

pytestmark = pytest.mark.connected
NAMESPACE = "console-live"


async def test_an_event_of_a_ticket_reaches_every_replica(kafka_bootstrap: str) -> None:
    await apply(kafka_bootstrap, NAMESPACE)
    settings = Settings(
        database_url=SecretStr("unused"), service_token=SecretStr("x" * 16), kafka_bootstrap=kafka_bootstrap, namespace=NAMESPACE
    )
    replicas = [Live(settings), Live(settings)]
    queues = [live.open() for live in replicas]
    running = [asyncio.create_task(live.run()) for live in replicas]
    event = TicketEvent(ticket_id=7, type=TicketEventType.CREATED, title="t", actor="mail", at=datetime.now(UTC))
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()

    async def told() -> bool:
        # Only what comes after the replica joined is heard: say it until both have.
        await producer.send_and_wait(TICKET_EVENTS.full_name(NAMESPACE), event.model_dump_json().encode(), key=b"7")
        return all(not queue.empty() for queue in queues)

    try:
        await eventually_async(told, seconds=30, every=0.5, what="the event at both replicas")
        assert [queue.get_nowait().startswith("event: ticket") for queue in queues] == [True, True]
    finally:
        await producer.stop()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
