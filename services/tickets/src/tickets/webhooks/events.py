"""A change of a ticket becomes one delivery per webhook that is told of it. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.api import WebhookData, WebhookMessage
from shared.events import TicketEvent, derived_id
from shared.messaging.outbox import Unit
from shared.messaging.received import Received
from tickets.adapters.webhook_queue import add_deliveries
from tickets.adapters.webhook_store import enabled_webhooks
from tickets.domain.storable import without_nul


async def on_events(unit: Unit, received: Sequence[Received[TicketEvent]]) -> None:
    """A batch. What a replay did again is not told: receivers know it already."""
    new = [one for one in received if one.envelope.replay is None]
    told = await enabled_webhooks(unit.conn) if new else []
    rows = [_delivery(unit, webhook.id, one) for one in new for webhook in told if not webhook.types or one.body.type in webhook.types]
    await add_deliveries(unit.conn, rows)


async def on_event(_: Unit, __: Received[TicketEvent]) -> None:
    """Nothing is left to do: `on_events` did the whole batch in the same transaction."""


def message_of(event: TicketEvent) -> WebhookMessage:
    """What a receiver is told of a change."""
    data = WebhookData(
        ticket_id=event.ticket_id,
        title=without_nul(event.title),
        actor=without_nul(event.actor),
        message_id=event.message_id,
        mail_id=event.mail_id,
    )
    return WebhookMessage(type=f"ticket.{event.type}", timestamp=event.at, data=data)


def _delivery(unit: Unit, webhook_id: str, received: Received[TicketEvent]) -> dict[str, Any]:
    message, now = message_of(received.body), unit.clock()
    return {
        "id": derived_id("webhook", webhook_id, received.envelope.id),
        "webhook_id": webhook_id,
        "event_id": received.envelope.id,
        "type": message.type,
        "ticket_id": received.body.ticket_id,
        "body": message.model_dump_json(exclude_none=True),
        "next_try_at": now,
        "created_at": now,
    }
