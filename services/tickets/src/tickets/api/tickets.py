"""`/tickets`, `/tickets/{id}` and `/tickets/{id}/restore`."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from shared.api import Page, Ticket, TicketIn, TicketPatch, TicketStatus
from shared.events import TicketEventType
from shared.http import Actor, Cursor, IdempotencyKey, IfMatch, Limit, check_if_match, encode_cursor, with_etag
from shared.messaging.outbox import Outbox
from tickets.adapters.ticket_list import Filter, list_tickets
from tickets.adapters.ticket_store import lock_ticket
from tickets.api.common import new_id, number_cursor
from tickets.api.showing import all_shown, shown
from tickets.changing import Act, change, refuse_merged
from tickets.domain.files import Policy
from tickets.editing import edit, make
from tickets.spam import restore

USER = "user:"
ME, NOBODY = "me", "nobody"
Text = Annotated[str | None, Query(max_length=500)]
Assignee = Annotated[str | None, Query(max_length=320, description="`me` for whoever asks, `nobody` for tickets without one")]


def asked_filter(
    actor: Actor,
    q: Text = None,
    status: Annotated[list[TicketStatus] | None, Query(description="May be given several times")] = None,
    source: Literal["mail", "manual"] | None = None,
    scanner_id: Text = None,
    contact_id: Text = None,
    assignee: Assignee = None,
    tag: Text = None,
    priority: Text = None,
    category: Text = None,
    attention: Annotated[bool | None, Query(description="Only tickets somebody must look at, or only the others")] = None,
) -> Filter:
    """What of all tickets is asked for."""
    return Filter(
        q=q,
        status=tuple(status or ()),
        source=source,
        scanner_id=scanner_id,
        contact_id=contact_id,
        assignee=actor.removeprefix(USER) if assignee == ME else None if assignee == NOBODY else assignee,
        nobody=assignee == NOBODY,
        tag=tag,
        priority=priority,
        category=category,
        attention=attention,
    )


def tickets_router(outbox: Outbox, policy: Policy) -> APIRouter:
    router = APIRouter(prefix="/tickets")

    @router.get("")
    async def index(wanted: Annotated[Filter, Depends(asked_filter)], limit: Limit = 50, cursor: Cursor = None) -> Page[Ticket]:
        async with outbox.engine.connect() as conn:
            listed = await list_tickets(conn, wanted, number_cursor(cursor), limit)
            items = await all_shown(conn, listed.rows, policy)
        return Page(items=items, next=encode_cursor(listed.next) if listed.next else None)

    @router.post("", status_code=201)
    async def create(request: TicketIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Ticket:
        async with outbox.transaction() as unit:
            ticket = await shown(unit.conn, await make(unit, request, actor, new_id(actor, key)), policy)
        response.headers["Location"] = f"/api/v1/tickets/{ticket.id}"
        with_etag(response, ticket.version)
        return ticket

    @router.get("/{ticket_id}")
    async def read(ticket_id: int, response: Response) -> Ticket:
        async with outbox.engine.connect() as conn:
            ticket = await shown(conn, ticket_id, policy)
        with_etag(response, ticket.version)
        return ticket

    @router.patch("/{ticket_id}")
    async def update(ticket_id: int, request: TicketPatch, response: Response, actor: Actor, if_match: IfMatch = None) -> Ticket:
        async with outbox.transaction() as unit:
            await edit(unit, ticket_id, request, actor, if_match)
            ticket = await shown(unit.conn, ticket_id, policy)
        with_etag(response, ticket.version)
        return ticket

    @router.delete("/{ticket_id}", status_code=204)
    async def delete(ticket_id: int, actor: Actor, if_match: IfMatch = None) -> None:
        async with outbox.transaction() as unit:
            row = await lock_ticket(unit.conn, ticket_id)
            check_if_match(if_match, row.version)
            await refuse_merged(unit.conn, row)
            if row.deleted_at is None:
                await change(unit, row, {"deleted_at": unit.clock()}, Act(actor, TicketEventType.DELETED))

    @router.post("/{ticket_id}/restore")
    async def bring_back(ticket_id: int, response: Response, actor: Actor) -> Ticket:
        async with outbox.transaction() as unit:
            row = await lock_ticket(unit.conn, ticket_id)
            if row.deleted_at is not None:
                await restore(unit, row, actor)
            ticket = await shown(unit.conn, ticket_id, policy)
        with_etag(response, ticket.version)
        return ticket

    return router
