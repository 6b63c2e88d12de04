"""What operators wrote and sent along on a person's tickets: drafts, uploaded files, and the person's own files that went on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.erasure_tickets import Part
from tickets.adapters.tables import drafts
from tickets.adapters.uploads import UPLOADED, remove, unwant

_FILES: Final = text(
    """
    delete from attachments a using messages m
    where m.id = a.message_id and m.direction = 'out' and m.received_at <= :until
      and (m.id = any(cast(:answers as text[])) or a.part = '' and m.ticket_id = any(cast(:tickets as bigint[])))
    returning a.archive_key, a.part
    """
)
_UPLOADS: Final = text(
    """
    select id from uploads
    where created_at <= :until and ticket_id = any(cast(:tickets as bigint[])) or archive_key = any(cast(:keys as text[])) for update
    """
)
_NAMING: Final = text(
    """
    select ticket_id, actor, body, cc from drafts
    where ticket_id > :after and ticket_id <= :last and updated_at <= :until and (body ilike :like or cc::text ilike :like)
    order by actor for update
    """
)
_DRAFTS: Final = text("delete from drafts where ticket_id = any(cast(:tickets as bigint[])) and updated_at <= :until")


async def forget_files(conn: AsyncConnection, part: Part, opened: Sequence[int], answers: Sequence[str]) -> int:
    """Files of these answers, and all that was uploaded on tickets the person opened; returns how many uploads went."""
    gone = (await conn.execute(_FILES, part.values(tickets=list(opened), answers=list(answers)))).all()
    keys = [row.archive_key for row in gone if row.part == UPLOADED]
    ids = (await conn.execute(_UPLOADS, part.values(tickets=list(opened), keys=keys))).scalars().all()
    await remove(conn, ids)
    await unwant(conn, keys)
    return len(ids)


async def drafts_naming(conn: AsyncConnection, part: Part) -> Sequence[Row[Any]]:
    """Drafts of before that may name the person, locked."""
    return (await conn.execute(_NAMING, part.values())).all()


async def put_draft_text(conn: AsyncConnection, row: Row[Any], body: str, cc: list[str] | None) -> None:
    which = (drafts.c.ticket_id == row.ticket_id) & (drafts.c.actor == row.actor)
    await conn.execute(update(drafts).where(which).values(body=body, cc=cc))


async def forget_drafts(conn: AsyncConnection, part: Part, opened: Sequence[int]) -> int:
    """Drafts of before on tickets the person opened; returns how many."""
    return (await conn.execute(_DRAFTS, part.values(tickets=list(opened)))).rowcount
