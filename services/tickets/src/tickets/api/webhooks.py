"""`/webhooks` and `/webhooks/{id}`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Row

from shared.api import Page, Webhook, WebhookIn, WebhookPatch
from shared.clock import rfc3339
from shared.http import Actor, Cursor, IdempotencyKey, IfMatch, Limit, ProblemError, check_if_match, page, with_etag
from shared.messaging.outbox import Outbox
from tickets.adapters.webhook_queue import give_up_waiting
from tickets.adapters.webhook_store import (
    WebhookSecrets,
    add_webhook,
    change_webhook,
    delete_webhook,
    get_webhook,
    list_webhooks,
)
from tickets.api.common import new_id, time_cursor
from tickets.webhooks.calling import Caller, UnfitUrlError
from tickets.webhooks.changes import FIRST_VERSION, changed, created

KEY_KEPT = timedelta(days=7)


def webhooks_router(outbox: Outbox, caller: Caller, secrets: WebhookSecrets) -> APIRouter:
    router = APIRouter(prefix="/webhooks")

    @router.get("")
    async def index(limit: Limit = 50, cursor: Cursor = None) -> Page[Webhook]:
        async with outbox.engine.connect() as conn:
            rows = await list_webhooks(conn, time_cursor(cursor), limit + 1)
        return page([webhook_view(row) for row in rows], limit, lambda one: (rfc3339(one.created_at), one.id))

    @router.post("", status_code=201)
    async def create(request: WebhookIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Webhook:
        """The same key again shows the secret again, while it is the first one and a week is not over."""
        await _refuse_unfit(caller, request.url)
        webhook_id = new_id(actor, key)
        async with outbox.transaction() as unit:
            await add_webhook(unit.conn, created(unit.clock(), webhook_id, request, actor, secrets))
            row = await get_webhook(unit.conn, webhook_id)
            fresh = row.version == FIRST_VERSION and unit.clock() - row.created_at < KEY_KEPT
        response.headers["Location"] = f"/api/v1/webhooks/{webhook_id}"
        with_etag(response, row.version)
        return webhook_view(row, secrets.open(row) if fresh else None)

    @router.get("/{webhook_id}")
    async def read(webhook_id: str, response: Response) -> Webhook:
        row = await _read(webhook_id)
        with_etag(response, row.version)
        return webhook_view(row)

    @router.patch("/{webhook_id}")
    async def change(webhook_id: str, request: WebhookPatch, response: Response, if_match: IfMatch = None) -> Webhook:
        if request.url != (await _read(webhook_id)).url:
            await _refuse_unfit(caller, request.url)
        async with outbox.transaction() as unit:
            row = await get_webhook(unit.conn, webhook_id, lock=True)
            check_if_match(if_match, row.version)
            values, secret = changed(unit.clock(), row, request, secrets)
            await change_webhook(unit.conn, row.id, values)
            if values.get("enabled") is False:
                await give_up_waiting(unit.conn, row.id, unit.clock())
            row = await get_webhook(unit.conn, webhook_id)
        with_etag(response, row.version)
        return webhook_view(row, secret)

    @router.delete("/{webhook_id}", status_code=204)
    async def delete(webhook_id: str, if_match: IfMatch = None) -> None:
        async with outbox.transaction() as unit:
            row = await get_webhook(unit.conn, webhook_id, lock=True)
            check_if_match(if_match, row.version)
            await delete_webhook(unit.conn, row.id)

    async def _read(webhook_id: str) -> Row[Any]:
        async with outbox.engine.connect() as conn:
            return await get_webhook(conn, webhook_id)

    return router


async def _refuse_unfit(caller: Caller, url: str | None) -> None:
    """Outside any transaction: a name server may be slow. Raises ProblemError 422."""
    try:
        if url is not None:
            await caller.check(url)
    except UnfitUrlError as error:
        errors = [{"field": "url", "message": str(error)}]
        raise ProblemError(422, "The request is not valid", f"url: {error}", errors=errors) from None


def webhook_view(row: Row[Any], secret: str | None = None) -> Webhook:
    return Webhook(
        id=row.id,
        name=row.name,
        url=row.url,
        types=row.types,
        enabled=row.enabled,
        secret=secret,
        previous_secret_until=row.previous_until,
        failing_since=row.failing_since,
        disabled_reason=row.disabled_reason,
        version=row.version,
        created_by=row.created_by,
        created_at=row.created_at,
    )
