"""`/tickets`, `/tickets/{id}` and `/tickets/{id}/restore`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import Page, Ticket, TicketIn, TicketPatch, TicketStatus
from shared.events import TicketEventType
from shared.http import Actor, Cursor, IdempotencyKey, IfMatch, Limit, ProblemError, check_if_match, encode_cursor, with_etag
from shared.messaging.outbox import Outbox, Unit
from tickets.adapters.message_store import attachments_of_tickets
from tickets.adapters.ticket_list import Filter, list_tickets
from tickets.adapters.ticket_store import change_ticket, get_ticket, insert_ticket, lock_ticket
from tickets.api.common import new_id, number_cursor, one_line_title, plain
from tickets.api.views import ticket_view
from tickets.domain.keys import title_key
from tickets.domain.labels import assignee_key, with_tags
from tickets.events import emit_ticket_event
from tickets.spam import restore

CLEARABLE = frozenset({"category", "assignee"})
Text = Annotated[str | None, Query(max_length=500)]


async def shown(conn: AsyncConnection, ticket_id: int) -> Ticket:
    """The ticket as the API shows it. Raises ProblemError 404."""
    row = await get_ticket(conn, ticket_id)
    return ticket_view(row, (await attachments_of_tickets(conn, [row.id])).get(row.id, []))


def tickets_router(outbox: Outbox) -> APIRouter:
    router = APIRouter(prefix="/tickets")

    @router.get("")
    async def index(
        limit: Limit = 50,
        cursor: Cursor = None,
        q: Text = None,
        status: TicketStatus | None = None,
        source: Literal["mail", "manual"] | None = None,
        scanner_id: Text = None,
        contact_id: Text = None,
        assignee: Text = None,
        tag: Text = None,
    ) -> Page[Ticket]:
        wanted = Filter(q, (status,) if status else (), source, scanner_id, contact_id, assignee, tag=tag)
        async with outbox.engine.connect() as conn:
            listed = await list_tickets(conn, wanted, number_cursor(cursor), limit)
            attachments = await attachments_of_tickets(conn, [row.id for row in listed.rows])
        items = [ticket_view(row, attachments.get(row.id, [])) for row in listed.rows]
        return Page(items=items, next=encode_cursor(listed.next) if listed.next else None)

    @router.post("", status_code=201)
    async def create(request: TicketIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Ticket:
        async with outbox.transaction() as unit:
            ticket_id = await _create(unit, request, actor, new_id(actor, key))
            ticket = await shown(unit.conn, ticket_id)
        response.headers["Location"] = f"/api/v1/tickets/{ticket_id}"
        with_etag(response, ticket.version)
        return ticket

    @router.get("/{ticket_id}")
    async def read(ticket_id: int, response: Response) -> Ticket:
        async with outbox.engine.connect() as conn:
            ticket = await shown(conn, ticket_id)
        with_etag(response, ticket.version)
        return ticket

    @router.patch("/{ticket_id}")
    async def change(ticket_id: int, request: TicketPatch, response: Response, actor: Actor, if_match: IfMatch = None) -> Ticket:
        async with outbox.transaction() as unit:
            await _change(unit, ticket_id, request, actor, if_match)
            ticket = await shown(unit.conn, ticket_id)
        with_etag(response, ticket.version)
        return ticket

    @router.delete("/{ticket_id}", status_code=204)
    async def delete(ticket_id: int, actor: Actor, if_match: IfMatch = None) -> None:
        async with outbox.transaction() as unit:
            row = await lock_ticket(unit.conn, ticket_id)
            check_if_match(if_match, row.version)
            if row.deleted_at is None:
                version = await change_ticket(unit.conn, ticket_id, {"deleted_at": unit.clock()})
                _tell(unit, TicketEventType.DELETED, ticket_id, row.title, actor, version)

    @router.post("/{ticket_id}/restore")
    async def bring_back(ticket_id: int, response: Response, actor: Actor) -> Ticket:
        async with outbox.transaction() as unit:
            row = await lock_ticket(unit.conn, ticket_id)
            if row.deleted_at is not None:
                await restore(unit, row, actor)
            ticket = await shown(unit.conn, ticket_id)
        with_etag(response, ticket.version)
        return ticket

    return router


async def _create(unit: Unit, request: TicketIn, actor: str, idempotency_id: str) -> int:
    at, title = unit.clock(), one_line_title(request.title)
    values = {
        "title": title,
        "folded_title": title_key(title),
        "description": plain(request.description),
        "priority": plain(request.priority),
        "assignee": assignee_key(plain(request.assignee or "")),
        "tags": _tags(request.tags),
        "source": "manual",
        "idempotency_id": idempotency_id,
        "created_at": at,
        "updated_at": at,
    }
    ticket_id, made = await insert_ticket(unit.conn, values)
    if made:
        _tell(unit, TicketEventType.CREATED, ticket_id, title, actor, 1)
    return ticket_id


async def _change(unit: Unit, ticket_id: int, request: TicketPatch, actor: str, if_match: str | None) -> None:
    row = await lock_ticket(unit.conn, ticket_id)
    check_if_match(if_match, row.version)
    if row.deleted_at is not None:
        raise ProblemError(409, "Ticket deleted", f"Ticket {ticket_id} is deleted; restore it first.")
    given = request.model_dump(exclude_unset=True)
    values: dict[str, Any] = {name: plain(value) if isinstance(value, str) else value for name, value in given.items()}
    values = {name: value for name, value in values.items() if value is not None or name in CLEARABLE}
    if "title" in values:
        values["title"] = one_line_title(values["title"])
        values["folded_title"] = title_key(values["title"])
    if "assignee" in values:
        values["assignee"] = assignee_key(values["assignee"])
    if "tags" in values:
        values["tags"] = _tags(values["tags"])
    if "status" in values:
        values["closed_at"] = (row.closed_at or unit.clock()) if values["status"] == "closed" else None
    if values:
        version = await change_ticket(unit.conn, ticket_id, values)
        _tell(unit, TicketEventType.UPDATED, ticket_id, values.get("title", row.title), actor, version)


def _tags(given: Sequence[str]) -> list[str]:
    return list(with_tags((), map(plain, given)))


def _tell(unit: Unit, kind: TicketEventType, ticket_id: int, title: str, actor: str, version: int) -> None:
    emit_ticket_event(unit, kind, ticket_id, title, actor=actor, at=unit.clock(), of=(version,))
