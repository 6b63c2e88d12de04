"""Templates in the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.tables import TEMPLATES
from shared.api import TemplateKind


async def create(conn: AsyncConnection, values: Mapping[str, Any]) -> bool:
    """False, and nothing done, where its id is known, or there is one of its kind for the same mailboxes."""
    made = await conn.execute(insert(TEMPLATES).values(**values).on_conflict_do_nothing().returning(TEMPLATES.c.id))
    return made.first() is not None


async def get(conn: AsyncConnection, template_id: str, *, lock: bool = False) -> Row[Any] | None:
    query = select(TEMPLATES).where(TEMPLATES.c.id == template_id)
    return (await conn.execute(query.with_for_update() if lock else query)).first()


async def rival(conn: AsyncConnection, kind: TemplateKind, scanner_id: str | None) -> Row[Any] | None:
    """The one of this kind for the same mailboxes; of canned answers there are as many as wanted."""
    of = TEMPLATES.c.scanner_id.is_(None) if scanner_id is None else TEMPLATES.c.scanner_id == scanner_id
    query = select(TEMPLATES).where(TEMPLATES.c.kind == kind.value, TEMPLATES.c.kind != TemplateKind.CANNED.value, of)
    return (await conn.execute(query)).first()


async def page(
    conn: AsyncConnection, kind: TemplateKind | None, scanner_id: str | None, after: tuple[str, str] | None, limit: int
) -> list[Row[Any]]:
    """By name. With `scanner_id` those that mails of this mailbox may be made with: its own, and those for all."""
    query = select(TEMPLATES).order_by(TEMPLATES.c.name, TEMPLATES.c.id).limit(limit)
    if kind is not None:
        query = query.where(TEMPLATES.c.kind == kind.value)
    if scanner_id is not None:
        query = query.where(or_(TEMPLATES.c.scanner_id == scanner_id, TEMPLATES.c.scanner_id.is_(None)))
    if after is not None:
        query = query.where((TEMPLATES.c.name > after[0]) | ((TEMPLATES.c.name == after[0]) & (TEMPLATES.c.id > after[1])))
    return list((await conn.execute(query)).all())


async def change(conn: AsyncConnection, template_id: str, values: Mapping[str, Any]) -> None:
    """Set the values given and raise the version."""
    changed = {**values, "version": TEMPLATES.c.version + 1, "updated_at": func.now()}
    await conn.execute(update(TEMPLATES).where(TEMPLATES.c.id == template_id).values(changed))


async def remove(conn: AsyncConnection, template_id: str) -> None:
    await conn.execute(delete(TEMPLATES).where(TEMPLATES.c.id == template_id))
