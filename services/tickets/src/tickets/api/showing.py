"""Tickets as the API answers with them, with what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import Message, Ticket
from tickets.adapters.message_store import attachments_of, attachments_of_tickets, deliveries_of
from tickets.adapters.reports import reports_of
from tickets.adapters.ticket_store import get_ticket
from tickets.adapters.watchers import watchers_of
from tickets.api.views import message_view, ticket_view
from tickets.domain.files import Policy


async def shown(conn: AsyncConnection, ticket_id: int, policy: Policy) -> Ticket:
    """Raises ProblemError 404."""
    (ticket,) = await all_shown(conn, [await get_ticket(conn, ticket_id)], policy)
    return ticket


async def all_shown(conn: AsyncConnection, rows: Sequence[Row[Any]], policy: Policy) -> list[Ticket]:
    """Rows of `ticket_store.selected`."""
    numbers = [row.id for row in rows]
    attachments, watchers = await attachments_of_tickets(conn, numbers), await watchers_of(conn, numbers)
    return [ticket_view(row, attachments.get(row.id, []), watchers.get(row.id, []), policy) for row in rows]


async def messages_shown(conn: AsyncConnection, rows: Sequence[Row[Any]], policy: Policy) -> list[Message]:
    """Messages with their files, how far they came, and what came back."""
    ids = [row.id for row in rows]
    files, states, reports = await attachments_of(conn, ids), await deliveries_of(conn, ids), await reports_of(conn, ids)
    return [message_view(row, files.get(row.id, []), states.get(row.id, []), policy, reports.get(row.id, [])) for row in rows]
