"""`/tickets/{id}/comments`."""

from __future__ import annotations

from fastapi import APIRouter

from shared.api import CommentIn, Message
from shared.http import Actor, IdempotencyKey
from shared.messaging.outbox import Outbox
from tickets.adapters.message_store import deliveries_of
from tickets.answers import Written, add_comment
from tickets.api.common import new_id
from tickets.api.views import message_view
from tickets.domain.files import Policy


def comments_router(outbox: Outbox, policy: Policy) -> APIRouter:
    router = APIRouter(prefix="/tickets/{ticket_id}/comments")

    @router.post("", status_code=201)
    async def create(ticket_id: int, request: CommentIn, actor: Actor, key: IdempotencyKey = None) -> Message:
        written = Written(new_id(actor, key), ticket_id, request, actor)
        async with outbox.transaction() as unit:
            row = await add_comment(unit, written)
            deliveries = await deliveries_of(unit.conn, [row.id])
        return message_view(row, [], deliveries.get(row.id, []), policy)

    return router
