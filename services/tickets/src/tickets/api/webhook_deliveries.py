"""`/webhooks/{id}/deliveries`, their retry, and `/webhooks/{id}/test`."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Query
from sqlalchemy import Row

from shared.api import Page, WebhookDelivery
from shared.clock import rfc3339
from shared.events import derived_id
from shared.http import Actor, Cursor, IdempotencyKey, Limit, ProblemError, not_found, page
from tickets.adapters import webhook_queue as queue
from tickets.adapters.webhook_store import get_webhook
from tickets.api.common import time_cursor
from tickets.webhooks.telling import TEST_TYPE, Teller

State = Annotated[Literal["waiting", "delivered", "failed"] | None, Query()]


def webhook_deliveries_router(teller: Teller) -> APIRouter:
    outbox = teller.outbox
    router = APIRouter(prefix="/webhooks/{webhook_id}")

    @router.get("/deliveries")
    async def deliveries(webhook_id: str, limit: Limit = 50, cursor: Cursor = None, state: State = None) -> Page[WebhookDelivery]:
        async with outbox.engine.connect() as conn:
            row = await get_webhook(conn, webhook_id)
            rows = await queue.list_deliveries(conn, row.id, state, time_cursor(cursor), limit + 1)
        return page([delivery_view(row) for row in rows], limit, lambda one: (rfc3339(one.created_at), one.id))

    @router.post("/test")
    async def test(webhook_id: str, actor: Actor, key: IdempotencyKey = None) -> WebhookDelivery:
        async with outbox.engine.connect() as conn:
            webhook = await get_webhook(conn, webhook_id)
        delivery_id = derived_id("webhook-test", webhook.id, actor, key) if key else str(uuid4())
        if not key or await _delivery(webhook.id, delivery_id) is None:
            await teller.test(webhook, delivery_id, actor)
        found = await _delivery(webhook.id, delivery_id)
        if found is None:
            raise not_found("webhook", webhook_id)
        return delivery_view(found)

    @router.post("/deliveries/{delivery_id}/retry", status_code=202)
    async def retry(webhook_id: str, delivery_id: str) -> WebhookDelivery:
        async with outbox.transaction() as unit:
            webhook = await get_webhook(unit.conn, webhook_id)
            row = await queue.get_delivery(unit.conn, webhook.id, delivery_id, lock=True)
            if row is None:
                raise not_found("delivery", delivery_id)
            _refuse_retry(webhook, row)
            await queue.tell_again(unit.conn, row.id, unit.clock())
            return delivery_view(await queue.get_delivery(unit.conn, webhook.id, row.id) or row)

    async def _delivery(webhook_id: str, delivery_id: str) -> Row[Any] | None:
        async with outbox.engine.connect() as conn:
            return await queue.get_delivery(conn, webhook_id, delivery_id)

    return router


def _refuse_retry(webhook: Row[Any], delivery: Row[Any]) -> None:
    if delivery.type == TEST_TYPE:
        raise ProblemError(409, "A test", "A test is not told again; make a new one.")
    if not webhook.enabled:
        raise ProblemError(409, "Switched off", "The webhook is switched off; switch it on first.")


def delivery_view(row: Row[Any]) -> WebhookDelivery:
    return WebhookDelivery(
        id=row.id,
        webhook_id=row.webhook_id,
        type=row.type,
        ticket_id=row.ticket_id,
        state=row.state,
        tries=row.tries,
        next_try_at=row.next_try_at,
        status=row.status,
        error=row.error,
        created_at=row.created_at,
        delivered_at=row.delivered_at,
    )
