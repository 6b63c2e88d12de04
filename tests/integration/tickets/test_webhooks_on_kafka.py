"""From a mail's command over Kafka to a signed call: the whole service."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from shared.archive import Archive
from shared.messaging.producer import Message, make_producer, send_all
from shared.topics import TICKET_COMMANDS
from tests.integration.tickets.rig import RING, Rig, command, command_record, mail
from tests.kit.eventually import eventually_async
from tests.kit.webhook_receiver import WebhookReceiver
from tickets.app import create_app
from tickets.settings import Settings

pytestmark = pytest.mark.connected
TOKEN = "a-service-token-of-the-test"


async def test_a_mails_ticket_is_told(rig: Rig, kafka_bootstrap: str, own_namespace: str, tmp_path: Path) -> None:
    archive = (tmp_path / "archive").as_uri()
    Archive(archive).initialise()
    settings = Settings(
        database_url=rig.settings.database_url,
        service_token=SecretStr(TOKEN),
        secret_keys=SecretStr(RING),
        kafka_bootstrap=kafka_bootstrap,
        namespace=own_namespace,
        archive_url=archive,
        webhook_private_addresses=True,
    )
    app = create_app(settings)
    transport, headers = httpx.ASGITransport(app), {"X-Service-Token": TOKEN}
    async with (
        WebhookReceiver() as receiver,
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://tickets", headers=headers) as client,
    ):
        made = (await client.post("/webhooks", json={"name": "Warehouse", "url": receiver.url, "types": ["created"]})).json()
        await _publish(kafka_bootstrap, own_namespace)

        async def told() -> bool:
            return bool(receiver.calls)

        await eventually_async(told, seconds=60)
    (call,) = receiver.calls
    assert call.signed_by(made["secret"])
    assert (call.message["type"], call.message["data"]["title"]) == ("ticket.created", "No paper")


async def _publish(bootstrap: str, namespace: str) -> None:
    producer = make_producer(bootstrap, "test")
    await producer.start()
    try:
        one = command_record(command(mail(subject="No paper")))
        message = Message(TICKET_COMMANDS.full_name(namespace), b"<a@x>", one.headers, one.value)
        assert await send_all(producer, [message]) == [None]
    finally:
        await producer.stop()
