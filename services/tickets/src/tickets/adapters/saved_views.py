"""Filters with a name: everybody's own, and those that are shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.http import not_found
from tickets.adapters.tables import saved_views


async def list_views(conn: AsyncConnection, actor: str, after: tuple[datetime, str] | None, limit: int) -> Sequence[Row[Any]]:
    """The actor's own and the shared ones, in the order they were made."""
    query = select(saved_views).where(or_(saved_views.c.owner == actor, saved_views.c.shared))
    if after is not None:
        query = query.where(tuple_(saved_views.c.created_at, saved_views.c.id) > tuple_(*after))
    return (await conn.execute(query.order_by(saved_views.c.created_at, saved_views.c.id).limit(limit))).all()


async def get_view(conn: AsyncConnection, view_id: str, actor: str, *, lock: bool = False) -> Row[Any]:
    """Raises ProblemError 404, also for somebody else's that is not shared."""
    query = select(saved_views).where(saved_views.c.id == view_id.replace("\x00", ""))
    query = query.where(or_(saved_views.c.owner == actor, saved_views.c.shared))
    row = (await conn.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise not_found("saved view", view_id)
    return row


async def insert_view(conn: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Nothing happens where it is there already."""
    await conn.execute(insert(saved_views).values(values).on_conflict_do_nothing())


async def change_view(conn: AsyncConnection, view_id: str, values: Mapping[str, Any]) -> None:
    raised = saved_views.c.version + 1
    await conn.execute(update(saved_views).where(saved_views.c.id == view_id).values({**values, "version": raised}))


async def delete_view(conn: AsyncConnection, view_id: str) -> None:
    await conn.execute(delete(saved_views).where(saved_views.c.id == view_id))
