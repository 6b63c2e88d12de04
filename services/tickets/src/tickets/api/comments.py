"""`/tickets/{id}/comments`, `/tickets/{id}/replies`, `/tickets/{id}/answering` and `/tickets/{id}/messages/{mid}/cancel`."""

from __future__ import annotations

from fastapi import APIRouter

from shared.api import Answering, CommentIn, Message, ReplyIn
from shared.events import OutgoingMode
from shared.http import Acting, Actor, IdempotencyKey
from shared.messaging.outbox import Outbox
from tickets.answers import write
from tickets.api.common import new_id
from tickets.api.showing import messages_shown
from tickets.domain.files import Policy
from tickets.replies import Written, answering
from tickets.undo import take_back


def comments_router(outbox: Outbox, policy: Policy) -> APIRouter:
    router = APIRouter(prefix="/tickets/{ticket_id}")

    @router.post("/comments", status_code=201)
    async def comment(ticket_id: int, request: CommentIn, person: Acting, key: IdempotencyKey = None) -> Message:
        written = Written(
            message_id=new_id(person.actor, key),
            ticket_id=ticket_id,
            person=person,
            body=_text(request.body),
            kind="note" if request.internal else "comment",
            cc=request.cc,
            attachments=tuple(request.attachments),
        )
        return await _write(outbox, written, policy)

    @router.post("/replies", status_code=201)
    async def reply(ticket_id: int, request: ReplyIn, person: Acting, key: IdempotencyKey = None) -> Message:
        written = Written(
            message_id=new_id(person.actor, key),
            ticket_id=ticket_id,
            person=person,
            body=_text(request.body),
            kind="reply",
            mode=OutgoingMode(request.mode),
            cc=request.cc,
            attachments=tuple(request.attachments),
            quote=request.quote,
        )
        return await _write(outbox, written, policy)

    @router.get("/answering")
    async def what_it_would_be(ticket_id: int, person: Acting) -> Answering:
        async with outbox.transaction() as unit:
            return await answering(unit.conn, ticket_id, person, policy, unit.clock())

    @router.post("/messages/{message_id}/cancel")
    async def cancel(ticket_id: int, message_id: str, actor: Actor) -> Message:
        async with outbox.transaction() as unit:
            row = await take_back(unit, ticket_id, message_id, actor)
            (shown,) = await messages_shown(unit.conn, [row], policy)
        return shown

    return router


async def _write(outbox: Outbox, written: Written, policy: Policy) -> Message:
    async with outbox.transaction() as unit:
        (shown,) = await messages_shown(unit.conn, [await write(unit, written, policy)], policy)
    return shown


def _text(body: str) -> str:
    return body.replace("\x00", "\ufffd").replace("\r\n", "\n").replace("\r", "\n")
