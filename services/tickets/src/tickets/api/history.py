"""`/tickets/{id}/history`."""

from __future__ import annotations

from fastapi import APIRouter

from shared.api import Page, TicketChange
from shared.http import Cursor, Limit, page
from shared.messaging.outbox import Outbox
from tickets.adapters.change_log import list_changes
from tickets.adapters.ticket_store import get_ticket
from tickets.api.common import number_cursor
from tickets.api.views import change_view


def history_router(outbox: Outbox) -> APIRouter:
    router = APIRouter(prefix="/tickets/{ticket_id}/history")

    @router.get("")
    async def index(ticket_id: int, limit: Limit = 50, cursor: Cursor = None) -> Page[TicketChange]:
        async with outbox.engine.connect() as conn:
            await get_ticket(conn, ticket_id)
            rows = await list_changes(conn, ticket_id, number_cursor(cursor), limit + 1)
        return page([change_view(row) for row in rows], limit, lambda entry: (entry.id,))

    return router
