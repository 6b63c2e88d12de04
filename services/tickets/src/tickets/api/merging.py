"""`/tickets/{id}/merge`, `/tickets/{id}/accept` and `/tickets/{id}/split`."""

from __future__ import annotations

from fastapi import APIRouter, Response

from shared.api import MergeIn, SplitIn, Ticket
from shared.archive import Archive
from shared.events import derived_id
from shared.http import Actor, IdempotencyKey, with_etag
from shared.messaging.outbox import Outbox
from tickets.api.common import new_id, one_line_title
from tickets.api.showing import shown
from tickets.domain.files import Policy
from tickets.merging import accept, merge
from tickets.originals import subject_of
from tickets.splitting import Split, split


def merging_router(outbox: Outbox, archive: Archive, policy: Policy) -> APIRouter:
    router = APIRouter(prefix="/tickets/{ticket_id}")

    @router.post("/merge")
    async def join(ticket_id: int, request: MergeIn, response: Response, actor: Actor) -> Ticket:
        """Answers with the ticket that has all messages now."""
        async with outbox.transaction() as unit:
            await merge(unit, ticket_id, request.into, actor)
            ticket = await shown(unit.conn, request.into, policy)
        with_etag(response, ticket.version)
        return ticket

    @router.post("/accept")
    async def take_in(ticket_id: int, response: Response, actor: Actor) -> Ticket:
        """Answers with the ticket it was taken into."""
        async with outbox.transaction() as unit:
            ticket = await shown(unit.conn, await accept(unit, ticket_id, actor), policy)
        with_etag(response, ticket.version)
        return ticket

    @router.post("/split", status_code=201)
    async def split_off(ticket_id: int, request: SplitIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Ticket:
        """Answers with the new ticket. The subject is read before anything is locked: the archive may be slow."""
        title = one_line_title(request.title) if request.title is not None else None
        subject = title or await subject_of(outbox.engine, archive, ticket_id, request.message_id)
        asked = Split(ticket_id, request.message_id, subject, derived_id(new_id(actor, key), "split"))
        async with outbox.transaction() as unit:
            ticket = await shown(unit.conn, await split(unit, asked, actor), policy)
        response.headers["Location"] = f"/api/v1/tickets/{ticket.id}"
        with_etag(response, ticket.version)
        return ticket

    return router
