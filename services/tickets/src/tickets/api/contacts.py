"""`/contacts` and `/contacts/{id}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from shared.api import Page, Record, RecordIn, RecordPatch
from shared.clock import rfc3339
from shared.events import TicketEventType
from shared.http import Actor, Cursor, IdempotencyKey, IfMatch, Limit, check_if_match, page, with_etag
from shared.messaging.outbox import Outbox, Unit
from tickets.adapters.contact_store import (
    change_contact,
    connect_tickets,
    delete_contact,
    get_contact,
    insert_contact,
    list_contacts,
    set_addresses,
)
from tickets.adapters.spam_store import lock_senders
from tickets.api.common import new_id, plain, time_cursor
from tickets.domain.keys import address_key
from tickets.events import emit_ticket_event


def contacts_router(outbox: Outbox) -> APIRouter:
    router = APIRouter(prefix="/contacts")

    @router.get("")
    async def index(limit: Limit = 50, cursor: Cursor = None, q: Annotated[str | None, Query(max_length=500)] = None) -> Page[Record]:
        async with outbox.engine.connect() as conn:
            found = await list_contacts(conn, q, time_cursor(cursor), limit + 1)
        return page(found, limit, lambda contact: (rfc3339(contact.created_at), contact.id))

    @router.post("", status_code=201)
    async def create(request: RecordIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Record:
        contact_id = new_id(actor, key)
        async with outbox.transaction() as unit:
            if await insert_contact(unit.conn, contact_id, plain(request.name), unit.clock()):
                await _connect(unit, contact_id, request.addresses, actor)
            contact = await get_contact(unit.conn, contact_id)
        response.headers["Location"] = f"/api/v1/contacts/{contact_id}"
        with_etag(response, contact.version)
        return contact

    @router.get("/{contact_id}")
    async def read(contact_id: str, response: Response) -> Record:
        async with outbox.engine.connect() as conn:
            contact = await get_contact(conn, contact_id)
        with_etag(response, contact.version)
        return contact

    @router.patch("/{contact_id}")
    async def change(contact_id: str, request: RecordPatch, response: Response, actor: Actor, if_match: IfMatch = None) -> Record:
        async with outbox.transaction() as unit:
            if request.addresses is not None:
                await lock_senders(unit.conn, [address_key(plain(address)) for address in request.addresses])
            contact = await get_contact(unit.conn, contact_id, lock=True)
            check_if_match(if_match, contact.version)
            if request.addresses is not None:
                await _connect(unit, contact_id, request.addresses, actor)
            if request.model_dump(exclude_none=True):
                await change_contact(unit.conn, contact_id, plain(request.name or contact.name))
            contact = await get_contact(unit.conn, contact_id)
        with_etag(response, contact.version)
        return contact

    @router.delete("/{contact_id}", status_code=204)
    async def delete(contact_id: str, if_match: IfMatch = None) -> None:
        async with outbox.transaction() as unit:
            contact = await get_contact(unit.conn, contact_id, lock=True)
            check_if_match(if_match, contact.version)
            await delete_contact(unit.conn, contact_id)

    return router


async def _connect(unit: Unit, contact_id: str, addresses: Sequence[str], actor: str) -> None:
    """Mails under way wait for the address's lock, so none is left unconnected."""
    await lock_senders(unit.conn, [address_key(plain(address)) for address in addresses])
    keys = await set_addresses(unit.conn, contact_id, [plain(address) for address in addresses])
    for row in await connect_tickets(unit.conn, contact_id, keys):
        emit_ticket_event(unit, TicketEventType.UPDATED, row.id, row.title, actor=actor, at=unit.clock(), of=(row.version,))
