"""`/tickets/{id}/messages`, the originals of its mails, and `/tickets/{id}/attachments/{aid}`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response

from shared.api import Message, Page
from shared.archive import Archive, BlobNotFoundError
from shared.clock import rfc3339
from shared.http import Actor, Cursor, Limit, ProblemError, encode_cursor, not_found
from shared.mail.parts import open_part
from shared.messaging.outbox import Outbox
from tickets.adapters.message_store import list_messages
from tickets.adapters.ticket_store import get_ticket
from tickets.adapters.uploads import UPLOADED
from tickets.answer_files import File, known_files
from tickets.api.common import time_cursor
from tickets.api.showing import messages_shown
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
            items = await messages_shown(conn, rows, policy)
        return Page(items=items, next=encode_cursor(rfc3339(rows[-1].received_at), rows[-1].order_id) if more else None)

    @router.get("/messages/{message_id}/original")
    async def original(ticket_id: int, message_id: str) -> Response:
        found = await original_of(outbox.engine, archive, ticket_id, message_id)
        return Response(found.raw, headers=headers(mail_name(found.subject), MAIL_TYPE, inline=False))

    @router.get("/attachments/{attachment_id}")
    async def download(ticket_id: int, attachment_id: str, actor: Actor, inline: bool = False) -> Response:
        file = await _file(outbox, ticket_id, attachment_id, actor)
        if refusal := policy.refusal(file.name, file.type, file.size):
            raise ProblemError(403, "Not handed out", f"{refusal} {INSTEAD}")
        data = await _opened(archive, file.archive_key, file.part)
        return Response(data, headers=headers(file.name, file.type, inline=inline))

    return router


async def _file(outbox: Outbox, ticket_id: int, file_id: str, actor: str) -> File:
    """An attachment of the ticket, or what the actor uploaded for an answer there. Raises ProblemError 404."""
    async with outbox.engine.connect() as conn:
        found = await known_files(conn, ticket_id, actor, [file_id.replace("\x00", "")])
    if not found:
        raise not_found("attachment", file_id)
    return found[file_id]


async def _opened(archive: Archive, key: str, part: str) -> bytes:
    """The part's bytes, or the whole of an uploaded file. Raises ProblemError 410 where the archive has it no longer."""
    try:
        raw = await archive.get(key)
        return raw if part == UPLOADED else (await asyncio.to_thread(open_part, raw, part))[1]
    except (BlobNotFoundError, KeyError) as error:
        raise ProblemError(410, "No longer in the archive", "The archive does not hold this mail or file any more.") from error
