"""`/tickets/{id}/messages`, the originals of its mails, and `/tickets/{id}/attachments/{aid}`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response

from shared.api import Message, Page
from shared.archive import Archive, BlobNotFoundError
from shared.clock import rfc3339
from shared.http import Cursor, Limit, ProblemError, encode_cursor
from shared.mail.parts import open_part
from shared.messaging.outbox import Outbox
from tickets.adapters.message_store import attachments_of, deliveries_of, get_attachment, list_messages
from tickets.adapters.ticket_store import get_ticket
from tickets.api.common import time_cursor
from tickets.api.views import message_view
from tickets.domain.files import MAIL_TYPE, Policy, headers, mail_name
from tickets.originals import original_of

INSTEAD = "It stays in the archive: the whole mail can be downloaded, and an administrator can change which files are handed out."


def messages_router(outbox: Outbox, archive: Archive, policy: Policy) -> APIRouter:
    router = APIRouter(prefix="/tickets/{ticket_id}")

    @router.get("/messages")
    async def index(ticket_id: int, limit: Limit = 50, cursor: Cursor = None) -> Page[Message]:
        async with outbox.engine.connect() as conn:
            await get_ticket(conn, ticket_id)
            rows = await list_messages(conn, ticket_id, time_cursor(cursor), limit + 1)
            more, rows = len(rows) > limit, rows[:limit]
            ids = [row.id for row in rows]
            attachments, deliveries = await attachments_of(conn, ids), await deliveries_of(conn, ids)
        items = [message_view(row, attachments.get(row.id, []), deliveries.get(row.id, []), policy) for row in rows]
        return Page(items=items, next=encode_cursor(rfc3339(rows[-1].received_at), rows[-1].order_id) if more else None)

    @router.get("/messages/{message_id}/original")
    async def original(ticket_id: int, message_id: str) -> Response:
        found = await original_of(outbox.engine, archive, ticket_id, message_id)
        return Response(found.raw, headers=headers(mail_name(found.subject), MAIL_TYPE, inline=False))

    @router.get("/attachments/{attachment_id}")
    async def download(ticket_id: int, attachment_id: str, inline: bool = False) -> Response:
        async with outbox.engine.connect() as conn:
            row = await get_attachment(conn, ticket_id, attachment_id)
        if refusal := policy.refusal(row.name, row.type, row.size):
            raise ProblemError(403, "Not handed out", f"{refusal} {INSTEAD}")
        data = await _opened(archive, row.archive_key, row.part)
        return Response(data, headers=headers(row.name, row.type, inline=inline))

    return router


async def _opened(archive: Archive, key: str, part: str) -> bytes:
    """The part's bytes. Raises ProblemError 410 where the archive has the mail or the part no longer."""
    try:
        raw = await archive.get(key)
        return (await asyncio.to_thread(open_part, raw, part))[1]
    except (BlobNotFoundError, KeyError) as error:
        raise ProblemError(410, "No longer in the archive", "The archive does not hold this mail any more.") from error
