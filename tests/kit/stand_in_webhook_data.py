"""Webhooks and what they were told: one of each state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shared import api
from shared.events import TicketEventType
from tests.kit.stand_in_mailboxes import ago


def webhooks() -> list[api.Webhook]:
    def made(webhook_id: str, name: str, host: str, **values: Any) -> api.Webhook:
        url = f"https://{host}/mail-converter/tickets"
        return api.Webhook(id=webhook_id, name=name, url=url, created_by="user:anna@company.example", created_at=ago(days=40), **values)

    gone = "The receiver answered 410 Gone: it wants no more calls. Check its address, then switch it on again."
    return [
        made("w1", "Warehouse", "hooks.warehouse.example", types=[TicketEventType.CREATED, TicketEventType.MERGED]),
        made("w2", "Accounting", "accounting.company.example", failing_since=ago(hours=7)),
        made("w3", "Old chat", "chat.company.example", enabled=False, disabled_reason=gone),
    ]


def deliveries() -> list[api.WebhookDelivery]:
    def made(number: int, **values: Any) -> api.WebhookDelivery:
        given = {
            "type": "ticket.created",
            "ticket_id": 128,
            "tries": 1,
            "state": "delivered",
            "status": 204,
            "created_at": ago(hours=number),
        }
        return api.WebhookDelivery(id=f"d{number}", webhook_id="w1", **{**given, **values})

    long = (
        "Answered 500: <html><head><title>Internal Server Error</title></head><body>at com.example.Hooks.receive(Hooks.java:42)" + "x" * 90
    )
    return [
        made(1, state="waiting", status=500, tries=3, error=long, next_try_at=datetime.now(UTC) + timedelta(minutes=28)),
        made(2, state="failed", status=None, tries=10, error="No answer within 15 seconds."),
        made(3, type="webhook.test", ticket_id=None),
        made(4),
    ]
