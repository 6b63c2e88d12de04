"""`/tickets/{id}/draft`: what whoever asks is writing there."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import Draft, DraftIn
from shared.http import Actor, IfMatch, ProblemError, check_if_match, with_etag
from shared.messaging.outbox import Outbox
from tickets.adapters.drafts import delete_draft, get_draft, put_draft
from tickets.adapters.ticket_store import get_ticket, lock_ticket
from tickets.answer_files import known_files
from tickets.api.common import plain
from tickets.api.views import draft_view
from tickets.changing import refuse_gone
from tickets.domain.files import Policy

NONE_YET = "You have no draft on this ticket."


def drafts_router(outbox: Outbox, policy: Policy) -> APIRouter:
    router = APIRouter(prefix="/tickets/{ticket_id}/draft")

    @router.get("")
    async def read(ticket_id: int, response: Response, actor: Actor) -> Draft:
        async with outbox.transaction() as unit:
            await get_ticket(unit.conn, ticket_id)
            row = await get_draft(unit.conn, ticket_id, actor)
            if row is None:
                raise ProblemError(404, "No draft", NONE_YET)
            return await _shown(unit.conn, row, response, policy)

    @router.put("")
    async def keep(ticket_id: int, request: DraftIn, response: Response, actor: Actor, if_match: IfMatch = None) -> Draft:
        async with outbox.transaction() as unit:
            await refuse_gone(unit.conn, await lock_ticket(unit.conn, ticket_id))
            before = await get_draft(unit.conn, ticket_id, actor, lock=True)
            check_if_match(if_match, before.version if before else 0)
            row = await put_draft(unit.conn, {"ticket_id": ticket_id, "actor": actor, **_values(request)})
            return await _shown(unit.conn, row, response, policy)

    @router.delete("", status_code=204)
    async def throw_away(ticket_id: int, actor: Actor, if_match: IfMatch = None) -> None:
        async with outbox.transaction() as unit:
            await get_ticket(unit.conn, ticket_id)
            before = await get_draft(unit.conn, ticket_id, actor, lock=True)
            check_if_match(if_match, before.version if before else 0)
            await delete_draft(unit.conn, ticket_id, actor)

    return router


def _values(request: DraftIn) -> dict[str, Any]:
    return {
        "body": plain(request.body),
        "mode": request.mode,
        "quote": request.quote,
        "cc": None if request.cc is None else [plain(one) for one in request.cc],
        "attachments": list(dict.fromkeys(plain(one) for one in request.attachments)),
    }


async def _shown(conn: AsyncConnection, row: Row[Any], response: Response, policy: Policy) -> Draft:
    with_etag(response, row.version)
    files = await known_files(conn, row.ticket_id, row.actor, row.attachments)
    return draft_view(row, [files[one] for one in row.attachments if one in files], policy)
