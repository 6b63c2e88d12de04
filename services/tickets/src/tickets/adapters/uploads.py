"""Files that operators uploaded for their answers; their bytes are in the archive."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, any_, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import attachments, drafts, unwanted_files, uploads

UPLOADED: Final = ""
"""Instead of a part number: the archived bytes are the file."""


async def announce(conn: AsyncConnection, key: str) -> None:
    """The archive is about to get a file: unless `keep` follows, it is removed again."""
    await conn.execute(insert(unwanted_files).values(archive_key=key).on_conflict_do_nothing())


async def keep(conn: AsyncConnection, values: Mapping[str, Any]) -> bool:
    """The file is there; False where it was removed meanwhile as unwanted."""
    announced = delete(unwanted_files).where(unwanted_files.c.archive_key == values["archive_key"]).returning(unwanted_files.c.archive_key)
    if (await conn.execute(announced)).first() is None:
        return False
    await conn.execute(insert(uploads).values(dict(values)))
    return True


async def get_upload(conn: AsyncConnection, upload_id: str) -> Row[Any] | None:
    return (await conn.execute(select(uploads).where(uploads.c.id == upload_id))).first()


async def count_unsent(conn: AsyncConnection, ticket_id: int, actor: str) -> int:
    of = uploads.c
    query = select(func.count()).where(of.ticket_id == ticket_id, of.actor == actor, of.sent.is_(False))
    return int(await conn.scalar(query) or 0)


async def uploads_of(conn: AsyncConnection, ticket_id: int, actor: str, ids: Collection[str]) -> Sequence[Row[Any]]:
    """Those of the ids that are the actor's own for this ticket. They stay until the transaction ends."""
    of = uploads.c
    query = select(uploads).where(of.id.in_(ids), of.ticket_id == ticket_id, of.actor == actor)
    return (await conn.execute(query.order_by(of.id).with_for_update(read=True, key_share=True))).all()


async def mark_sent(conn: AsyncConnection, ids: Collection[str]) -> None:
    if ids:
        await conn.execute(update(uploads).where(uploads.c.id.in_(ids)).values(sent=True))


async def remove_unused(conn: AsyncConnection, before: datetime, limit: int) -> int:
    """Files from before then that are in neither draft nor answer; returns how many. Their bytes are unwanted from now on."""
    of = uploads.c
    drafted = exists().where(drafts.c.ticket_id == of.ticket_id, drafts.c.actor == of.actor, of.id == any_(drafts.c.attachments))
    old = select(of.id).where(of.sent.is_(False), of.created_at < before, ~drafted).order_by(of.created_at).limit(limit)
    locked = (await conn.execute(old.with_for_update(skip_locked=True))).scalars().all()
    await remove(conn, locked)
    return len(locked)


async def remove(conn: AsyncConnection, ids: Collection[str]) -> None:
    """These uploads; their bytes are unwanted, unless an answer has them."""
    gone = delete(uploads).where(uploads.c.id.in_(ids)).returning(uploads.c.archive_key)
    await unwant(conn, (await conn.execute(gone)).scalars().all())


async def unwant_of_tickets(conn: AsyncConnection, numbers: Sequence[int]) -> None:
    """Before the tickets are removed for good: the bytes of all their uploaded files."""
    for table in (uploads, attachments):
        keys = select(table.c.archive_key).where(table.c.ticket_id.in_(numbers))
        if table is attachments:
            keys = keys.where(attachments.c.part == UPLOADED)
        await unwant(conn, (await conn.execute(keys)).scalars().all())


async def unwant(conn: AsyncConnection, keys: Collection[str]) -> None:
    """The archive need not hold these any more."""
    if keys:
        rows = [{"archive_key": key} for key in sorted(set(keys))]
        await conn.execute(insert(unwanted_files).on_conflict_do_nothing(), rows)


async def take_unwanted(conn: AsyncConnection, before: datetime, limit: int) -> tuple[list[str], int]:
    """Keys that were unwanted before then and that nothing refers to, no longer listed; and how many rows that took."""
    of = unwanted_files.c
    query = select(of.archive_key).where(of.created_at <= before).order_by(of.created_at).limit(limit)
    keys = (await conn.execute(query.with_for_update(skip_locked=True))).scalars().all()
    await conn.execute(delete(unwanted_files).where(of.archive_key.in_(keys)))
    used = set((await conn.execute(select(uploads.c.archive_key).where(uploads.c.archive_key.in_(keys)))).scalars())
    shown = select(attachments.c.archive_key).where(attachments.c.archive_key.in_(keys), attachments.c.part == UPLOADED)
    used |= set((await conn.execute(shown)).scalars())
    return [key for key in keys if key not in used], len(keys)
